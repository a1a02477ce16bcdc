const newline = 0x0a
const nothing = new Uint8Array(0)

/** Lines out of bytes that come in pieces of any size; of each at most one line is held. */
export class LineReader {
  readonly #maxBytes: number
  /** The beginning of a line, and room behind it. */
  #held = nothing
  #length = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes behind the last line feed. */
  get left(): number {
    return this.#length
  }

  /** The lines that a piece completes, without their line feeds; undefined for one that is too long, after which nothing comes. */
  *push(chunk: Uint8Array): Generator<Uint8Array | undefined, void, undefined> {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const part = chunk.subarray(start, end)
      start = end + 1
      if (this.#length + part.length > this.#maxBytes) {
        yield undefined
        return
      }
      yield this.#length === 0 ? part : this.#finish(part)
    }
    if (this.#length + chunk.length - start > this.#maxBytes) yield undefined
    else this.#hold(chunk.subarray(start))
  }

  /** Copies: the piece is not ours. By doubling, so that a line in a million pieces costs no more than one in two. */
  #hold(part: Uint8Array): void {
    const length = this.#length + part.length
    if (length > this.#held.length) {
      const grown = new Uint8Array(
        Math.min(this.#maxBytes, Math.max(length, 2 * this.#held.length)),
      )
      grown.set(this.#held.subarray(0, this.#length))
      this.#held = grown
    }
    this.#held.set(part, this.#length)
    this.#length = length
  }

  #finish(part: Uint8Array): Uint8Array {
    this.#hold(part)
    const line = this.#held.subarray(0, this.#length)
    this.#held = nothing
    this.#length = 0
    return line
  }
}
