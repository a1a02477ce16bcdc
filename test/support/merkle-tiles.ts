import { u64 } from '../../src/base/bytes.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import type { TileTree } from '../../src/merkle/tiles.ts'
import { tilePath, type ChangedTile } from '../../src/merkle/tiles.ts'

/** The entry at an index of every test tree: the index, 8 bytes. */
export const entryAt = (index: number): Uint8Array => u64(index)

/** The entries from one index up to another. */
export const entriesBetween = (from: number, to: number): Uint8Array[] =>
  Array.from({ length: to - from }, (_, i) => entryAt(from + i))

/** A store of tiles in memory that counts what is read. */
export class MemoryTiles {
  readonly tiles = new Map<string, Uint8Array>()
  reads = 0

  readonly read = (level: number, n: number): Uint8Array => {
    this.reads++
    return this.tiles.get(tilePath(level, n, 256)) ?? new Uint8Array(0)
  }

  put(changed: readonly ChangedTile[]): void {
    for (const { level, n, hashes } of changed) this.tiles.set(tilePath(level, n, 256), hashes)
  }

  /** Appends the next entries of the test tree up to a size, in batches, storing as it goes. */
  grow(tree: TileTree, size: number, batch = 256): TileTree {
    while (tree.size < size) {
      const entries = entriesBetween(tree.size, Math.min(tree.size + batch, size))
      this.put(tree.append(entries.map(leafHash)))
    }
    return tree
  }
}
