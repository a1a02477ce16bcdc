// The service in the thread that owns the database and the keys. Tenants are opened when they are first asked for, so that idle ones cost nothing.
//
// When a commit's outcome is unknown, or the database fails, everything stops: readiness goes down, the store is closed and opened again, each
// log is read anew and held against its pin, and only then is anything signed. Callers in between get the failure that began it.
import { asFailure, Failure } from '../base/failure.ts'
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes } from '../crypto/hash.ts'
import { encodeHex, equalBytes } from '../base/bytes.ts'
import type { Profile } from '../dossier/kinds.ts'
import type { Caller } from '../dossier/matters.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import { createKeyring } from '../keyring/create.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { unsealKeyring } from '../keyring/unseal.ts'
import { Log } from '../log/log.ts'
import type { PinStore } from '../log/pin.ts'
import type { Instance, Store, Tenant } from '../store/store.ts'
import { standingAt } from '../dossier/trust-root.ts'
import type { LogPublicKeys } from '../merkle/checkpoint.ts'
import { verifyDossier } from '../verify/verify-dossier.ts'
import type { Report } from '../verify/report.ts'
import type { ApiKeyView, ClaimRequest, Claimed, DecisionPage, Scope } from '../wire/decision.ts'
import type { ConsistencyProofView, InclusionProofView, InclusionQuery } from '../wire/log.ts'
import type { KeyOrder, KeyOrderDone, KeyStatus, KeyView } from '../wire/keys.ts'
import { authenticate, createApiKey, revokeApiKey } from './api-keys.ts'
import { readCheckedStream } from './checked.ts'
import { claim, erase } from './follow-up.ts'
import { Gate } from './gate.ts'
import { checkTenant, completeGenesis, genesisPositions, hasGenesis } from './genesis.ts'
import { KeyDesk } from './key-desk.ts'
import { Notariser } from './notarise.ts'
import { Reading, viewTenant } from './reading.ts'
import type { KeyHolder, Room } from './room.ts'
import { logPublicKeys, publishTrustRoot, readCheckedTrustRoot } from './trust.ts'
import type {
  DecisionView,
  Health,
  ListRequest,
  Principal,
  Service,
  TenantView,
} from './service.ts'

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
  readonly version: string
  readonly clock: () => number
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
}

const tenantPattern = /^[a-z0-9][a-z0-9-]{0,62}$/
// Tenant and development suffix are put behind it; a checkpoint's origin has at most 255 bytes.
const originPattern = /^(?=.{1,150}$)[A-Za-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~-]+)*$/
const publishEveryMs = 1000
const retryMs = { first: 200, most: 10_000 }
/** How long composite-signed entries wait for company; entries of the fast key are committed at once. */
const windowMs: Readonly<Record<Profile, number>> = { each: 10, checkpoint: 0 }

/** The service over one data directory. */
export class LocalService implements Service {
  readonly #parts: ServiceParts
  readonly #instance: Instance
  readonly #notariser: Notariser
  readonly #reading: Reading
  readonly #rooms = new Map<string, Promise<Room>>()
  readonly #keyHolders = new Map<string, Promise<KeyHolder>>()
  readonly #desk: KeyDesk
  readonly #release: () => void
  readonly #published = new Map<string, { readonly at: number; readonly note: string }>()
  #store: Store
  #trouble: Failure | undefined
  #recovery: Promise<void> | undefined
  #closing = false

