// Proofs for many leaves of one tree, read from stored tiles: those of leaves that lie together share their tiles, and no more than a few are held.
import { Failure } from '../base/failure.ts'
import { ExpandedTile, tileWidth } from '../merkle/expanded-tile.ts'
import { Frontier } from '../merkle/frontier.ts'
import {
  consistencyProof,
  inclusionProof,
  rightEdge,
  type NodeReader,
  type RightEdge,
} from '../merkle/proof.ts'
import type { StoreReader } from '../store/store.ts'

const heldTiles = 64

const nameOf = (level: number, n: number): string => `${level}/${n}`

/** Reads proofs in the tree of one size, which may have grown since. */
export class ProofReader {
  readonly #store: StoreReader
  readonly #tenant: string
  readonly #size: number
  /** The least recently used first. */
  readonly #tiles = new Map<string, ExpandedTile>()
  /** Those that hold the nodes of the right edge; they stay. */
  readonly #edgeTiles = new Map<string, ExpandedTile>()
  #edge: RightEdge | undefined

  constructor(store: StoreReader, tenant: string, size: number) {
    this.#store = store
    this.#tenant = tenant
    this.#size = size
  }

  get size(): number {
    return this.#size
  }

  /**
   * Inclusion proof of a leaf, lowest sibling first; the hashes may be shared with other proofs: never write to them.
   * @throws {@link Failure} STORE_CORRUPT when a tile is missing or short
   */
  async prove(index: number): Promise<Uint8Array[]> {
    const edge = await this.#rightEdge()
    await this.#load(index)
    return inclusionProof(index, this.#size, this.#node, edge)
  }

  /** Consistency proof from a smaller size, as {@link consistencyProof} gives it. */
  async proveGrowthFrom(size: number): Promise<Uint8Array[]> {
    await this.#rightEdge()
    if (size > 0) await this.#load(size - 1)
    if (size < this.#size) await this.#load(size)
    return consistencyProof(size, this.#size, this.#node)
  }

  /** The edge of the tree at a smaller size. */
  async frontierAt(size: number): Promise<Frontier> {
    await this.#rightEdge()
    if (size > 0) await this.#load(size - 1)
    if (size < this.#size) await this.#load(size)
    return Frontier.read(size, this.#node)
  }

  async #rightEdge(): Promise<RightEdge> {
    if (this.#edge !== undefined) return this.#edge
    for (let level = 0, count = this.#size; count > 0; level++) {
      if (count % tileWidth !== 0) {
        const n = Math.floor(count / tileWidth)
        this.#edgeTiles.set(nameOf(level, n), await this.#read(level, n))
      }
      count = Math.floor(count / tileWidth)
    }
    // Where a level ends with a full tile, the level above has its root.
    this.#edge = rightEdge(this.#size, this.#node)
    return this.#edge
  }

  /** Loads the tiles on the way from a leaf to the root. */
  async #load(index: number): Promise<void> {
    let at = index
    let count = this.#size
    for (let level = 0; count > 0 && at < count; level++) {
      at = Math.floor(at / tileWidth)
      await this.#hold(level, at)
      count = Math.floor(count / tileWidth)
    }
  }

  async #hold(level: number, n: number): Promise<void> {
    const name = nameOf(level, n)
    if (this.#edgeTiles.has(name)) return
    const tile = this.#tiles.get(name) ?? (await this.#read(level, n))
    this.#tiles.delete(name)
    this.#tiles.set(name, tile)
    const [oldest] = this.#tiles.keys()
    if (this.#tiles.size > heldTiles && oldest !== undefined) this.#tiles.delete(oldest)
  }

  async #read(level: number, n: number): Promise<ExpandedTile> {
    const hashes = await this.#store.readTile(this.#tenant, level, n)
    if (hashes === undefined)
      throw new Failure(
        'STORE_CORRUPT',
        `Tile is missing, countersign log rebuild makes it again: ${nameOf(level, n)}`,
      )
    return new ExpandedTile(level, n, hashes)
  }

  readonly #node: NodeReader = (level, index) => {
    const height = level % 8
    const width = tileWidth >> height
    const name = nameOf((level - height) / 8, Math.floor(index / width))
    const tile = this.#edgeTiles.get(name) ?? this.#tiles.get(name)
    const at = index % width
    if (tile === undefined || (at + 1) * 2 ** height > tile.width)
      throw new Failure(
        'STORE_CORRUPT',
        `Tile is missing or short, countersign log rebuild makes it again: ${name}`,
      )
    return tile.node(height, at)
  }
}
