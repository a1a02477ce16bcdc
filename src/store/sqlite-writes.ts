import type { Preparing } from './sqlite-database.ts'

type Bytes = Uint8Array

/** The prepared statements of the writing half, by what they write. */
export const prepareWrites = (db: Preparing) => ({
  begin: db.prepare('BEGIN IMMEDIATE'),
  commit: db.prepare('COMMIT'),
  probe: db.prepare(
    'INSERT INTO probe VALUES (1, 1) ON CONFLICT (one) DO UPDATE SET count = count + 1',
  ),
  instance: db.prepare<[id: string, origin: string, createdAt: number, dev: number]>(
    'INSERT INTO instance VALUES (1, ?, ?, ?, ?)',
  ),
  tenant: db.prepare<
    [
      name: string,
      origin: string,
      profile: string,
      open: number,
      createdAt: number,
      root: Bytes,
      manifest: Bytes,
    ]
  >('INSERT INTO tenants VALUES (NULL, ?, ?, ?, ?, ?, 0, ?, 0, ?)'),
  head: db.prepare<
    [
      newSize: number,
      newRoot: Bytes,
      time: number,
      tenant: number,
      expectedSize: number,
      expectedRoot: Bytes,
    ]
  >('UPDATE tenants SET size = ?, root = ?, time = ? WHERE id = ? AND size = ? AND root = ?'),
  keyCounts: db
    .prepare<[tenant: number, keyid: string, first: number, last: number, again: number], number>(
      `SELECT 1 FROM keys WHERE tenant = ? AND keyid = ? AND state = 'active' AND from_index <= ?
       AND (to_index IS NULL OR ? < to_index) AND (revoked_at IS NULL OR ? < revoked_at)`,
    )
    .pluck(),
  entry: db.prepare<
    [
      tenant: number,
      index: number,
      kind: string,
      stream: string,
      seq: number,
      time: number,
      keyid: string,
      leafHash: Bytes,
      statusHash: number | null,
      actorHash: number | null,
      actionHash: number | null,
      status: string | null,
      actor: string | null,
      action: string | null,
      leaf: Bytes,
      signature: Bytes,
      payload: Bytes,
    ]
  >('INSERT INTO entries VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
  removeTile: db.prepare<[tenant: number, level: number, n: number]>(
    'DELETE FROM tiles WHERE tenant = ? AND level = ? AND n = ?',
  ),
  tile: db.prepare<[tenant: number, level: number, n: number, hashes: Bytes]>(
    `INSERT INTO tiles VALUES (?, ?, ?, ?)
     ON CONFLICT (tenant, level, n) DO UPDATE SET hashes = excluded.hashes`,
  ),
  lastCheckpoint: db.prepare<
    [tenant: number, size: number, root: Bytes, note: string, time: number]
  >('INSERT OR REPLACE INTO last_checkpoints VALUES (?, ?, ?, ?, ?)'),
  keptCheckpoint: db.prepare<
    [tenant: number, size: number, root: Bytes, note: string, time: number]
  >(
    'INSERT OR REPLACE INTO kept_checkpoints (tenant, size, root, note, time) VALUES (?, ?, ?, ?, ?)',
  ),
  cosignedCheckpoint: db.prepare<
    [tenant: number, size: number, root: Bytes, note: string, time: number, quorum: number]
  >(
    `INSERT INTO kept_checkpoints (tenant, size, root, note, time, quorum) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (tenant, size) DO UPDATE SET note = excluded.note, quorum = excluded.quorum
     WHERE root = excluded.root`,
  ),
  cosignedLast: db.prepare<[note: string, tenant: number, size: number, root: Bytes]>(
    'UPDATE last_checkpoints SET note = ? WHERE tenant = ? AND size = ? AND root = ?',
  ),
  manifest: db.prepare<[manifest: Bytes, tenant: number]>(
    'UPDATE tenants SET manifest = ? WHERE id = ?',
  ),
  removeSlots: db.prepare<[tenant: number]>('DELETE FROM slots WHERE tenant = ?'),
  slot: db.prepare<[tenant: number, place: number, id: string, body: Bytes]>(
    'INSERT INTO slots VALUES (?, ?, ?, ?)',
  ),
  removeKeys: db.prepare<[tenant: number]>('DELETE FROM keys WHERE tenant = ?'),
  key: db.prepare<
    [
      tenant: number,
      place: number,
      id: string,
      purpose: string,
      version: number,
      state: string,
      keyid: string | null,
      body: Bytes,
      from: number | null,
      to: number | null,
      revokedAt: number | null,
    ]
  >('INSERT INTO keys VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)'),
  idempotency: db.prepare<
    [
      tenant: number,
      owner: string,
      key: string,
      stream: string,
      erased: number,
      salt: Bytes,
      fingerprint: Bytes,
    ]
  >('INSERT INTO idempotency VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)'),
  // Same lengths as before, so that the row is overwritten where it lies: see the schema.
  eraseEntry: db.prepare<[tenant: number, stream: string, seq: number]>(
    `UPDATE entries SET erased = 1, payload = zeroblob(length(payload)),
       status_hash = iif(status_hash IS NULL, NULL, -129),
       actor_hash = iif(actor_hash IS NULL, NULL, -129),
       action_hash = iif(action_hash IS NULL, NULL, -129),
       status = substr(hex(zeroblob(octet_length(status))), 1, octet_length(status)),
       actor = substr(hex(zeroblob(octet_length(actor))), 1, octet_length(actor)),
       action = substr(hex(zeroblob(octet_length(action))), 1, octet_length(action))
     WHERE tenant = ? AND stream = ? AND seq = ?`,
  ),
  eraseIdempotency: db.prepare<[tenant: number, stream: string]>(
    `UPDATE idempotency SET erased = 1, salt = zeroblob(length(salt)), fingerprint = zeroblob(length(fingerprint))
     WHERE tenant = ? AND stream = ?`,
  ),
  apiKey: db.prepare<
    [
      id: string,
      tenant: number,
      hash: Bytes,
      owner: string,
      scopes: string,
      createdAt: number,
      revokedAt: number | null,
    ]
  >(
    `INSERT INTO api_keys VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, owner = excluded.owner, scopes = excluded.scopes,
       created_at = excluded.created_at, revoked_at = excluded.revoked_at
     WHERE tenant = excluded.tenant`,
  ),
  trustRoot: db.prepare<[tenant: number, version: number, sha256: string, file: Bytes]>(
    'INSERT INTO trust_roots VALUES (?, ?, ?, ?)',
  ),
  standing: db.prepare<
    [
      way: string,
      state: string,
      status: string | null,
      until: number | null,
      step: number,
      decidedAt: number | null,
      tenant: number,
      stream: string,
    ]
  >(
    `INSERT INTO standings (tenant, idx, way, stream, state, status, until, step, decided_at)
     SELECT tenant, idx, ?, stream, ?, ?, ?, ?, ? FROM entries WHERE tenant = ? AND stream = ? AND seq = 0
     ON CONFLICT (tenant, idx, way) DO UPDATE SET state = excluded.state, status = excluded.status, until = excluded.until,
       step = excluded.step, decided_at = coalesce(decided_at, excluded.decided_at)`,
  ),
  // That it was decided stays: what is counted must not be lowered by erasing.
  eraseStandings: db.prepare<[tenant: number, again: number, stream: string]>(
    `UPDATE standings SET state = 'erased', status = NULL, until = NULL
     WHERE tenant = ? AND idx = (SELECT idx FROM entries WHERE tenant = ? AND stream = ? AND seq = 0)`,
  ),
  webhook: db.prepare<[id: string, tenant: number, kinds: string, body: Bytes]>(
    `INSERT INTO webhooks VALUES (?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET kinds = excluded.kinds, body = excluded.body WHERE tenant = excluded.tenant`,
  ),
  removeWebhook: db.prepare<[id: string, tenant: number]>(
    'DELETE FROM webhooks WHERE id = ? AND tenant = ?',
  ),
  removeDeliveries: db.prepare<[hook: string, tenant: number]>(
    'DELETE FROM deliveries WHERE hook = ? AND tenant = ?',
  ),
  announce: db.prepare<
    [
      event: string,
      kind: string,
      body: string,
      due: number,
      tenant: number,
      to: string | null,
      kinds: string,
    ]
  >(
    // A row that somebody damaged must not hinder the log: nothing is lost of what it is told, and whoever sends that says what is wrong with it.
    `INSERT INTO deliveries SELECT NULL, w.tenant, w.id, ?, ?, ?, 0, ?, 0, NULL FROM webhooks w
     WHERE w.tenant = ? AND (w.id = ? OR EXISTS (
       SELECT 1 FROM json_each(iif(json_valid(w.kinds), w.kinds, '["*"]')) k JOIN json_each(?) n ON n.value = k.value))`,
  ),
  delivered: db.prepare<[id: number]>('DELETE FROM deliveries WHERE id = ?'),
  // Of what was given up the newest are kept for each webhook.
  forgetDead: db.prepare<[id: number, again: number, most: number]>(
    `DELETE FROM deliveries WHERE dead = 1 AND hook = (SELECT hook FROM deliveries WHERE id = ?) AND id NOT IN (
       SELECT id FROM deliveries WHERE dead = 1 AND hook = (SELECT hook FROM deliveries WHERE id = ?) ORDER BY id DESC LIMIT ?)`,
  ),
  attempted: db.prepare<
    [attempts: number, due: number, dead: number, last: string | null, id: number]
  >('UPDATE deliveries SET attempts = ?, due = ?, dead = ?, last = ? WHERE id = ?'),
})
