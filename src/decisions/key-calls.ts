// The use cases of keys and of the slots that open them.
import { asFailure, type Failure } from '../base/failure.ts'
import type { Caller } from '../dossier/matters.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import type { KeyOrderDone } from '../wire/keys.ts'
import type { Access } from './access.ts'
import type { KeyDesk } from './key-desk.ts'
import type { Service } from './service.ts'

interface KeyCalls extends Pick<Service, 'listKeys' | 'keyStatus' | 'orderKeys'> {
  /** Puts slots of providers beside those of a tenant, or in the place of those of some kinds: for opening and closing by hand. */
  putSlots(
    tenant: string,
    add: readonly KekProvider[],
    drop: (kind: KekKind) => boolean,
    by: Caller,
  ): Promise<KeyOrderDone>
}

/** Whether a tenant was not opened because of its keys or whoever opens them. */
const isAboutKeys = ({ code }: Failure): boolean =>
  code.startsWith('KEK_') || code === 'OPEN_FAILED' || code === 'KEY_STORE_REFUSED'

/** What is done with keys. */
export const keyCalls = (
  access: Pick<Access, 'read' | 'reading' | 'use'>,
  desk: Pick<KeyDesk, 'order' | 'putSlots' | 'status'>,
): KeyCalls => ({
  listKeys: async (tenant) => access.read(tenant, (reading) => reading.listKeys(tenant)),

  // Also of a tenant whose keys do not open, for that is when it is asked.
  keyStatus: async (tenant) => {
    const met = await access.use(tenant, () => Promise.resolve(undefined)).catch(asFailure)
    if (met !== undefined && !isAboutKeys(met)) throw met
    const status = await desk.status(tenant, access.reading)
    if (met === undefined) return status
    return { ...status, next: [`The keys do not open. ${met.message}`, ...status.next] }
  },

  orderKeys: async (tenant, order, by, action) =>
    access.use(tenant, (room) => desk.order(room, order, by, action)),

  putSlots: async (tenant, add, drop, by) =>
    access.use(tenant, (room) => desk.putSlots(room, add, drop, by)),
})
