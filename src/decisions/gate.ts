// The gate before a log. While it is shut nobody signs and nothing is on its way into the log, so that keys can be exchanged between one entry and
// the next; whoever comes waits for some milliseconds and then signs with the keys of the day.

/** Lets everybody pass, but for the time of a piece of work that must be alone. */
export class Gate {
  #shut: Promise<void> | undefined
  /** Whether the tenant behind it is closed: nothing is decided there any more. */
  isClosed = false

  /** Undefined while the gate is open; else resolves when it may be open again, and must then be asked again. */
  get shut(): Promise<void> | undefined {
    return this.#shut
  }

  /**
   * Shuts the gate, waits until what has passed is done, works, and opens it again, however the work ends.
   * @param settled resolves when nothing that passed is still on its way
   */
  async alone<T>(settled: () => Promise<void>, work: () => Promise<T>): Promise<T> {
    while (this.#shut !== undefined) await this.#shut
    const opened = Promise.withResolvers<undefined>()
    this.#shut = opened.promise
    try {
      await settled()
      return await work()
    } finally {
      this.#shut = undefined
      opened.resolve(undefined)
    }
  }
}
