// C2SP tlog-tiles: the tree as files of 256 hashes, the entries as bundles of 256, and the growing edge of a tree over stored tiles. It keeps
// one tile a level and a few tiles it was asked for; everything else stays in the store behind `readTile`. It stores nothing itself: `append`
// returns what changed, and where storing that fails the tree in memory is ahead of the store and must be thrown away.
import { concat, u16 } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { ExpandedTile, tileWidth } from './expanded-tile.ts'
import { inclusionProof, rightEdge, type NodeReader, type RightEdge } from './proof.ts'
import { emptyRoot } from './hash.ts'

/** Place of a tile (level 0–63) or of an entry bundle, and how many hashes or entries (1–256) it holds. */
export interface Tile {
  readonly level: number | 'entries'
  readonly n: number
  readonly width: number
}

/** Path below `tile/`, such as `0/x001/067`, `0/x001/067.p/8` or `entries/000`; width 256 is the full tile. */
export function tilePath(level: number | 'entries', n: number, width: number): string {
  const digits = String(n)
  const padded = digits.padStart(Math.ceil(digits.length / 3) * 3, '0')
  const partial = width === tileWidth ? '' : `.p/${width}`
  return `${level}/${padded.replaceAll(/\d{3}(?=\d)/g, 'x$&/')}${partial}`
}

/** The tile of a path, or undefined when the text is not exactly what {@link tilePath} gives for one. */
export function parseTilePath(path: string): Tile | undefined {
  const match = /^(entries|\d{1,2})\/((?:x\d{3}\/){0,5}\d{3})(?:\.p\/(\d{1,3}))?$/.exec(path)
  if (match === null) return undefined
  const level = match[1] === 'entries' ? 'entries' : Number(match[1])
  const n = Number(match[2]?.replaceAll(/[x/]/g, ''))
  const width = match[3] === undefined ? tileWidth : Number(match[3])
  if ((level !== 'entries' && level > 63) || !Number.isSafeInteger(n) || width < 1) return undefined
  // Leading zeros, and a partial tile as wide as a full one, are second texts of a tile.
  return tilePath(level, n, width) === path && width <= tileWidth ? { level, n, width } : undefined
}

/** Tiles of hashes that a tree of `treeSize` leaves has, level by level, full ones first. Its bundles are those of level 0. */
export function* tileSizes(
  treeSize: number,
): Generator<Tile & { readonly level: number }, void, undefined> {
  for (let level = 0, count = treeSize; count > 0; level++, count = Math.floor(count / tileWidth)) {
    const full = Math.floor(count / tileWidth)
    for (let n = 0; n < full; n++) yield { level, n, width: tileWidth }
    if (count % tileWidth > 0) yield { level, n: full, width: count % tileWidth }
  }
}

const maxEntryBytes = 0xffff

/**
 * An entry bundle: each of 1 to 256 entries behind its length as uint16be.
 * @throws {@link Failure} INPUT_TOO_LARGE for an entry over 65,535 bytes
 */
export function entryBundle(entries: readonly Uint8Array[]): Uint8Array {
  invariant(
    entries.length >= 1 && entries.length <= tileWidth,
    `Not a bundle: ${entries.length} entries`,
  )
  const tooLarge = entries.find((entry) => entry.length > maxEntryBytes)
  if (tooLarge !== undefined)
    throw new Failure('INPUT_TOO_LARGE', `Entry must not exceed 65,535 bytes: ${tooLarge.length}`)
  return concat(...entries.flatMap((entry) => [u16(entry.length), entry]))
}

/** The entries of a bundle as views of it, or undefined when it is cut, empty or holds more than 256. */
export function parseEntryBundle(bundle: Uint8Array): Uint8Array[] | undefined {
  const view = new DataView(bundle.buffer, bundle.byteOffset, bundle.byteLength)
  const entries: Uint8Array[] = []
  for (let at = 0; at < bundle.length;) {
    if (bundle.length - at < 2 || entries.length === tileWidth) return undefined
    const start = at + 2
    at = start + view.getUint16(at)
    if (at > bundle.length) return undefined
    entries.push(bundle.subarray(start, at))
  }
  return entries.length === 0 ? undefined : entries
}

/** Reads all hashes so far of one stored tile, 32 · width bytes; the tree copies what it keeps. */
export type TileReader = (level: number, n: number) => Uint8Array

/** A tile that changed, with all its hashes; it replaces what is stored in its place. */
export interface ChangedTile {
  readonly level: number
  readonly n: number
  readonly hashes: Uint8Array
}

const cachedTiles = 32

/** The growing edge of one tree, and proofs in it. */
export class TileTree {
  readonly #readTile: TileReader
  /** By level, the tile that takes the next hash. */
  readonly #growing: ExpandedTile[] = []
  /** Full tiles, the least recently used first. */
  readonly #full = new Map<string, ExpandedTile>()
  #size: number
  #edge: RightEdge | undefined

