import { emptyRoot, nodeHash } from './hash.ts'
import type { NodeReader } from './proof.ts'

/** The perfect subtrees that a tree of `size` leaves consists of, largest first: one for each 1 in the binary form of its size. */
export function perfectSubtrees(
  size: number,
): { readonly level: number; readonly index: number }[] {
  const trees: { level: number; index: number }[] = []
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / 2))
    if (count % 2 === 1) trees.unshift({ level, index: count - 1 })
  return trees
}

/** The growing edge of a tree: the roots of its perfect subtrees, from which leaves are added and the root is told without any leaf before them. */
export class Frontier {
  readonly #peaks: { leaves: number; hash: Uint8Array }[]
  #size: number

  private constructor(size: number, peaks: { leaves: number; hash: Uint8Array }[]) {
    this.#size = size
    this.#peaks = peaks
  }

  /** The edge of the tree without leaves. */
  static empty(): Frontier {
    return new Frontier(0, [])
  }

  /** The edge of a tree that can be read. */
  static read(size: number, node: NodeReader): Frontier {
    const hashes = perfectSubtrees(size).map(({ index, level }) => node(level, index))
    return Frontier.from(size, hashes) ?? Frontier.empty()
  }

  /** The edge of `hashes` as {@link hashes} gives them, or undefined when they are not as many, or not 32 bytes each, as a size wants. */
  static from(size: number, hashes: readonly Uint8Array[]): Frontier | undefined {
    const trees = perfectSubtrees(size)
    if (hashes.length !== trees.length) return undefined
    const peaks = trees.flatMap(({ level }, i) => {
      const hash = hashes[i]
      return hash?.length === 32 ? [{ hash, leaves: 2 ** level }] : []
    })
    return peaks.length === trees.length ? new Frontier(size, peaks) : undefined
  }

  /** Leaves so far. */
  get size(): number {
    return this.#size
  }

  /** Adds a leaf by its hash, 32 bytes; the hash is kept. */
  append(leafHash: Uint8Array): void {
    let peak = { hash: leafHash, leaves: 1 }
    for (let last = this.#peaks.at(-1); last?.leaves === peak.leaves; last = this.#peaks.at(-1)) {
      this.#peaks.pop()
      peak = { hash: nodeHash(last.hash, peak.hash), leaves: 2 * peak.leaves }
    }
    this.#peaks.push(peak)
    this.#size++
  }

  /** Roots of the perfect subtrees, that of the largest first; never write to them. */
  hashes(): readonly Uint8Array[] {
    return this.#peaks.map(({ hash }) => hash)
  }

  /** Root of the tree, 32 bytes. */
  root(): Uint8Array {
    const hashes = this.hashes()
    return hashes.length === 0
      ? emptyRoot
      : hashes.reduceRight((right, left) => nodeHash(left, right))
  }
}
