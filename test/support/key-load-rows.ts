// The key store as whoever can write the database sees it: rows, which can be kept and put back.
import { join } from 'node:path'
import Database from 'better-sqlite3'

type Row = Readonly<Record<string, unknown>>

/** All that the database holds of keys. */
export interface KeyRows {
  readonly keys: readonly Row[]
  readonly slots: readonly Row[]
  readonly manifests: readonly Row[]
}

/** Works on the database of a data directory as any program could. */
export function editing<T>(data: string, edit: (db: Database.Database) => T): T {
  const db = new Database(join(data, 'countersign.db'))
  try {
    return edit(db)
  } finally {
    db.close()
  }
}

/** Reads what the database holds of keys. */
export const keepKeyRows = (data: string): KeyRows =>
  editing(data, (db) => ({
    keys: db.prepare<[], Row>('SELECT * FROM keys').all(),
    manifests: db.prepare<[], Row>('SELECT id, manifest FROM tenants').all(),
    slots: db.prepare<[], Row>('SELECT * FROM slots').all(),
  }))

function replace(db: Database.Database, table: 'keys' | 'slots', rows: readonly Row[]): void {
  db.exec(`DELETE FROM ${table}`)
  for (const row of rows) {
    const places = Object.keys(row).map((name) => `@${name}`)
    db.prepare(`INSERT INTO ${table} (${Object.keys(row).join()}) VALUES (${places.join()})`).run(
      row,
    )
  }
}

/** Puts rows in the place of those that are there; what is not given stays. */
export function putKeyRows(data: string, { keys, manifests, slots }: Partial<KeyRows>): void {
  editing(data, (db) => {
    if (keys !== undefined) replace(db, 'keys', keys)
    if (slots !== undefined) replace(db, 'slots', slots)
    for (const row of manifests ?? [])
      db.prepare('UPDATE tenants SET manifest = @manifest WHERE id = @id').run(row)
  })
}