  private constructor(parts: ServiceParts, store: Store, instance: Instance, release: () => void) {
    this.#parts = parts
    this.#release = release
    this.#store = store
    this.#instance = instance
    this.#notariser = new Notariser(parts.version)
    this.#reading = new Reading(() => this.#usableStore())
    const { masterPublic, maxOutageMs, openInFreshProcess, openProvider } = parts
    this.#desk = new KeyDesk({
      clock: parts.clock,
      findOffer: (tenant, sha256) => parts.findOffer(instance, tenant, sha256),
      masterPublic,
      maxOutageMs,
      openInFreshProcess,
      openProvider,
      providers: parts.providers,
      report: parts.report,
    })
  }

  /**
   * Opens the service and every tenant's keys and log, so that what is wrong is found before anybody is answered.
   * @throws {@link Failure} CONFIG_INVALID, STORE_*, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, LOG_ROLLBACK
   */
  static async open(parts: ServiceParts): Promise<LocalService> {
    const store = await parts.openStore()
    try {
      const instance = await store.readInstance()
      if (instance === undefined)
        throw new Failure('CONFIG_INVALID', 'Data directory is empty: run countersign init first')
      const release = await parts.holdPins(instance)
      try {
        const service = new LocalService(parts, store, instance, release)
        await service.#openTenants()
        return service
      } catch (error) {
        release()
        throw error
      }
    } catch (error) {
      await store.close()
      throw error
    }
  }

  /** Opens what is founded; a tenant whose founding was interrupted waits for being founded again. */
  async #openTenants(): Promise<void> {
    const names = (await this.#store.listTenants()).map(({ name }) => name)
    const lost = (await this.#parts.listPins(this.#instance)).find((name) => !names.includes(name))
    if (lost !== undefined)
      throw new Failure(
        'LOG_ROLLBACK',
        `Database knows nothing of a tenant that is pinned, bring the newer database back: ${lost}`,
      )
    for (const name of names) {
      if (await hasGenesis(this.#store, name)) await this.#room(name)
      else this.#parts.report('tenant.unfinished', { tenant: name })
    }
  }

  get instance(): Instance {
    return this.#instance
  }

  async authenticate(token: string): Promise<Principal> {
    return authenticate(this.#usableStore(), token, (tenant) => this.#room(tenant))
  }

  async notarise(
    principal: Principal,
    text: string,
    idempotencyKey: string | null,
  ): Promise<string> {
    return this.#notariser.notarise(
      await this.#signingRoom(principal.tenant),
      principal,
      text,
      idempotencyKey,
    )
  }

  async claim(principal: Principal, id: string, request: ClaimRequest): Promise<Claimed> {
    return claim(await this.#signingRoom(principal.tenant), principal, id, request)
  }

  async erase(
    principal: Principal,
    id: string,
    reason: string,
  ): Promise<{ readonly index: number }> {
    return erase(await this.#signingRoom(principal.tenant), principal, id, reason)
  }

  async readDecision(tenant: string, id: string): Promise<DecisionView> {
    const { log, store } = await this.#room(tenant)
    await readCheckedStream(store, tenant, id, log.head)
    return this.#reading.readDecision(tenant, id)
  }

  async listDecisions(tenant: string, request: ListRequest): Promise<DecisionPage> {
    return this.#reading.listDecisions(tenant, request)
  }

  async exportDossier(tenant: string, stream: string, size?: number): Promise<Uint8Array> {
    return this.#reading.exportDossier(tenant, stream, size)
  }

  async readTrustRoot(tenant: string, version?: number): Promise<Uint8Array> {
    return (await readCheckedTrustRoot(await this.#room(tenant), version)).file
  }

  async exportTrustProof(tenant: string, version: number): Promise<Uint8Array> {
    return this.#reading.exportTrustProof(tenant, version)
  }

  async publishTrustRoot(tenant: string): Promise<Uint8Array> {
    return (await publishTrustRoot(await this.#room(tenant))).file
  }

  async verify(tenant: string, dossier: Uint8Array): Promise<Report> {
    return verifyDossier(dossier, await this.readTrustRoot(tenant))
  }

  /** The static tree advances at most once a second, so that caches in front of it are worth having. */
  async readCheckpoint(tenant: string): Promise<string> {
    const now = this.#parts.clock()
    const published = this.#published.get(tenant)
    if (published !== undefined && Math.abs(now - published.at) < publishEveryMs)
      return published.note
    const note = await this.#reading.readCheckpoint(tenant)
    this.#published.set(tenant, { at: now, note })
    return note
  }

  async readTile(tenant: string, path: string): Promise<Uint8Array> {
    return this.#reading.readTile(tenant, path)
  }

  async proveInclusion(tenant: string, query: InclusionQuery): Promise<InclusionProofView> {
    return this.#reading.proveInclusion(tenant, query)
  }

  async proveConsistency(
    tenant: string,
    first: number,
    second: number,
  ): Promise<ConsistencyProofView> {
    return this.#reading.proveConsistency(tenant, first, second)
  }

  async exportTlogProof(tenant: string, index: number): Promise<string> {
    return this.#reading.exportTlogProof(tenant, index)
  }

  async createTenant(
    name: string,
    options: { profile: Profile; public: boolean },
    by: Caller,
  ): Promise<TenantView> {
    if (!tenantPattern.test(name))
      throw new Failure('INPUT_INVALID', `Tenant must be 1 to 63 of a-z, 0-9, -: ${name}`, {
        field: 'name',
      })
    const store = this.#usableStore()
    const known = await store.readTenant(name)
    if (known !== undefined && (await hasGenesis(store, name)))
      throw new Failure('INPUT_EXISTS', `Tenant exists: ${name}`)
    if (known === undefined) await this.#layTenant(store, name, options)
    const room = await (this.#rooms.get(name) ?? this.#keepRoom(name))
    await completeGenesis(room, by)
    await checkTenant(room)
    await this.#desk.admit(room)
    const tenant = await store.readTenant(name)
    if (tenant === undefined) throw new Failure('BUG', `Tenant vanished: ${name}`)
    return viewTenant(tenant)
  }

  async #layTenant(
    store: Store,
    name: string,
    { profile, public: isPublic }: { profile: Profile; public: boolean },
  ): Promise<void> {
    const { clock, listPins } = this.#parts
    const createdAt = clock()
    if ((await listPins(this.#instance)).includes(name))
      throw new Failure('LOG_ROLLBACK', `A log of this name is pinned already: ${name}`)
    const { id, dev, origin } = this.#instance
    const { keyring, stored } = await createKeyring({
      clock: () => createdAt,
      instance: id,
      positions: genesisPositions,
      providers: this.#desk.providersInUse,
      tenant: name,
    })
    const suffix = dev ? `/dev-${encodeHex(randomBytes(4))}` : ''
    const tenant: Omit<Tenant, 'head'> = {
      createdAt,
      name,
      origin: `${origin}/${name}${suffix}`,
      profile,
      public: isPublic,
    }
    await store.createTenant(tenant, stored)
    this.#keyHolders.set(name, Promise.resolve({ keyring }))
  }

  async listTenants(): Promise<readonly TenantView[]> {
    return this.#reading.listTenants()
  }

  async createApiKey(
    tenant: string,
    owner: string,
    scopes: readonly Scope[],
    by: Caller,
  ): Promise<{ readonly apiKey: ApiKeyView; readonly token: string }> {
    return createApiKey(await this.#room(tenant), owner, scopes, by)
  }

  async listApiKeys(tenant: string): Promise<readonly ApiKeyView[]> {
    return this.#reading.listApiKeys(tenant)
  }

  async revokeApiKey(tenant: string, id: string, by: Caller): Promise<ApiKeyView> {
    return revokeApiKey(await this.#room(tenant), id, by)
  }

  async listKeys(tenant: string): Promise<readonly KeyView[]> {
    return this.#reading.listKeys(tenant)
  }

  async keyStatus(tenant: string): Promise<KeyStatus> {
    return this.#desk.status(tenant, this.#reading)
  }

  async orderKeys(tenant: string, order: KeyOrder, by: Caller): Promise<KeyOrderDone> {
    return this.#desk.order(await this.#room(tenant), order, by)
  }

  /** Puts slots of providers beside those of a tenant, or in the place of those of some kinds: for opening and closing by hand. */
  async putSlots(
    tenant: string,
    add: readonly KekProvider[],
    drop: (kind: KekKind) => boolean,
    by: Caller,
  ): Promise<KeyOrderDone> {
    return this.#desk.putSlots(await this.#room(tenant), add, drop, by)
  }

  /** Asks every key provider now; what they said is in the status. */
  checkProviders(): Promise<void> {
    return this.#desk.check()
  }

  health(): Promise<Health> {
    // Anybody may ask: what it says comes from the table of failures; paths and causes are for the log.
    const store =
      this.#trouble === undefined ? 'ok' : `${this.#trouble.code}: ${this.#trouble.title}`
    const ready = this.#trouble === undefined && !this.#closing
    const outage = this.#outage()
    const keys = outage === undefined ? this.#desk.summary : `${outage.code}: ${outage.title}`
    return Promise.resolve({
      ready: ready && outage === undefined,
      parts: { keys, log: store },
    })
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    await this.#recovery
    await this.#desk.close()
    await this.#leaveRooms()
    for (const holder of this.#keyHolders.values())
      (await holder.catch(() => undefined))?.keyring.close()
    await this.#parts.closeProviders()
    await this.#store.close()
    this.#release()
  }

  #outage(): Failure | undefined {
    try {
      this.#desk.checkOutage()
      return undefined
    } catch (error) {
      return asFailure(error)
    }
  }

  /** The room of a tenant for what makes new entries. @throws {@link Failure} KEK_UNAVAILABLE when no provider has been well for too long */
  #signingRoom(name: string): Promise<Room> {
    this.#desk.checkOutage()
    return this.#room(name)
  }

  #usableStore(): Store {
    if (this.#trouble !== undefined) throw this.#trouble
    return this.#store
  }

  #room(name: string): Promise<Room> {
    if (this.#trouble !== undefined) return Promise.reject(this.#trouble)
    if (this.#closing) return Promise.reject(new Failure('LOG_CLOSED', 'Service is closing'))
    return this.#rooms.get(name) ?? this.#foundedRoom(name)
  }

  async #foundedRoom(name: string): Promise<Room> {
    if (
      !(await hasGenesis(this.#store, name)) &&
      (await this.#store.readTenant(name)) !== undefined
    )
      throw new Failure('CONFIG_INVALID', `Tenant was founded half, found it again: ${name}`)
    return this.#rooms.get(name) ?? this.#keepRoom(name)
  }

  #keepRoom(name: string): Promise<Room> {
    const room = this.#openRoom(this.#store, name)
    this.#rooms.set(name, room)
    room.catch(() => this.#rooms.delete(name))
    return room
  }

  async #openRoom(store: Store, name: string): Promise<Room> {
    const found = await store.readTenant(name)
    if (found === undefined) throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${name}`)
    const pin = this.#parts.openPin(this.#instance, name)
    const holder = await this.#keyHolder(store, name, pin)
    const { clock } = this.#parts
    const log = await Log.open({
      clock,
      epoch: () => holder.keyring.epoch,
      onBroken: (failure) => {
        this.#fail(failure)
      },
      origin: found.origin,
      pin,
      signers: () => holder.keyring.log,
      signersAt: (size) => logKeysAt(holder.keyring.list(), size),
      store,
      tenant: name,
      windowMs: windowMs[found.profile],
    })
    const room: Room = {
      clock,
      gate: new Gate(),
      holder,
      instance: this.#instance,
      get keyring() {
        return holder.keyring
      },
      log,
      store,
      tenant: found,
    }
    if (await hasGenesis(store, name)) {
      await checkTenant(room)
      await this.#desk.admit(room)
    }
    return room
  }

  /** Keys are unsealed once: a reopened store does not ask the providers again, unless it holds other keys than this process uses. */
  async #keyHolder(store: Store, name: string, pin: PinStore): Promise<KeyHolder> {
    const known = this.#keyHolders.get(name)
    if (known !== undefined) {
      const holder = await known
      const stored = await store.readKeys(name)
      if (stored !== undefined && equalBytes(stored.manifest, holder.keyring.stored.manifest))
        return holder
      holder.keyring.close()
    }
    const unsealed = this.#unseal(store, name, pin).then((keyring) => ({ keyring }))
    this.#keyHolders.set(name, unsealed)
    unsealed.catch(() => this.#keyHolders.delete(name))
    return unsealed
  }

  async #unseal(store: Store, name: string, pin: PinStore): Promise<Keyring> {
    const stored = await store.readKeys(name)
    if (stored === undefined) throw new Failure('STORE_CORRUPT', `Tenant has no keys: ${name}`)
    const pinned = await pin.read()
    const { masterPublic } = this.#parts
    return unsealKeyring({
      instance: this.#instance.id,
      providers: this.#desk.providers,
      stored,
      tenant: name,
      ...(pinned === undefined ? {} : { pinnedEpoch: pinned.epoch }),
      ...(masterPublic === undefined ? {} : { masterPublic }),
    })
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
    const names = [...this.#rooms.keys()]
    await this.#leaveRooms()
    for (let wait = retryMs.first; !this.#closing; wait = Math.min(2 * wait, retryMs.most)) {
      try {
        await this.#store.close()
        this.#store = await this.#parts.openStore()
        await this.#store.probe()
        for (const name of names) {
          const room = this.#openRoom(this.#store, name)
          this.#rooms.set(name, room)
          await room
        }
        this.#trouble = undefined
        this.#parts.report('log.reopened', {})
        return
      } catch (error) {
        await this.#leaveRooms()
        this.#trouble = asFailure(error)
        this.#parts.report('log.still-broken', {
          code: this.#trouble.code,
          message: this.#trouble.message,
        })
        await new Promise((resolve) => setTimeout(resolve, wait).unref())
      }
    }
  }

  async #leaveRooms(): Promise<void> {
    this.#desk.leave()
    const rooms = [...this.#rooms.values()]
    this.#rooms.clear()
    for (const room of rooms) await (await room.catch(() => undefined))?.log.close()
  }
}

/** The log keys that count at a tree size. */
const logKeysAt = (listed: readonly ListedKey[], size: number): readonly LogPublicKeys[] =>
  listed.flatMap((key) =>
    key.purpose === 'log' &&
    key.from !== null &&
    standingAt({ ...key, from: key.from, revokedAt: null }, size) === 'valid'
      ? [logPublicKeys(key)]
      : [],
  )

/** Makes an empty data directory an instance. @throws {@link Failure} INPUT_EXISTS */
export async function createInstance(
  store: Store,
  options: { readonly origin?: string; readonly dev: boolean; readonly clock: () => number },
): Promise<Instance> {
  if ((await store.readInstance()) !== undefined)
    throw new Failure('INPUT_EXISTS', 'Data directory holds an instance already')
  if (options.origin !== undefined && !originPattern.test(options.origin))
    throw new Failure(
      'INPUT_INVALID',
      `Origin must be a host and a path without scheme, at most 150 characters: ${options.origin}`,
      {
        field: 'origin',
      },
    )
  const createdAt = options.clock()
  const id = uuidv7(createdAt, randomBytes(10))
  const instance: Instance = {
    createdAt,
    dev: options.dev,
    id,
    // The tail of a UUIDv7 is its random part.
    origin: options.origin ?? `countersign.local/${id.slice(-12)}`,
  }
  await store.createInstance(instance)
  return instance
}
