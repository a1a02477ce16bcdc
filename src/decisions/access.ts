// How use cases come to a tenant: its room, opened with every check where it is not open, or what is read beside it. Nobody keeps a room beyond his work.
import type { Store } from '../store/store.ts'
import type { Reading } from './reading.ts'
import type { Room } from './room.ts'

/** The ways to a tenant; each rejects with what stops the service while something does. */
export interface Access {
  /** ms since 1970. */
  readonly clock: () => number
  /** The read side of every tenant, without any check. */
  readonly reading: Reading
  /** Works in the room of a tenant. */
  use<T>(tenant: string, work: (room: Room) => Promise<T>): Promise<T>
  /** As {@link use}, for what makes new entries. @throws {@link Failure} KEK_UNAVAILABLE at once when no provider has been well for too long */
  sign<T>(tenant: string, work: (room: Room) => Promise<T>): Promise<T>
  /** Reads of a tenant whose checks have passed, and only what is pinned. */
  read<T>(tenant: string, work: (reading: Reading) => Promise<T>): Promise<T>
  /** @throws {@link Failure} what stops the service */
  usableStore(): Store
}
