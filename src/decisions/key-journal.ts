// What of the life of keys has happened and is not told yet. The key store says what is true, the stream `keys` what was told, the newest trust root
// what was published; whatever is missing between them is written, in this order, so that any order that was cut off is finished by looking.
import { canonicalize } from '../base/canonical-json.ts'
import type { KeyMatter } from '../dossier/matters.ts'
import { parseTrustRoot, type OriginSection } from '../dossier/trust-root.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { keyEvent, type KeyWork } from './key-work.ts'
import { describeOrigin, readCheckedTrustRoot } from './trust.ts'
import type { Room } from './room.ts'

/** What the log told of keys, oldest first. */
export async function readKeyEvents({ log, store, tenant }: Room): Promise<readonly KeyMatter[]> {
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

/** All that a section says but the size it was made at. */
const lasting = (section: OriginSection): string => canonicalize({ ...section, asOf: null })

/** Whether the newest trust root says what one made now would say. */
async function isPublished(room: Room): Promise<boolean> {
  const parsed = parseTrustRoot((await readCheckedTrustRoot(room)).file)
  if (typeof parsed === 'string') return false
  const [published] = parsed.origins
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
