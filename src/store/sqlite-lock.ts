import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../base/failure.ts'
import { makeDirectory } from './make-directory.ts'
import { loadSqlite, type Database, type DatabaseConstructor } from './sqlite-database.ts'
import { codeOf, storeFailure } from './sqlite-failure.ts'

/** The file of a directory by which it is held. */
export const lockName = 'writer.lock'

/**
 * Makes an empty file of mode 0600 unless it exists. An existing file is not even opened: closing any descriptor of a file drops every POSIX lock
 * this process holds on it, SQLite's too.
 */
export function createPrivateFile(path: string): void {
  try {
    closeSync(openSync(path, 'wx', 0o600))
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  }
}

/**
 * Holds the exclusive right to write a data directory until it is closed. The right is a lock of the operating system on a database without
 * content, so a process that dies by any means has given it back.
 * @throws {@link Failure} STORE_LOCKED at once when anybody else has it, in this process or another
 */
export function lockDirectory(open: DatabaseConstructor, directory: string): Database {
  const path = join(directory, lockName)
  createPrivateFile(path)
  const lock = new open(path, { timeout: 0 })
  try {
    // Nothing is ever written, so no journal need lie beside it.
    lock.pragma('journal_mode = MEMORY')
    lock.exec('BEGIN EXCLUSIVE')
    return lock
  } catch (cause) {
    lock.close()
    if (codeOf(cause).startsWith('SQLITE_BUSY'))
      throw new Failure(
        'STORE_LOCKED',
        `Another writer holds the directory, stop it first: ${directory}`,
        { cause },
      )
    throw storeFailure(cause, `Cannot lock ${directory}`)
  }
}

/**
 * Holds a directory that is no data directory as {@link lockDirectory} does, making it with mode 0700 when it is not there; gives what lets go of it.
 * @throws {@link Failure} STORE_LOCKED
 */
export async function holdDirectory(directory: string): Promise<() => void> {
  makeDirectory(directory)
  const lock = lockDirectory(await loadSqlite(), directory)
  return () => {
    lock.close()
  }
}
