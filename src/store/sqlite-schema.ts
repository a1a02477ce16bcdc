import { Failure } from '../base/failure.ts'
import type { Database, DatabaseConstructor } from './sqlite-database.ts'

/** "CsgN" in the header of the file says whose database it is. */
const applicationId = 0x4373674e

// Rows with content that may be erased are appended at the end of their table and never change their length, so SQLite never moves them: where
// it splits or merges pages it leaves copies behind that secure_delete does not overwrite. Indexes do split; so none holds such content: the
// *_hash columns are ten bits of a hash, always two bytes long, -129 when erased, and the text beside them decides. One index serves every list,
// for one that grows at its end costs a tenth of what three in random places do, and a million decisions are passed over in 70 ms.
const version1 = `
  CREATE TABLE instance (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL, origin TEXT NOT NULL, created_at INTEGER NOT NULL, dev INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), count INTEGER NOT NULL) STRICT;
  CREATE TABLE tenants (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE, origin TEXT NOT NULL UNIQUE, profile TEXT NOT NULL, public INTEGER NOT NULL, created_at INTEGER NOT NULL,
    size INTEGER NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL,
    manifest BLOB NOT NULL
  ) STRICT;
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, idx INTEGER NOT NULL,
    kind TEXT NOT NULL, stream TEXT NOT NULL, seq INTEGER NOT NULL, time INTEGER NOT NULL, keyid TEXT NOT NULL, leaf_hash BLOB NOT NULL,
    erased INTEGER NOT NULL DEFAULT 0,
    status_hash INTEGER, actor_hash INTEGER, action_hash INTEGER, status TEXT, actor TEXT, action TEXT,
    leaf BLOB NOT NULL, signature BLOB NOT NULL, payload BLOB NOT NULL,
    UNIQUE (tenant, idx),
    UNIQUE (tenant, stream, seq)
  ) STRICT;
  CREATE INDEX entries_decision ON entries (tenant, idx, status_hash, actor_hash, action_hash) WHERE status_hash IS NOT NULL;
  CREATE TABLE tiles (
    tenant INTEGER NOT NULL, level INTEGER NOT NULL, n INTEGER NOT NULL, hashes BLOB NOT NULL,
    PRIMARY KEY (tenant, level, n)
  ) STRICT;
  CREATE TABLE last_checkpoints (
    tenant INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, time INTEGER NOT NULL
  ) STRICT;
  CREATE TABLE kept_checkpoints (
    tenant INTEGER NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL, time INTEGER NOT NULL,
    PRIMARY KEY (tenant, size)
  ) STRICT;
  CREATE TABLE slots (
    tenant INTEGER NOT NULL REFERENCES tenants, place INTEGER NOT NULL, id TEXT NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (tenant, place), UNIQUE (tenant, id)
  ) STRICT;
  CREATE TABLE keys (
    tenant INTEGER NOT NULL REFERENCES tenants, place INTEGER NOT NULL, id TEXT NOT NULL,
    purpose TEXT NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, keyid TEXT, body BLOB NOT NULL,
    from_index INTEGER, to_index INTEGER, revoked_at INTEGER,
    PRIMARY KEY (tenant, place), UNIQUE (tenant, id)
  ) STRICT;
  CREATE UNIQUE INDEX keys_one_active ON keys (tenant, purpose) WHERE state = 'active';
  CREATE TABLE idempotency (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL, owner TEXT NOT NULL, key TEXT NOT NULL, stream TEXT NOT NULL,
    erased INTEGER NOT NULL DEFAULT 0, salt BLOB NOT NULL, fingerprint BLOB NOT NULL,
    UNIQUE (tenant, owner, key)
  ) STRICT;
  CREATE INDEX idempotency_stream ON idempotency (tenant, stream);
  CREATE TABLE api_keys (
    id TEXT PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants, hash BLOB NOT NULL, owner TEXT NOT NULL, scopes TEXT NOT NULL, created_at INTEGER NOT NULL,
    revoked_at INTEGER
  ) STRICT;
  CREATE INDEX api_keys_tenant ON api_keys (tenant);
  CREATE TABLE trust_roots (
    tenant INTEGER NOT NULL REFERENCES tenants, version INTEGER NOT NULL, sha256 TEXT NOT NULL, file BLOB NOT NULL,
    PRIMARY KEY (tenant, version)
  ) STRICT;
`

