// Reading the Merkle tree back from stored tiles: only the few tiles that a proof needs are loaded, whatever the size of the log.
import { setImmediate } from 'node:timers/promises'
import { Failure } from '../base/failure.ts'
import { tileWidth } from '../merkle/expanded-tile.ts'
import { nodeHash } from '../merkle/hash.ts'
import { equalBytes } from '../base/bytes.ts'
import { consistencyProof, rootAt, verifyConsistency, type NodeReader } from '../merkle/proof.ts'
import type { LogHead, StoreReader } from '../store/store.ts'

const hashBytes = 32

const nameOf = (level: number, n: number): string => `${level}/${n}`

/** Whatever gives the tiles of a tree. */
type TileStore = Pick<StoreReader, 'readTile'>

/** Loads tiles by name, each once. */
async function load(
  store: TileStore,
  tenant: string,
  wanted: Iterable<readonly [level: number, n: number]>,
): Promise<Map<string, Uint8Array>> {
  const tiles = new Map<string, Uint8Array>()
  for (const [level, n] of wanted) {
    if (tiles.has(nameOf(level, n))) continue
    const hashes = await store.readTile(tenant, level, n)
    if (hashes === undefined)
      throw new Failure(
        'STORE_CORRUPT',
        `Tile is missing, countersign log rebuild makes it again: ${nameOf(level, n)}`,
      )
    tiles.set(nameOf(level, n), hashes)
  }
  return tiles
}

/** The partial tile at the right end of every level that has one. */
function* rightEdge(size: number): Generator<readonly [number, number]> {
  let level = 0
  for (let count = size; count > 0; count = Math.floor(count / tileWidth)) {
    if (count % tileWidth !== 0) yield [level, Math.floor(count / tileWidth)]
    level++
  }
}

/** The tiles on the way from a leaf to the root. */
function* above(index: number, size: number): Generator<readonly [number, number]> {
  let level = 0
  let at = index
  for (let count = size; count > 0; count = Math.floor(count / tileWidth)) {
    // Where the leaf's ancestor is not whole yet, the right edge stands for it.
    if (at >= count) return
    yield [level, Math.floor(at / tileWidth)]
    at = Math.floor(at / tileWidth)
    level++
  }
}

/** The right-edge tiles of a log, by `level/n`. */
export const loadRightEdge = (
  store: StoreReader,
  tenant: string,
  size: number,
): Promise<Map<string, Uint8Array>> => load(store, tenant, rightEdge(size))

/** The perfect subtree's hash, folded from 2^height hashes of a tile. */
function fold(hashes: Uint8Array, from: number, height: number): Uint8Array {
  if (height === 0) return hashes.slice(from * hashBytes, (from + 1) * hashBytes)
  const half = 2 ** (height - 1)
  return nodeHash(fold(hashes, from, height - 1), fold(hashes, from + half, height - 1))
}

/**
 * A reader of the nodes that proofs for the given leaves need in a tree of the given size.
 * @throws {@link Failure} STORE_CORRUPT when a tile is missing or short
 */
export async function loadNodes(
  store: TileStore,
  tenant: string,
  size: number,
  indexes: readonly number[],
): Promise<NodeReader> {
  const wanted = [
    ...rightEdge(size),
    ...indexes.filter((index) => index < size).flatMap((index) => [...above(index, size)]),
  ]
  const tiles = await load(store, tenant, wanted)
  // Proofs of many leaves share most of their nodes.
  const folded = new Map<string, Uint8Array>()
  return (level, index) => {
    const node = `${level}/${index}`
    const known = folded.get(node)
    if (known !== undefined) return known
    const height = level % 8
    const first = index * 2 ** height
    const name = nameOf((level - height) / 8, Math.floor(first / tileWidth))
    const hashes = tiles.get(name)
    const from = first % tileWidth
    if (hashes === undefined || hashes.length < (from + 2 ** height) * hashBytes)
      throw new Failure(
        'STORE_CORRUPT',
        `Tile is missing or short, countersign log rebuild makes it again: ${name}`,
      )
    const hash = fold(hashes, from, height)
    folded.set(node, hash)
    return hash
  }
}

/** The root of the tree when it had `at` entries, recomputed from the tiles of one of `size` entries, at least as many. */
export async function readRootAt(
  store: StoreReader,
  tenant: string,
  size: number,
  at: number,
): Promise<Uint8Array> {
  return rootAt(at, await loadNodes(store, tenant, size, [at, Math.max(0, at - 1)]))
}

/**
 * As {@link readRootAt}, proved to be a prefix of a tree head that is known to be true: whoever can write the tiles has no say in it.
 * @throws {@link Failure} STORE_CORRUPT
 */
export async function readProvedRootAt(
  store: StoreReader,
  tenant: string,
  { root: headRoot, size }: Pick<LogHead, 'root' | 'size'>,
  at: number,
): Promise<Uint8Array> {
  const nodes = await loadNodes(store, tenant, size, [at, Math.max(0, at - 1)])
  const root = rootAt(at, nodes)
  const proved =
    at === size
      ? equalBytes(root, headRoot)
      : at === 0 || verifyConsistency(at, size, root, headRoot, consistencyProof(at, size, nodes))
  if (!proved)
    throw new Failure(
      'STORE_CORRUPT',
      `Tiles are wrong, countersign log rebuild makes them again: no tree of size ${at}`,
    )
  return root
}

/** Tiles that are looked through before others get their turn. */
const tilesATurn = 32

/** The newest leaf of a tree with a hash of 32 bytes, or undefined: a tile is 8 kB, so a million leaves are 31 MB to look through. */
export async function findLeafHash(
  store: StoreReader,
  tenant: string,
  size: number,
  hash: Uint8Array,
): Promise<number | undefined> {
  for (let n = Math.ceil(size / tileWidth) - 1, looked = 1; n >= 0; n--, looked++) {
    const hashes = Buffer.from((await store.readTile(tenant, 0, n)) ?? [])
    for (let at = hashes.lastIndexOf(hash); at >= 0; at = hashes.lastIndexOf(hash, at - 1)) {
      const index = n * tileWidth + at / hashBytes
      if (at % hashBytes === 0 && index < size) return index
      if (at === 0) break
    }
    if (looked % tilesATurn === 0) await setImmediate()
  }
  return undefined
}
