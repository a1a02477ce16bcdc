// Bringing a backup back. It is copied beside its place, held against its manifest, recomputed from its entries, and compared with what is known of its
// logs elsewhere; only then does it appear as a database, last of all, so that whatever cuts this off leaves a directory without one.
//
// A log never goes back: where more is known than the backup holds, it can be read as an archive, to which nothing can be added, or a new installation
// with new keys and another origin goes on and names what it succeeds.
import { existsSync } from 'node:fs'
import { mkdir, readFile, rename, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import { encodeBase64 } from './base/base64.ts'
import { canonicalBytes } from './base/canonical-json.ts'
import { Failure } from './base/failure.ts'
import { manifestName } from './back-up.ts'
import type { RestoreRequest, Restored } from './cli/composition.ts'
import { parseBackupManifest, type BackupManifest } from './decisions/backup-manifest.ts'
import {
  checkBackup,
  describeObjection,
  describeOlderKeys,
  findObjections,
  findOlderKeys,
  type Objection,
  type OlderKeys,
  type PinnedHead,
} from './decisions/check-backup.ts'
import type { ServiceParts } from './decisions/local-service.ts'
import { copyDurably, hashFile, syncPath, writeDurably } from './store/durable-files.ts'
import { readPinnedHeads, readPublishedHeads, readWitnessedHeads } from './known-heads.ts'
import type { KnownHead } from './log/known-head.ts'
import { openPins, type ServiceSettings } from './open-service.ts'
import { archiveName, databaseName } from './store/sqlite-database.ts'
import { holdDirectory, lockName } from './store/sqlite-lock.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { foundSuccessor, refuseOldOrigin, type Predecessor } from './succession.ts'

type Report = ServiceParts['report']

/** What is restored, and with what. */
export interface RestoreOrder extends RestoreRequest {
  readonly settings: ServiceSettings
  /** Where relative places start. */
  readonly cwd: string
  readonly report: Report
}

/** A backup that was checked, and what is known of its logs. */
interface Checked extends Predecessor {
  readonly objections: readonly Objection[]
  readonly olderKeys: readonly OlderKeys[]
}

/** What is known elsewhere of the logs of a backup. */
interface Known {
  readonly heads: readonly KnownHead[]
  readonly pinned: readonly PinnedHead[]
}

const archiveFolder = 'archive'

async function readManifest(backup: string): Promise<BackupManifest> {
  try {
    return parseBackupManifest(await readFile(join(backup, manifestName)))
  } catch (cause) {
    if (cause instanceof Failure) throw cause
    throw new Failure('INPUT_NOT_FOUND', `There is no backup in ${backup}`, { cause })
  }
}

function expectDigest({ backup }: RestoreOrder, { database }: BackupManifest, is: string): void {
  if (is !== database.sha256)
    throw new Failure(
      'STORE_CORRUPT',
      `Backup is damaged, use another one: its SHA-256 is not the one of its manifest: ${backup}`,
    )
}

async function copyDatabase(
  order: RestoreOrder,
  manifest: BackupManifest,
  to: string,
): Promise<void> {
  const { backup, progress, signal } = order
  const file = join(to, databaseName)
  const digest = await copyDurably(join(backup, databaseName), file, signal, (done, total) => {
    progress('bytes copied', done, total)
  })
  expectDigest(order, manifest, digest)
  // Brings a database of an older version to the present one.
  await (await openSqliteStore({ mode: 'write', path: to })).close()
}

async function knownHeads(
  { cwd, published, settings, witnesses }: RestoreOrder,
  { instance, logs }: BackupManifest,
): Promise<Known> {
  const pins = openPins(settings, instance)
  const origins = logs.map(({ origin }) => origin)
  try {
    const pinned = await readPinnedHeads(pins)
    const others = [
      ...(await readPublishedHeads(published, cwd)),
      ...(await readWitnessedHeads(witnesses, origins)),
    ]
    return { heads: [...pinned, ...others], pinned }
  } finally {
    await pins.close()
  }
}

async function check(
  order: RestoreOrder,
  manifest: BackupManifest,
  path: string,
): Promise<Checked> {
  const { progress, signal, signatures } = order
  const store = await openSqliteStore({ mode: 'read', path })
  try {
    await checkBackup({ manifest, progress, signal, signatures, store })
    const { heads: known, pinned } = await knownHeads(order, manifest)
    const objections = await findObjections(store, known)
    const olderKeys = await findOlderKeys(store, pinned)
    const tenants = await store.listTenants()
    const { origin = '' } = (await store.readInstance()) ?? {}
    return { known, manifest, objections, olderKeys, origin, tenants }
  } finally {
    await store.close()
  }
}

const waysOut =
  'bring the newer database back; if it is lost, --archive restores for reading, and --new-origin goes on under another name'

function refuseRollback({ objections, olderKeys }: Checked): void {
  const [head] = objections
  if (head !== undefined)
    throw new Failure(
      'LOG_ROLLBACK',
      `Backup is not the newest state of its logs, ${waysOut}: ${describeObjection(head)}`,
    )
  const [keys] = olderKeys
  if (keys !== undefined)
    throw new Failure(
      'KEY_STORE_REFUSED',
      `Key store of the backup is older than the pinned one, ${waysOut}: ${describeOlderKeys(keys)}`,
    )
}

/** What an archive says of itself. */
const archiveNote = ({ manifest, objections }: Checked): Uint8Array =>
  canonicalBytes({
    backedUpAt: manifest.createdAt,
    instance: manifest.instance,
    newer: objections.map(({ origin, root, size, who }) => ({
      origin,
      root: encodeBase64(root),
      size,
      who,
    })),
    type: 'countersign-archive',
    v: 1,
  })

/** Puts what was made where it belongs, the database last. */
async function place(data: string, staging: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await rename(join(staging, name), join(data, name))
    await syncPath(data)
  }
}