/** Which kept checkpoints the quorum of witnesses has cosigned. */
const version2 = `
  ALTER TABLE kept_checkpoints ADD COLUMN quorum INTEGER NOT NULL DEFAULT 0;
  CREATE INDEX kept_checkpoints_quorum ON kept_checkpoints (tenant, size) WHERE quorum = 1;
`

/** Which decisions somebody asked to overrule. */
const version3 = `
  CREATE INDEX entries_override ON entries (tenant, idx) WHERE kind = 'override';
`

const overrideEvent = (member: string): string =>
  `json_extract(CAST(e.payload AS TEXT), '$.predicate.matter.${member}')`
const deadline = (label: string): string =>
  `CAST(round(1000 * unixepoch(substr(o.challenge, instr(o.challenge, '${label}: ') + ${label.length + 2}, 24), 'subsec')) AS INTEGER)`

/** How it stands with what was asked about decisions, and who is told of it. */
const version4 = `
  CREATE TABLE standings (
    tenant INTEGER NOT NULL, idx INTEGER NOT NULL, way TEXT NOT NULL,
    stream TEXT NOT NULL, state TEXT NOT NULL, status TEXT, until INTEGER, step INTEGER NOT NULL, decided_at INTEGER,
    PRIMARY KEY (tenant, idx, way)
  ) STRICT;
  CREATE INDEX standings_decided ON standings (tenant, way, decided_at) WHERE decided_at IS NOT NULL;
  CREATE INDEX standings_waiting ON standings (way, until) WHERE until IS NOT NULL;
  CREATE TABLE webhooks (
    id TEXT PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants, kinds TEXT NOT NULL, body BLOB NOT NULL
  ) STRICT;
  CREATE INDEX webhooks_tenant ON webhooks (tenant);
  CREATE TABLE deliveries (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants, hook TEXT NOT NULL, event TEXT NOT NULL, kind TEXT NOT NULL, body TEXT NOT NULL,
    attempts INTEGER NOT NULL, due INTEGER NOT NULL, dead INTEGER NOT NULL, last TEXT
  ) STRICT;
  CREATE INDEX deliveries_due ON deliveries (due) WHERE dead = 0;
  CREATE INDEX deliveries_tenant ON deliveries (tenant, hook);
  WITH steps AS (
    SELECT e.tenant, e.stream, e.idx, e.time, ${overrideEvent('event')} AS event, ${overrideEvent('request')} AS request,
      ${overrideEvent('challenge')} AS challenge
    FROM entries e WHERE e.kind IN ('override', 'approval') AND e.erased = 0
  ), newest AS (
    SELECT s.*, (SELECT count(*) FROM steps n WHERE n.tenant = s.tenant AND n.stream = s.stream AND n.request = s.request AND n.event = 'signed') AS signed
    FROM steps s WHERE s.idx = (SELECT max(x.idx) FROM steps x WHERE x.tenant = s.tenant AND x.stream = s.stream)
  )
  INSERT INTO standings
  SELECT n.tenant, d.idx, 'override', n.stream,
    CASE n.event WHEN 'opened' THEN 'pending' WHEN 'signed' THEN iif(n.signed < 2, 'partial', 'approved') ELSE n.event END,
    iif(n.event = 'executed', 'ALLOW', NULL),
    CASE n.event WHEN 'opened' THEN ${deadline('Approve by')} WHEN 'signed' THEN iif(n.signed < 2, ${deadline('Approve by')}, ${deadline('Execute by')}) END,
    n.idx, iif(n.event = 'executed', n.time, NULL)
  FROM newest n
  JOIN entries d ON d.tenant = n.tenant AND d.stream = n.stream AND d.seq = 0
  JOIN steps o ON o.tenant = n.tenant AND o.stream = n.stream AND o.request = n.request AND o.event = 'opened';
`

const migrations: readonly string[] = [version1, version2, version3, version4]

/** The version of the schema this program knows. */
export const schemaVersion = migrations.length

/** Whether the file holds nothing yet: never written, or its making was cut off. */
const isEmpty = (db: Database): boolean =>
  db.prepare('SELECT count(*) FROM sqlite_schema').pluck().get() === 0

