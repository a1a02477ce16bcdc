// What we use of better-sqlite3. It is loaded when a store is opened and not before, so that a command started by a Node that cannot load it
// lives long enough to say so.
import type BetterSqlite3 from 'better-sqlite3'

/** A connection. */
export type Database = BetterSqlite3.Database
/** A prepared statement. */
export type Statement<Parameters extends unknown[], Row = unknown> = BetterSqlite3.Statement<
  Parameters,
  Row
>
/** Opens connections. */
export type DatabaseConstructor = typeof BetterSqlite3

/** Loads the native module. */
export async function loadSqlite(): Promise<DatabaseConstructor> {
  const { default: Database } = await import('better-sqlite3')
  return Database
}
