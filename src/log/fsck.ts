// Everything about a log that can be recomputed is recomputed from its entries and compared: leaves, streams, signatures, tiles, checkpoints, pin. It
// reads in one pass and keeps one hash for each stream. It repairs nothing and believes nothing but the trust root it is given: what it finds wrong
// it names, with the index where there is one, and goes on as far as the rest still means something. One file, for it is one pass with one state.
import { setImmediate } from 'node:timers/promises'
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { decodeBase64 } from '../base/base64.ts'
import { parseLeaf, type Leaf } from '../dossier/leaf.ts'
import { kindsOfStream } from '../dossier/kinds.ts'
import { matters } from '../dossier/matters.ts'
import type { Statement } from '../dossier/statement.ts'
import { standingAt, type OriginSection } from '../dossier/trust-root.ts'
import { parseCheckpoint, verifyCheckpoint, type Checkpoint } from '../merkle/checkpoint.ts'
import { leafHash } from '../merkle/hash.ts'
import { parseNote, type NoteLine } from '../merkle/note.ts'
import { TileTree, type ChangedTile } from '../merkle/tiles.ts'
import type { StoredCheckpoint, StoredEntry, StoreReader, Tenant } from '../store/store.ts'
import { readCheckpointKeys, type LogKey } from '../verify/check-trust-root.ts'
import { Checks, type Check } from '../verify/report.ts'
import { judgePlaced } from '../verify/verify-entry.ts'
import { clockToleranceMs } from './log.ts'
import type { Pin } from './pin.ts'

/** Something that is not as it must be. */
export interface Finding {
  readonly part: 'entry' | 'stream' | 'tile' | 'checkpoint' | 'head' | 'pin' | 'row' | 'database'
  /** The entry it is about, or the first that it touches; null where none can be named. */
  readonly index: number | null
  readonly what: string
}

/** What is checked, by what, and who is told. */
export interface FsckOptions {
  readonly store: StoreReader
  readonly tenant: Tenant
  /** Of the trust root that keys are taken from. */
  readonly section: OriginSection
  /** Whether the log may have keys that the trust root does not name, for it is not the newest: what they signed is not checked then. */
  readonly mayBeOlder: boolean
  readonly pin: Pin | undefined
  /** Entries that are later are told; left out where no clock is to be believed. */
  readonly now?: number
  /** Whether signatures of entries are verified: that is most of the work. */
  readonly signatures: boolean
  readonly signal?: AbortSignal
  readonly found: (finding: Finding) => void
  /** Told, in a sentence each, of what could not be judged though it was to be checked. */
  readonly unsure: (what: string) => void
  readonly progress: (done: number, total: number) => void
  /** Told of every entry that could be read. */
  readonly entry?: (entry: StoredEntry, leaf: Leaf, statement: Statement | undefined) => void
}

const chunkEntries = 1024
/** About 50 ms of signatures. */
const entriesInATurn = 64
const pageCheckpoints = 256
const tileHashes = 256

/** What is known of a stream so far. */
interface Step {
  readonly seq: number
  readonly hash: string
}

/** How many could not be judged for one reason, and the first. */
class Tally {
  readonly #tell: (count: number, first: number) => string
  #count = 0
  #first = 0

  constructor(tell: (count: number, first: number) => string) {
    this.#tell = tell
  }

