// What an installation hands to its service: where it is kept, who opens its keys, and the settings that the use cases obey.
import type { KekKind, KekProvider } from '../kek/kek.ts'
import type { PinStore } from '../log/pin.ts'
import type { Instance, Store } from '../store/store.ts'
import type { GatewayDecider } from './gateway.ts'

/** What the local service is made of. */
export interface ServiceParts {
  /** Opens the one writing store; called again after it failed. */
  readonly openStore: () => Promise<Store>
  readonly providers: readonly KekProvider[]
  /**
   * A provider that the settings describe though this node was not told to open slots by it; made once.
   * @throws {@link Failure} CONFIG_INVALID naming what is missing
   */
  readonly openProvider: (kind: KekKind) => KekProvider
  /** Closes every provider, those opened later too, and wipes the secrets they are made of; nothing is opened in fresh processes any more. */
  readonly closeProviders: () => Promise<void>
  /**
   * Opens the master key of a tenant as a restart would, in a process of its own, by the slots of one kind alone, or by one slot (its id).
   * @throws {@link Failure} what the process met: KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, CONFIG_INVALID
   */
  readonly openInFreshProcess: (tenant: string, kind: KekKind, slot?: string) => Promise<void>
  /** How long signing goes on while no provider is healthy, in ms. */
  readonly maxOutageMs: number
  /** A sealed record that was made while the master key was sealed, by its hex SHA-256. */
  readonly findOffer: (
    instance: Instance,
    tenant: string,
    fingerprint: string,
  ) => Promise<Uint8Array | undefined>
  /** Keeps any other process off the pins, also one that runs on a copy of the data; gives what lets go of them. */
  readonly holdPins: (instance: Instance) => Promise<() => void>
  /** The tenants that have a pin. */
  readonly listPins: (instance: Instance) => Promise<readonly string[]>
  /** Where the pin of a tenant is kept. */
  readonly openPin: (instance: Instance, tenant: string) => PinStore
  /** Master public key that every keyring must have, when one is demanded. */
  readonly masterPublic?: Uint8Array
  /** Whether logs come under dual control with their first roster; all but those of development unless told. */
  readonly dualControl?: 'all' | 'none'
  readonly version: string
  readonly clock: () => number
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
  /** Witness, group and quorum lines that every log's trust root is to name; each keeps what it has where none is given. */
  readonly witnessPolicy?: string
  /** Time between rounds of asking witnesses, in ms. */
  readonly witnessEveryMs?: number
  /** Decides what comes through the gateway; without it nothing is allowed there. */
  readonly decideGateway?: GatewayDecider
  /** How many requests may wait for escalations at a time. */
  readonly mostWaits?: number
  /** How many decisions of a tenant may be overruled within 24 hours; 20 unless told. */
  readonly overridesPerDay?: number
  /** How many rooms are opened at start, those that were written to last, and stay open however idle they are; none unless told. */
  readonly keepRooms?: number
}

/** How many decisions of a tenant may be overruled within 24 hours. */
export const overridesPerDayOf = ({
  overridesPerDay = 20,
}: Pick<ServiceParts, 'overridesPerDay'>): number => overridesPerDay

/** Whether a log begins to be under dual control with its first roster. */
export const demandsTwoOf = (
  { dualControl }: Pick<ServiceParts, 'dualControl'>,
  { dev }: Pick<Instance, 'dev'>,
): boolean => (dualControl ?? (dev ? 'none' : 'all')) === 'all'
