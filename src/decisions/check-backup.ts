// Whether a copy of a database is one that evidence can be read from: what it holds is recomputed from its entries, and is the moment its manifest names.
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { parseManifestUnchecked } from '../keyring/manifest.ts'
import { standingTo, type KnownHead, type Standing } from '../log/known-head.ts'
import type { StoreReader } from '../store/store.ts'
import type { BackedUpLog, BackupManifest } from './backup-manifest.ts'
import { fsck } from './fsck.ts'

/** What is checked, and who hears of it. */
export interface BackupCheck {
  readonly store: StoreReader
  readonly manifest: BackupManifest
  /** Whether the signatures of entries are verified: that is most of the work. */
  readonly signatures: boolean
  readonly signal?: AbortSignal
  readonly progress: (what: string, done: number, total: number) => void
}

/** Entries that a log has before its first trust root. */
const foundingEntries = 5

const damaged = (what: string): Failure =>
  new Failure('STORE_CORRUPT', `Backup is damaged, use another one: ${what}`)

/** The logs of a database as they are told in a manifest. @throws {@link Failure} STORE_CORRUPT when a head is not the one its checkpoint names */
export async function describeLogs(store: StoreReader): Promise<readonly BackedUpLog[]> {
  const logs: BackedUpLog[] = []
  for (const { head, name, origin } of await store.listTenants()) {
    const { root, size } = head
    const last = await store.readLastCheckpoint(name)
    const standing = last === undefined ? 'grown' : await standingTo(store, name, head, last)
    if ((last?.size ?? 0) !== size || standing !== 'grown')
      throw damaged(`last checkpoint of ${origin} is not the one of its head`)
    logs.push({ checkpoint: last?.note ?? null, name, origin, root, size })
  }
  return logs
}

/**
 * Recomputes all of a backup's logs from their entries.
 * @throws {@link Failure} STORE_CORRUPT naming the first thing that is wrong; what `signal` was aborted with
 */
export async function checkBackup(check: BackupCheck): Promise<void> {
  const { manifest, progress, signal, signatures, store } = check
  if ((await store.readInstance())?.id !== manifest.instance)
    throw damaged('it is of another instance than its manifest says')
  const logs = await describeLogs(store)
  if (logs.length !== manifest.logs.length) throw damaged('its tenants are not those it names')
  for (const said of manifest.logs) {
    const { name, origin, root, size } = said
    const found = logs.find((log) => log.name === name)
    if (found?.origin !== origin || found.size !== size || !equalBytes(found.root, root))
      throw damaged(`log of ${origin} is not the one it names`)
    // One whose founding was cut off has nothing to be checked by, and nothing in it.
    if (size <= foundingEntries && (await store.readTrustRoot(name)) === undefined) continue
    const report = await fsck({
      pin: undefined,
      progress: (part, done, total) => {
        progress(`${name}: ${part}`, done, total)
      },
      signatures,
      store,
      tenant: name,
      trustFile: undefined,
      ...(signal === undefined ? {} : { signal }),
    })
    const [first] = report.findings
    if (first === undefined) continue
    const where = first.index === null ? '' : ` at index ${first.index}`
    throw damaged(
      `${report.count} findings in ${origin}, first: ${first.part}${where}: ${first.what}`,
    )
  }
}

/** A head that is known of a log which does not reach it, or contradicts it. */
export interface Objection extends KnownHead {
  /** Undefined where the database knows nothing of the log. */
  readonly tenant: string | undefined
  /** Of the log in the database. */
  readonly has: number
  readonly standing: Exclude<Standing, 'grown'>
}

/** What of the known heads speaks against going on with a database. @throws {@link Failure} STORE_CORRUPT */
export async function findObjections(
  store: StoreReader,
  known: readonly KnownHead[],
): Promise<readonly Objection[]> {
  const tenants = await store.listTenants()
  const objections: Objection[] = []
  for (const head of known) {
    const log = tenants.find(({ origin }) => origin === head.origin)
    const standing =
      log === undefined ? 'behind' : await standingTo(store, log.name, log.head, head)
    if (standing !== 'grown')
      objections.push({ ...head, has: log?.head.size ?? 0, standing, tenant: log?.name })
  }
  return objections
}

/** A head that is pinned, with the epoch of the key manifest. */
export interface PinnedHead extends KnownHead {
  readonly epoch: number
}

/** A key store that is older than the one that is pinned. */
export interface OlderKeys {
  readonly origin: string
  readonly pinned: number
  readonly has: number
}

/**
 * The key stores of a database that no start would open, for it knows of newer ones. That each is what its manifest says needs the master key.
 * @throws {@link Failure} KEY_STORE_REFUSED when one cannot be read
 */
export async function findOlderKeys(
  store: StoreReader,
  pinned: readonly PinnedHead[],
): Promise<readonly OlderKeys[]> {
  const older: OlderKeys[] = []
  for (const { name, origin } of await store.listTenants()) {
    const keys = await store.readKeys(name)
    const has = keys === undefined ? 0 : parseManifestUnchecked(keys.manifest).epoch
    for (const head of pinned)
      if (head.origin === origin && head.epoch > has)
        older.push({ has, origin, pinned: head.epoch })
  }
  return older
}

/** An older key store as a person reads it. */
export const describeOlderKeys = ({ has, origin, pinned }: OlderKeys): string =>
  `the pin knows the keys of ${origin} in epoch ${pinned}, the backup has epoch ${has}`

/** An objection as a person reads it. */
export const describeObjection = ({ has, origin, size, standing, who }: Objection): string =>
  standing === 'behind'
    ? `${who} knows ${origin} at size ${size}, the backup has ${has} entries`
    : `${who} knows ${origin} with another root at size ${size}`
