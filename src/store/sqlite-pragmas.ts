import { Failure } from '../base/failure.ts'
import type { Database } from './sqlite-database.ts'

/** How long a statement, and a checkpoint, waits for a reader in the middle of a statement of its own. */
export const busyMs = 250

// Rows of about 2.7 kB fill a page of 16 kB well: against 4 kB a fifth less disk and half as many rows again a second.
const pageBytes = 16_384

const wanted = Object.freeze({
  journal_mode: 'wal',
  synchronous: 2,
  secure_delete: 1,
  foreign_keys: 1,
  // 8 MB: more gives long pauses, less gives many.
  wal_autocheckpoint: 500,
  // Sorting and statement journals must not write content that may be erased to temporary files.
  temp_store: 2,
})

/**
 * Sets a connection up for writing and sees that each setting took hold; the page size only of a database without content.
 * @throws {@link Failure} CONFIG_INVALID when SQLite refuses one, as it does WAL on a file system without shared memory
 */
export function setPragmas(db: Database): void {
  db.pragma(`page_size = ${pageBytes}`)
  for (const [name, value] of Object.entries(wanted)) {
    db.pragma(`${name} = ${value}`)
    if (db.pragma(name, { simple: true }) !== value)
      throw new Failure('CONFIG_INVALID', `SQLite here refuses ${name} = ${value}: ${db.name}`)
  }
}

/**
 * Copies the WAL into the database, makes that durable and empties the WAL; false when a reader hinders it for longer than `waitMs`.
 */
export function emptyWal(db: Database, waitMs: number): boolean {
  db.pragma(`busy_timeout = ${waitMs}`)
  try {
    return db.pragma('wal_checkpoint(TRUNCATE)', { simple: true }) === 0
  } finally {
    db.pragma(`busy_timeout = ${busyMs}`)
  }
}
