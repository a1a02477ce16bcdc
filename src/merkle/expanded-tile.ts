import { nodeHash } from './hash.ts'

/** Hashes of a full tile. */
export const tileWidth = 256

/** Offset of a row, in hashes: rows of 256, 128, … 1 lie behind one another. */
const rowOffset = (height: number): number => 512 - (512 >> height)

/** One tile with the nodes between its hashes and its root, 16 kB; it only grows. */
export class ExpandedTile {
  readonly level: number
  readonly n: number
  readonly #nodes = new Uint8Array(511 * 32)
  #width = 0

  constructor(level: number, n: number, hashes: Uint8Array = new Uint8Array(0)) {
    this.level = level
    this.n = n
    for (let at = 0; at < hashes.length; at += 32) this.push(hashes.subarray(at, at + 32))
  }

  /** Hashes so far, up to {@link tileWidth}. */
  get width(): number {
    return this.#width
  }

  /** Adds the next hash and the nodes it completes: one on average. */
  push(hash: Uint8Array): void {
    let index = this.#width++
    this.#nodes.set(hash, index * 32)
    for (let height = 0; index % 2 === 1; height++, index >>= 1) {
      const node = nodeHash(this.#view(height, index - 1), this.#view(height, index))
      this.#nodes.set(node, (rowOffset(height + 1) + (index >> 1)) * 32)
    }
  }

  /** Copy of the node at a height (0 the tile's hashes, 8 its root) that is complete. */
  node(height: number, index: number): Uint8Array {
    return this.#view(height, index).slice()
  }

  /** Copy of the tile's hashes, 32 · width bytes. */
  hashes(): Uint8Array {
    return this.#nodes.slice(0, this.#width * 32)
  }

  #view(height: number, index: number): Uint8Array {
    const at = (rowOffset(height) + index) * 32
    return this.#nodes.subarray(at, at + 32)
  }
}
