// Which orders take two keys, and what each of them does, exactly: what leads sign is said by the state of now, and holds in no other.
import { Failure } from '../base/failure.ts'
import type { ActionEffect } from '../dossier/action-effects.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import type { ActionWish } from '../wire/actions.ts'
import type { KeyOrder } from '../wire/keys.ts'

/** What an effect says of the keys of a log comes from here. */
interface KeysNow {
  readonly keyring: {
    list(): readonly Pick<ListedKey, 'keyId' | 'purpose' | 'version'>[]
    readonly master: { readonly version: number }
  }
}

/** A key by its id and as people call it. */
function keyOf({ keyring }: KeysNow, keyId: string) {
  const key = keyring.list().find((one) => one.keyId === keyId)
  if (key === undefined) throw new Failure('INPUT_NOT_FOUND', `No such key: ${keyId}`)
  return { key: keyId, purpose: key.purpose, version: key.version }
}

/** What an order about keys does that takes two keys; undefined where it takes none. @throws {@link Failure} INPUT_NOT_FOUND */
export function effectOfOrder(room: KeysNow, order: KeyOrder): ActionEffect | undefined {
  const master = room.keyring.master.version
  switch (order.order) {
    case 'revoke': {
      const { from = null, keyId, reason = null } = order
      return { action: 'keys.revoke', from, reason, ...keyOf(room, keyId) }
    }
    case 'destroy': {
      const key = keyOf(room, order.keyId)
      // A log key that stopped is destroyed without an order, for it could only do harm.
      return key.purpose === 'log' ? undefined : { action: 'keys.destroy', ...key }
    }
    case 'migrate':
      return { action: 'keys.migrate', keep: order.keep ?? false, master, to: order.to }
    case 'rotate-master':
      return {
        action: 'keys.rotate-master',
        dropBreakGlass: order.dropBreakGlass ?? false,
        master,
      }
    case 'rotate':
    case 'rewrap':
    case 'admit':
      return undefined
  }
}

/** The order about keys that an effect is; undefined where it is about something else. */
export function orderOfEffect(effect: ActionEffect): KeyOrder | undefined {
  switch (effect.action) {
    case 'keys.revoke':
      return {
        order: 'revoke',
        keyId: effect.key,
        ...(effect.from === null ? {} : { from: effect.from }),
        ...(effect.reason === null ? {} : { reason: effect.reason }),
      }
    case 'keys.destroy':
      return { order: 'destroy', keyId: effect.key }
    case 'keys.migrate':
      return { order: 'migrate', keep: effect.keep, to: effect.to }
    case 'keys.rotate-master':
      return { order: 'rotate-master', dropBreakGlass: effect.dropBreakGlass }
    case 'erase':
    case 'tenant.close':
    case 'control.none':
    case 'policy.activate':
    case 'policy.retire':
      return undefined
  }
}

/** What an activation does that two leads sign: whether it goes back to an older bundle is theirs to say. */
export const effectOfActivation = ({
  bundle,
  rollback = false,
  scope,
}: Pick<
  Extract<ActionWish, { action: 'policy.activate' }>,
  'bundle' | 'rollback' | 'scope'
>): Extract<ActionEffect, { action: 'policy.activate' }> => ({
  action: 'policy.activate',
  bundle,
  scope,
  ...(rollback ? { rollback } : {}),
})

/** What a wish comes to, in the state of now. @throws {@link Failure} INPUT_NOT_FOUND, INPUT_INVALID where nobody need sign it */
export function effectOfWish(room: KeysNow, wish: ActionWish): ActionEffect {
  if (wish.action === 'policy.activate') return effectOfActivation(wish)
  const order = orderOfWish(wish)
  if (order === undefined) return wish as ActionEffect
  const effect = effectOfOrder(room, order)
  if (effect === undefined)
    throw new Failure('INPUT_INVALID', 'A log key is destroyed by itself, nobody need sign that')
  return effect
}

function orderOfWish(wish: ActionWish): KeyOrder | undefined {
  switch (wish.action) {
    case 'keys.revoke': {
      const { from, key, reason } = wish
      return {
        order: 'revoke',
        keyId: key,
        ...(from === undefined ? {} : { from }),
        ...(reason === undefined ? {} : { reason }),
      }
    }
    case 'keys.destroy':
      return { order: 'destroy', keyId: wish.key }
    case 'keys.migrate':
      return { order: 'migrate', keep: wish.keep ?? false, to: wish.to }
    case 'keys.rotate-master':
      return { order: 'rotate-master', dropBreakGlass: wish.dropBreakGlass ?? false }
    case 'erase':
    case 'tenant.close':
    case 'control.none':
    case 'policy.activate':
    case 'policy.retire':
      return undefined
  }
}
