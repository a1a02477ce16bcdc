// Where orders about keys come in: one at a time for each log, each carried out while decisions go on. It also watches the key providers, says how it
// stands with keys, and ends signing when no provider has been well for too long: nobody would know whether the keys could ever be opened again.
import { asFailure, Failure } from '../base/failure.ts'
import { Lines } from '../base/lines.ts'
import type { Caller } from '../dossier/matters.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import { KekWatch, type KekHealth } from '../kek/kek-watch.ts'
import { firstIssue } from '../dossier/statement.ts'
import { keyOrderSchema, type KeyOrder, type KeyOrderDone, type KeyStatus } from '../wire/keys.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { checkTold, settleKeys } from './key-journal.ts'
import { KeyCanary } from './key-canary.ts'
import { expectEndable } from './key-ending.ts'
import { KeyKinds, type KindsInUse } from './key-kinds.ts'
import { carryOut } from './key-life.ts'
import { requireApprovedAction, waived, type Leave } from './control.ts'
import { effectOfOrder } from './guarded-orders.ts'
import { whatIsNext } from './key-outlook.ts'
import { putSlots } from './key-slots.ts'
import { KeyWork, type KeyTools } from './key-work.ts'
import type { Reading } from './reading.ts'
import type { StoreReader } from '../store/store.ts'
import type { Room } from './room.ts'
import { UnderWay } from './under-way.ts'

/** What the desk is made of. */
export interface KeyDeskParts extends Omit<KeyTools, 'providers' | 'prefer'> {
  /** The providers that this node was told to open slots by, in their order. */
  readonly providers: readonly KekProvider[]
  /** How long signing goes on while no provider is healthy, in ms. */
  readonly maxOutageMs: number
  readonly clock: () => number
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
  /** UUID. */
  readonly instance: string
  /** Asked for every time, because it may be reopened. */
  readonly store: () => StoreReader
}

/** Whether the last that became of the master key was done under an action: then what is left of that may be done too. */
async function wasLastDoneBy({ log, store, tenant }: Room, stream: string): Promise<boolean> {
  const entries = await readCheckedStream(store, tenant.name, 'keys', log.head)
  const told = entries.flatMap((entry) => matterOf(entry, 'key') ?? [])
  const last = told.findLast(
    ({ event, purpose }) => purpose === 'master' && (event === 'slots' || event === 'activated'),
  )
  const control = last?.control
  return control !== undefined && 'action' in control && control.action === stream
}

/**
 * What lets an order be carried out; undefined where it takes no two keys.
 * @throws {@link Failure} ACTION_REQUIRED, ACTION_REFUSED, INPUT_KEY_STATE, INPUT_NOT_FOUND
 */
async function leaveFor(
  { by, room }: KeyWork,
  order: KeyOrder,
  action: string | undefined,
): Promise<Leave | undefined> {
  if (order.order === 'rewrap') return waived('rewrap')
  expectEndable(room, order)
  const effect = effectOfOrder(room, order)
  if (effect === undefined) return undefined
  // Only a migration is more than one entry.
  const mayResume = (stream: string): Promise<boolean> =>
    order.order === 'migrate' ? wasLastDoneBy(room, stream) : Promise.resolve(false)
  return requireApprovedAction(room, effect, by, action, mayResume)
}

/** Who finishes what was cut off. */
const recovery: Caller = { type: 'local', id: 'recovery', owner: 'countersign' }

/** The orders and the health of the keys of one installation. */
export class KeyDesk {
  readonly #parts: KeyDeskParts
  readonly #rooms = new Map<string, Room>()
  readonly #lines = new Lines()
  readonly #orders = new UnderWay()
  readonly #foundings = new UnderWay()
  readonly #canary: KeyCanary
  readonly #watch: KekWatch
  readonly #kinds: KeyKinds
  #providers: readonly KekProvider[]

