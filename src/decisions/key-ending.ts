// How keys end: revoked from a position on, or their private half deleted.
import { Failure } from '../base/failure.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import type { KeyOrder } from '../wire/keys.ts'
import { settleKeys } from './key-journal.ts'
import { rotate } from './key-rotation.ts'
import { keyEvent, keyState, type KeyWork } from './key-work.ts'
import type { Room } from './room.ts'

function findKey({ keyring }: Pick<Room, 'keyring'>, keyId: string): ListedKey {
  const key = keyring.list().find((candidate) => candidate.keyId === keyId)
  if (key === undefined) throw new Failure('INPUT_NOT_FOUND', `No such key: ${keyId}`)
  return key
}

/**
 * Refuses to end a key that is in no state for it, be it asked for or carried out: two leads would sign in vain.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_KEY_STATE
 */
export function expectEndable(
  { gate, keyring }: Pick<Room, 'gate' | 'keyring'>,
  order: KeyOrder | undefined,
): void {
  if (order?.order !== 'destroy' && order?.order !== 'revoke') return
  const { keyId } = order
  const { purpose, revokedAt, state } = findKey({ keyring }, keyId)
  if (order.order === 'revoke') {
    const { from } = order
    // A theft may turn out to be older than it seemed; that it is younger nobody may say afterwards.
    if (revokedAt !== null && (from === undefined || from >= revokedAt))
      throw keyState(`Key is revoked already, from position ${revokedAt}: ${keyId}`)
    if (state === 'pending') throw keyState(`Key has signed nothing, destroy it: ${keyId}`)
    return
  }
  if (state === 'active' && gate.isClosed)
    throw keyState(
      `Key stays with the log of a closed tenant, whose erasures, revocations and trust roots are signed as before; once rotated, the old one can be destroyed: ${keyId}`,
    )
  if (state === 'active')
    throw keyState(`Key signs now, rotate it first: countersign keys rotate ${purpose}`)
}

const chunk = 4096

/** How many entries a key signed at or behind an index, and where the first and the last of them stand. */
async function signedFrom(
  { room }: KeyWork,
  keyid: string,
  from: number,
  to: number,
): Promise<{ count: number; first: number; last: number }> {
  const { store, tenant } = room
  const found = { count: 0, first: -1, last: -1 }
  for (let start = from; start < to; start += chunk) {
    const leaves = await store.readLeaves(tenant.name, start, Math.min(to, start + chunk))
    for (const [i, bytes] of leaves.entries()) {
      const leaf = parseLeaf(bytes)
      if (typeof leaf === 'string' || leaf.keyid !== keyid) continue
      found.count++
      found.last = start + i
      if (found.first < 0) found.first = start + i
    }
  }
  return found
}

/** What a revocation takes the worth of, in a sentence. */
async function whatItVoids(work: KeyWork, key: ListedKey, at: number): Promise<string> {
  const { size } = work.room.log.head
  if (key.purpose === 'log')
    return `Checkpoints of size ${at} and above under this key count no more; smaller ones count with a proof that leads to its final tree head, or with a witness quorum. Whoever takes the next trust root must compare its SHA-256`
  if (key.keyid === null)
    return 'Copies that were signed by this key verify elsewhere as before: nothing tells their verifiers'
  const { count, first, last } = await signedFrom(
    work,
    key.keyid,
    at,
    Math.min(size, key.to ?? size),
  )
  return count === 0
    ? `No entry loses its worth: the key signed none from index ${at} on`
    : `${count} entries lose their worth, from index ${first} to ${last}: signed by this key at or behind index ${at}`
}

/** Revokes a key from a position on, its own entry's unless told otherwise; a key that signs is rotated first. */
export async function revoke(
  work: KeyWork,
  keyId: string,
  from: number | undefined,
  reason: string | undefined,
): Promise<void> {
  await settleKeys(work)
  const found = findKey(work, keyId)
  const latest = work.room.log.head.size
  if (from !== undefined && from > latest)
    throw new Failure('INPUT_INVALID', `Position is beyond the log: ${from} > ${latest}`, {
      field: '/from',
    })
  if (found.state === 'active') await rotate(work, found.purpose)
  await work.alone(async () => {
    const { keyring, room } = work
    const key = findKey(work, keyId)
    const { size } = room.log.head
    const revokedAt = from ?? (key.purpose === 'log' ? size + 1 : size)
    const stored = keyring.reseal([
      // What was destroyed before stays so.
      { keyId, revokedAt, ...(key.state === 'destroyed' ? {} : { state: 'revoked' as const }) },
    ])
    work.notes.push(await whatItVoids(work, key, revokedAt))
    const event = keyEvent(room, 'revoked', key, revokedAt)
    await work.commitNow({ ...event, ...(reason === undefined ? {} : { reason }) }, stored)
  })
  await settleKeys(work)
}

/** Deletes the private half of a key that signs no more. */
export async function destroy(work: KeyWork, keyId: string): Promise<void> {
  await settleKeys(work)
  const key = findKey(work, keyId)
  if (key.state === 'destroyed') {
    work.notes.push('It was destroyed already')
    return
  }
  const { keyring, room } = work
  const body = keyring.bodyWithoutKey(keyId)
  const stored = keyring.reseal([{ body, keyId, state: 'destroyed' }])
  await work.commit(keyEvent(room, 'destroyed', key, null), stored)
  work.notes.push('Copies of the data directory and backups made before still hold it, sealed')
}