  add(at: number): void {
    if (this.#count++ === 0) this.#first = at
  }

  /** A sentence, or none. */
  get told(): readonly string[] {
    return this.#count === 0 ? [] : [this.#tell(this.#count, this.#first)]
  }
}

/** A root that somebody has claimed for a size. */
interface Claim {
  readonly size: number
  readonly root: Uint8Array
  readonly part: Finding['part']
  readonly who: string
}

class Fsck {
  readonly #options: FsckOptions
  readonly #logKeys: readonly LogKey[]
  readonly #streams = new Map<string, Step>()
  /** Steps without payload whose erasure has not been met, by stream and seq. */
  readonly #missing = new Map<string, number>()
  readonly #edge = new Map<string, Uint8Array>()
  readonly #tree: TileTree
  readonly #strangers = new Tally(
    (count, first) =>
      `Trust root is older: it does not know the keys of ${count} entries, the first at index ${first}`,
  )
  readonly #strangeNotes = new Tally(
    (count, first) =>
      `Trust root is older: it does not know the keys of ${count} checkpoints, the first of size ${first}`,
  )
  readonly #strangeKinds = new Tally(
    (count, first) =>
      `This version does not know the kinds of ${count} entries, the first at index ${first}`,
  )
  readonly #future: Tally
  #time = 0

  constructor(options: FsckOptions, logKeys: readonly LogKey[]) {
    this.#options = options
    this.#logKeys = logKeys
    const now = new Date(options.now ?? 0).toISOString()
    this.#future = new Tally(
      (count, first) =>
        `Times of ${count} entries, the first at index ${first}, are later than the clock of this machine, ${now}: one of them is wrong`,
    )
    this.#tree = new TileTree(0, (level, n) => this.#edge.get(`${level}/${n}`) ?? new Uint8Array(0))
  }

  async run(): Promise<void> {
    await this.#readAll()
    for (const tally of [this.#strangers, this.#strangeNotes, this.#strangeKinds, this.#future])
      for (const what of tally.told) this.#options.unsure(what)
  }

  async #readAll(): Promise<void> {
    const { progress, tenant } = this.#options
    const { size } = tenant.head
    const claims = this.#claims()
    const kept = this.#keptCheckpoints()
    let checkpoint = (await kept.next()).value
    while (this.#tree.size < size) {
      const stops = [checkpoint?.size, ...claims.map((claim) => claim.size)]
      const end = Math.min(
        this.#tree.size + chunkEntries,
        size,
        ...stops.flatMap((stop) => (stop !== undefined && stop > this.#tree.size ? [stop] : [])),
      )
      if (!(await this.#readUpTo(end))) return
      for (const claim of claims) if (claim.size === end) this.#judgeClaim(claim)
      while (checkpoint !== undefined && checkpoint.size <= end) {
        this.#judgeCheckpoint(checkpoint, 'kept')
        checkpoint = (await kept.next()).value
      }
      progress(end, size)
    }
    if (checkpoint !== undefined)
      this.#find('checkpoint', null, `Kept checkpoint is beyond the log: size ${checkpoint.size}`)
    for (const claim of claims) if (claim.size > size || claim.size === 0) this.#judgeClaim(claim)
    await this.#judgeEnd()
  }

  #find(part: Finding['part'], index: number | null, what: string): void {
    this.#options.found({ index, part, what })
  }

  /** Roots that others vouch for. */
  #claims(): readonly Claim[] {
    const { pin, section, tenant } = this.#options
    const claims: Claim[] = []
    const claim = (
      size: number,
      root: Uint8Array | undefined,
      part: Finding['part'],
      who: string,
    ) => (root === undefined ? undefined : claims.push({ part, root, size, who }))
    claim(tenant.head.size, tenant.head.root, 'head', 'the head')
    claim(section.asOf.size, decodeBase64(section.asOf.root), 'checkpoint', 'the trust root')
    if (pin !== undefined) claim(pin.size, pin.root, 'pin', 'the pin')
    for (const { final } of section.logKeys)
      if (final !== null)
        claim(
          final.size,
          decodeBase64(final.root),
          'checkpoint',
          'the final tree head of a log key',
        )
    return claims
  }

  async *#keptCheckpoints(): AsyncGenerator<StoredCheckpoint, undefined> {
    const { store, tenant } = this.#options
    let after = -1
    for (;;) {
      const page = await store.listKeptCheckpoints(tenant.name, after, pageCheckpoints)
      yield* page
      const last = page.at(-1)
      if (last === undefined) return undefined
      // A broken index can give the same rows for ever.
      if (last.size <= after) {
        this.#find('checkpoint', null, 'Kept checkpoints are not listed in their order')
        return undefined
      }
      after = last.size
    }
  }

  /** Reads entries up to an index and grows the tree by them; false when one is missing, behind which no index means anything. */
  async #readUpTo(end: number): Promise<boolean> {
    const { store, tenant } = this.#options
    const start = this.#tree.size
    const entries = await store.readEntries(tenant.name, start, end)
    for (const [i, entry] of entries.entries())
      if (entry.index !== start + i) return this.#missingEntry(start + i)
    if (entries.length < end - start) return this.#missingEntry(start + entries.length)
    const hashes: Uint8Array[] = []
    for (const [i, entry] of entries.entries()) {
      if (i % entriesInATurn === 0) await this.#breathe()
      hashes.push(this.#judgeEntry(entry))
    }
    await this.#judgeTiles(this.#tree.append(hashes))
    return true
  }

  /** Gives way to what waits in this thread: reading the database never does, and a signal would come when all is done. */
  async #breathe(): Promise<void> {
    await setImmediate()
    this.#options.signal?.throwIfAborted()
  }

  #missingEntry(index: number): false {
    this.#find('entry', index, 'Entry is missing, and nothing behind it can be checked')
    return false
  }

  #judgeEntry(entry: StoredEntry): Uint8Array {
    const { index } = entry
    const hash = leafHash(entry.leaf)
    const leaf = parseLeaf(entry.leaf)
    if (typeof leaf === 'string') {
      this.#find('entry', index, leaf)
      return hash
    }
    const column = wrongColumn(entry, leaf, hash)
    if (column !== undefined)
      this.#find('entry', index, `Column is not what the leaf says: ${column}`)
    this.#judgeStep(index, leaf, encodeHex(hash))
    const { section, signatures } = this.#options
    const checks = new Checks()
    const { statement } = judgePlaced(checks, 'entry', entry, leaf, hash, section, signatures)
    for (const check of checks.list) this.#weigh(index, check)
    if (leaf.time > (this.#options.now ?? Infinity) + clockToleranceMs) this.#future.add(index)
    this.#judgeErasure(entry, leaf, statement)
    this.#options.entry?.(entry, leaf, statement)
    return hash
  }

  #weigh(index: number, { name, outcome, reason }: Check): void {
    const what = name.replace('entry.', '')
    if (outcome === 'inconclusive' && what === 'matter') this.#strangeKinds.add(index)
    else if (outcome === 'inconclusive' && this.#options.mayBeOlder) this.#strangers.add(index)
    // That a key was revoked later takes an entry's worth, but nothing is wrong with the log.
    else if (!['pass', 'erased'].includes(outcome) && !reason.startsWith('Valid when made'))
      this.#find('entry', index, `${what}: ${reason}`)
  }

  /** The step of a stream: next in order, chained to the one before, of a kind that may stand there, no earlier than the entry before it. */
  #judgeStep(index: number, { kind, prev, seq, stream, time }: Leaf, hash: string): void {
    const before = this.#streams.get(stream)
    const expected = before === undefined ? 0 : before.seq + 1
    if (seq < expected) this.#find('stream', index, `Step ${seq} of ${stream} stands twice`)
    else if (seq > expected) this.#find('stream', index, `Step ${expected} of ${stream} is missing`)
    else if (prev !== (before?.hash ?? null))
      this.#find('stream', index, `Step ${seq} of ${stream} does not follow the one before it`)
    if (!kindsOfStream(stream).includes(kind) || (kind === 'decision' && seq !== 0))
      this.#find('stream', index, `Kind ${kind} may not stand at step ${seq} of ${stream}`)
    if (time < this.#time) this.#find('entry', index, `Time falls: ${time} < ${this.#time}`)
    this.#time = Math.max(this.#time, time)
    this.#streams.set(stream, { hash, seq: Math.max(seq, before?.seq ?? 0) })
  }

  #judgeErasure(entry: StoredEntry, { seq, stream }: Leaf, statement: Statement | undefined): void {
    if (entry.payload === null) this.#missing.set(`${stream} ${seq}`, entry.index)
    if (statement?.predicate.kind !== 'erasure') return
    const matter = matters.erasure.safeParse(statement.predicate.matter).data
    for (const erased of matter?.seqs ?? [])
      if (!this.#missing.delete(`${stream} ${erased}`))
        this.#find('entry', entry.index, `Erased step ${erased} of ${stream} has its payload still`)
  }

  /** Full tiles are compared once; the right edge when all is read. */
  async #judgeTiles(changed: readonly ChangedTile[]): Promise<void> {
    for (const tile of changed) {
      const name = `${tile.level}/${tile.n}`
      if (tile.hashes.length < tileHashes * 32) this.#edge.set(name, tile.hashes)
      else {
        this.#edge.delete(name)
        await this.#compareTile(tile)
      }
    }
  }

  async #compareTile({ hashes, level, n }: ChangedTile): Promise<void> {
    const { store, tenant } = this.#options
    const stored = await store.readTile(tenant.name, level, n)
    const first = n * tileHashes ** (level + 1)
    if (stored === undefined) this.#find('tile', first, `Tile is missing: ${level}/${n}`)
    else if (stored.length !== hashes.length)
      this.#find('tile', first, `Tile has the wrong length: ${level}/${n}`)
    else {
      const at = hashes.findIndex((byte, i) => byte !== stored[i])
      if (at >= 0)
        this.#find(
          'tile',
          first + Math.floor(at / 32) * tileHashes ** level,
          `Hash ${Math.floor(at / 32)} of tile ${level}/${n} is not the one of the entries`,
        )
    }
  }

  #judgeClaim({ part, root, size, who }: Claim): void {
    if (size > this.#tree.size)
      this.#find(part, this.#tree.size, `Log has fewer entries than ${who} says: ${size}`)
    else if (!equalBytes(root, this.#tree.root()))
      this.#find(part, null, `Root at size ${size} is not the one of ${who}`)
  }

  #judgeCheckpoint({ note, root, size, time }: StoredCheckpoint, what: 'kept' | 'last'): void {
    const name = `Checkpoint (${what}) of size ${size}`
    if (time !== this.#time) this.#find('checkpoint', null, `${name}: time is not its last entry's`)
    const due = this.#logKeys.filter(({ trusted }) =>
      ['valid', 'revoked'].includes(standingAt(trusted, size)),
    )
    const vkeys = due.map(({ vkey }) => vkey)
    const verified = verifyCheckpoint(note, vkeys)
    if (!('reason' in verified)) {
      const { checkpoint, lines } = verified
      const complete = vkeys.every((vkey) => lines.some((line) => line.vkey === vkey))
      if (vkeys.length === 0 || !complete)
        this.#find('checkpoint', null, `${name}: not signed by every log key of that size`)
      this.#judgeNote(name, checkpoint, size, root)
      return
    }
    const strange = this.#readStrange(note, size)
    if (strange === undefined) this.#find('checkpoint', null, `${name}: ${verified.reason}`)
    else {
      this.#strangeNotes.add(size)
      this.#judgeNote(name, strange, size, root)
    }
  }

  /** The checkpoint of a note that can be by keys which came after the trust root: it is too large for it and has no line of a key that it knows. */
  #readStrange(note: string, size: number): Checkpoint | undefined {
    const { mayBeOlder, section } = this.#options
    if (!mayBeOlder || size <= section.asOf.size) return undefined
    const parsed = parseNote(note)
    if (typeof parsed === 'string') return undefined
    const isKnown = ({ keyId, name }: NoteLine): boolean =>
      this.#logKeys.some(({ vkey }) => keyId === vkey.keyId && name === vkey.name)
    const checkpoint = parseCheckpoint(parsed.text)
    return typeof checkpoint === 'string' || parsed.lines.some(isKnown) ? undefined : checkpoint
  }

  #judgeNote(name: string, checkpoint: Checkpoint, size: number, root: Uint8Array): void {
    if (checkpoint.origin !== this.#options.tenant.origin || checkpoint.size !== size)
      this.#find('checkpoint', null, `${name}: note is of another log or size`)
    if (!equalBytes(checkpoint.root, this.#tree.root()) || !equalBytes(root, checkpoint.root))
      this.#find('checkpoint', null, `${name}: root is not the one of the entries`)
  }

  async #judgeEnd(): Promise<void> {
    const { store, tenant } = this.#options
    const { size, time } = tenant.head
    for (const [key, index] of this.#missing)
      this.#find('entry', index, `Payload is missing and nothing erased it: step ${key}`)
    for (const [name, hashes] of this.#edge) {
      const [level = 0, n = 0] = name.split('/').map(Number)
      await this.#compareTile({ hashes, level, n })
    }
    await this.#judgeTileNames()
    if (time !== this.#time)
      this.#find('head', null, `Time of the head is not the last entry's: ${time}`)
    const last = await store.readLastCheckpoint(tenant.name)
    if (last === undefined) {
      if (size > 0) this.#find('checkpoint', null, 'Last checkpoint is missing')
    } else if (last.size !== size)
      this.#find('checkpoint', null, `Last checkpoint has another size than the log: ${last.size}`)
    else this.#judgeCheckpoint(last, 'last')
  }

  async #judgeTileNames(): Promise<void> {
    const { store, tenant } = this.#options
    const { size } = tenant.head
    for (const { level, n } of await store.listTiles(tenant.name))
      if (n * tileHashes ** (level + 1) >= size || Math.floor(size / tileHashes ** level) === 0)
        this.#find('tile', null, `Tile belongs to no tree of this size: ${level}/${n}`)
  }
}

/** The first column that contradicts the leaf beside it. */
function wrongColumn(entry: StoredEntry, leaf: Leaf, hash: Uint8Array): string | undefined {
  const pairs: readonly (readonly [string, boolean])[] = [
    ['kind', entry.kind === leaf.kind],
    ['stream', entry.stream === leaf.stream],
    ['seq', entry.seq === leaf.seq],
    ['time', entry.time === leaf.time],
    ['keyid', entry.keyid === leaf.keyid],
    ['leaf_hash', equalBytes(entry.leafHash, hash)],
  ]
  return pairs.find(([, holds]) => !holds)?.[0]
}

/**
 * Checks a log from its entries; what is wrong is told to `found`, never thrown.
 * @throws {@link Failure} STORE_* when the database cannot be read; what `signal` was aborted with
 */
export async function checkLog(options: FsckOptions): Promise<void> {
  const keys = readCheckpointKeys(options.section)
  if ('reason' in keys) options.found({ index: null, part: 'checkpoint', what: keys.reason })
  else await new Fsck(options, keys.logKeys).run()
}