  constructor(parts: KeyDeskParts) {
    this.#parts = parts
    this.#providers = parts.providers
    const { clock, providers, report } = parts
    const { instance, store } = parts
    this.#kinds = new KeyKinds(store)
    this.#canary = new KeyCanary({ clock, instance, report, store })
    this.#watch = new KekWatch({
      canary: (provider, opened) => this.#canary.check(provider, opened),
      clock,
      providers,
      report,
    })
  }

  /** The providers that slots are opened by, in their order. */
  get providers(): readonly KekProvider[] {
    return this.#providers
  }

  /**
   * Lays the first keys of a log, with slots of the providers by which logs have slots, open or not; of all while there is none. Not while an order is
   * under way, which may take the last slot of one away; nor is any given up before the keys are laid.
   */
  async whileFounding<T>(work: (providers: readonly KekProvider[]) => Promise<T>): Promise<T> {
    await this.#orders.none()
    return this.#foundings.add(this.#providersInUse().then(work))
  }

  async #providersInUse(): Promise<readonly KekProvider[]> {
    const { kinds } = await this.#kinds.read()
    const used = this.#providers.filter(({ metadata }) => kinds.has(metadata.kind))
    if (used.length > 0) return used
    // They will be in use.
    this.#kinds.forget()
    return this.#providers
  }

  /**
   * Takes charge of a log that was just opened, and finishes what an order before left untold.
   * @throws {@link Failure} KEY_STORE_REFUSED when its keys are older than it, STORE_*, LOG_*
   */
  async admit(room: Room): Promise<void> {
    await checkTold(room)
    const { openedBy } = room.keyring
    const opener = this.#providers.find(({ metadata }) => metadata.kind === openedBy.kind)
    if (opener !== undefined) this.#watch.note(opener)
    this.#watch.start()
    this.#rooms.set(room.tenant.name, room)
    if (room.keyring.refusals.length > 0)
      this.#parts.report('kek.fell-over', {
        openedBy: openedBy.kind,
        refusals: room.keyring.refusals.join('; '),
        tenant: room.tenant.name,
      })
    await settleKeys(new KeyWork(room, this.#tools(), recovery))
  }

  /** Has nothing more to do with a log, because it is closed. */
  leave(room: Room): void {
    const { name } = room.tenant
    if (this.#rooms.get(name) === room) this.#rooms.delete(name)
  }

  /** Whether the keys of a tenant that are given up now could be opened again, as far as is known: its slots open, and every provider works. */
  canReopen(tenant: string): boolean {
    const works = ({ state }: KekHealth): boolean => state === 'healthy' || state === 'tampered'
    return this.#watch.health().every(works) && this.#canary.refusedOf(tenant).length === 0
  }

  /** @throws {@link Failure} KEK_UNAVAILABLE when no provider has been healthy for longer than is allowed */
  checkOutage(): void {
    const { clock, maxOutageMs } = this.#parts
    const last = this.#watch.lastHealthyAt()
    if (last > 0 && clock() - last > maxOutageMs)
      throw new Failure(
        'KEK_UNAVAILABLE',
        `No key provider has been well since ${new Date(last).toISOString()}, longer than COUNTERSIGN_KEK_MAX_OUTAGE_HOURS: bring one back`,
      )
  }

  /**
   * Carries out an order, after those before it.
   * @param action id of the action that two leads have signed for exactly this
   * @throws {@link Failure} ACTION_REQUIRED, ACTION_REFUSED, and as {@link carryOut}
   */
  order(room: Room, order: KeyOrder, by: Caller, action?: string): Promise<KeyOrderDone> {
    return this.#orders.add(this.#order(room, order, by, action))
  }

  async #order(
    room: Room,
    order: KeyOrder,
    by: Caller,
    action: string | undefined,
  ): Promise<KeyOrderDone> {
    const parsed = keyOrderSchema.safeParse(order)
    if (!parsed.success)
      throw new Failure('INPUT_INVALID', `Not an order about keys: ${firstIssue(parsed.error)}`)
    try {
      const before = await this.#kinds.read().catch(() => undefined)
      const done = await this.#serially(room, by, order.order, async (work) => {
        work.leave = await leaveFor(work, parsed.data, action)
        await carryOut(work, parsed.data)
      })
      await this.#dropUnused(before)
      if (this.#watch.health().some(({ state }) => state !== 'healthy')) this.#lookAgain()
      return done
    } catch (error) {
      if (asFailure(error).code.startsWith('KEK_')) this.#lookAgain()
      throw error
    }
  }

  /** An order may have met an outage that no probe has seen yet, or have mended what one saw. */
  #lookAgain(): void {
    void this.#watch.check()
  }

  /** Puts slots of providers beside those that are there, or in the place of those of some kinds. */
  async putSlots(
    room: Room,
    add: readonly KekProvider[],
    drop: (kind: KekKind) => boolean,
    by: Caller,
  ): Promise<KeyOrderDone> {
    // Nobody can be asked when a safe is opened; that it was is told.
    this.#parts.report('keys.break-glass', { by: by.owner, tenant: room.tenant.name })
    const done = await this.#serially(room, by, 'slots', (work) => {
      work.leave = waived('break-glass')
      return putSlots(work, add, drop)
    })
    this.#kinds.forget()
    return done
  }

  /** How it stands with the keys of a log. */
  async status(tenant: string, reading: Reading): Promise<KeyStatus> {
    const keys = [...(await reading.listKeys(tenant))]
    const slots = [...(await reading.listSlots(tenant))]
    const providers = [...this.#watch.health()]
    const { clock, maxOutageMs } = this.#parts
    const master = await reading.readMaster(tenant)
    const lastHealthyAt = this.#watch.lastHealthyAt()
    const outlook = { keys, lastHealthyAt, maxOutageMs, now: clock(), providers, slots }
    const refused = this.#canary.refusedOf(tenant)
    const next = [...whatIsNext({ ...outlook, refused })]
    return { keys, master, next, providers, slots, tenant }
  }

  /** One phrase for the probes. */
  get summary(): string {
    const health = this.#watch.health()
    const sick = health.filter(({ state }) => state === 'failing' || state === 'tampered')
    const fallenOver = [...this.#rooms.values()].find(({ keyring }) => keyring.refusals.length > 0)
    const names = health.map(({ provider }) => provider).join(', ')
    const told = sick.map(
      ({ code, provider, since, state }) =>
        `${provider} is ${state}${code === null ? '' : ` (${code})`} since ${new Date(since ?? 0).toISOString()}`,
    )
    if (fallenOver !== undefined)
      told.push(`fallen over to ${fallenOver.keyring.openedBy.kind} at start`)
    return told.length === 0 ? `ok (${names})` : told.join('; ')
  }

  /** Asks every provider now. */
  check(): Promise<void> {
    return this.#watch.check()
  }

  /** Waits for the orders that are being carried out, and ends. */
  async close(): Promise<void> {
    this.#watch.close()
    await this.#lines.settled()
    this.#rooms.clear()
  }

  #tools(): KeyTools {
    const { findOffer, masterPublic, openInFreshProcess, openProvider } = this.#parts
    return {
      findOffer,
      masterPublic,
      openInFreshProcess,
      openProvider,
      prefer: (provider) => {
        this.#providers = [provider, ...this.#providers.filter((other) => other !== provider)]
        this.#watch.add(provider, true)
      },
      providers: () => this.#providers,
    }
  }

  #serially(
    room: Room,
    by: Caller,
    order: string,
    work: (work: KeyWork) => Promise<void>,
  ): Promise<KeyOrderDone> {
    const tenant = room.tenant.name
    return this.#lines.run(tenant, async () => {
      const keyWork = new KeyWork(room, this.#tools(), by)
      await work(keyWork)
      return { notes: keyWork.notes, order, steps: keyWork.steps, tenant }
    })
  }

  /**
   * Has nothing more to do with a provider whose last slot was dropped: its outage would be told, and its health believed, for nothing. One that never
   * had a slot was named for the day on which it gets one. Never fails, for the order is done.
   */
  async #dropUnused(before: KindsInUse | undefined): Promise<void> {
    await this.#foundings.none()
    this.#kinds.forget()
    const after = await this.#kinds.read().catch(() => undefined)
    if (before === undefined || after?.isWhole !== true) return
    const isLeft = ({ metadata: { kind } }: KekProvider): boolean =>
      before.kinds.has(kind) && !after.kinds.has(kind)
    for (const provider of this.#providers.filter(isLeft)) {
      this.#watch.drop(provider)
      this.#canary.forget(provider)
    }
    this.#providers = this.#providers.filter((provider) => !isLeft(provider))
  }
}
