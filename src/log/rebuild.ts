// Tiles are derived: what they hold follows from the leaves. Where they are lost or damaged they are made again, but only when the leaves give the
// root of the last checkpoint: tiles of other leaves would be worse than none.
import { setImmediate } from 'node:timers/promises'
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { leafHash } from '../merkle/hash.ts'
import { TileTree, tileSizes, type ChangedTile } from '../merkle/tiles.ts'
import type { Store, StoreReader, Tenant } from '../store/store.ts'

/** Whose tiles are made again, and who hears of it. */
export interface RebuildOptions {
  readonly store: Store
  readonly tenant: Tenant
  readonly signal?: AbortSignal
  /** Of both readings together: `total` is twice the size. */
  readonly progress: (done: number, total: number) => void
}

/** What came of it. */
export interface Rebuilt {
  /** Tiles that were missing or wrong. */
  readonly written: number
  /** Tiles that belong to no tree of this size. */
  readonly removed: number
}

const chunkLeaves = 4096
const fullTile = 256 * 32

/** Reads all leaves and hands on each tile once it is as it stays: full ones as they fill, the right edge at the end. */
async function grow(
  store: StoreReader,
  { head, name }: Tenant,
  step: (size: number) => void,
  settled: (tiles: readonly ChangedTile[]) => Promise<void>,
): Promise<Uint8Array> {
  const edge = new Map<string, ChangedTile>()
  const tree = new TileTree(0, () => new Uint8Array())
  while (tree.size < head.size) {
    const end = Math.min(tree.size + chunkLeaves, head.size)
    const leaves = await store.readLeaves(name, tree.size, end)
    if (leaves.length !== end - tree.size)
      throw new Failure(
        'STORE_CORRUPT',
        `Entries are missing behind index ${tree.size}, tiles cannot be made of them: countersign log fsck says more`,
      )
    const full: ChangedTile[] = []
    for (const tile of tree.append(leaves.map(leafHash))) {
      const place = `${tile.level}/${tile.n}`
      if (tile.hashes.length < fullTile) edge.set(place, tile)
      else {
        edge.delete(place)
        full.push(tile)
      }
    }
    await settled(full)
    // Reading the database never gives way: a signal would come when all is done.
    await setImmediate()
    step(end)
  }
  await settled([...edge.values()])
  return tree.root()
}

/**
 * Makes the tiles of a log again from its leaves, and writes those that differ. Interrupted, it goes on when it is run again.
 * @throws {@link Failure} STORE_CORRUPT when the leaves do not give the root of the last checkpoint; what `signal` was aborted with
 */
export async function rebuildTiles(options: RebuildOptions): Promise<Rebuilt> {
  const { progress, signal, store, tenant } = options
  const { head, name } = tenant
  const counting =
    (before: number) =>
    (size: number): void => {
      signal?.throwIfAborted()
      progress(before + size, 2 * head.size)
    }
  const root = await grow(store, tenant, counting(0), () => Promise.resolve())
  const last = await store.readLastCheckpoint(name)
  if (last?.size !== head.size || !equalBytes(last.root, root) || !equalBytes(head.root, root))
    throw new Failure(
      'STORE_CORRUPT',
      'Leaves do not give the root of the last checkpoint, so tiles of them would be worse than none: countersign log fsck names the first that is wrong',
    )
  let written = 0
  await grow(store, tenant, counting(head.size), async (tiles) => {
    const wrong: ChangedTile[] = []
    for (const tile of tiles) {
      const stored = await store.readTile(name, tile.level, tile.n)
      if (stored === undefined || !equalBytes(stored, tile.hashes)) wrong.push(tile)
    }
    if (wrong.length > 0) await store.mendTiles(name, wrong, [])
    written += wrong.length
  })
  const due = new Set(Array.from(tileSizes(head.size), ({ level, n }) => `${level}/${n}`))
  const stray = (await store.listTiles(name)).filter(({ level, n }) => !due.has(`${level}/${n}`))
  if (stray.length > 0) await store.mendTiles(name, [], stray)
  return { removed: stray.length, written }
}
