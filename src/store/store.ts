// The port to the database of one instance: tenants, their logs, keys and API keys. It keeps what it is told and interprets nothing; JSON is
// rebuilt on export, payloads, signatures and leaves are kept as their exact bytes.
//
// When `commit` resolves, everything in it is durable. When it rejects with STORE_FULL, LOG_CONFLICT or LOG_KEY_STALE, nothing of it is. When it
// rejects with LOG_STATE_UNKNOWN either may hold: the store must be closed and opened again before it is believed. At most one store is open for
// writing per data directory, in this process or any other. Nothing is visible to a reader before it is durable.
import type { Kind, Profile } from '../dossier/kinds.ts'

/** The identity of an installation. */
export interface Instance {
  /** UUID. */
  readonly id: string
  /** Prefix of every log's origin, a schema-less URL. */
  readonly origin: string
  readonly createdAt: number
  /** True where the keys are of a `memory` provider or `--dev` was given: its evidence proves nothing to others. */
  readonly dev: boolean
}

/** Size and root of a log, and the time of its last leaf. */
export interface LogHead {
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  readonly time: number
}

/** A tenant and the head of its log. */
export interface Tenant {
  readonly name: string
  readonly origin: string
  readonly profile: Profile
  /** Whether anybody may read the log (its leaves, not its payloads). */
  readonly public: boolean
  readonly createdAt: number
  readonly head: LogHead
}

/** By what a decision can be found. Erased together with its payload. */
export interface DecisionFilter {
  readonly status: string
  readonly actor: string
  readonly action: string
}

/** An entry as it is kept. */
export interface StoredEntry {
  readonly index: number
  readonly kind: Kind
  readonly stream: string
  readonly seq: number
  readonly time: number
  /** Hex SHA-256 of the SPKI of the key that signed it. */
  readonly keyid: string
  readonly leaf: Uint8Array
  /** 32 bytes. */
  readonly leafHash: Uint8Array
  /** Null when erased. */
  readonly payload: Uint8Array | null
  readonly signature: Uint8Array
}

/** All hashes of a tile so far, 32 bytes each, at most 256. */
export interface StoredTile {
  readonly level: number
  readonly n: number
  readonly hashes: Uint8Array
}

/** A signed note and what it says. */
export interface StoredCheckpoint {
  readonly size: number
  readonly root: Uint8Array
  readonly note: string
  readonly time: number
}

/** The states of a key, in the order of its life. */
export const keyStates = Object.freeze([
  'pending',
  'active',
  'retired',
  'revoked',
  'destroyed',
] as const)

/** A state of a key. */
export type KeyState = (typeof keyStates)[number]

/** A signing key as the store keeps it: its sealed record and where it counts. */
export interface StoredKey {
  /** UUID. */
  readonly keyId: string
  readonly purpose: 'evidence' | 'fast' | 'log' | 'bundle'
  readonly version: number
  readonly state: KeyState
  /** Hex SHA-256 of the SPKI for keys that sign entries; null for others. */
  readonly keyid: string | null
  /** Canonical JSON of the sealed record. */
  readonly body: Uint8Array
  /** First position it signs; null while pending. */
  readonly from: number | null
  /** Position behind the last it signs. */
  readonly to: number | null
  readonly revokedAt: number | null
}

/** A slot that opens the master key. */
export interface StoredSlot {
  /** UUID. */
  readonly id: string
  /** Canonical JSON of the slot. */
  readonly body: Uint8Array
}

/** All key material of a tenant, sealed. */
export interface StoredKeys {
  readonly slots: readonly StoredSlot[]
  readonly keys: readonly StoredKey[]
  /** Canonical JSON of the manifest with its tag. */
  readonly manifest: Uint8Array
}

/** An API key; the secret itself is never kept. */
export interface StoredApiKey {
  /** Public id, part of the token. */
  readonly id: string
  /** SHA-256 of the token, 32 bytes. */
  readonly hash: Uint8Array
  readonly tenant: string
  readonly owner: string
  readonly scopes: readonly string[]
  readonly createdAt: number
  readonly revokedAt: number | null
}

