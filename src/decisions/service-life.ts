// The life of the service in the thread that owns the database and the keys. At start every tenant's head is held against its pin, which takes no key;
// the rooms that were written to last are opened at once, the others when they are first asked for, so that idle ones cost nothing.
//
// When a commit's outcome is unknown, or the database fails, everything stops: readiness goes down, the store is closed and opened again, each
// log is read anew and held against its pin, and only then is anything signed. Callers in between get the failure that began it.
// One file, for store, rooms, trouble and recovery are one state; the calls themselves stand in *-calls.ts.
import { setTimeout } from 'node:timers/promises'
import { asFailure, Failure, type FailureCode } from '../base/failure.ts'
import type { Caller } from '../dossier/matters.ts'
import type { KekProvider } from '../kek/kek.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { Instance, Store, Tenant } from '../store/store.ts'
import type { Access } from './access.ts'
import { checkPins } from './check-pins.ts'
import { admitControl } from './closing.ts'
import { timeOutEscalation } from './escalation-desk.ts'
import { EscalationHall } from './escalation-hall.ts'
import type { Ground } from './found-tenant.ts'
import { checkTenant, completeGenesis, hasGenesis } from './genesis.ts'
import { KeyDesk } from './key-desk.ts'
import { inLanes } from './lanes.ts'
import { Notariser } from './notarise.ts'
import { Outbox } from './outbox.ts'
import { Reading } from './reading.ts'
import type { Room } from './room.ts'
import { RoomOpening } from './room-opening.ts'
import { Rooms } from './rooms.ts'
import type { Health } from './service.ts'
import { tellHealth } from './service-health.ts'
import { demandsTwoOf, overridesPerDayOf, type ServiceParts } from './service-parts.ts'
import { Witnessing } from './witnessing.ts'

/** Whose setting it is that two leads are demanded. */
const installation: Caller = { type: 'local', id: 'setting', owner: 'countersign' }
const retryMs = { first: 200, most: 10_000 }
/** How many rooms are opened at a time at start. */
const lanes = 8

/** Whether it is what the keys of one tenant were refused with; anything else is no single tenant's matter. */
const isIsolated = ({ code }: Failure): boolean =>
  code === 'OPEN_FAILED' ||
  code === 'KEY_STORE_REFUSED' ||
  code === 'CONFIG_INVALID' ||
  code.startsWith('KEK_')

/** Opens, checks, recovers and ends; between that it gives the use cases their rooms. */
export class ServiceLife implements Access, Ground {
  readonly instance: Instance
  readonly clock: () => number
  readonly notariser: Notariser
  readonly reading: Reading
  readonly desk: KeyDesk
  readonly outbox: Outbox
  readonly hall: EscalationHall
  /** Whether a log begins to be under dual control with its first roster. */
  readonly demandsTwo: boolean
  readonly #parts: ServiceParts
  readonly #rooms: Rooms
  readonly #opening: RoomOpening
  readonly #witnessing: Witnessing
  /** Tenants whose rooms have been open over this store: what is only read needs no room after that. */
  readonly #checked = new Set<string>()
  /** Tenants that are being founded: their rooms open without the checks of what is not there yet. */
  readonly #founding = new Set<string>()
  /** Tenants whose rooms did not open when they were last asked for. */
  readonly #refused = new Map<string, FailureCode>()
  readonly #release: () => void
  readonly #closing = new AbortController()
  #store: Store
  #trouble: Failure | undefined
  #recovery: Promise<void> | undefined

