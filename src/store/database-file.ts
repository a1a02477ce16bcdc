import { statSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from '../base/failure.ts'
import { databaseName } from './sqlite-database.ts'
import { codeOf } from './sqlite-failure.ts'

/**
 * Whether a data directory holds a database. One that may not be looked into is not taken for empty, as which it could be founded anew.
 * @throws {@link Failure} CONFIG_INVALID when nobody may look
 */
export function holdsDatabase(directory: string): boolean {
  try {
    return statSync(join(directory, databaseName), { throwIfNoEntry: false }) !== undefined
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', `Cannot look into ${directory}: ${codeOf(cause)}`, {
      cause,
    })
  }
}
