import { Failure } from '../base/failure.ts'
import type { FailureCode } from '../base/failure.ts'

/** The SQLite code of an error, such as `SQLITE_IOERR_FSYNC`; empty when it has none. */
export const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : ''

const table: readonly (readonly [prefix: string, code: FailureCode])[] = [
  ['SQLITE_FULL', 'STORE_FULL'],
  ['ENOSPC', 'STORE_FULL'],
  ['SQLITE_BUSY', 'STORE_LOCKED'],
  ['SQLITE_CORRUPT', 'STORE_CORRUPT'],
  ['SQLITE_NOTADB', 'STORE_CORRUPT'],
]

/** The failure for an error of SQLite that left nothing behind; a {@link Failure} passes through. */
export function storeFailure(error: unknown, what: string): Failure {
  if (error instanceof Failure) return error
  const sqlite = codeOf(error)
  const found = table.find(([prefix]) => sqlite.startsWith(prefix))
  return new Failure(found?.[1] ?? 'STORE_FAILED', `${what}: ${sqlite || 'not SQLite'}`, {
    cause: error,
  })
}

const isInputOutput = (error: unknown): boolean => codeOf(error).startsWith('SQLITE_IOERR')

/** The failure for an error between BEGIN and COMMIT: an I/O error there may be that of a write, so it says nothing about what is on disk. */
export const transactionFailure = (error: unknown, what: string): Failure =>
  isInputOutput(error) ? unknownState(error, what) : storeFailure(error, what)

/**
 * The failure for an error of COMMIT. SQLITE_FULL comes from writing frames, of which the one that commits is the last, so the transaction is not
 * in the WAL; a constraint is checked before anything is written. Every other error may come behind the complete last frame.
 */
export function commitFailure(error: unknown, what: string): Failure {
  const code = codeOf(error)
  return code === 'SQLITE_FULL' || code.startsWith('SQLITE_CONSTRAINT')
    ? storeFailure(error, what)
    : unknownState(error, what)
}

/** The failure when it is not known whether a transaction is on disk. */
export const unknownState = (cause: unknown, what: string): Failure =>
  new Failure('LOG_STATE_UNKNOWN', `${what}, close the store and open it again: ${codeOf(cause)}`, {
    cause,
  })
