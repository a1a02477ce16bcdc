// The log of one tenant: it gives signed entries their place. Entries wait in one bounded queue; a commit takes a batch of them, and its order is
// the product's promise:
//
//   1. times, leaves and tree are computed in memory and one checkpoint is signed. A crash here loses only what nobody was told.
//   2. the store commits entries, tiles, checkpoint and effects in one transaction, with fsync. A crash here leaves either head, whole.
//   3. the pin is written, with fdatasync. A crash between 2 and 3 leaves the database one commit ahead of its pin: consistent growth, which the
//      next start proves and pins.
//   4. only then do callers get index, proof and checkpoint, and only then may this checkpoint leave the process.
//
// A commit whose outcome is unknown ends this log: it must be opened again from the store before anything more is signed, because the entries may
// be there, and a second checkpoint of the same size with another root would be a fork. One file, for this order is told and kept in one place.
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { asFailure, Failure, invariant } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { sha256 } from '../crypto/hash.ts'
import { formatLeaf } from '../dossier/leaf.ts'
import type { Kind } from '../dossier/kinds.ts'
import {
  logVkeys,
  signCheckpoint,
  verifyCheckpoint,
  type LogPublicKeys,
  type LogSigners,
} from '../merkle/checkpoint.ts'
import { leafHash } from '../merkle/hash.ts'
import { TileTree } from '../merkle/tiles.ts'
import type {
  DecisionFilter,
  Effect,
  LogHead,
  NewEntry,
  Store,
  StoredCheckpoint,
  StoredTile,
  StreamHead,
} from '../store/store.ts'
import type { PinStore, StreamEnds } from './pin.ts'
import { checkPinnedHead, rollback } from './pinned-head.ts'
import { advanceEnds, expectEnd, isSameEnds, openEnds } from './stream-ends.ts'
import { loadRightEdge } from './tree-reading.ts'

/** An entry that is signed and wants its place. */
export interface SignedEntry {
  readonly kind: Kind
  readonly stream: string
  readonly seq: number
  /** Hex leaf hash of the stream's previous leaf; null at seq 0. */
  readonly prev: string | null
  /** Hex SHA-256 of the signing key's SPKI. */
  readonly keyid: string
  readonly payload: Uint8Array
  /** SHA-512 of the DSSE pre-authentication encoding, 64 bytes. */
  readonly digest: Uint8Array
  readonly signature: Uint8Array
  readonly filter: DecisionFilter | null
  readonly effects: readonly Effect[]
  /** Why it may not stand at a leaf time; asked with the very time that it would get. */
  readonly refuseAt?: (time: number) => Failure | undefined
  /** Makes the entry that is committed together with it, right behind it, from the leaf that it gets; where that fails neither stands. */
  readonly follow?: (placed: Pick<Appended, 'leafHash' | 'time'>) => Promise<SignedEntry>
  /** Those that have it in common are committed together or not at all; given by {@link Log.appendTogether}. */
  readonly together?: symbol
}

/** An entry in its place, with the proof of it. */
export interface Appended {
  readonly index: number
  readonly time: number
  readonly leaf: Uint8Array
  readonly leafHash: Uint8Array
  readonly proof: readonly Uint8Array[]
  /** The signed note under which the proof holds. */
  readonly checkpoint: string
  readonly size: number
}

/** What a log is made of. */
export interface LogParts {
  readonly store: Store
  readonly tenant: string
  readonly origin: string
  /** The log key that is active now. */
  readonly signers: () => LogSigners
  /** The log keys that count at a tree size, active or not. */
  readonly signersAt: (size: number) => readonly LogPublicKeys[]
  readonly pin: PinStore
  /** Epoch of the key manifest, pinned along. */
  readonly epoch: () => number
  /** ms since 1970. */
  readonly clock: () => number
  /** How long an entry may wait for company before it is committed. */
  readonly windowMs: number
  /** Told once when the log can no longer be believed. */
  readonly onBroken: (failure: Failure) => void
}

interface Waiting {
  readonly entry: SignedEntry
  readonly resolve: (appended: Appended) => void
  readonly reject: (failure: Failure) => void
}

