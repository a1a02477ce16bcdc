import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import {
  commitFailure,
  storeFailure,
  transactionFailure,
} from '../../../src/store/sqlite-failure.ts'

const sqliteError = (code: string): Error => Object.assign(new Error('of SQLite'), { code })

describe('an error of SQLite', () => {
  it.each([
    // code of SQLite, of a read, between BEGIN and COMMIT, of COMMIT
    ['SQLITE_FULL', 'STORE_FULL', 'STORE_FULL', 'STORE_FULL'],
    ['SQLITE_IOERR', 'STORE_FAILED', 'LOG_STATE_UNKNOWN', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_IOERR_FSYNC', 'STORE_FAILED', 'LOG_STATE_UNKNOWN', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_IOERR_SHMSIZE', 'STORE_FAILED', 'LOG_STATE_UNKNOWN', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_NOMEM', 'STORE_FAILED', 'STORE_FAILED', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_BUSY', 'STORE_LOCKED', 'STORE_LOCKED', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_BUSY_SNAPSHOT', 'STORE_LOCKED', 'STORE_LOCKED', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_CORRUPT', 'STORE_CORRUPT', 'STORE_CORRUPT', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_CORRUPT_INDEX', 'STORE_CORRUPT', 'STORE_CORRUPT', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_NOTADB', 'STORE_CORRUPT', 'STORE_CORRUPT', 'LOG_STATE_UNKNOWN'],
    ['SQLITE_CONSTRAINT_CHECK', 'STORE_FAILED', 'STORE_FAILED', 'STORE_FAILED'],
    ['SQLITE_READONLY', 'STORE_FAILED', 'STORE_FAILED', 'LOG_STATE_UNKNOWN'],
    ['', 'STORE_FAILED', 'STORE_FAILED', 'LOG_STATE_UNKNOWN'],
  ])('%s is %s in a read, %s in a transaction, %s at its end', (code, read, inside, end) => {
    const error = sqliteError(code)
    expect(storeFailure(error, 'Cannot').code).toBe(read)
    expect(transactionFailure(error, 'Cannot').code).toBe(inside)
    expect(commitFailure(error, 'Cannot').code).toBe(end)
    expect(commitFailure(error, 'Cannot').cause).toBe(error)
    expect(storeFailure(error, 'Cannot').cause).toBe(error)
  })

  it('is not made of what is a failure already', () => {
    const failure = new Failure('LOG_CONFLICT', 'Taken')
    expect(storeFailure(failure, 'Cannot')).toBe(failure)
    expect(transactionFailure(failure, 'Cannot')).toBe(failure)
  })
})
