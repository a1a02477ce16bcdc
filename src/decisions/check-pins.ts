// At a start, and whenever a store was opened anew, the head of every tenant is held against its pin; that takes no key.
import { Failure } from '../base/failure.ts'
import type { Pin } from '../log/pin.ts'
import { checkPinnedHead } from '../log/pinned-head.ts'
import type { Instance, Store, Tenant } from '../store/store.ts'
import { inLanes } from './lanes.ts'
import type { ServiceParts } from './service-parts.ts'

type Pins = Pick<ServiceParts, 'listPins' | 'openPin'>

/** How many pins are asked at a time. */
const lanes = 8

/**
 * Holds every tenant's head against its pin.
 * @throws {@link Failure} LOG_ROLLBACK, also where a tenant is pinned that the store does not know
 */
export async function checkPins(
  pins: Pins,
  instance: Instance,
  store: Store,
  tenants: readonly Tenant[],
): Promise<void> {
  const pinned = new Set(await pins.listPins(instance))
  const lost = [...pinned].find((name) => !tenants.some((tenant) => tenant.name === name))
  if (lost !== undefined)
    throw new Failure(
      'LOG_ROLLBACK',
      `Database knows nothing of a tenant that is pinned, bring the newer database back: ${lost}`,
    )
  await inLanes(tenants, lanes, async ({ head, name, origin }) => {
    const pin = pinned.has(name) ? await readPin(pins, instance, name) : undefined
    await checkPinnedHead({ head, origin, store, tenant: name }, pin)
  })
}

async function readPin(pins: Pins, instance: Instance, tenant: string): Promise<Pin | undefined> {
  const pin = pins.openPin(instance, tenant)
  try {
    return await pin.read()
  } finally {
    await pin.close()
  }
}
