/** Work of one kind that is under way, for those who must not come in between. */
export class UnderWay {
  readonly #all = new Set<Promise<unknown>>()

  /** What the work gives, which is under way until it does. */
  async add<T>(work: Promise<T>): Promise<T> {
    this.#all.add(work)
    try {
      return await work
    } finally {
      this.#all.delete(work)
    }
  }

  /** Resolves when nothing is under way. */
  async none(): Promise<void> {
    while (this.#all.size > 0) await Promise.allSettled(this.#all)
  }
}