/** The memory of an idempotency key: whose request it stands for. */
export interface IdempotencyRecord {
  readonly owner: string
  readonly key: string
  /** The decision that answered it. */
  readonly stream: string
  /** 16 bytes. */
  readonly salt: Uint8Array
  /** 32 bytes; null when the decision was erased. */
  readonly fingerprint: Uint8Array | null
}

/** A version of a trust root as published. */
export interface StoredTrustRoot {
  readonly version: number
  /** Hex. */
  readonly sha256: string
  readonly file: Uint8Array
}

/** By what a decision may come to stand otherwise than it was made. */
export type StandingWay = 'override' | 'escalation'

/** How it stands with what was last asked about a decision, in one way. */
export interface Standing {
  readonly way: StandingWay
  /** As the way's own states are called. */
  readonly state: string
  /** What the decision is because of it; null while it is what it was. */
  readonly status: 'ALLOW' | 'BLOCK' | null
  /** Log time up to which it may stay in this state, ms since 1970; null where nothing waits. */
  readonly until: number | null
}

/** A standing as the store keeps it. */
export interface StoredStanding extends Standing {
  readonly stream: string
  /** Leaf index of the decision. */
  readonly index: number
  /** Leaf index of the step that made it so. */
  readonly step: number
  /** Leaf time at which the decision came to be what `status` says; stays when the decision is erased. */
  readonly decidedAt: number | null
}

/** A decision about which somebody may still do something. */
export interface WaitingStanding {
  readonly tenant: string
  readonly stream: string
  /** Log time up to which it waits, ms since 1970. */
  readonly until: number
}

/** What somebody outside is to be told of. */
export interface Announcement {
  /** Unique among all there ever were. */
  readonly id: string
  /** Family and name, with a dot between. */
  readonly kind: string
  /** ms since 1970. */
  readonly time: number
  /** JSON text. */
  readonly body: string
  /** The one webhook that is told, whatever it asked for. */
  readonly to?: string
}

/** A place that is told. */
export interface StoredWebhook {
  readonly id: string
  /** Kinds, families (`override.*`), or `*`. */
  readonly kinds: readonly string[]
  /** Canonical JSON of the record with its sealed secret. */
  readonly body: Uint8Array
}

/** An announcement on its way to one webhook. */
export interface StoredDelivery {
  readonly id: number
  readonly tenant: string
  readonly hook: string
  readonly event: string
  readonly kind: string
  readonly body: string
  readonly attempts: number
  /** When it is tried next, ms since 1970. */
  readonly due: number
  /** Whether it was given up. */
  readonly dead: boolean
  /** What became of the last attempt. */
  readonly last: string | null
}

/** What else becomes true in the transaction that appends an entry. */
export type Effect =
  | { readonly type: 'idempotency'; readonly record: IdempotencyRecord }
  | { readonly type: 'erase'; readonly stream: string; readonly seqs: readonly number[] }
  | { readonly type: 'apiKey'; readonly apiKey: StoredApiKey }
  | { readonly type: 'keys'; readonly keys: StoredKeys; readonly epoch: number }
  | { readonly type: 'trustRoot'; readonly trustRoot: StoredTrustRoot }
  | { readonly type: 'standing'; readonly stream: string; readonly standing: Standing }
  | { readonly type: 'announce'; readonly announcement: Announcement }
  | { readonly type: 'webhook'; readonly webhook: StoredWebhook }
  | { readonly type: 'removeWebhook'; readonly id: string }

/** An entry to be appended. */
export interface NewEntry extends StoredEntry {
  readonly payload: Uint8Array
  readonly filter: DecisionFilter | null
}

/** One transaction of one log. */
export interface Commit {
  readonly tenant: string
  /** The head it stands on: compared and swapped. */
  readonly expected: { readonly size: number; readonly root: Uint8Array }
  readonly head: LogHead
  readonly entries: readonly NewEntry[]
  readonly tiles: readonly StoredTile[]
  readonly checkpoint: StoredCheckpoint
  /** Whether this checkpoint is kept for ever; else the next commit replaces it. */
  readonly keepCheckpoint: boolean
  readonly effects: readonly Effect[]
}

