// From one signing key to the next: prepare → publish → activate → retire. The trust root that names the new key is announced by an entry under the old
// one, and the exchange is that entry's own transaction: whoever follows the trust roots knows a key before it signs anything.
import { Failure } from '../base/failure.ts'
import { trustedKeys } from '../dossier/trust-root.ts'
import { makeKey, pendingKey } from '../keyring/new-key.ts'
import type { SigningPurpose } from '../keyring/purposes.ts'
import { hashOf } from '../keyring/record.ts'
import { parseSealedKey } from '../keyring/sealed-key.ts'
import { publicKeyOf } from '../keyring/header.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import type { StoredKey } from '../store/store.ts'
import { settleKeys } from './key-journal.ts'
import { keyEvent, keyState, type KeyWork } from './key-work.ts'

const findKey = (
  { keyring }: KeyWork,
  purpose: SigningPurpose,
  state: 'active' | 'pending',
): ListedKey | undefined =>
  keyring.list().find((key) => key.purpose === purpose && key.state === state)

/** The version that the next key of a purpose has. */
const nextVersion = ({ keyring }: KeyWork, purpose: SigningPurpose): number =>
  1 + Math.max(0, ...keyring.list().map((key) => (key.purpose === purpose ? key.version : 0)))

/** Every key that ever signed stands in the trust root, for ever: there is an end to that. */
function checkRoom({ keyring }: KeyWork, purpose: SigningPurpose): void {
  // Copies for others are verified without the trust root.
  if (purpose === 'bundle') return
  const isLog = purpose === 'log'
  const count = keyring
    .list()
    .filter((key) => key.purpose !== 'bundle' && (key.purpose === 'log') === isLog).length
  const most = isLog ? trustedKeys.logKeys / 2 : trustedKeys.keys
  if (count >= most) throw keyState(`A trust root holds no more keys of this kind than ${most}`)
}

/** Takes a pending key into the key store; that a provider opens it there is proved before. */
async function prepare(work: KeyWork, key: StoredKey): Promise<void> {
  const { keyring, room } = work
  checkRoom(work, key.purpose)
  const stored = keyring.reseal([], { added: [key] })
  const next = await work.prove(stored)
  try {
    const listed = next.list().find(({ keyId }) => keyId === key.keyId)
    if (listed === undefined) throw new Failure('BUG', `Key was not taken in: ${key.keyId}`)
    await work.commit(keyEvent(room, 'prepared', listed, null), stored, next)
  } catch (error) {
    if (room.keyring !== next) next.close()
    throw error
  }
}

/** Lets the pending key take the place of the active one, in the transaction of the trust root that says so. */
async function exchange(work: KeyWork, purpose: SigningPurpose): Promise<void> {
  await work.alone(async () => {
    const { keyring, room } = work
    const [old, next] = [findKey(work, purpose, 'active'), findKey(work, purpose, 'pending')]
    if (next === undefined || (old === undefined && purpose !== 'bundle'))
      throw new Failure('BUG', `No key to exchange: ${purpose}`)
    const { size } = room.log.head
    // The announcement is the last that the old keys sign: as an entry it stands at this size, its checkpoint is one larger.
    const from = purpose === 'log' ? size + 2 : size + 1
    const stored = keyring.reseal([
      ...(old === undefined ? [] : [{ keyId: old.keyId, state: 'retired' as const, to: from }]),
      { keyId: next.keyId, state: 'active', from },
    ])
    await work.publish(next, stored)
  })
}

/** Rotates the key of a purpose; goes on where an earlier rotation stopped. */
export async function rotate(work: KeyWork, purpose: SigningPurpose): Promise<void> {
  await settleKeys(work)
  if (findKey(work, purpose, 'pending') === undefined) {
    const { keyring, room } = work
    const version = nextVersion(work, purpose)
    await prepare(work, makeKey(keyring.masterHeader, purpose, version, room.clock()))
  }
  await exchange(work, purpose)
  await settleKeys(work)
}

/** Takes in a key that was made while the master key was sealed; it signs nothing before it is rotated to. */
export async function admit(work: KeyWork, fingerprint: string): Promise<void> {
  const { room, tools } = work
  const body = await tools.findOffer(room.tenant.name, fingerprint)
  if (body === undefined || hashOf(body) !== fingerprint)
    throw new Failure('INPUT_NOT_FOUND', `No key was offered with this fingerprint: ${fingerprint}`)
  const { header } = parseSealedKey(body)
  const { keyId, purpose, version } = header
  if (work.keyring.list().some((key) => key.keyId === keyId))
    throw keyState(`Key was taken in already: ${keyId}`)
  if (findKey(work, purpose, 'pending') !== undefined)
    throw keyState(`Another key waits to become the ${purpose} key: rotate to it or destroy it`)
  if (version !== nextVersion(work, purpose))
    throw keyState(
      `Next ${purpose} key must have version ${nextVersion(work, purpose)}: ${version}`,
    )
  await prepare(work, pendingKey(header, body, publicKeyOf(header)))
  work.notes.push(`It signs nothing yet. To let it take over: countersign keys rotate ${purpose}`)
}
