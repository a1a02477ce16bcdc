// A backup: the database as it was at one moment, with a manifest, in a directory that appears when it is whole. It holds sealed keys and no KEK, and
// no pin: what tells an old database from the newest must not be copied along with it.
import { mkdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from './base/failure.ts'
import type { BackedUp, BackupRequest } from './cli/composition.ts'
import {
  formatBackupManifest,
  type BackedUpLog,
  type BackupManifest,
} from './decisions/backup-manifest.ts'
import { describeLogs } from './decisions/check-backup.ts'
import { hashFile, syncPath, writeDurably } from './store/durable-files.ts'
import { makeDirectory } from './store/make-directory.ts'
import { copySqliteDatabase } from './store/sqlite-backup.ts'
import { databaseName } from './store/sqlite-database.ts'
import { openSqliteStore } from './store/sqlite.ts'

/** Name of the manifest in a backup. */
export const manifestName = 'backup.json'

/** What is backed up, and where to. */
export interface BackupOrder extends BackupRequest {
  /** The data directory; a server may run on it. */
  readonly data: string
  readonly version: string
  readonly clock: () => number
}

async function describe(
  path: string,
): Promise<{ readonly instance: string; readonly logs: readonly BackedUpLog[] }> {
  const store = await openSqliteStore({ mode: 'read', path })
  try {
    const instance = await store.readInstance()
    if (instance === undefined)
      throw new Failure('CONFIG_INVALID', 'Data directory is empty: run countersign init first')
    return { instance: instance.id, logs: await describeLogs(store) }
  } finally {
    await store.close()
  }
}

async function fill(order: BackupOrder, directory: string): Promise<BackupManifest> {
  const { clock, data, progress, signal, version } = order
  const file = join(directory, databaseName)
  const createdAt = clock()
  await copySqliteDatabase({
    from: data,
    progress: (done, total) => {
      progress('bytes copied', done, total)
    },
    signal,
    to: file,
  })
  const { instance, logs } = await describe(directory)
  const sha256 = await hashFile(file, signal, (done, total) => {
    progress('bytes hashed', done, total)
  })
  const database = { bytes: (await stat(file)).size, sha256 }
  const manifest = { createdAt, database, instance, logs, producer: version }
  await writeDurably(join(directory, manifestName), formatBackupManifest(manifest))
  await syncPath(directory)
  return manifest
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )

/**
 * Backs up a data directory while it is being written to.
 * @throws {@link Failure} INPUT_EXISTS, CONFIG_INVALID, STORE_*; what `signal` was aborted with
 */
export async function backUp(order: BackupOrder): Promise<BackedUp> {
  const { to } = order
  if (await exists(to))
    throw new Failure('INPUT_EXISTS', `There is something already, name another place: ${to}`)
  const part = `${to}.${process.pid}.part`
  try {
    makeDirectory(dirname(to), 0o777)
    await mkdir(part, { mode: 0o700 })
    const { createdAt, database, logs } = await fill(order, part)
    await rename(part, to)
    await syncPath(dirname(to))
    return {
      ...database,
      createdAt,
      logs: logs.map(({ name, origin, size }) => ({ origin, size, tenant: name })),
      to,
    }
  } catch (error) {
    await rm(part, { force: true, recursive: true })
    throw error
  }
}