/** How far behind the last leaf's time the clock may be and is clamped, for it is set back now and then; beyond it is refused. */
export const clockToleranceMs = 5000
/** Entries of one commit: half of a usual crowd of connections, so that one half is answered while the other is committed. */
const batchEntries = 32
/** Where the pin takes longer than this, as across a network, more entries share a commit. */
const slowPinMs = 5
const keepCheckpointEveryMs = 1000

/** Whoever asked for an entry hears of what is committed with it. */
const nobody: Pick<Waiting, 'reject' | 'resolve'> = {
  reject: () => undefined,
  resolve: () => undefined,
}

/** The head of a log that is open, and where the streams end whose ends are kept. */
export interface OpenHead extends LogHead {
  readonly streams: StreamEnds
}

/** The sequencer of one log. `append` resolves only when the entry is durable, provable and pinned. */
export class Log {
  readonly #parts: LogParts
  readonly #tiles = new Map<string, Uint8Array>()
  #tree: TileTree
  #head: OpenHead
  #checkpoint: StoredCheckpoint | undefined
  #queue: Waiting[] = []
  /** Entries that were handed over while they are still being signed. */
  #signing = 0
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined
  /** Resolves when the last commit that began has ended. */
  #committed: Promise<void> | undefined
  #broken: Failure | undefined
  #closing = false
  #lastKept = 0
  #mostInBatch = batchEntries

  private constructor(parts: LogParts, head: LogHead, edge: ReadonlyMap<string, Uint8Array>) {
    this.#parts = parts
    this.#head = { ...head, streams: {} }
    for (const [name, hashes] of edge) this.#tiles.set(name, hashes)
    this.#tree = this.#makeTree()
  }