/** Which decisions to list, newest first. */
export interface DecisionQuery {
  readonly status?: string
  readonly actor?: string
  readonly action?: string
  /** Leaf time in ms, inclusive. */
  readonly since?: number
  /** Leaf time in ms, exclusive. */
  readonly until?: number
  /** Only decisions with a smaller index. */
  readonly before?: number
  /** What the decision is now, whatever it was made as. */
  readonly inForce?: string
  /** By what it is what it is now. */
  readonly by?: 'decision' | StandingWay
  /** A state in one way, `open` for those in which something may still come, or `any`. */
  readonly standing?: { readonly way: StandingWay; readonly state: string }
  /** Now, for what waits no longer than until a time; ms since 1970. */
  readonly now?: number
  readonly limit: number
}

/** One row of a list; `filter` is null when erased. */
export interface DecisionRow {
  readonly stream: string
  readonly index: number
  readonly time: number
  readonly filter: DecisionFilter | null
  /** The one that was stepped last at the end. */
  readonly standings: readonly Standing[]
}

/** The last step of a stream. */
export interface StreamHead {
  readonly seq: number
  readonly leafHash: Uint8Array
}

/** What anybody with the data directory may read. */
export interface StoreReader {
  readInstance(): Promise<Instance | undefined>
  listTenants(): Promise<readonly Tenant[]>
  readTenant(name: string): Promise<Tenant | undefined>
  readEntry(tenant: string, index: number): Promise<StoredEntry | undefined>
  /** Entries from `start` (inclusive) to `end` (exclusive), by index, payloads included. */
  readEntries(tenant: string, start: number, end: number): Promise<readonly StoredEntry[]>
  /** Leaves only, for tiles and fsck: exact bytes by index. */
  readLeaves(tenant: string, start: number, end: number): Promise<readonly Uint8Array[]>
  /** All entries of a stream, by seq. */
  readStream(tenant: string, stream: string): Promise<readonly StoredEntry[]>
  /** The first entry of a stream, at seq 0. */
  readStreamStart(tenant: string, stream: string): Promise<StoredEntry | undefined>
  readStreamHead(tenant: string, stream: string): Promise<StreamHead | undefined>
  listDecisions(tenant: string, query: DecisionQuery): Promise<readonly DecisionRow[]>
  /** Decisions that somebody asked to overrule, by their last step of kind `override`, newest first, those before an index. */
  listOverrides(
    tenant: string,
    before: number,
    limit: number,
  ): Promise<readonly Pick<DecisionRow, 'index' | 'stream'>[]>
  /** Streams of actions (their names begin with `action-`), as `listOverrides` gives decisions. */
  listActions(
    tenant: string,
    before: number,
    limit: number,
  ): Promise<readonly Pick<DecisionRow, 'index' | 'stream'>[]>
  /** Streams of proposals (their names begin with `proposal-`), by name from behind, those in front of one where it is given. */
  listProposals(
    tenant: string,
    before: string | undefined,
    limit: number,
  ): Promise<readonly string[]>
  /** Standings of all decisions by the index of their decision, those behind `after` first. */
  listStandings(tenant: string, after: number, limit: number): Promise<readonly StoredStanding[]>
  /** What waits in one way, of all tenants, what waits for the shortest time first. */
  listWaiting(way: StandingWay, limit: number): Promise<readonly WaitingStanding[]>
  /** How many decisions came to be something else in one way since a leaf time (inclusive), erased ones too. */
  countDecided(tenant: string, way: StandingWay, since: number): Promise<number>
  listWebhooks(tenant: string): Promise<readonly StoredWebhook[]>
  /** What is to be told by now, of all tenants but some, the longest due first. */
  listDue(
    now: number,
    limit: number,
    except?: readonly string[],
  ): Promise<readonly StoredDelivery[]>
  /** Deliveries that were given up, by their id, those behind `after` first. */
  listDeadDeliveries(
    tenant: string,
    after: number,
    limit: number,
  ): Promise<readonly StoredDelivery[]>
  /** How many deliveries wait, and how many were given up, in all tenants or in one. */
  countDeliveries(tenant?: string): Promise<{ readonly waiting: number; readonly dead: number }>
  readTile(tenant: string, level: number, n: number): Promise<Uint8Array | undefined>
  /** The checkpoint of the last commit. */
  readLastCheckpoint(tenant: string): Promise<StoredCheckpoint | undefined>
  /** The newest kept checkpoint, which the static tree serves, or the one of exactly this size. */
  readKeptCheckpoint(tenant: string, size?: number): Promise<StoredCheckpoint | undefined>
  /** The newest kept checkpoint that the quorum of witnesses has cosigned. */
  readWitnessedCheckpoint(tenant: string): Promise<StoredCheckpoint | undefined>
  /** Checkpoints that are kept, by size, those larger than `after` first. */
  listKeptCheckpoints(
    tenant: string,
    after: number,
    limit: number,
  ): Promise<readonly StoredCheckpoint[]>
  /** Which tiles there are, by level and n. */
  listTiles(tenant: string): Promise<readonly Pick<StoredTile, 'level' | 'n'>[]>
  /**
   * What is wrong with the database as such: its structure, its schema, rows that are erased and not blank, that no log or tenant owns, or that
   * would not be found; nothing when it is sound. Rejects with what the signal was aborted with.
   */
  checkStructure(signal?: AbortSignal): Promise<readonly string[]>
  /** The memory of idempotency keys, in the order of their making; `cursor` goes on behind the last that was given. */
  listIdempotency(
    tenant: string,
    cursor: number,
    limit: number,
  ): Promise<readonly (IdempotencyRecord & { readonly cursor: number })[]>
  readKeys(tenant: string): Promise<StoredKeys | undefined>
  readIdempotency(
    tenant: string,
    owner: string,
    key: string,
  ): Promise<IdempotencyRecord | undefined>
  readApiKey(id: string): Promise<StoredApiKey | undefined>
  listApiKeys(tenant: string): Promise<readonly StoredApiKey[]>
  /** The newest version, or the one asked for. */
  readTrustRoot(tenant: string, version?: number): Promise<StoredTrustRoot | undefined>
  close(): Promise<void>
}

