// Rows as SQLite gives them, and what the port makes of them. Types of text columns are taken on trust: only this program writes them.
import type { Kind, Profile } from '../dossier/kinds.ts'
import type {
  DecisionRow,
  IdempotencyRecord,
  Instance,
  KeyState,
  StoredApiKey,
  StoredCheckpoint,
  StoredDelivery,
  StoredEntry,
  StoredKey,
  StoredStanding,
  StoredTrustRoot,
  StoredWebhook,
  Tenant,
} from './store.ts'

/** A row of `instance`. */
export interface InstanceRow {
  id: string
  origin: string
  created_at: number
  dev: number
}

/** A row of `tenants`. */
export interface TenantRow {
  id: number
  name: string
  origin: string
  profile: Profile
  public: number
  created_at: number
  size: number
  root: Uint8Array
  time: number
}

/** A row of `entries`. */
export interface EntryRow {
  idx: number
  kind: Kind
  stream: string
  seq: number
  time: number
  keyid: string
  leaf_hash: Uint8Array
  erased: number
  leaf: Uint8Array
  signature: Uint8Array
  payload: Uint8Array
}

/** What a list of decisions reads of `entries`. */
export interface ListedRow {
  stream: string
  idx: number
  time: number
  erased: number
  status: string
  actor: string
  action: string
}

/** A row of a table of checkpoints. */
export interface CheckpointRow {
  size: number
  root: Uint8Array
  note: string
  time: number
}

/** A row of `keys`. */
export interface KeyRow {
  id: string
  purpose: StoredKey['purpose']
  version: number
  state: KeyState
  keyid: string | null
  body: Uint8Array
  from_index: number | null
  to_index: number | null
  revoked_at: number | null
}

/** A row of `idempotency`. */
export interface IdempotencyRow {
  owner: string
  key: string
  stream: string
  erased: number
  salt: Uint8Array
  fingerprint: Uint8Array
}

/** A row of `api_keys` with the name of its tenant. */
export interface ApiKeyRow {
  id: string
  tenant: string
  hash: Uint8Array
  owner: string
  scopes: string
  created_at: number
  revoked_at: number | null
}

/** A row of `trust_roots`. */
export interface TrustRootRow {
  version: number
  sha256: string
  file: Uint8Array
}

/** A row of `standings`. */
export interface StandingRow {
  idx: number
  way: StoredStanding['way']
  stream: string
  state: string
  status: StoredStanding['status']
  until: number | null
  step: number
  decided_at: number | null
}

/** A row of `webhooks`. */
export interface WebhookRow {
  id: string
  kinds: string
  body: Uint8Array
}

/** A row of `deliveries` with the name of its tenant. */
export interface DeliveryRow extends Omit<StoredDelivery, 'dead'> {
  dead: number
}

/** A plain array of its own in place of the Buffer that SQLite gives. */
export const ownBytes = (buffer: Uint8Array): Uint8Array => new Uint8Array(buffer)

/** The instance of its row. */
export const toInstance = (row: InstanceRow): Instance => ({
  id: row.id,
  origin: row.origin,
  createdAt: row.created_at,
  dev: row.dev === 1,
})

/** The tenant of its row. */
export const toTenant = (row: TenantRow): Tenant => ({
  name: row.name,
  origin: row.origin,
  profile: row.profile,
  public: row.public === 1,
  createdAt: row.created_at,
  head: { size: row.size, root: ownBytes(row.root), time: row.time },
})

/** The entry of its row. */
export const toEntry = (row: EntryRow): StoredEntry => ({
  index: row.idx,
  kind: row.kind,
  stream: row.stream,
  seq: row.seq,
  time: row.time,
  keyid: row.keyid,
  leaf: ownBytes(row.leaf),
  leafHash: ownBytes(row.leaf_hash),
  payload: row.erased === 1 ? null : ownBytes(row.payload),
  signature: ownBytes(row.signature),
})

/** The line of a list of its row. */
export const toListed = (row: ListedRow): Omit<DecisionRow, 'standings'> => ({
  stream: row.stream,
  index: row.idx,
  time: row.time,
  filter: row.erased === 1 ? null : { status: row.status, actor: row.actor, action: row.action },
})

/** The checkpoint of its row. */
export const toCheckpoint = (row: CheckpointRow): StoredCheckpoint => ({
  size: row.size,
  root: ownBytes(row.root),
  note: row.note,
  time: row.time,
})

/** The key of its row. */
export const toKey = (row: KeyRow): StoredKey => ({
  keyId: row.id,
  purpose: row.purpose,
  version: row.version,
  state: row.state,
  keyid: row.keyid,
  body: ownBytes(row.body),
  from: row.from_index,
  to: row.to_index,
  revokedAt: row.revoked_at,
})

/** The idempotency record of its row. */
export const toIdempotency = (row: IdempotencyRow): IdempotencyRecord => ({
  owner: row.owner,
  key: row.key,
  stream: row.stream,
  salt: ownBytes(row.salt),
  fingerprint: row.erased === 1 ? null : ownBytes(row.fingerprint),
})

/** The API key of its row. */
export const toApiKey = (row: ApiKeyRow): StoredApiKey => ({
  id: row.id,
  hash: ownBytes(row.hash),
  tenant: row.tenant,
  owner: row.owner,
  scopes: JSON.parse(row.scopes) as string[],
  createdAt: row.created_at,
  revokedAt: row.revoked_at,
})

/** The trust root of its row. */
export const toTrustRoot = (row: TrustRootRow): StoredTrustRoot => ({
  version: row.version,
  sha256: row.sha256,
  file: ownBytes(row.file),
})

/** The standing of its row. */
export const toStanding = (row: StandingRow): StoredStanding => ({
  way: row.way,
  state: row.state,
  status: row.status,
  until: row.until,
  stream: row.stream,
  index: row.idx,
  step: row.step,
  decidedAt: row.decided_at,
})

/** The kinds of a column; none where it holds no list. */
function toKinds(column: string): readonly string[] {
  try {
    const kinds: unknown = JSON.parse(column)
    return Array.isArray(kinds) ? (kinds as string[]) : []
  } catch {
    return []
  }
}

/** The webhook of its row. */
export const toWebhook = (row: WebhookRow): StoredWebhook => ({
  id: row.id,
  kinds: toKinds(row.kinds),
  body: ownBytes(row.body),
})

/** The delivery of its row. */
export const toDelivery = (row: DeliveryRow): StoredDelivery => ({ ...row, dead: row.dead === 1 })
