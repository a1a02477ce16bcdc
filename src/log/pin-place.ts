// The port to where the pins of one instance are kept, one for each tenant: best where whoever can roll the database back cannot reach.
import type { Pin, PinStore } from './pin.ts'

/** The pins of an instance. */
export interface PinPlace {
  /** The pin of a tenant, for the one writer of its log. */
  open(tenant: string): PinStore
  /** The pin of a tenant as it is; looking makes none. @throws {@link Failure} LOG_ROLLBACK when what is there is not a pin, STORE_FAILED */
  read(tenant: string): Promise<Pin | undefined>
  /** The tenants that have a pin. */
  list(): Promise<readonly string[]>
  /** Keeps any other process off the pins as far as the place can; gives what lets go of them. @throws {@link Failure} STORE_LOCKED */
  hold(): Promise<() => void>
  close(): Promise<void>
}