const describeChecked = (
  { settings }: RestoreOrder,
  { known, manifest, objections, olderKeys }: Checked,
): Restored => ({
  archive: null,
  createdAt: manifest.createdAt,
  data: settings.data,
  instance: manifest.instance,
  logs: manifest.logs.map(({ name, origin, size }) => ({
    known: known.some((head) => head.origin === origin),
    origin,
    size,
    tenant: name,
  })),
  objections: [...objections.map(describeObjection), ...olderKeys.map(describeOlderKeys)],
  successor: null,
})

/** Checks a backup where it lies. */
async function checkInPlace(order: RestoreOrder): Promise<Restored> {
  const { backup, progress, signal } = order
  const manifest = await readManifest(backup)
  const digest = await hashFile(join(backup, databaseName), signal, (done, total) => {
    progress('bytes hashed', done, total)
  })
  expectDigest(order, manifest, digest)
  return describeChecked(order, await check(order, manifest, backup))
}

async function carryOut(order: RestoreOrder, staging: string): Promise<Restored> {
  const { archive, newOrigin, settings } = order
  const manifest = await readManifest(order.backup)
  const copy = join(staging, archiveFolder)
  await mkdir(copy, { mode: 0o700 })
  await copyDatabase(order, manifest, copy)
  const checked = await check(order, manifest, copy)
  const restored = describeChecked(order, checked)
  if (newOrigin !== undefined) {
    refuseOldOrigin(checked, newOrigin)
    await writeDurably(join(copy, archiveName), archiveNote(checked))
    const successor = await foundSuccessor(
      { ...settings, data: staging },
      checked,
      newOrigin,
      order.report,
    )
    await place(settings.data, staging, [archiveFolder, databaseName])
    return { ...restored, archive: join(settings.data, archiveFolder), successor }
  }
  if (archive) {
    await writeDurably(join(copy, archiveName), archiveNote(checked))
    await place(settings.data, copy, [archiveName, databaseName])
    return { ...restored, archive: settings.data }
  }
  refuseRollback(checked)
  await place(settings.data, copy, [databaseName])
  return restored
}

/**
 * Restores a backup into a data directory that has no database, or only checks it.
 * @throws {@link Failure} INPUT_EXISTS, INPUT_NOT_FOUND, STORE_CORRUPT when the backup is damaged, LOG_ROLLBACK when more is known of its logs than it
 * holds, KEY_STORE_REFUSED when its keys are older than those pinned, STORE_*, KEK_*; what the signal was aborted with
 */
export async function restore(order: RestoreOrder): Promise<Restored> {
  if (order.checkOnly) return checkInPlace(order)
  const { data } = order.settings
  // SQLite would play the WAL of another database into this one.
  const left = ['', '-wal', '-shm', '-journal'].map((end) => join(data, databaseName + end))
  const found = left.find((file) => existsSync(file))
  if (found !== undefined)
    throw new Failure('INPUT_EXISTS', `There is a database already, move it away first: ${found}`)
  const archive = join(data, archiveFolder)
  if (order.newOrigin !== undefined && existsSync(archive))
    throw new Failure('INPUT_EXISTS', `The old logs would go there, move it away: ${archive}`)
  await readManifest(order.backup)
  // Nobody else may restore or start there meanwhile.
  const lock = join(data, lockName)
  const [isMade, isLocked] = [!existsSync(data), existsSync(lock)]
  const release = await holdDirectory(data)
  const staging = join(data, 'restoring')
  let isDone = false
  try {
    await rm(staging, { force: true, recursive: true })
    // Of an archive that was cut off before its database came.
    await rm(join(data, archiveName), { force: true })
    await mkdir(staging, { mode: 0o700 })
    const restored = await carryOut(order, staging)
    isDone = true
    return restored
  } finally {
    await rm(staging, { force: true, recursive: true })
    const isLeft = isDone || existsSync(join(data, databaseName))
    if (!isLeft && !isLocked) await rm(lock, { force: true })
    // What somebody else has put there meanwhile stays.
    if (!isLeft && isMade) await rmdir(data).catch(() => undefined)
    release()
  }
}