  /**
   * Reads only the right-most tile of each level. Stored tiles may hold more than `size` leaves need, so an older tree opens as well.
   * @throws {@link Failure} STORE_CORRUPT when a tile holds less
   */
  constructor(size: number, readTile: TileReader) {
    invariant(Number.isSafeInteger(size) && size >= 0, `Not a tree size: ${size}`)
    this.#size = size
    this.#readTile = readTile
    for (let count = size; count > 0; count = Math.floor(count / tileWidth)) {
      const level = this.#growing.length
      this.#growing.push(this.#load(level, Math.floor(count / tileWidth), count % tileWidth))
    }
  }

  /** Leaves of the tree. */
  get size(): number {
    return this.#size
  }

  /** Root hash at the current size, 32 bytes. */
  root(): Uint8Array {
    return (this.#rightEdge().at(-1) ?? emptyRoot).slice()
  }

  /**
   * Hash of a perfect subtree, as proofs at any size up to the current one ask for it.
   * @throws {@link Failure} BUG when the tree does not have it whole, STORE_CORRUPT when a stored tile is too short
   */
  readonly node: NodeReader = (level, index) => {
    invariant(
      index >= 0 && (index + 1) * 2 ** level <= this.#size,
      `Node is not in the tree: level ${level}, index ${index}`,
    )
    const height = level % 8
    const width = tileWidth >> height
    const n = Math.floor(index / width)
    return this.#tile((level - height) / 8, n).node(height, index % width)
  }

  /**
   * Adds leaves and returns each tile that changed, once; about one hash a leaf. All or nothing.
   * @throws {@link Failure} BUG for a leaf hash that is not 32 bytes long
   */
  append(leafHashes: readonly Uint8Array[]): ChangedTile[] {
    invariant(
      leafHashes.every((hash) => hash.length === 32),
      'A leaf hash must have 32 bytes',
    )
    invariant(Number.isSafeInteger(this.#size + leafHashes.length), 'The tree is full')
    const changed = new Set<ExpandedTile>()
    for (const hash of leafHashes) this.#push(0, hash, changed)
    this.#size += leafHashes.length
    this.#edge = undefined
    return [...changed].map((tile) => ({ level: tile.level, n: tile.n, hashes: tile.hashes() }))
  }

  /**
   * Inclusion proofs of the leaves from `first` on, at the current size, lowest sibling first; each hash is read once, and shared: never write to them.
   * @throws {@link Failure} BUG unless 0 ≤ first ≤ size
   */
  inclusionProofs(first: number): Uint8Array[][] {
    invariant(
      first >= 0 && first <= this.#size,
      `Leaf is not in the tree: ${first} of ${this.#size}`,
    )
    const levels: Map<number, Uint8Array>[] = []
    const read: NodeReader = (level, index) => {
      const known = (levels[level] ??= new Map())
      const hash = known.get(index) ?? this.node(level, index)
      known.set(index, hash)
      return hash
    }
    return Array.from({ length: this.#size - first }, (_, i) =>
      inclusionProof(first + i, this.#size, read, this.#rightEdge()),
    )
  }

  #rightEdge(): RightEdge {
    this.#edge ??= rightEdge(this.#size, this.node)
    return this.#edge
  }

  #push(level: number, hash: Uint8Array, changed: Set<ExpandedTile>): void {
    const tile = (this.#growing[level] ??= new ExpandedTile(level, 0))
    tile.push(hash)
    changed.add(tile)
    if (tile.width < tileWidth) return
    this.#growing[level] = new ExpandedTile(level, tile.n + 1)
    this.#remember(tile)
    this.#push(level + 1, tile.node(8, 0), changed)
  }

  #tile(level: number, n: number): ExpandedTile {
    const growing = this.#growing[level]
    if (growing?.n === n) return growing
    const tile = this.#full.get(`${level}/${n}`) ?? this.#load(level, n, tileWidth)
    this.#remember(tile)
    return tile
  }

  #remember(tile: ExpandedTile): void {
    const key = `${tile.level}/${tile.n}`
    this.#full.delete(key)
    this.#full.set(key, tile)
    const [oldest] = this.#full.keys()
    if (this.#full.size > cachedTiles && oldest !== undefined) this.#full.delete(oldest)
  }

  #load(level: number, n: number, width: number): ExpandedTile {
    if (width === 0) return new ExpandedTile(level, n)
    const hashes = this.#readTile(level, n)
    if (hashes.length < width * 32)
      throw new Failure(
        'STORE_CORRUPT',
        `Tile is too short, countersign log rebuild makes it again: ${tilePath(level, n, width)}`,
      )
    return new ExpandedTile(level, n, hashes.subarray(0, width * 32))
  }
}
