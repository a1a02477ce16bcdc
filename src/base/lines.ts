/** Work that is done one piece after the other, for each name in a line of its own. */
export class Lines {
  readonly #last = new Map<string, Promise<unknown>>()

  /** What the work gives, which begins once all is done that was asked for before under its name, well or not. */
  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(name)
    const turn = (async () => {
      // What became of it is for its own caller to hear.
      await before?.catch(() => undefined)
      return work()
    })()
    this.#last.set(name, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(name) === turn) this.#last.delete(name)
    }
  }

  /** Resolves when all is done that was asked for so far. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#last.values())
  }
}
