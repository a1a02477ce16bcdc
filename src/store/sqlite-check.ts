// What is wrong with a database as such, whatever it says: its pages and indexes, its schema, rows that are erased and still hold something, rows
// that no log or tenant owns, and hashes by which a decision would not be found.
import type { Database, DatabaseConstructor } from './sqlite-database.ts'
import { hashFilter } from './sqlite-decisions.ts'
import { findForeignParts } from './sqlite-schema.ts'

/** Findings of one sort that are told one by one. */
const mostOfASort = 100

const isBlankText = (column: string): string =>
  `(${column} IS NULL OR ${column} = substr(hex(zeroblob(octet_length(${column}))), 1, octet_length(${column})))`
const isBlankHash = (column: string): string => `(${column} IS NULL OR ${column} = -129)`
const isBlankBlob = (column: string): string => `${column} = zeroblob(length(${column}))`

// As the erasing statements leave them.
const remains = [
  `SELECT 'Erased entry is not blank: index ' || e.idx || ' of ' || coalesce(t.name, e.tenant)
   FROM entries e LEFT JOIN tenants t ON t.id = e.tenant
   WHERE e.erased <> 0 AND NOT (${[
     isBlankBlob('e.payload'),
     ...['status', 'actor', 'action'].flatMap((name) => [
       isBlankText(`e.${name}`),
       isBlankHash(`e.${name}_hash`),
     ]),
   ].join(' AND ')}) LIMIT ${mostOfASort}`,
  `SELECT 'Erased idempotency key is not blank: ' || stream FROM idempotency
   WHERE erased <> 0 AND NOT (${isBlankBlob('salt')} AND ${isBlankBlob('fingerprint')}) LIMIT ${mostOfASort}`,
]

const owned = [
  'entries',
  'tiles',
  'last_checkpoints',
  'kept_checkpoints',
  'slots',
  'keys',
  'idempotency',
  'api_keys',
  'trust_roots',
  'standings',
  'webhooks',
  'deliveries',
] as const

const strays = [
  `SELECT 'Entry is beyond its log: index ' || e.idx || ' of ' || t.name
   FROM tenants t JOIN entries e ON e.tenant = t.id AND (e.idx >= t.size OR e.idx < 0)
   LIMIT ${mostOfASort}`,
  ...owned.map(
    (table) => `SELECT 'Rows of no tenant: ' || count(*) || ' in ${table}'
      FROM ${table} WHERE tenant NOT IN (SELECT id FROM tenants) HAVING count(*) > 0`,
  ),
]

const linesOf = (name: string): string => {
  const mark = `(char(10) || '— ' || ${name})`
  return `(length(k.note) - length(replace(k.note, ${mark}, ''))) / length(${mark})`
}

// Which witnesses make a quorum is not known here; that nobody does who has no line is.
const unwitnessed = `SELECT 'Checkpoint counts as cosigned and has no line but the log’s: size ' || k.size || ' of ' || t.name
   FROM kept_checkpoints k JOIN tenants t ON t.id = k.tenant
   WHERE k.quorum <> 0 AND ${linesOf("''")} <= ${linesOf("t.origin || ' '")} LIMIT ${mostOfASort}`

const filters = ['status', 'actor', 'action'] as const
type FilterRow = Readonly<
  Record<(typeof filters)[number], string | null> &
    Record<`${(typeof filters)[number]}_hash`, number | null> & {
      id: number
      idx: number
      tenant: string | null
    }
>
const pageFilters = 4096

/** Where the hash that a decision is looked up by is not the one of the text beside it. */
function* misfiled(db: Database): Generator<readonly string[], void> {
  const page = db.prepare<[number], FilterRow>(
    `SELECT e.id, e.idx, t.name AS tenant, ${filters.map((name) => `e.${name}, e.${name}_hash`).join()}
     FROM entries e LEFT JOIN tenants t ON t.id = e.tenant
     WHERE e.id > ? AND e.erased = 0 ORDER BY e.id LIMIT ${pageFilters}`,
  )
  let after = -Infinity
  for (;;) {
    const rows = page.all(after)
    const last = rows.at(-1)
    // Numbers beyond 2^53 would be read as the same for ever.
    if (last === undefined || last.id <= after) return
    yield rows.flatMap((row) =>
      filters.flatMap((name) => {
        const text = row[name]
        return row[`${name}_hash`] === (text === null ? null : hashFilter(text))
          ? []
          : [`Decision cannot be found by its ${name}: index ${row.idx} of ${row.tenant ?? '?'}`]
      }),
    )
    after = last.id
  }
}

/** Everything that is wrong, a sentence each, in steps between which others may have their turn. */
export function* checkDatabase(
  db: Database,
  sqlite: DatabaseConstructor,
): Generator<readonly string[], void> {
  const checked = db.pragma(`integrity_check(${mostOfASort})`) as { integrity_check: string }[]
  const structure = checked.map((row) => row.integrity_check).filter((text) => text !== 'ok')
  yield structure
  // What else is asked means something only where SQLite can be believed.
  if (structure.length > 0) return
  yield findForeignParts(db, sqlite).map(
    ({ name }) => `Schema is not the one of this version: ${name}`,
  )
  for (const query of [...remains, ...strays, unwitnessed])
    yield db.prepare<[], string>(query).pluck().all()
  yield* misfiled(db)
}
