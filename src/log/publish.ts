// The log as static files (C2SP tlog-tiles), for a web server, a CDN or an object store to carry its reads: first the tiles and bundles that a checkpoint
// needs, then, when all of them are there, the checkpoint. What was published is never replaced by other bytes: a tree that contradicts it is refused.
// Cut off at any moment it has published the old checkpoint or the new one, and goes on from there.
import { setTimeout } from 'node:timers/promises'
import { equalBytes, fromUtf8, utf8 } from '../base/bytes.ts'
import { asFailure, Failure } from '../base/failure.ts'
import { parseCheckpoint, type Checkpoint } from '../merkle/checkpoint.ts'
import { parseNote } from '../merkle/note.ts'
import { entryBundle, tilePath, type Tile } from '../merkle/tiles.ts'
import type { StoredCheckpoint, StoreReader } from '../store/store.ts'
import type { Pin } from './pin.ts'
import { checkPinnedHead } from './pinned-head.ts'
import { readProvedRootAt } from './tree-reading.ts'

/** Where a log is published. Paths are relative, of `[a-z0-9./]`. */
export interface PublishTarget {
  /** The bytes of a file, or undefined when there is none. */
  read(path: string): Promise<Uint8Array | undefined>
  /** Puts a file that will never change; whole or not at all. @throws {@link Failure} INPUT_EXISTS when there is one already */
  create(path: string, bytes: Uint8Array): Promise<void>
  /**
   * Puts a file in the place of the one that was read, or where none was, whole or not at all.
   * @throws {@link Failure} LOG_CONFLICT when it is another meanwhile
   */
  replace(path: string, bytes: Uint8Array, before: Uint8Array | undefined): Promise<void>
  close(): Promise<void>
}

/** What is published, and where. */
export interface PublishOptions {
  readonly store: StoreReader
  readonly tenant: string
  readonly target: PublishTarget
  /** The log's pin, where it is at hand: what is not pinned is not published, nor a database that is behind its pin or contradicts it. */
  readonly readPin?: () => Promise<Pin | undefined>
  readonly signal?: AbortSignal
  readonly progress: (done: number, total: number) => void
}

/** What was published. */
export interface Published {
  readonly origin: string
  /** Tree size that was published before; 0 when nothing was. */
  readonly from: number
  readonly size: number
  /** Files that were new. */
  readonly files: number
}

const checkpointPath = 'checkpoint'
const width = 256

const refused = (message: string): Failure => new Failure('LOG_ROLLBACK', message)

function parsePublished(bytes: Uint8Array): Checkpoint {
  const note = parseNote(decode(bytes))
  const checkpoint = typeof note === 'string' ? note : parseCheckpoint(note.text)
  if (typeof checkpoint === 'string')
    throw refused(`What is published is no checkpoint: ${checkpoint}`)
  return checkpoint
}

function decode(bytes: Uint8Array): string {
  try {
    return fromUtf8(bytes)
  } catch {
    return ''
  }
}

/** The tiles and bundles that a tree of `size` has and a published one of `from` has not. */
export function* newTiles(from: number, size: number): Generator<Tile> {
  if (from === size) return
  for (let level = 0, unit = 1; Math.floor(size / unit) > 0; level++, unit *= width) {
    const [before, after] = [Math.floor(from / unit), Math.floor(size / unit)]
    if (before === after) continue
    for (let n = Math.floor(before / width); n * width < after; n++) {
      const hashes = Math.min(width, after - n * width)
      yield { level, n, width: hashes }
      if (level === 0) yield { level: 'entries', n, width: hashes }
    }
  }
}

async function readTile(
  store: StoreReader,
  tenant: string,
  { level, n, width: wanted }: Tile,
): Promise<Uint8Array> {
  if (level === 'entries') {
    const leaves = await store.readLeaves(tenant, n * width, n * width + wanted)
    if (leaves.length === wanted) return entryBundle(leaves)
  } else {
    const hashes = await store.readTile(tenant, level, n)
    if (hashes !== undefined && hashes.length >= wanted * 32) return hashes.subarray(0, wanted * 32)
  }
  const mend =
    level === 'entries'
      ? 'countersign log fsck says more'
      : 'countersign log rebuild makes it again'
  throw new Failure(
    'STORE_CORRUPT',
    `Tile is missing or short, ${mend}: ${tilePath(level, n, wanted)}`,
  )
}

