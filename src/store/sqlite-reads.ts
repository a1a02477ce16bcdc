import type { Preparing } from './sqlite-database.ts'
import type * as rows from './sqlite-rows.ts'

const entry =
  'SELECT idx, kind, stream, seq, time, keyid, leaf_hash, erased, leaf, signature, payload FROM entries'
const tenant = 'SELECT id, name, origin, profile, public, created_at, size, root, time FROM tenants'
const apiKey =
  'SELECT k.id, t.name AS tenant, k.hash, k.owner, k.scopes, k.created_at, k.revoked_at FROM api_keys k JOIN tenants t ON t.id = k.tenant'

const delivery =
  'SELECT d.id, t.name AS tenant, d.hook, d.event, d.kind, d.body, d.attempts, d.due, d.dead, d.last FROM deliveries d JOIN tenants t ON t.id = d.tenant'

/** The prepared statements of the reading half, by what they read. */
export const prepareReads = (db: Preparing) => ({
  instance: db.prepare<[], rows.InstanceRow>('SELECT id, origin, created_at, dev FROM instance'),
  tenants: db.prepare<[], rows.TenantRow>(`${tenant} ORDER BY name`),
  tenant: db.prepare<[name: string], rows.TenantRow>(`${tenant} WHERE name = ?`),
  tenantId: db.prepare<[name: string], number>('SELECT id FROM tenants WHERE name = ?').pluck(),
  // No more than there is: whoever walks down from a size that is wrong would not come to an end.
  size: db
    .prepare<[tenant: number], number>(
      `SELECT min(size, (SELECT coalesce(max(idx) + 1, 0) FROM entries WHERE tenant = tenants.id))
       FROM tenants WHERE id = ?`,
    )
    .pluck(),
  entry: db.prepare<[tenant: number, index: number], rows.EntryRow>(
    `${entry} WHERE tenant = ? AND idx = ?`,
  ),
  entries: db.prepare<[tenant: number, start: number, end: number], rows.EntryRow>(
    `${entry} WHERE tenant = ? AND idx >= ? AND idx < ? ORDER BY idx`,
  ),
  leaves: db
    .prepare<[tenant: number, start: number, end: number], Uint8Array>(
      'SELECT leaf FROM entries WHERE tenant = ? AND idx >= ? AND idx < ? ORDER BY idx',
    )
    .pluck(),
  stream: db.prepare<[tenant: number, stream: string], rows.EntryRow>(
    `${entry} WHERE tenant = ? AND stream = ? ORDER BY seq`,
  ),
  streamStart: db.prepare<[tenant: number, stream: string], rows.EntryRow>(
    `${entry} WHERE tenant = ? AND stream = ? AND seq = 0`,
  ),
  streamHead: db.prepare<[tenant: number, stream: string], { seq: number; leaf_hash: Uint8Array }>(
    'SELECT seq, leaf_hash FROM entries WHERE tenant = ? AND stream = ? ORDER BY seq DESC LIMIT 1',
  ),
  overrides: db.prepare<
    [tenant: number, before: number, limit: number],
    { readonly index: number; readonly stream: string }
  >(
    // Without the condition on kind as it stands here the index would not serve.
    `SELECT stream, max(idx) AS "index" FROM entries WHERE kind = 'override' AND tenant = ? AND stream NOT GLOB 'action-*'
     GROUP BY stream HAVING max(idx) < ? ORDER BY max(idx) DESC LIMIT ?`,
  ),
  actions: db.prepare<
    [tenant: number, before: number, limit: number],
    { readonly index: number; readonly stream: string }
  >(
    `SELECT stream, max(idx) AS "index" FROM entries WHERE kind = 'override' AND tenant = ? AND stream GLOB 'action-*'
     GROUP BY stream HAVING max(idx) < ? ORDER BY max(idx) DESC LIMIT ?`,
  ),
  proposals: db.prepare<
    [tenant: number, before: string, limit: number],
    { readonly stream: string }
  >(
    // A range of names, which the unique index on them serves; `.` is the character behind `-`.
    `SELECT stream FROM entries WHERE tenant = ? AND stream > 'proposal-' AND stream < 'proposal.' AND stream < ? AND seq = 0
     ORDER BY stream DESC LIMIT ?`,
  ),
  standings: db.prepare<[tenant: number, after: number, limit: number], rows.StandingRow>(
    'SELECT * FROM standings WHERE tenant = ? AND idx > ? ORDER BY idx, way LIMIT ?',
  ),
  standingsOf: db.prepare<[tenant: number, index: number], rows.StandingRow>(
    'SELECT * FROM standings WHERE tenant = ? AND idx = ? ORDER BY step',
  ),
  waiting: db.prepare<
    [way: string, limit: number],
    { readonly tenant: string; readonly stream: string; readonly until: number }
  >(
    `SELECT t.name AS tenant, s.stream, s.until FROM standings s JOIN tenants t ON t.id = s.tenant
     WHERE s.way = ? AND s.until IS NOT NULL ORDER BY s.until LIMIT ?`,
  ),
  decided: db
    .prepare<[tenant: number, way: string, since: number], number>(
      'SELECT count(*) FROM standings WHERE tenant = ? AND way = ? AND decided_at >= ?',
    )
    .pluck(),
  webhooks: db.prepare<[tenant: number], rows.WebhookRow>(
    'SELECT id, kinds, body FROM webhooks WHERE tenant = ? ORDER BY id',
  ),
  due: db.prepare<[now: number, except: string, limit: number], rows.DeliveryRow>(
    `${delivery} WHERE d.dead = 0 AND d.due <= ? AND t.name NOT IN (SELECT value FROM json_each(?)) ORDER BY d.due, d.id LIMIT ?`,
  ),
  deadDeliveries: db.prepare<[tenant: number, after: number, limit: number], rows.DeliveryRow>(
    `${delivery} WHERE d.dead = 1 AND d.tenant = ? AND d.id > ? ORDER BY d.id LIMIT ?`,
  ),
  deliveries: db.prepare<
    [tenant: string | null, again: string | null],
    { waiting: number; dead: number }
  >(
    `SELECT count(*) FILTER (WHERE dead = 0) AS waiting, count(*) FILTER (WHERE dead = 1) AS dead FROM deliveries
     WHERE ? IS NULL OR tenant = (SELECT id FROM tenants WHERE name = ?)`,
  ),
  tile: db
    .prepare<[tenant: number, level: number, n: number], Uint8Array>(
      'SELECT hashes FROM tiles WHERE tenant = ? AND level = ? AND n = ?',
    )
    .pluck(),
  lastCheckpoint: db.prepare<[tenant: number], rows.CheckpointRow>(
    'SELECT size, root, note, time FROM last_checkpoints WHERE tenant = ?',
  ),
  keptCheckpointAt: db.prepare<[tenant: number, size: number], rows.CheckpointRow>(
    'SELECT size, root, note, time FROM kept_checkpoints WHERE tenant = ? AND size = ?',
  ),
  keptCheckpoint: db.prepare<[tenant: number], rows.CheckpointRow>(
    'SELECT size, root, note, time FROM kept_checkpoints WHERE tenant = ? ORDER BY size DESC LIMIT 1',
  ),
  witnessedCheckpoint: db.prepare<[tenant: number], rows.CheckpointRow>(
    'SELECT size, root, note, time FROM kept_checkpoints WHERE tenant = ? AND quorum = 1 ORDER BY size DESC LIMIT 1',
  ),
  keptCheckpoints: db.prepare<[tenant: number, after: number, limit: number], rows.CheckpointRow>(
    'SELECT size, root, note, time FROM kept_checkpoints WHERE tenant = ? AND size > ? ORDER BY size LIMIT ?',
  ),
  tileNames: db.prepare<[tenant: number], { level: number; n: number }>(
    'SELECT level, n FROM tiles WHERE tenant = ? ORDER BY level, n',
  ),
  idempotencies: db.prepare<
    [tenant: number, cursor: number, limit: number],
    rows.IdempotencyRow & { id: number }
  >(
    'SELECT id, owner, key, stream, erased, salt, fingerprint FROM idempotency WHERE tenant = ? AND id > ? ORDER BY id LIMIT ?',
  ),
  slots: db.prepare<[tenant: number], { id: string; body: Uint8Array }>(
    'SELECT id, body FROM slots WHERE tenant = ? ORDER BY place',
  ),
  keys: db.prepare<[tenant: number], rows.KeyRow>(
    'SELECT * FROM keys WHERE tenant = ? ORDER BY place',
  ),
  manifest: db
    .prepare<[tenant: number], Uint8Array>('SELECT manifest FROM tenants WHERE id = ?')
    .pluck(),
  idempotency: db.prepare<[tenant: number, owner: string, key: string], rows.IdempotencyRow>(
    'SELECT owner, key, stream, erased, salt, fingerprint FROM idempotency WHERE tenant = ? AND owner = ? AND key = ?',
  ),
  apiKey: db.prepare<[id: string], rows.ApiKeyRow>(`${apiKey} WHERE k.id = ?`),
  apiKeys: db.prepare<[tenant: number], rows.ApiKeyRow>(
    `${apiKey} WHERE k.tenant = ? ORDER BY k.created_at, k.id`,
  ),
  trustRoot: db.prepare<[tenant: number, version: number], rows.TrustRootRow>(
    'SELECT version, sha256, file FROM trust_roots WHERE tenant = ? AND version = ?',
  ),
  newestTrustRoot: db.prepare<[tenant: number], rows.TrustRootRow>(
    'SELECT version, sha256, file FROM trust_roots WHERE tenant = ? ORDER BY version DESC LIMIT 1',
  ),
})