  /**
   * Opens a log at the store's head after holding it against the pin.
   * @throws {@link Failure} LOG_ROLLBACK when the pinned head is not a prefix of what the store holds, LOG_CLOCK when the clock is behind its last entry
   */
  static async open(parts: LogParts): Promise<Log> {
    const tenant = await parts.store.readTenant(parts.tenant)
    if (tenant === undefined)
      throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${parts.tenant}`)
    const log = new Log(
      parts,
      tenant.head,
      await loadRightEdge(parts.store, parts.tenant, tenant.head.size),
    )
    if (!equalBytes(log.#tree.root(), tenant.head.root))
      throw new Failure(
        'STORE_CORRUPT',
        `Tiles do not give the stored root, countersign log rebuild makes them again: ${parts.origin}`,
      )
    await log.#checkPin()
    log.#nextTime()
    return log
  }

  get head(): OpenHead {
    return this.#head
  }

  /** The checkpoint of the head; undefined while the log is empty. It may leave the process: it is durable and pinned. */
  get checkpoint(): StoredCheckpoint | undefined {
    return this.#checkpoint
  }

  /** Entries that were accepted and are not committed. */
  get backlog(): number {
    return this.#queue.length + this.#signing
  }

  /**
   * Whether an entry would be taken now, asked before the work of signing it.
   * @throws {@link Failure} LOG_BUSY when the queue is full, LOG_CLOSED, or what broke the log
   */
  admit(): void {
    if (this.#broken !== undefined) throw this.#broken
    if (this.#closing) throw new Failure('LOG_CLOSED', 'Log is closing')
    if (this.backlog >= limits.queueEntries)
      throw new Failure('LOG_BUSY', `Entries waiting: ${this.backlog}`)
  }

  /**
   * Gives an entry its place. An entry may still be being signed when it is handed over: the log then knows to wait a little for it.
   * @throws {@link Failure} as {@link admit}; LOG_CONFLICT when another entry took its step in the stream, LOG_KEY_STALE when its key does not
   * count at its index, LOG_CLOCK, STORE_*, LOG_STATE_UNKNOWN
   */
  async append(entry: SignedEntry | Promise<SignedEntry>): Promise<Appended> {
    this.admit()
    return this.#enqueue(entry instanceof Promise ? await this.#signed(entry) : entry)
  }

  /**
   * Gives entries of different streams their places in one commit; where one is refused, none stands. For whoever is alone with the log.
   * @throws {@link Failure} as {@link append}
   */
  async appendTogether(entries: readonly SignedEntry[]): Promise<readonly Appended[]> {
    this.admit()
    invariant(this.backlog === 0 && entries.length <= batchEntries, 'Log is not idle')
    const together = Symbol('together')
    // In one turn, so that no batch begins between two of them.
    return Promise.all(entries.map((entry) => this.#enqueue({ ...entry, together })))
  }

  async #signed(entry: Promise<SignedEntry>): Promise<SignedEntry> {
    this.#signing++
    try {
      return await entry
    } finally {
      this.#signing--
    }
  }

  #enqueue(entry: SignedEntry): Promise<Appended> {
    if (this.#broken !== undefined) return Promise.reject(this.#broken)
    return new Promise((resolve, reject) => {
      this.#queue.push({ entry, resolve, reject })
      this.#schedule()
    })
  }

  /** Resolves when nothing waits, nothing is being signed for this log and nothing is being committed. */
  async idle(): Promise<void> {
    while (this.backlog > 0 || this.#running !== undefined) {
      await this.flush()
      // What was accepted while it was being signed is still to come.
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
  }

  /**
   * Resolves when the checkpoint that the store has now is pinned: before that it must not leave the process.
   * @throws {@link Failure} what broke the log
   */
  async settled(): Promise<void> {
    await this.#committed
    if (this.#broken !== undefined) throw this.#broken
  }

  /** Commits what waits without waiting for more. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#running ??= this.#drain()
    await this.#running
  }

  /** Refuses new entries, commits those that wait, and ends. */
  async close(): Promise<void> {
    this.#closing = true
    await this.idle()
    await this.#parts.pin.close()
  }

  /** Commits at once unless more is on its way: then the window is how long the first waits for the others. */
  #schedule(): void {
    if (this.#running !== undefined) return
    if (this.#signing === 0 || this.#queue.length >= this.#mostInBatch) void this.flush()
    else this.#timer ??= setTimeout(() => void this.flush(), this.#parts.windowMs)
  }

  async #drain(): Promise<void> {
    for (;;) {
      // Entries handed over in the same turn of the event loop belong to one batch, however many promises each has to pass; and those of the
      // batch before are answered before the next one blocks this thread.
      await new Promise((resolve) => setImmediate(resolve))
      if (this.#queue.length === 0) break
      const batch = this.#queue.splice(0, this.#mostInBatch)
      try {
        const committed = this.#commit(batch)
        this.#committed = committed.catch(() => undefined)
        await committed
      } catch (error) {
        this.#fail(asFailure(error), batch)
      }
    }
    // In the same turn as the queue was found empty: an entry that comes next must find nobody running, or nobody would ever take it.
    this.#running = undefined
  }

  /** After a failed commit the tree in memory is ahead of the store: nothing more may be signed from it. */
  #fail(failure: Failure, batch: readonly Waiting[]): void {
    for (const { reject } of batch) reject(failure)
    if (failure.code === 'LOG_CLOCK') return
    this.#broken = failure
    for (const { reject } of this.#queue.splice(0)) reject(failure)
    this.#parts.onBroken(failure)
  }

  async #commit(batch: readonly Waiting[]): Promise<void> {
    const time = this.#nextTime()
    const admitted = await this.#withFollowers(await this.#admit(batch, time), time)
    if (admitted.length === 0) return
    const { store, tenant, origin, signers, epoch } = this.#parts
    const expected = this.#head
    const entries = admitted.map(({ entry }, i) => place(entry, expected.size + i, time))
    const tiles = this.#tree.append(entries.map((entry) => entry.leafHash))
    this.#remember(tiles)
    const size = expected.size + entries.length
    const root = this.#tree.root()
    const note = signCheckpoint({ origin, root, size }, signers())
    // Whoever goes from one trust root to the next needs the announcement under the keys of its time.
    const keepCheckpoint =
      time - this.#lastKept >= keepCheckpointEveryMs ||
      admitted.some(({ entry }) => entry.kind === 'trust')
    const effects = admitted.flatMap(({ entry }) => entry.effects)
    await store.commit({
      tenant,
      expected,
      head: { root, size, time },
      entries,
      tiles,
      checkpoint: { note, root, size, time },
      keepCheckpoint,
      effects,
    })
    if (keepCheckpoint) this.#lastKept = time
    // The keys that were stored along are not yet the ones this process uses, but from here on nothing older may be.
    const epochs = effects.map((effect) => (effect.type === 'keys' ? effect.epoch : 0))
    const streams = advanceEnds(expected.streams, entries)
    const head = { root, size, streams, time }
    await this.#writePin(head, Math.max(epoch(), ...epochs))
    this.#head = head
    this.#checkpoint = { note, root, size, time }
    const proofs = this.#tree.inclusionProofs(expected.size)
    for (const [i, { resolve }] of admitted.entries()) {
      const [entry, proof] = [entries[i], proofs[i]]
      invariant(entry !== undefined && proof !== undefined, 'Entry without a place')
      resolve({
        index: entry.index,
        time,
        leaf: entry.leaf,
        leafHash: entry.leafHash,
        proof,
        checkpoint: note,
        size,
      })
    }
  }

  /** Those of a batch whose step in their stream is free, and whose time has come and not passed; the others are refused one by one, so that they do not spoil the batch. */
  async #admit(batch: readonly Waiting[], time: number): Promise<readonly Waiting[]> {
    const { store, tenant } = this.#parts
    const admitted: Waiting[] = []
    const inBatch = new Set<string>()
    const spoilt = new Map<symbol, Failure>()
    const refuse = ({ entry, reject }: Waiting, failure: Failure): void => {
      reject(failure)
      if (entry.together !== undefined) spoilt.set(entry.together, failure)
    }
    for (const waiting of batch) {
      const { stream, seq, prev } = waiting.entry
      // A decision's stream begins with its fresh id: only the unique index needs to know of it.
      const fresh = seq === 0 && waiting.entry.kind === 'decision'
      const last = fresh ? undefined : await store.readStreamHead(tenant, stream)
      const follows =
        last === undefined
          ? seq === 0 && prev === null
          : seq === last.seq + 1 && prev === encodeHex(last.leafHash)
      const refusal = this.#endProblem(stream, last) ?? waiting.entry.refuseAt?.(time)
      if (refusal !== undefined) refuse(waiting, refusal)
      else if (!follows || inBatch.has(stream))
        refuse(waiting, new Failure('LOG_CONFLICT', `Another entry took step ${seq} of ${stream}`))
      else {
        inBatch.add(stream)
        admitted.push(waiting)
      }
    }
    return spoilt.size === 0 ? admitted : admitted.filter((waiting) => !isSpoilt(waiting, spoilt))
  }

  /** Behind rows that are gone an entry would take a step that is taken. */
  #endProblem(stream: string, last: StreamHead | undefined): Failure | undefined {
    try {
      expectEnd(this.#head.streams, stream, last)
      return undefined
    } catch (error) {
      return asFailure(error)
    }
  }

  /** Those admitted, each with the entry that it wants right behind it. */
  async #withFollowers(admitted: readonly Waiting[], time: number): Promise<readonly Waiting[]> {
    if (admitted.every(({ entry }) => entry.follow === undefined)) return admitted
    const followed = admitted.map(async (waiting): Promise<readonly Waiting[]> => {
      const { entry } = waiting
      if (entry.follow === undefined) return [waiting]
      try {
        // Neither leaf nor hash depend on the index.
        const { leafHash } = place(entry, 0, time)
        return [waiting, { ...nobody, entry: await entry.follow({ leafHash, time }) }]
      } catch (error) {
        waiting.reject(asFailure(error))
        return []
      }
    })
    return (await Promise.all(followed)).flat()
  }

  #nextTime(): number {
    const now = this.#parts.clock()
    const { time } = this.#head
    if (now < time - clockToleranceMs)
      throw new Failure(
        'LOG_CLOCK',
        `Clock is behind the last entry of ${this.#parts.origin}, set it: ${isoOf(now)} < ${isoOf(time)}`,
      )
    return Math.max(now, time)
  }