/** The one writer of a data directory. */
export interface Store extends StoreReader {
  createInstance(instance: Instance): Promise<void>
  /** Makes a tenant with an empty log and its sealed keys; the keys count only once their entries are committed. */
  createTenant(tenant: Omit<Tenant, 'head'>, keys: StoredKeys): Promise<void>
  /**
   * @throws {@link Failure} LOG_CONFLICT when the head or a (stream, seq) is taken, LOG_KEY_STALE when a key does not count at its entry's index,
   * STORE_FULL, STORE_FAILED when nothing was written, LOG_STATE_UNKNOWN when that is not known
   */
  commit(commit: Commit): Promise<void>
  /** Puts tiles in the place of those that are there, and takes others away, in one transaction. Only for a log that nobody has open. */
  mendTiles(
    tenant: string,
    put: readonly StoredTile[],
    remove: readonly Pick<StoredTile, 'level' | 'n'>[],
  ): Promise<void>
  /**
   * Keeps a checkpoint whose note has cosignatures, in the place of the one of its size; also where it is the last.
   * @throws {@link Failure} LOG_CONFLICT when another root is kept at its size, and as `commit`
   */
  keepCosigned(tenant: string, checkpoint: StoredCheckpoint, quorum: boolean): Promise<void>
  /** Writes down what became of an attempt to deliver: nothing more to do, to be tried again, or given up. */
  settleDelivery(
    id: number,
    outcome: 'delivered' | Pick<StoredDelivery, 'attempts' | 'dead' | 'due' | 'last'>,
  ): Promise<void>
  /** Writes a row of its own and makes it durable; rejects as `commit` would. Tells whether it is worth trying again. */
  probe(): Promise<void>
}