/**
 * Refuses a database that is not ours or is newer than this program, before anything of it is changed; gives its version, 0 when it is empty.
 * @throws {@link Failure} CONFIG_INVALID, STORE_CORRUPT when its version is none that ever was
 */
export function checkSchema(db: Database): number {
  const version = db.pragma('user_version', { simple: true })
  const application = db.pragma('application_id', { simple: true })
  if (application === 0 && version === 0 && isEmpty(db)) return 0
  if (application !== applicationId || typeof version !== 'number')
    throw new Failure('CONFIG_INVALID', `Not a Countersign database: ${db.name}`)
  // In one of ours the version comes with the schema, in one transaction: whoever took it away would have the schema made anew over what is there.
  if (version < 1)
    throw new Failure(
      'STORE_CORRUPT',
      `Version of the database was changed, bring back one that nobody has changed: ${version}, ${db.name}`,
    )
  if (version > schemaVersion)
    throw new Failure(
      'CONFIG_INVALID',
      `Database is of a newer Countersign, version ${version} > ${schemaVersion}: ${db.name}`,
    )
  return version
}

interface SchemaPart {
  readonly name: string
  readonly type: string
  readonly owner: string
  /** Everything that it says, to the letter. */
  readonly said: string
}

/** The parts of a schema but what ANALYZE leaves. A trigger may have the name of a table, so that names alone tell none from another. */
const partsOf = (db: Database): readonly SchemaPart[] =>
  db
    .prepare<[], SchemaPart>(
      `SELECT name, type, tbl_name AS owner, json_array(type, name, tbl_name, sql) AS said FROM sqlite_schema
       WHERE NOT (type = 'table' AND name LIKE 'sqlite_stat_') ORDER BY name`,
    )
    .all()

/** A part of a schema that this program does not make, or one of its own that is missing. */
export interface ForeignPart {
  readonly name: string
  /** Whether it lies beside ours and does nothing: a table of somebody else, such as replication makes, or an index of one. */
  readonly isInert: boolean
}

/**
 * In what a schema differs from the one that this program makes: a constraint that is lost or bent admits what was thought impossible, a trigger acts
 * in every commit, and an index keeps copies of what is erased.
 */
export function findForeignParts(
  db: Database,
  sqlite: DatabaseConstructor,
  version = schemaVersion,
): readonly ForeignPart[] {
  const made = new sqlite(':memory:')
  try {
    for (const step of migrations.slice(0, version)) made.exec(step)
    const [due, is] = [partsOf(made), partsOf(db)]
    for (const step of migrations.slice(version)) made.exec(step)
    const ours = new Set(partsOf(made).map(({ owner }) => owner))
    const saidBy = (parts: readonly SchemaPart[]) => new Set(parts.map(({ said }) => said))
    const [dueSaid, isSaid] = [saidBy(due), saidBy(is)]
    const foreign = is.filter(({ said }) => !dueSaid.has(said))
    const missing = due.filter(({ said }) => !isSaid.has(said))
    const found = new Map<string, boolean>()
    for (const { name, owner, type } of [...foreign, ...missing])
      found.set(
        name,
        found.get(name) !== false && ['index', 'table'].includes(type) && !ours.has(owner),
      )
    return [...found].map(([name, isInert]) => ({ isInert, name }))
  } finally {
    made.close()
  }
}

/**
 * Refuses a database whose schema somebody has changed, before anything is written to it: whoever could write to it once would act in it for ever.
 * @param version as the database says; 0 when it is empty
 * @throws {@link Failure} STORE_CORRUPT
 */
export function expectOwnSchema(db: Database, sqlite: DatabaseConstructor, version: number): void {
  if (version === 0) return
  const first = findForeignParts(db, sqlite, version).find(({ isInert }) => !isInert)
  if (first !== undefined)
    throw new Failure(
      'STORE_CORRUPT',
      `Schema of the database was changed, bring back one that nobody has changed; countersign log fsck tells what else is wrong: ${JSON.stringify(first.name)}`,
    )
}

/** Brings a database of an older version, or an empty one, to the present schema in one transaction. */
export function migrate(db: Database, version: number): void {
  if (version === schemaVersion) return
  db.exec('BEGIN EXCLUSIVE')
  for (const step of migrations.slice(version)) db.exec(step)
  db.pragma(`application_id = ${applicationId}`)
  db.pragma(`user_version = ${schemaVersion}`)
  db.exec('COMMIT')
}