  async #writePin({ root, size, streams }: OpenHead, epoch: number): Promise<void> {
    const { origin, pin } = this.#parts
    const from = performance.now()
    try {
      await pin.write({ epoch, origin, root, size, streams })
      const isSlow = performance.now() - from > slowPinMs
      this.#mostInBatch = isSlow ? limits.batchEntries : batchEntries
    } catch (cause) {
      // The entries are durable but not pinned: neither acknowledged nor lost.
      throw new Failure('LOG_STATE_UNKNOWN', 'Entries are stored but could not be pinned', {
        cause,
      })
    }
  }

  async #checkPin(): Promise<void> {
    const { origin, pin, store, tenant, epoch } = this.#parts
    await this.#checkOwnCheckpoint()
    const pinned = await pin.read()
    const { size, root } = this.#head
    const log = { head: this.#head, origin, store, tenant }
    await checkPinnedHead(log, pinned)
    const streams = await openEnds(log, pinned)
    this.#head = { ...this.#head, streams }
    // The empty log is pinned before it grows: a crash behind the first commit must not look like a lost pin.
    const isBehind =
      pinned === undefined ||
      pinned.size < size ||
      pinned.epoch < epoch() ||
      !isSameEnds(streams, pinned.streams)
    if (isBehind) await pin.write({ epoch: epoch(), origin, root, size, streams })
  }

  /** The head must be one that we signed ourselves, with both keys: the database alone could have grown by another hand. */
  async #checkOwnCheckpoint(): Promise<void> {
    const { origin, signersAt, store, tenant } = this.#parts
    const { root, size } = this.#head
    if (size === 0) return
    const last = await store.readLastCheckpoint(tenant)
    const vkeys = signersAt(size).flatMap((keys) => logVkeys(origin, keys))
    const verified = last === undefined ? undefined : verifyCheckpoint(last.note, vkeys)
    const own =
      verified !== undefined &&
      'checkpoint' in verified &&
      vkeys.length === 2 &&
      verified.lines.length === 2 &&
      verified.checkpoint.origin === origin &&
      verified.checkpoint.size === size &&
      equalBytes(verified.checkpoint.root, root)
    if (!own)
      throw rollback(`Head of ${origin} is not one that its own keys have signed: size ${size}`)
    this.#checkpoint = last
  }

  #remember(tiles: readonly StoredTile[]): void {
    for (const { level, n, hashes } of tiles) {
      const name = `${level}/${n}`
      // Newest last, so that the oldest is the first to go.
      this.#tiles.delete(name)
      this.#tiles.set(name, hashes)
    }
    for (const name of this.#tiles.keys()) {
      if (this.#tiles.size <= 32) break
      this.#tiles.delete(name)
    }
  }

  #makeTree(): TileTree {
    return new TileTree(this.#head.size, (level, n) => {
      const hashes = this.#tiles.get(`${level}/${n}`)
      invariant(hashes !== undefined, `Tile is not at hand: ${level}/${n}`)
      return hashes
    })
  }
}

/** Whether an entry goes with one that was refused; then it is refused too. */
function isSpoilt({ entry, reject }: Waiting, spoilt: ReadonlyMap<symbol, Failure>): boolean {
  const failure = entry.together === undefined ? undefined : spoilt.get(entry.together)
  if (failure !== undefined) reject(failure)
  return failure !== undefined
}

const isoOf = (time: number): string => new Date(time).toISOString()

function place(entry: SignedEntry, index: number, time: number): NewEntry {
  const { kind, stream, seq, prev, keyid, payload, signature, filter } = entry
  const leaf = formatLeaf({
    keyid,
    kind,
    pae: encodeHex(entry.digest),
    prev,
    seq,
    sig: encodeHex(sha256(signature)),
    stream,
    time,
    v: 1,
  })
  return {
    index,
    kind,
    stream,
    seq,
    time,
    keyid,
    leaf,
    leafHash: leafHash(leaf),
    payload,
    signature,
    filter,
  }
}
