import { concat } from '../base/bytes.ts'

const newline = 0x0a

/** Lines out of bytes that come in pieces; of each at most one line is held. */
export class LineReader {
  readonly #maxBytes: number
  #parts: Uint8Array[] = []
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
      if (!this.#hold(chunk.subarray(start, end))) {
        yield undefined
        return
      }
      start = end + 1
      yield this.#take()
    }
    // What is held past this call is copied: the piece is not ours.
    if (start < chunk.length && !this.#hold(chunk.slice(start))) yield undefined
  }

  #hold(part: Uint8Array): boolean {
    this.#length += part.length
    if (this.#length > this.#maxBytes) return false
    this.#parts.push(part)
    return true
  }

  #take(): Uint8Array {
    const [only, ...more] = this.#parts
    const line = only !== undefined && more.length === 0 ? only : concat(...this.#parts)
    this.#parts = []
    this.#length = 0
    return line
  }
}
