// Doing what an action says, by whoever does such things; each asks for the approval itself.
import { Failure } from '../base/failure.ts'
import { policyActivationSchema } from '../wire/policies.ts'
import type { ActionView } from '../wire/actions.ts'
import { expectScope } from './action-desk.ts'
import { readStandingAction } from './action-reading.ts'
import { closeTenant, endControl } from './closing.ts'
import { erase } from './erasure.ts'
import { orderOfEffect } from './guarded-orders.ts'
import type { KeyDesk } from './key-desk.ts'
import { activatePolicy, retirePolicy } from './policy-desk.ts'
import type { Room } from './room.ts'
import type { Principal } from './service.ts'

type Done = ActionView['done']

const at = ({ index }: { readonly index: number }): Done => ({ index, keys: null })
const elsewhere: Done = { index: null, keys: null }

/** Executes an action that stands. @throws {@link Failure} ACTION_REFUSED, AUTH_SCOPE, INPUT_NOT_FOUND, and as what it does */
export async function executeAction(
  room: Room,
  desk: Pick<KeyDesk, 'order'>,
  principal: Principal,
  id: string,
): Promise<Done> {
  const { effect } = await readStandingAction(room, id)
  expectScope(principal, effect)
  const { caller } = principal
  switch (effect.action) {
    case 'erase':
      return at(await erase(room, principal, effect.decision, effect.reason, id))
    case 'tenant.close':
      return at(await closeTenant(room, effect.reason, caller, id))
    case 'control.none':
      return at(await endControl(room, effect.reason, caller, id))
    case 'policy.activate': {
      const { bundle, rollback, scope } = effect
      const activation = policyActivationSchema.safeParse({ action: id, rollback, scope })
      if (!activation.success)
        throw new Failure('ACTION_REFUSED', 'Scope is none that policies have')
      await activatePolicy(room, bundle, activation.data, caller)
      return elsewhere
    }
    case 'policy.retire':
      await retirePolicy(room, effect.bundle, { action: id, reason: effect.reason }, caller)
      return elsewhere
    case 'keys.revoke':
    case 'keys.destroy':
    case 'keys.migrate':
    case 'keys.rotate-master': {
      const order = orderOfEffect(effect)
      if (order === undefined) throw new Failure('BUG', 'Effect is no order about keys')
      const keys = await desk.order(room, order, caller, id)
      return { index: keys.steps.at(-1)?.index ?? null, keys }
    }
  }
}
