// The store on one SQLite file, `countersign.db`, for a laptop or a single server. WAL with synchronous=FULL: a commit is durable when it
// resolves. secure_delete, and rows that never move: what is erased is gone from the files. A lock on `writer.lock` beside it admits one writer;
// readers come and go. It keeps no plain file open but those, and whoever opens and closes one of them by other means in the same process drops
// SQLite's locks: copy the directory from another process.
import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { Failure } from '../base/failure.ts'
import { holdsDatabase } from './database-file.ts'
import { makeDirectory, syncPathNow } from './make-directory.ts'
import { archiveName, databaseName, loadSqlite } from './sqlite-database.ts'
import type { Database, DatabaseConstructor } from './sqlite-database.ts'
import { storeFailure } from './sqlite-failure.ts'
import { createPrivateFile, lockDirectory } from './sqlite-lock.ts'
import { busyMs, emptyWal, setPragmas } from './sqlite-pragmas.ts'
import { SqliteReader } from './sqlite-reader.ts'
import { checkSchema, expectOwnSchema, migrate, schemaVersion } from './sqlite-schema.ts'
import { SqliteStore } from './sqlite-store.ts'
import type { Store, StoreReader } from './store.ts'

/** What {@link openSqliteStore} needs. */
export interface SqliteOptions {
  /** The data directory. */
  readonly path: string
  readonly mode: 'write' | 'read'
  /** Whether to make directory and database where there are none. */
  readonly create?: boolean
  /** Whether a reader sees what there was when it was opened and nothing later. While it is open the WAL grows, and what is erased stays in it. */
  readonly snapshot?: boolean
}

/**
 * Opens the database of a data directory, the directory made with mode 0700 and files with 0600.
 * @throws {@link Failure} STORE_LOCKED when there is another writer, CONFIG_INVALID when there is no database, it is not ours or newer, or an archive,
 * STORE_CORRUPT when it is damaged, STORE_FULL, STORE_FAILED
 */
export async function openSqliteStore(options: SqliteOptions & { mode: 'write' }): Promise<Store>
export async function openSqliteStore(
  options: SqliteOptions & { mode: 'read' },
): Promise<StoreReader>
export async function openSqliteStore(options: SqliteOptions): Promise<Store | StoreReader> {
  const directory = resolve(options.path)
  const present = holdsDatabase(directory)
  if (!present && !(options.mode === 'write' && options.create === true))
    throw new Failure('CONFIG_INVALID', `There is no Countersign database in ${directory}`)
  const sqlite = await loadSqlite()
  try {
    return options.mode === 'write'
      ? openWriter(sqlite, directory)
      : openReader(sqlite, directory, options.snapshot === true)
  } catch (error) {
    throw storeFailure(error, `Cannot open the database in ${directory}`)
  }
}

function openWriter(sqlite: DatabaseConstructor, directory: string): Store {
  if (existsSync(join(directory, archiveName)))
    throw new Failure('CONFIG_INVALID', `This is an archive, nothing is added to it: ${directory}`)
  makeDirectory(directory)
  const lock = lockDirectory(sqlite, directory)
  try {
    const file = join(directory, databaseName)
    createPrivateFile(file)
    const db = new sqlite(file, { timeout: busyMs })
    return closedOnFailure(db, () => {
      const version = checkSchema(db)
      expectOwnSchema(db, sqlite, version)
      setPragmas(db)
      migrate(db, version)
      syncPathNow(directory)
      // A writer that died may have left commits in the WAL that no fsync has reached; before we believe them they are made durable.
      if (!emptyWal(db, busyMs))
        throw new Failure('STORE_LOCKED', `A reader is in the way, stop it first: ${directory}`)
      return new SqliteStore(db, lock)
    })
  } catch (error) {
    lock.close()
    throw error
  }
}

function openReader(
  sqlite: DatabaseConstructor,
  directory: string,
  snapshot: boolean,
): StoreReader {
  const file = join(directory, databaseName)
  // Like a writer, a reader must not believe commits in the WAL that no fsync has reached; SQLite has no locks on this file that we could drop.
  if (existsSync(`${file}-wal`)) syncPathNow(`${file}-wal`)
  const db = new sqlite(file, { readonly: true, timeout: 4 * busyMs })
  return closedOnFailure(db, () => {
    const version = checkSchema(db)
    if (version < schemaVersion)
      throw new Failure(
        'CONFIG_INVALID',
        `Database is of an older version, open it once for writing: ${version} < ${schemaVersion}`,
      )
    db.pragma('temp_store = MEMORY')
    // A transaction sees the database as it is at its first read.
    if (snapshot) {
      db.exec('BEGIN')
      checkSchema(db)
    }
    return new SqliteReader(db)
  })
}

function closedOnFailure<T>(db: Database, work: () => T): T {
  try {
    return work()
  } catch (error) {
    db.close()
    throw error
  }
}
