// What of the life of keys has happened and is not told yet. The key store says what is true, the stream `keys` what was told, the newest trust root
// what was published; whatever is missing between them is written, in this order, so that any order that was cut off is finished by looking.
import { canonicalize } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import type { KeyMatter } from '../dossier/matters.ts'
import {
  parseTrustRoot,
  type OriginSection,
  type TrustedSigningKey,
} from '../dossier/trust-root.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { keyEvent, type KeyWork } from './key-work.ts'
import { describeOrigin, readCheckedTrustRoot } from './trust.ts'
import type { Room } from './room.ts'

/** What the log told of keys, oldest first. */
async function readKeyEvents({ log, store, tenant }: Room): Promise<readonly KeyMatter[]> {
  const entries = await readCheckedStream(store, tenant.name, 'keys', log.head)
  return entries.flatMap((entry) => matterOf(entry, 'key') ?? [])
}

type Told = (keyId: string, event: KeyMatter['event']) => boolean

/** The next thing that happened to a signing key and was not told. */
function untold(key: ListedKey, told: Told): KeyMatter['event'] | undefined {
  const { from, keyId, to } = key
  if (from !== null && !told(keyId, 'activated')) return 'activated'
  if (to !== null && !told(keyId, 'retired')) return 'retired'
  return undefined
}

/** A master key that others took the place of, and of which nobody said that it is gone. */
function forgottenMaster(
  events: readonly KeyMatter[],
  present: number,
  told: Told,
): KeyMatter | undefined {
  return events.find(
    ({ event, keyId, purpose, version }) =>
      purpose === 'master' &&
      event === 'activated' &&
      version < present &&
      !told(keyId, 'destroyed'),
  )
}

/** What an entry about a signing key makes true of it for ever. */
const became: Readonly<
  Record<Exclude<KeyMatter['event'], 'slots'>, (key: ListedKey, at: number | null) => boolean>
> = {
  prepared: () => true,
  activated: ({ from }, at) => from === at,
  retired: ({ to }, at) => to === at,
  // A later entry may have moved it to an earlier position.
  revoked: ({ revokedAt }, at) => revokedAt !== null && at !== null && revokedAt <= at,
  destroyed: ({ state }) => state === 'destroyed',
}

/** Whether the key store holds what an entry told; `latest` when no later one of its kind did. */
function holds(keyring: Keyring, matter: KeyMatter, latest: boolean): boolean {
  const { event, from, keyId, purpose, slots } = matter
  const { master, stored } = keyring
  if (purpose === 'master') {
    if (event === 'destroyed') return keyId !== master.keyId
    if (!latest) return true
    const ids = (slots ?? []).map(({ id }) => id).join()
    return (
      keyId === master.keyId &&
      (event !== 'slots' || ids === stored.slots.map(({ id }) => id).join())
    )
  }
  const key = keyring.list().find((one) => one.keyId === keyId)
  return key !== undefined && event !== 'slots' && became[event](key, from)
}

type Standing = Pick<TrustedSigningKey, 'from' | 'to' | 'revokedAt'>

const standings = ({ keys, logKeys }: OriginSection): ReadonlyMap<string, Standing> =>
  new Map<string, Standing>([
    ...keys.map((key) => [key.keyid, key] as const),
    ...logKeys.map((key) => [key.vkey, key] as const),
  ])

/** A key of which a published trust root says what one made now would take back. */
function takenBack(published: OriginSection, now: OriginSection): string | undefined {
  const present = standings(now)
  for (const [id, { from, revokedAt, to }] of standings(published)) {
    const key = present.get(id)
    const kept =
      key?.from === from &&
      (to === null || key.to === to) &&
      (revokedAt === null || (key.revokedAt !== null && key.revokedAt <= revokedAt))
    if (!kept) return id
  }
  return undefined
}

/**
 * Holds the key store against the log, which no editor of the database can take back. The pinned epoch alone does not do: a crash between a commit and
 * its pin leaves the pin one epoch behind, and the key store of before that commit would pass for the newest.
 * @throws {@link Failure} KEY_STORE_REFUSED when it lacks what was told or published
 */
export async function checkTold(room: Room): Promise<void> {
  const { keyring } = room
  const events = await readKeyEvents(room)
  const lastOfMaster = events.findLast(
    ({ event, purpose }) => purpose === 'master' && event !== 'destroyed',
  )
  const lacking = events.find((matter) => !holds(keyring, matter, matter === lastOfMaster))
  if (lacking !== undefined) {
    const { event, purpose, version } = lacking
    throw behind(`${purpose} v${version} was ${event === 'slots' ? 'given slots' : event}`)
  }
  const [published] = await publishedSections(room)
  const lost =
    published === undefined
      ? undefined
      : takenBack(published, await describeOrigin(room, keyring.list()))
  if (lost !== undefined) throw behind(`trust root says more of key ${lost}`)
}

const behind = (what: string): Failure =>
  new Failure('KEY_STORE_REFUSED', `Key store is older than its log, which tells that ${what}`)

async function publishedSections(room: Room): Promise<readonly OriginSection[]> {
  const parsed = parseTrustRoot((await readCheckedTrustRoot(room)).file)
  return typeof parsed === 'string' ? [] : parsed.origins
}

/** All that a section says but the size it was made at. */
const lasting = (section: OriginSection): string => canonicalize({ ...section, asOf: null })

/** Whether the newest trust root says what one made now would say. */
async function isPublished(room: Room): Promise<boolean> {
  const [published] = await publishedSections(room)
  const now = await describeOrigin(room, room.keyring.list())
  return published !== undefined && lasting(published) === lasting(now)
}

async function settleOne(work: KeyWork): Promise<boolean> {
  const { keyring, room } = work
  const events = await readKeyEvents(room)
  const pairs = new Set(events.map(({ event, keyId }) => `${event} ${keyId}`))
  const told: Told = (keyId, event) => pairs.has(`${event} ${keyId}`)

  for (const key of keyring.list()) {
    const event = untold(key, told)
    if (event === undefined) continue
    await work.tell(keyEvent(room, event, key, event === 'activated' ? key.from : key.to))
    return true
  }
  const master = forgottenMaster(events, keyring.master.version, told)
  if (master !== undefined) {
    const { algorithm, keyId, publicKey, purpose, version } = master
    const gone = {
      algorithm,
      from: null,
      keyId,
      keyid: null,
      publicKey,
      purpose,
      version,
      vkeys: [],
    }
    await work.tell({ ...gone, event: 'destroyed' })
    return true
  }
  // A log key that stopped could only do harm: what it signed is final.
  const log = keyring.list().find(({ purpose, state }) => purpose === 'log' && state === 'retired')
  if (log !== undefined) {
    const body = keyring.bodyWithoutKey(log.keyId)
    const stored = keyring.reseal([{ keyId: log.keyId, state: 'destroyed', body }])
    await work.commit(keyEvent(room, 'destroyed', log, null), stored)
    return true
  }
  if (await isPublished(room)) return false
  const newest = events.at(-1)
  if (newest !== undefined) await work.alone(() => work.publish(newest))
  return newest !== undefined
}

/** Tells, destroys and publishes what is due, until nothing is. Needs no key provider. */
export async function settleKeys(work: KeyWork): Promise<void> {
  while (await settleOne(work));
}
