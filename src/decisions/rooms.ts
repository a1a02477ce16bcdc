// The open rooms of an installation. A tenant is opened, with every check of it, when it is first asked for: an idle one costs a row. The rooms that
// were used last stay open, however long ago that was, so that an outage of the key providers does not reach a small installation; any other is
// closed some minutes after its last use, and its keys are given up.
import type { Room } from './room.ts'

/** What the open rooms are made of. */
export interface RoomsParts {
  /** Opens the room of a tenant; resolves when every check of it has passed. */
  readonly open: (tenant: string) => Promise<Room>
  /** Gives up a room that nobody uses and nobody will be given, its keys before anything is awaited. */
  readonly close: (room: Room) => Promise<void>
  /** Whether the room of a tenant that is closed now could be opened again. */
  readonly mayClose: (tenant: string) => boolean
  /** ms since 1970. */
  readonly clock: () => number
  /** How many rooms stay open however idle they are. */
  readonly keep: number
}

interface OpenRoom {
  readonly opening: Promise<Room>
  /** Once it is open. */
  room: Room | undefined
  users: number
  usedAt: number
}

/** How long a room stays open after its last use. */
const idleMs = 5 * 60_000
const sweepMs = 30_000
/** Rooms beyond which the one that was idle longest is closed at once: each takes some 350 kB and a file descriptor. */
const mostOpen = 256

/** The open rooms by their tenants; nobody keeps a room beyond {@link Rooms.use}. */
export class Rooms {
  readonly #parts: RoomsParts
  /** The least recently used first. */
  readonly #open = new Map<string, OpenRoom>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: RoomsParts) {
    this.#parts = parts
  }

  /** The tenants whose rooms are open or being opened. */
  get tenants(): readonly string[] {
    return [...this.#open.keys()]
  }

  /** The room of a tenant if it is open, to look at and not to keep. */
  peek(tenant: string): Room | undefined {
    return this.#open.get(tenant)?.room
  }

  /** Works in the room of a tenant, which is opened where it is not open; it stays open at least until the work is done. */
  async use<T>(tenant: string, work: (room: Room) => Promise<T>): Promise<T> {
    const entered = this.#enter(tenant)
    entered.users++
    try {
      return await work(entered.room ?? (await entered.opening))
    } finally {
      entered.users--
      entered.usedAt = this.#parts.clock()
    }
  }

  /** Closes the rooms that have been idle for long; done by itself now and then. */
  async sweep(): Promise<void> {
    const { clock, keep } = this.#parts
    const now = clock()
    const spare = [...this.#open].slice(0, Math.max(0, this.#open.size - keep))
    for (const [tenant, { usedAt }] of spare) if (now - usedAt > idleMs) await this.#close(tenant)
  }

  /** Resolves when no room is in use. */
  async idle(): Promise<void> {
    while ([...this.#open.values()].some(({ users }) => users > 0))
      await new Promise((resolve) => setTimeout(resolve, 1))
  }

  /** Forgets all rooms, also those in use, and gives them to whoever ends them. */
  leave(): readonly Promise<Room>[] {
    clearInterval(this.#timer)
    this.#timer = undefined
    const left = [...this.#open.values()].map(({ opening }) => opening)
    this.#open.clear()
    return left
  }

  #enter(tenant: string): OpenRoom {
    const known = this.#open.get(tenant)
    if (known === undefined) return this.#add(tenant)
    this.#open.delete(tenant)
    this.#open.set(tenant, known)
    return known
  }

  #add(tenant: string): OpenRoom {
    const { clock, open } = this.#parts
    const opening = open(tenant)
    const added: OpenRoom = { opening, room: undefined, usedAt: clock(), users: 0 }
    this.#open.set(tenant, added)
    opening.then(
      (room) => (added.room = room),
      () => {
        if (this.#open.get(tenant) === added) this.#open.delete(tenant)
      },
    )
    this.#timer ??= setInterval(() => void this.sweep(), sweepMs).unref()
    const [idlest] = this.#open.keys()
    if (this.#open.size > mostOpen && idlest !== undefined) void this.#close(idlest)
    return added
  }

  /** Closes a room unless it is in use or could not be opened again. In one turn it is forgotten and its keys are given up, so that whoever comes finds
   * either it or none. */
  async #close(tenant: string): Promise<void> {
    const found = this.#open.get(tenant)
    if (found?.room === undefined || found.users > 0 || !this.#parts.mayClose(tenant)) return
    this.#open.delete(tenant)
    await this.#parts.close(found.room)
  }
}
