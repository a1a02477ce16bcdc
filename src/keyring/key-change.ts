// What may change about a key that exists: its state, forward only, and its positions, each set once; but a revocation may turn out to have been due
// earlier, and then more loses its worth, never less. A position that could be set otherwise would let an operator revive evidence.
import { equalBytes } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { keyStates, type KeyState, type StoredKey } from '../store/store.ts'
import { neededPurposes, signingPurposes } from './purposes.ts'
import { destroySealedKey, formatSealedKey, parseSealedKey } from './sealed-key.ts'

/** A change of one key; what is not named stays. */
export interface KeyChange {
  readonly keyId: string
  readonly state?: KeyState
  readonly from?: number
  readonly to?: number
  readonly revokedAt?: number
  /** What is left of the sealed record; comes with the state `destroyed` and never without. */
  readonly body?: Uint8Array
}

const rank = (state: KeyState): number => keyStates.indexOf(state)

/** Which positions a key in a state has. */
const fits: Readonly<Record<KeyState, (key: StoredKey) => boolean>> = {
  pending: ({ from, to, revokedAt }) => from === null && to === null && revokedAt === null,
  active: ({ from, to, revokedAt }) => from !== null && to === null && revokedAt === null,
  retired: ({ from, to, revokedAt }) => from !== null && to !== null && revokedAt === null,
  revoked: ({ revokedAt }) => revokedAt !== null,
  destroyed: () => true,
}

/** A record changes once, when its private half is deleted; a state that said so alone would leave the seed where it is. */
function checkRecord(key: StoredKey, changed: StoredKey): void {
  const destroyed = changed.state === 'destroyed'
  if (key.state === 'destroyed' || !destroyed)
    invariant(changed.body === key.body, 'Record of a key changes only when it is destroyed')
  else {
    invariant(key.state !== 'active', 'Key that signs cannot be destroyed')
    const left = destroySealedKey(parseSealedKey(key.body))
    invariant(equalBytes(changed.body, formatSealedKey(left)), 'Record still holds the key')
  }
}

function changeKey(key: StoredKey, change: KeyChange): StoredKey {
  const changed: StoredKey = { ...key, ...change }
  invariant(rank(changed.state) >= rank(key.state), `Key state cannot go back: ${changed.state}`)
  checkRecord(key, changed)
  for (const position of ['from', 'to'] as const)
    invariant(
      key[position] === null || changed[position] === key[position],
      `Position of a key is set once: ${position}`,
    )
  invariant(
    key.revokedAt === null || (changed.revokedAt !== null && changed.revokedAt <= key.revokedAt),
    'Revocation of a key cannot move to a later position',
  )
  invariant(fits[changed.state](changed), `Positions do not fit the state: ${changed.state}`)
  const { from, to } = changed
  invariant(from === null || to === null || to >= from, 'Key cannot end before it begins')
  return changed
}

/**
 * The keys after the changes.
 * @throws {@link Failure} BUG when a change is not allowed, or leaves a purpose without exactly one active key, or without at most one where none is needed
 */
export function changeKeys(
  keys: readonly StoredKey[],
  changes: readonly KeyChange[],
): readonly StoredKey[] {
  const changed = new Map(keys.map((key) => [key.keyId, key]))
  for (const change of changes) {
    const key = changed.get(change.keyId)
    invariant(key !== undefined, `No such key: ${change.keyId}`)
    changed.set(change.keyId, changeKey(key, change))
  }
  const after = [...changed.values()]
  for (const purpose of signingPurposes) {
    const active = after.filter((key) => key.purpose === purpose && key.state === 'active')
    const needed = (neededPurposes as readonly string[]).includes(purpose)
    invariant(
      active.length === 1 || (active.length === 0 && !needed),
      `One key must be active for ${purpose}: ${active.length}`,
    )
  }
  return after
}