/** Puts a file that may be there already from a run that was cut off; true when it is new. */
async function put(target: PublishTarget, path: string, bytes: Uint8Array): Promise<boolean> {
  try {
    await target.create(path, bytes)
    return true
  } catch (error) {
    if (asFailure(error).code !== 'INPUT_EXISTS') throw error
    const there = await target.read(path)
    if (there !== undefined && equalBytes(there, bytes)) return false
    throw refused(`Published file has other bytes than this log gives it: ${path}`)
  }
}

/** Files that are put at a time: each costs a round trip or a sync. */
const lanes = 8

/** Puts what a tree of `size` has and a published one of `from` has not; gives how many files were new. */
async function putTiles(options: PublishOptions, from: number, size: number): Promise<number> {
  const { progress, signal, store, target, tenant } = options
  const tiles = newTiles(from, size)
  let files = 0
  let done = from
  const lane = async (): Promise<void> => {
    // A lane that fails ends the generator, and with it the others.
    for (const tile of tiles) {
      signal?.throwIfAborted()
      const path = `tile/${tilePath(tile.level, tile.n, tile.width)}`
      if (await put(target, path, await readTile(store, tenant, tile))) files++
      if (tile.level === 0) done = Math.max(done, Math.min(size, (tile.n + 1) * width))
      progress(done - from, size - from)
    }
  }
  const ends = await Promise.allSettled(Array.from({ length: lanes }, lane))
  const failed = ends.find((end) => end.status === 'rejected')
  if (failed !== undefined) throw failed.reason
  return files
}

/** That what was published is the beginning of this log. */
async function checkPublished(
  { store, tenant }: PublishOptions,
  published: Checkpoint,
  { origin, root, size }: Checkpoint,
): Promise<void> {
  if (published.origin !== origin)
    throw refused(`Another log is published there: ${published.origin}`)
  if (published.size > size)
    throw refused(`Published log is ahead of this database: ${published.size} > ${size}`)
  const before = await readProvedRootAt(store, tenant, { root, size }, published.size)
  if (!equalBytes(before, published.root))
    throw refused(`Published log is not this one: its root differs at size ${published.size}`)
}

/** How long a commit may wait for its pin: the writer is at it, or died just then. */
const pinWaitMs = 5000
const pinEveryMs = 20

/** The last checkpoint, once it may leave: when it is pinned. */
async function readLast(options: PublishOptions): Promise<StoredCheckpoint | undefined> {
  const { readPin = () => Promise.resolve(undefined), signal, store, tenant } = options
  // The pin first: a log that goes on meanwhile must not look as if it were behind.
  let pin = await readPin()
  const last = await store.readLastCheckpoint(tenant)
  const found = await store.readTenant(tenant)
  if (pin === undefined || last === undefined || found === undefined) return last
  await checkPinnedHead({ head: last, origin: found.origin, store, tenant }, pin)
  for (let waited = 0; (pin?.size ?? 0) < last.size; waited += pinEveryMs) {
    if (waited >= pinWaitMs)
      throw new Failure(
        'LOG_STATE_UNKNOWN',
        `Last commit was never pinned, start the service once: ${found.origin}`,
      )
    await setTimeout(pinEveryMs, undefined, signal === undefined ? {} : { signal })
    pin = await readPin()
  }
  return last
}

/**
 * Publishes the log up to its last checkpoint.
 * @throws {@link Failure} INPUT_NOT_FOUND, LOG_ROLLBACK when what is published or pinned contradicts this log, LOG_STATE_UNKNOWN, STORE_*, what the
 * target throws
 */
export async function publishLog(options: PublishOptions): Promise<Published> {
  const { target, tenant } = options
  const last = await readLast(options)
  const note = last === undefined ? 'no checkpoint' : parseNote(last.note)
  const checkpoint = typeof note === 'string' ? note : parseCheckpoint(note.text)
  if (last === undefined || typeof checkpoint === 'string')
    throw new Failure('INPUT_NOT_FOUND', `Nothing to publish: ${tenant}`)
  const before = await target.read(checkpointPath)
  const published = before === undefined ? undefined : parsePublished(before)
  if (published !== undefined) await checkPublished(options, published, checkpoint)
  const from = published?.size ?? 0
  const files = await putTiles(options, from, checkpoint.size)
  // Until here nobody has been told of the new tiles; from here on all of them are there.
  // Witnesses may have cosigned it since.
  const bytes = utf8(last.note)
  if (published?.size !== checkpoint.size || bytes.length > (before?.length ?? 0))
    await target.replace(checkpointPath, bytes, before)
  return { files, from, origin: checkpoint.origin, size: checkpoint.size }
}