  private constructor(parts: ServiceParts, store: Store, instance: Instance, release: () => void) {
    this.#parts = parts
    this.#release = release
    this.#store = store
    this.instance = instance
    this.clock = parts.clock
    this.demandsTwo = demandsTwoOf(parts, instance)
    this.notariser = new Notariser(parts.version, (deadline) => {
      this.hall.expect(deadline)
    })
    this.hall = new EscalationHall({
      clock: parts.clock,
      decide: parts.decideGateway,
      list: (limit) => this.usableStore().listWaiting('escalation', limit),
      mostWaits: parts.mostWaits,
      notariser: this.notariser,
      report: parts.report,
      sign: (tenant, work) => this.sign(tenant, work),
      timeOut: (tenant, id) => this.sign(tenant, (room) => timeOutEscalation(room, id)),
      use: (tenant, work) => this.use(tenant, work),
    })
    this.reading = new Reading(() => this.usableStore())
    const { clock, masterPublic, maxOutageMs, openInFreshProcess, openProvider } = parts
    this.desk = new KeyDesk({
      clock,
      findOffer: (tenant, sha256) => parts.findOffer(instance, tenant, sha256),
      instance: instance.id,
      masterPublic,
      maxOutageMs,
      openInFreshProcess,
      openProvider,
      providers: parts.providers,
      report: parts.report,
      store: () => this.#store,
    })
    this.outbox = new Outbox({
      clock,
      report: parts.report,
      store: () => this.#store,
      useRoom: (tenant, work) => this.use(tenant, work),
    })
    const { report, witnessEveryMs: everyMs } = parts
    this.#witnessing = new Witnessing({
      clock,
      report,
      store: () => this.#store,
      ...(everyMs === undefined ? {} : { everyMs }),
    })
    this.#opening = new RoomOpening({
      clock,
      desk: this.desk,
      instance,
      masterPublic,
      onBroken: (failure) => {
        this.#fail(failure)
      },
      openPin: (tenant) => parts.openPin(instance, tenant),
      witnessPolicy: parts.witnessPolicy,
      witnessing: this.#witnessing,
    })
    this.#rooms = new Rooms({
      clock,
      close: (room) =>
        this.#opening.close(room).catch((error: unknown) => {
          this.#fail(asFailure(error))
        }),
      keep: parts.keepRooms ?? 0,
      mayClose: (tenant) => this.#trouble === undefined && this.desk.canReopen(tenant),
      open: (tenant) => this.#openRoom(tenant),
    })
  }

  /**
   * Opens the service: every tenant's head is held against its pin, and some rooms are opened, so that most of what is wrong is found before anybody is
   * answered. The rest is found before anybody is answered about that tenant.
   * @throws {@link Failure} CONFIG_INVALID, STORE_*, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, LOG_ROLLBACK
   */
  static async open(parts: ServiceParts): Promise<ServiceLife> {
    const store = await parts.openStore()
    try {
      const instance = await store.readInstance()
      if (instance === undefined)
        throw new Failure('CONFIG_INVALID', 'Data directory is empty: run countersign init first')
      // A place without a pin is mostly the wrong one, in which nothing is to be left.
      const tenants = await store.listTenants()
      if (tenants.length > 0 && (await parts.listPins(instance)).length === 0)
        await checkPins(parts, instance, store, tenants)
      const release = await parts.holdPins(instance)
      const life = new ServiceLife(parts, store, instance, release)
      try {
        await life.#checkTenants()
        life.hall.start()
        return life
      } catch (error) {
        life.#witnessing.abandon()
        await life.#leaveRooms()
        await life.#opening.closeKeys()
        release()
        throw error
      }
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Holds all tenants against their pins and opens the rooms of some; one whose founding was interrupted waits for being founded again. */
  async #checkTenants(): Promise<void> {
    const tenants = await this.#store.listTenants()
    await this.#checkPins(tenants)
    const founded: Tenant[] = []
    for (const tenant of tenants)
      if (await hasGenesis(this.#store, tenant.name)) founded.push(tenant)
      else this.#parts.report('tenant.unfinished', { tenant: tenant.name })
    const newestLast = founded.sort((a, b) => a.head.time - b.head.time)
    const { keepRooms = 0 } = this.#parts
    const kept = newestLast.slice(Math.max(0, founded.length - keepRooms))
    await this.#openRooms(kept.map(({ name }) => name))
  }

  /** Opens rooms. What one tenant's keys do is that tenant's trouble, and is reported; where none opens, it is everybody's. */
  async #openRooms(names: readonly string[]): Promise<void> {
    const refusals: Failure[] = []
    await inLanes(names, lanes, async (name) => {
      try {
        await this.#rooms.use(name, () => Promise.resolve())
      } catch (error) {
        const failure = asFailure(error)
        if (!isIsolated(failure)) throw failure
        refusals.push(failure)
      }
    })
    const [first] = refusals
    if (first !== undefined && refusals.length === names.length) throw first
  }

  #checkPins(tenants: readonly Tenant[]): Promise<void> {
    return checkPins(this.#parts, this.instance, this.#store, tenants)
  }

  sign<T>(name: string, work: (room: Room) => Promise<T>): Promise<T> {
    this.desk.checkOutage()
    return this.use(name, work)
  }

  usableStore(): Store {
    if (this.#trouble !== undefined) throw this.#trouble
    return this.#store
  }

  use<T>(name: string, work: (room: Room) => Promise<T>): Promise<T> {
    if (this.#trouble !== undefined) return Promise.reject(this.#trouble)
    if (this.#closing.signal.aborted)
      return Promise.reject(new Failure('LOG_CLOSED', 'Service is closing'))
    return this.#rooms.use(name, work)
  }

  /** No checkpoint leaves before it is pinned, and the store may hold one that is being pinned. */
  async read<T>(name: string, work: (reading: Reading) => Promise<T>): Promise<T> {
    if (!this.#checked.has(name)) await this.use(name, () => Promise.resolve())
    const read = await work(this.reading)
    await this.#rooms.peek(name)?.log.settled()
    if (this.#trouble !== undefined) throw this.#trouble
    return read
  }

  listPins(): Promise<readonly string[]> {
    return this.#parts.listPins(this.instance)
  }

  whileFounding<T>(work: (providers: readonly KekProvider[]) => Promise<T>): Promise<T> {
    return this.desk.whileFounding(work)
  }

  keepKeys(tenant: string, keyring: Keyring): void {
    this.#opening.keep(tenant, keyring)
  }

  async beginTenant(name: string, by: Caller): Promise<void> {
    this.#founding.add(name)
    try {
      await this.#rooms.use(name, async (room) => {
        await completeGenesis(room, by)
        await checkTenant(room)
        await this.#witnessing.open(room)
        await this.desk.admit(room)
      })
    } finally {
      this.#founding.delete(name)
    }
    this.#checked.add(name)
  }

  health(): Promise<Health> {
    return tellHealth({
      clock: this.clock,
      closing: this.#closing.signal.aborted,
      keys: this.desk,
      overridesPerDay: overridesPerDayOf(this.#parts),
      refused: this.#refused,
      store: () =>
        this.#trouble === undefined && !this.#closing.signal.aborted ? this.#store : undefined,
      tenants: () => this.#rooms.tenants,
      trouble: this.#trouble,
      witnesses: this.#witnessing.summary,
    })
  }

  /** Refuses new work, finishes what was accepted, and ends. */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    this.#closing.abort()
    await this.hall.close()
    await this.#recovery
    await this.#rooms.idle()
    await this.#witnessing.close()
    await this.desk.close()
    await this.#leaveRooms()
    await this.#opening.closeKeys()
    await this.#parts.closeProviders()
    await this.#store.close()
    this.#release()
  }

  async #openRoom(name: string): Promise<Room> {
    try {
      if (!this.#founding.has(name)) await this.#expectFounded(name)
      const room = await this.#opening.open(this.#store, name)
      if (!this.#founding.has(name)) await admitControl(room, this.demandsTwo, installation)
      if (!this.#founding.has(name)) this.#checked.add(name)
      this.#refused.delete(name)
      return room
    } catch (error) {
      const failure = asFailure(error)
      const { code, message } = failure
      // While everything is opened again after trouble, unsealed keys are kept for the next attempt: the providers may be away.
      if (this.#trouble === undefined || isIsolated(failure)) {
        await this.#opening.drop(name)
        if (code !== 'INPUT_NOT_FOUND') {
          this.#refused.set(name, code)
          this.#parts.report('tenant.refused', { code, message, tenant: name })
        }
      }
      throw error
    }
  }

  /** @throws {@link Failure} CONFIG_INVALID when the founding of a tenant was cut off */
  async #expectFounded(name: string): Promise<void> {
    if (
      !(await hasGenesis(this.#store, name)) &&
      (await this.#store.readTenant(name)) !== undefined
    )
      throw new Failure('CONFIG_INVALID', `Tenant was founded half, found it again: ${name}`)
  }

  #fail(failure: Failure): void {
    if (this.#trouble !== undefined) return
    this.#trouble = failure
    this.#parts.report('log.broken', { code: failure.code, message: failure.message })
    this.#recovery = this.#recover().finally(() => {
      this.#recovery = undefined
    })
  }

  async #recover(): Promise<void> {
    const names = this.#rooms.tenants
    await this.#leaveRooms()
    const { signal } = this.#closing
    for (let wait = retryMs.first; !signal.aborted; wait = Math.min(2 * wait, retryMs.most)) {
      try {
        await this.#store.close()
        this.#store = await this.#parts.openStore()
        await this.#store.probe()
        await this.#checkPins(await this.#store.listTenants())
        // One whose founding was cut off waits for being founded again.
        const founded: string[] = []
        for (const name of names) if (await hasGenesis(this.#store, name)) founded.push(name)
        await this.#openRooms(founded)
        this.#trouble = undefined
        this.hall.start()
        this.#parts.report('log.reopened', {})
        return
      } catch (error) {
        await this.#leaveRooms()
        this.#trouble = asFailure(error)
        this.#parts.report('log.still-broken', {
          code: this.#trouble.code,
          message: this.#trouble.message,
        })
        // Whoever closes waits for this, with perhaps nothing else that keeps the process.
        await setTimeout(wait, undefined, { ref: false, signal }).catch(() => undefined)
      }
    }
  }

  /** Ends all logs; their keys stay unsealed. */
  async #leaveRooms(): Promise<void> {
    this.#checked.clear()
    for (const opening of this.#rooms.leave()) {
      const room = await opening.catch(() => undefined)
      if (room === undefined) continue
      this.desk.leave(room)
      await room.log.close()
      this.#witnessing.leave(room)
    }
  }
}
