// What can be ordered of the keys of a log, by name. One order at a time; decisions go on meanwhile, but for the milliseconds of an exchange.
import type { KeyOrder } from '../wire/keys.ts'
import { destroy, revoke } from './key-ending.ts'
import { admit, rotate } from './key-rotation.ts'
import { migrate, rewrap, rotateMaster } from './key-slots.ts'
import type { KeyWork } from './key-work.ts'

/**
 * Carries out an order; given again after a crash, it goes on where it stopped.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_KEY_STATE, INPUT_INVALID, CONFIG_INVALID, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, STORE_*, LOG_*
 */
export function carryOut(work: KeyWork, order: KeyOrder): Promise<void> {
  switch (order.order) {
    case 'rotate':
      return rotate(work, order.purpose)
    case 'rotate-master':
      return rotateMaster(work, order.dropBreakGlass ?? false)
    case 'rewrap':
      return rewrap(work)
    case 'migrate':
      return migrate(work, order.to, order.keep ?? false)
    case 'revoke':
      return revoke(work, order.keyId, order.from, order.reason)
    case 'destroy':
      return destroy(work, order.keyId)
    case 'admit':
      return admit(work, order.fingerprint)
  }
}
