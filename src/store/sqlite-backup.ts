// Copies of the database while it is being written to: one moment of it, page by page, into a file that needs no WAL beside it. What was erased before
// that moment is not in the copy, for freed pages are overwritten when they are freed.
import { closeSync, existsSync, fsyncSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../base/failure.ts'
import { holdsDatabase } from './database-file.ts'
import {
  databaseName,
  loadSqlite,
  type Database,
  type DatabaseConstructor,
} from './sqlite-database.ts'
import { storeFailure } from './sqlite-failure.ts'
import { createPrivateFile } from './sqlite-lock.ts'
import { busyMs } from './sqlite-pragmas.ts'
import { checkSchema } from './sqlite-schema.ts'

/** What is copied, and where to. */
export interface SqliteCopy {
  /** The data directory; nobody is kept from writing to it. */
  readonly from: string
  /** A file that does not exist yet. */
  readonly to: string
  readonly signal?: AbortSignal
  readonly progress: (bytes: number, total: number) => void
}

/** Pages of 16 kB between two looks at the signal. */
const pagesAStep = 512

function syncFile(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

async function copyPages(db: Database, { progress, signal, to }: SqliteCopy): Promise<void> {
  const pageBytes = Number(db.pragma('page_size', { simple: true }))
  // Without a transaction around it every commit of the writer would make the copy begin anew.
  db.exec('BEGIN')
  checkSchema(db)
  await db.backup(to, {
    progress({ remainingPages, totalPages }) {
      signal?.throwIfAborted()
      progress((totalPages - remainingPages) * pageBytes, totalPages * pageBytes)
      return pagesAStep
    },
  })
}

/** The copy is one file, whole by itself, as nobody writes to it. */
function settle(sqlite: DatabaseConstructor, file: string): void {
  const db = new sqlite(file)
  try {
    if (db.pragma('journal_mode = DELETE', { simple: true }) !== 'delete')
      throw new Failure('STORE_FAILED', `Copy cannot leave WAL mode: ${file}`)
  } finally {
    db.close()
  }
  syncFile(file)
}

/**
 * Copies the database of a data directory as it is at one moment; the copy, of mode 0600, is durable when this resolves. While it lasts the WAL of the original grows.
 * @throws {@link Failure} CONFIG_INVALID when there is no database or it is not ours, STORE_FULL, STORE_FAILED; what `signal` was aborted with
 */
export async function copySqliteDatabase(copy: SqliteCopy): Promise<void> {
  const { from, signal, to } = copy
  const file = join(from, databaseName)
  if (!holdsDatabase(from))
    throw new Failure('CONFIG_INVALID', `There is no Countersign database in ${from}`)
  const sqlite = await loadSqlite()
  // Commits in the WAL count only when they are durable, as for every reader.
  if (existsSync(`${file}-wal`)) syncFile(`${file}-wal`)
  try {
    createPrivateFile(to)
    const db = new sqlite(file, { readonly: true, timeout: 4 * busyMs })
    try {
      await copyPages(db, copy)
    } finally {
      db.close()
    }
    settle(sqlite, to)
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason
    throw storeFailure(error, `Cannot copy the database to ${to}`)
  }
}
