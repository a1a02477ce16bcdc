// What we use of better-sqlite3. It is loaded when a store is opened and not before, so that a command started by a Node that cannot load it
// lives long enough to say so.
import type BetterSqlite3 from 'better-sqlite3'

/** Name of the database in its data directory. */
export const databaseName = 'countersign.db'
/** Name of the file that makes a data directory an archive, which is only read. */
export const archiveName = 'archive.json'

/** A connection. */
export type Database = BetterSqlite3.Database
/** A prepared statement. */
export type Statement<Parameters extends unknown[], Row = unknown> = BetterSqlite3.Statement<
  Parameters,
  Row
>
/** A prepared statement in words of our own: those of the package's types cannot be named in declarations. */
export interface Prepared<Parameters extends unknown[], Row> {
  get(...parameters: Parameters): Row | undefined
  all(...parameters: Parameters): Row[]
  run(...parameters: Parameters): {
    readonly changes: number
    readonly lastInsertRowid: number | bigint
  }
  pluck(): Prepared<Parameters, Row>
}
/** What prepares statements: a {@link Database}. */
export interface Preparing {
  prepare<Parameters extends unknown[], Row = unknown>(sql: string): Prepared<Parameters, Row>
}
/** Opens connections. */
export type DatabaseConstructor = typeof BetterSqlite3

/** Loads the native module. */
export async function loadSqlite(): Promise<DatabaseConstructor> {
  const { default: Database } = await import('better-sqlite3')
  return Database
}
