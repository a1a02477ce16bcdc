// What is wrong with a database as such, whatever it says: its pages and indexes, its schema, and rows that are erased and still hold something.
import type { Database, DatabaseConstructor } from './sqlite-database.ts'
import { migrate } from './sqlite-schema.ts'

/** Findings of one sort that are told one by one. */
const mostOfASort = 100

interface SchemaRow {
  readonly name: string
  readonly type: string
  readonly tbl_name: string
  readonly sql: string | null
}

/** The parts of a schema by name, to the letter. */
const schemaOf = (db: Database): ReadonlyMap<string, string> =>
  new Map(
    db
      .prepare<[], SchemaRow>('SELECT name, type, tbl_name, sql FROM sqlite_schema ORDER BY name')
      .all()
      .map((row) => [row.name, JSON.stringify([row.type, row.tbl_name, row.sql])]),
  )

/** How the schema differs from the one that this program makes: a constraint that is lost or bent admits what was thought impossible. */
function compareSchema(db: Database, sqlite: DatabaseConstructor): readonly string[] {
  const made = new sqlite(':memory:')
  try {
    migrate(made, 0)
    const [due, is] = [schemaOf(made), schemaOf(db)]
    return [...new Set([...due.keys(), ...is.keys()])]
      .filter((name) => due.get(name) !== is.get(name))
      .map((name) => `Schema is not the one of this version: ${name}`)
  } finally {
    made.close()
  }
}

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

/** Everything that is wrong, a sentence each. */
export function checkDatabase(db: Database, sqlite: DatabaseConstructor): readonly string[] {
  const checked = db.pragma(`integrity_check(${mostOfASort})`) as { integrity_check: string }[]
  const structure = checked.map((row) => row.integrity_check).filter((text) => text !== 'ok')
  // What else is asked means something only where SQLite can be believed.
  if (structure.length > 0) return structure
  return [
    ...compareSchema(db, sqlite),
    ...remains.flatMap((query) => db.prepare<[], string>(query).pluck().all()),
  ]
}
