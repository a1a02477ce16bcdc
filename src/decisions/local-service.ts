// The service in the thread that owns the database and the keys. At start every tenant's head is held against its pin, which takes no key; the rooms
// that were written to last are opened at once, the others when they are first asked for, so that idle ones cost nothing.
// Long because it has every method of the port once, most of them a line: what they do is in the files that they call.
//
// When a commit's outcome is unknown, or the database fails, everything stops: readiness goes down, the store is closed and opened again, each
// log is read anew and held against its pin, and only then is anything signed. Callers in between get the failure that began it.
import { asFailure, Failure, type FailureCode } from '../base/failure.ts'
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes } from '../crypto/hash.ts'
import { encodeHex } from '../base/bytes.ts'
import type { Profile } from '../dossier/kinds.ts'
import type { AdminMatter, Caller } from '../dossier/matters.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import { createKeyring } from '../keyring/create.ts'
import type { Pin, PinStore } from '../log/pin.ts'
import { checkPinnedHead } from '../log/pinned-head.ts'
import type { Instance, Store, Tenant } from '../store/store.ts'
import { verifyDossier } from '../verify/verify-dossier.ts'
import type { Report } from '../verify/report.ts'
import type {
  ActionAct,
  ActionOpening,
  ActionPage,
  ActionView,
  ControlView,
} from '../wire/actions.ts'
import type {
  ApiKeyView,
  ClaimRequest,
  Claimed,
  DecisionPage,
  EvaluationRequest,
  Scope,
} from '../wire/decision.ts'
import type { ConsistencyProofView, InclusionProofView, InclusionQuery } from '../wire/log.ts'
import type { KeyOrder, KeyOrderDone, KeyStatus, KeyView } from '../wire/keys.ts'
import type {
  EscalationChallengeQuery,
  EscalationDeciding,
  EscalationListRequest,
  EscalationPage,
  EscalationView,
} from '../wire/escalations.ts'
import type { GatewayAnswer, GatewayRequest } from '../wire/gateway.ts'
import type {
  OverrideAct,
  OverrideListRequest,
  OverrideOpening,
  OverridePage,
  OverrideView,
} from '../wire/overrides.ts'
import {
  policyActivationSchema,
  type PolicyActivation,
  type PolicyRetirement,
  type PolicyView,
} from '../wire/policies.ts'
import type {
  ProposalAct,
  ProposalListRequest,
  ProposalOpening,
  ProposalPage,
  ProposalView,
} from '../wire/proposals.ts'
import type { RosterApplied, RosterProposal, RosterView } from '../wire/roster.ts'
import type {
  WebhookCreated,
  WebhookListView,
  WebhookRequest,
  WebhookView,
} from '../wire/webhooks.ts'
import { expectScope, listActions, openAction, readAction, stepAction } from './action-desk.ts'
import { readStandingAction } from './action-reading.ts'
import { actOnProposal, listProposals, openProposal, readProposal } from './proposal-desk.ts'
import { enterAdmin } from './admin-entry.ts'
import { authenticate, createApiKey, revokeApiKey } from './api-keys.ts'
import { readCheckedStream } from './checked.ts'
import { admitControl, closeTenant, endControl, viewControl } from './closing.ts'
import { exportSigstoreBundle } from './copies.ts'
import { dryRun } from './evaluate.ts'
import { erase } from './erasure.ts'
import { challengeEscalation, decideEscalation, timeOutEscalation } from './escalation-desk.ts'
import { EscalationHall } from './escalation-hall.ts'
import { recordExport } from './export-record.ts'
import { claim } from './follow-up.ts'
import { checkTenant, completeGenesis, genesisPositions, hasGenesis } from './genesis.ts'
import type { GatewayDecider } from './gateway.ts'
import { orderOfEffect } from './guarded-orders.ts'
import { KeyDesk } from './key-desk.ts'
import { Notariser } from './notarise.ts'
import { actOnOverride, openOverride, readOverride } from './override-desk.ts'
import { listOverrides } from './override-list.ts'
import {
  activatePolicy,
  listPolicies,
  readPolicy,
  registerPolicy,
  retirePolicy,
} from './policy-desk.ts'
import { copyPolicies, type PolicyCopy } from './policy-book.ts'
import { Reading, viewTenant } from './reading.ts'
import { expectNotClosed, type Room } from './room.ts'
import { RoomOpening } from './room-opening.ts'
import { Rooms } from './rooms.ts'
import { applyRoster, readRoster } from './roster-desk.ts'
import { Outbox } from './outbox.ts'
import type { EvaluatedSubmission, Submission } from './submission.ts'
import { publishTrustRoot, readCheckedTrustRoot } from './trust.ts'
import { addWebhook, listWebhooks, removeWebhook, testWebhook } from './webhook-desk.ts'
import { Witnessing } from './witnessing.ts'
import type {
  Bound,
  DecisionView,
  DeliveryOutcome,
  ExportRecord,
  Health,
  ListRequest,
  OutgoingDelivery,
  PolicyRecord,
  Principal,
  Service,
  SigstoreCopy,
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

const tenantPattern = /^[a-z0-9][a-z0-9-]{0,62}$/
// Tenant and development suffix are put behind it; a checkpoint's origin has at most 255 bytes.
const originPattern = /^(?=.{1,150}$)[A-Za-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~-]+)*$/
const dayMs = 86_400_000
const usualOverridesPerDay = 20
const publishEveryMs = 1000
/** Whose setting it is that two leads are demanded. */
const installation: Caller = { type: 'local', id: 'setting', owner: 'countersign' }
const retryMs = { first: 200, most: 10_000 }
/** What is asked of pins or key providers at a time. */
const lanes = 8

/** The tree size of one of our own notes. */
const treeSizeOf = (note: string): number => Number(note.split('\n', 2)[1])

/** Whether a tenant was not opened because of its keys or whoever opens them. */
const isAboutKeys = ({ code }: Failure): boolean =>
  code.startsWith('KEK_') || code === 'OPEN_FAILED' || code === 'KEY_STORE_REFUSED'

/** What the keys of one tenant were refused with; anything else is no single tenant's matter and is thrown. */
function asIsolated(error: unknown): Failure {
  const failure = asFailure(error)
  const { code } = failure
  if (code === 'OPEN_FAILED' || code === 'KEY_STORE_REFUSED' || code === 'CONFIG_INVALID')
    return failure
  if (code.startsWith('KEK_')) return failure
  throw failure
}

/** The service over one data directory. */
export class LocalService implements Service {
  readonly #parts: ServiceParts
  readonly #instance: Instance
  readonly #notariser: Notariser
  readonly #reading: Reading
  readonly #rooms: Rooms
  readonly #opening: RoomOpening
  readonly #desk: KeyDesk
  readonly #outbox: Outbox
  readonly #witnessing: Witnessing
  readonly #hall: EscalationHall
  /** Tenants whose rooms have been open over this store: what is only read needs no room after that. */
  readonly #checked = new Set<string>()
  /** Tenants that are being founded: their rooms open without the checks of what is not there yet. */
  readonly #founding = new Set<string>()
  /** Tenants whose rooms did not open when they were last asked for. */
  readonly #refused = new Map<string, FailureCode>()
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
    this.#notariser = new Notariser(parts.version, (deadline) => {
      this.#hall.expect(deadline)
    })
    this.#hall = new EscalationHall({
      clock: parts.clock,
      decide: parts.decideGateway,
      list: (limit) => this.#usableStore().listWaiting('escalation', limit),
      mostWaits: parts.mostWaits,
      notariser: this.#notariser,
      report: parts.report,
      sign: (tenant, work) => this.#sign(tenant, work),
      timeOut: (tenant, id) => this.#sign(tenant, (room) => timeOutEscalation(room, id)),
      use: (tenant, work) => this.#use(tenant, work),
    })
    this.#reading = new Reading(() => this.#usableStore())
    const { clock, masterPublic, maxOutageMs, openInFreshProcess, openProvider } = parts
    this.#desk = new KeyDesk({
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
    this.#outbox = new Outbox({
      clock,
      report: parts.report,
      store: () => this.#store,
      useRoom: (tenant, work) => this.#use(tenant, work),
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
      desk: this.#desk,
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
      mayClose: (tenant) => this.#trouble === undefined && this.#desk.canReopen(tenant),
      open: (tenant) => this.#openRoom(tenant),
    })
  }

  /**
   * Opens the service: every tenant's head is held against its pin, and some rooms are opened, so that most of what is wrong is found before anybody is
   * answered. The rest is found before anybody is answered about that tenant.
   * @throws {@link Failure} CONFIG_INVALID, STORE_*, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, LOG_ROLLBACK
   */
  static async open(parts: ServiceParts): Promise<LocalService> {
    const store = await parts.openStore()
    try {
      const instance = await store.readInstance()
      if (instance === undefined)
        throw new Failure('CONFIG_INVALID', 'Data directory is empty: run countersign init first')
      const release = await parts.holdPins(instance)
      const service = new LocalService(parts, store, instance, release)
      try {
        await service.#checkTenants()
        service.#hall.start()
        return service
      } catch (error) {
        service.#witnessing.abandon()
        await service.#leaveRooms()
        await service.#opening.closeKeys()
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
    const refusals: Failure[] = []
    const kept = newestLast.slice(Math.max(0, founded.length - keepRooms))
    await inLanes(kept, lanes, async ({ name }) => {
      try {
        await this.#use(name, () => Promise.resolve())
      } catch (error) {
        refusals.push(asIsolated(error))
      }
    })
    // What one tenant's keys do is that tenant's trouble, and was reported; where none opens, it is everybody's.
    const [first] = refusals
    if (first !== undefined && refusals.length === kept.length) throw first
  }

  async #checkPins(tenants: readonly Tenant[]): Promise<void> {
    const pins = new Set(await this.#parts.listPins(this.#instance))
    const lost = [...pins].find((pinned) => !tenants.some(({ name }) => name === pinned))
    if (lost !== undefined)
      throw new Failure(
        'LOG_ROLLBACK',
        `Database knows nothing of a tenant that is pinned, bring the newer database back: ${lost}`,
      )
    await inLanes(tenants, lanes, async ({ head, name, origin }) => {
      const pinned = pins.has(name) ? await this.#readPin(name) : undefined
      await checkPinnedHead({ head, origin, store: this.#store, tenant: name }, pinned)
    })
  }

  async #readPin(tenant: string): Promise<Pin | undefined> {
    const pin = this.#parts.openPin(this.#instance, tenant)
    try {
      return await pin.read()
    } finally {
      await pin.close()
    }
  }

  get #overridesPerDay(): number {
    return this.#parts.overridesPerDay ?? usualOverridesPerDay
  }

  get instance(): Instance {
    return this.#instance
  }

  async authenticate(token: string): Promise<Principal> {
    return authenticate(this.#usableStore(), token, (tenant, work) => this.#use(tenant, work))
  }

  async notarise(
    principal: Principal,
    text: string,
    idempotencyKey: string | null,
  ): Promise<string> {
    return this.#sign(principal.tenant, async (room) => {
      expectNotClosed(room)
      return this.#notariser.notarise(room, principal, text, idempotencyKey)
    })
  }

  async readActivePolicies(tenant: string): Promise<PolicyCopy> {
    return this.#use(tenant, copyPolicies)
  }

  async submitEvaluated(principal: Principal, submission: EvaluatedSubmission): Promise<string> {
    return this.#sign(principal.tenant, async (room) => {
      expectNotClosed(room)
      return this.#notariser.submitEvaluated(room, principal, submission)
    })
  }

  async submit(principal: Principal, submission: Submission): Promise<string> {
    return this.#sign(principal.tenant, async (room) => {
      expectNotClosed(room)
      return this.#notariser.submit(room, principal, submission)
    })
  }

  async claim(principal: Principal, id: string, request: ClaimRequest): Promise<Claimed> {
    return this.#sign(principal.tenant, async (room) => {
      expectNotClosed(room)
      return claim(room, principal, id, request)
    })
  }

  async erase(
    principal: Principal,
    id: string,
    reason: string,
    action?: string,
  ): Promise<{ readonly index: number }> {
    const erased = await this.#sign(principal.tenant, (room) =>
      erase(room, principal, id, reason, action),
    )
    this.#hall.ring(principal.tenant, id)
    return erased
  }

  async readDecision(tenant: string, id: string): Promise<DecisionView> {
    return this.#use(tenant, async ({ log, store }) => {
      await readCheckedStream(store, tenant, id, log.head)
      return this.#reading.readDecision(tenant, id, this.#parts.clock())
    })
  }

  async listDecisions(tenant: string, request: ListRequest): Promise<DecisionPage> {
    return this.#read(tenant, (reading) =>
      reading.listDecisions(tenant, request, this.#parts.clock()),
    )
  }

  async exportDossier(tenant: string, stream: string, size?: number): Promise<Uint8Array> {
    return this.#read(tenant, (reading) => reading.exportDossier(tenant, stream, size))
  }

  async exportSigstoreBundle(tenant: string, id: string): Promise<SigstoreCopy> {
    return this.#sign(tenant, (room) => exportSigstoreBundle(room, id))
  }

  async readTrustRoot(tenant: string, version?: number): Promise<Uint8Array> {
    return this.#use(tenant, async (room) => (await readCheckedTrustRoot(room, version)).file)
  }

  async exportTrustProof(tenant: string, version: number): Promise<Uint8Array> {
    return this.#read(tenant, (reading) => reading.exportTrustProof(tenant, version))
  }

  async publishTrustRoot(tenant: string): Promise<Uint8Array> {
    return this.#use(tenant, async (room) => (await publishTrustRoot(room)).file)
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
    const newest = await this.#read(tenant, (reading) => reading.readCheckpoint(tenant, now))
    // What witnesses have cosigned may lie behind what was served while they were away.
    const note =
      published !== undefined && treeSizeOf(newest) < treeSizeOf(published.note)
        ? published.note
        : newest
    this.#published.set(tenant, { at: now, note })
    return note
  }

  async readTile(tenant: string, path: string): Promise<Uint8Array> {
    return this.#read(tenant, (reading) => reading.readTile(tenant, path))
  }

  async proveInclusion(tenant: string, query: InclusionQuery): Promise<InclusionProofView> {
    return this.#read(tenant, (reading) => reading.proveInclusion(tenant, query))
  }

  async proveConsistency(
    tenant: string,
    first: number,
    second: number,
  ): Promise<ConsistencyProofView> {
    return this.#read(tenant, (reading) => reading.proveConsistency(tenant, first, second))
  }

  async exportTlogProof(tenant: string, index: number): Promise<string> {
    return this.#read(tenant, (reading) => reading.exportTlogProof(tenant, index))
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
    this.#founding.add(name)
    try {
      await this.#rooms.use(name, async (room) => {
        await completeGenesis(room, by)
        await checkTenant(room)
        await this.#witnessing.open(room)
        await this.#desk.admit(room)
      })
    } finally {
      this.#founding.delete(name)
    }
    this.#checked.add(name)
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
      providers: await this.#desk.providersInUse(),
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
    this.#opening.keep(name, keyring)
  }

  async listTenants(): Promise<readonly TenantView[]> {
    return this.#reading.listTenants()
  }

  async createApiKey(
    tenant: string,
    owner: string,
    scopes: readonly Scope[],
    by: Caller,
    bound?: Bound,
  ): Promise<{ readonly apiKey: ApiKeyView; readonly token: string }> {
    return this.#use(tenant, (room) => createApiKey(room, owner, scopes, by, bound))
  }

  async listApiKeys(tenant: string): Promise<readonly ApiKeyView[]> {
    return this.#read(tenant, (reading) => reading.listApiKeys(tenant))
  }

  async revokeApiKey(tenant: string, id: string, by: Caller): Promise<ApiKeyView> {
    return this.#use(tenant, (room) => revokeApiKey(room, id, by))
  }

  async recordExport(
    tenant: string,
    record: ExportRecord,
    by: Caller,
  ): Promise<{ readonly index: number }> {
    return this.#use(tenant, (room) => recordExport(room, record, by))
  }

  /** Tells the log of an act that changes nothing else. */
  async recordAct(
    tenant: string,
    act: Pick<AdminMatter, 'action' | 'detail' | 'subject'>,
    by: Caller,
  ): Promise<{ readonly index: number }> {
    const matter: AdminMatter = { ...act, by, time: this.#parts.clock() }
    const { appended } = await this.#use(tenant, (room) => enterAdmin(room, matter))
    return { index: appended.index }
  }

  async listKeys(tenant: string): Promise<readonly KeyView[]> {
    return this.#read(tenant, (reading) => reading.listKeys(tenant))
  }

  /** Also of a tenant whose keys do not open, for that is when it is asked. */
  async keyStatus(tenant: string): Promise<KeyStatus> {
    const met = await this.#use(tenant, () => Promise.resolve(undefined)).catch(asFailure)
    if (met !== undefined && !isAboutKeys(met)) throw met
    const status = await this.#desk.status(tenant, this.#reading)
    if (met === undefined) return status
    return { ...status, next: [`The keys do not open. ${met.message}`, ...status.next] }
  }

  async orderKeys(
    tenant: string,
    order: KeyOrder,
    by: Caller,
    action?: string,
  ): Promise<KeyOrderDone> {
    return this.#use(tenant, (room) => this.#desk.order(room, order, by, action))
  }

  async openAction(principal: Principal, opening: ActionOpening): Promise<ActionView> {
    return this.#sign(principal.tenant, (room) => openAction(room, principal, opening))
  }

  async actOnAction(principal: Principal, id: string, act: ActionAct): Promise<ActionView> {
    return this.#sign(principal.tenant, async (room) => {
      if (act.act !== 'execute') return stepAction(room, principal, id, act)
      const done = await this.#execute(room, principal, id)
      return { ...(await readAction(room, id)), done }
    })
  }

  async readAction(tenant: string, id: string): Promise<ActionView> {
    return this.#use(tenant, (room) => readAction(room, id))
  }

  async listActions(tenant: string, request: OverrideListRequest): Promise<ActionPage> {
    return this.#use(tenant, (room) => listActions(room, request))
  }

  async openProposal(principal: Principal, opening: ProposalOpening): Promise<ProposalView> {
    return this.#sign(principal.tenant, (room) => openProposal(room, principal, opening))
  }

  async actOnProposal(principal: Principal, id: string, act: ProposalAct): Promise<ProposalView> {
    const producer = { name: 'countersign', version: this.#parts.version }
    return this.#sign(principal.tenant, (room) => actOnProposal(room, principal, producer, id, act))
  }

  async readProposal(tenant: string, id: string): Promise<ProposalView> {
    return this.#use(tenant, (room) => readProposal(room, id))
  }

  async listProposals(tenant: string, request: ProposalListRequest): Promise<ProposalPage> {
    return this.#use(tenant, (room) => listProposals(room, request))
  }

  async readControl(tenant: string): Promise<ControlView> {
    return this.#use(tenant, viewControl)
  }

  async closeTenant(
    tenant: string,
    reason: string,
    by: Caller,
    action?: string,
  ): Promise<{ readonly index: number }> {
    return this.#sign(tenant, (room) => closeTenant(room, reason, by, action))
  }

  async endControl(
    tenant: string,
    reason: string,
    by: Caller,
    action?: string,
  ): Promise<{ readonly index: number }> {
    return this.#sign(tenant, (room) => endControl(room, reason, by, action))
  }

  /** Does what an action says, by whoever does such things; each asks for the approval itself. */
  async #execute(room: Room, principal: Principal, id: string): Promise<ActionView['done']> {
    const { effect } = await readStandingAction(room, id)
    expectScope(principal, effect)
    const { caller } = principal
    const at = ({ index }: { readonly index: number }): ActionView['done'] => ({
      index,
      keys: null,
    })
    switch (effect.action) {
      case 'erase':
        return at(await erase(room, principal, effect.decision, effect.reason, id))
      case 'tenant.close':
        return at(await closeTenant(room, effect.reason, caller, id))
      case 'control.none':
        return at(await endControl(room, effect.reason, caller, id))
      case 'policy.activate': {
        const { bundle, rollback, scope } = effect
        const activation = policyActivationSchema.safeParse({ action: id, rollback, scope })
        if (!activation.success)
          throw new Failure('ACTION_REFUSED', 'Scope is none that policies have')
        await activatePolicy(room, bundle, activation.data, caller)
        return { index: null, keys: null }
      }
      case 'policy.retire':
        await retirePolicy(room, effect.bundle, { action: id, reason: effect.reason }, caller)
        return { index: null, keys: null }
      case 'keys.revoke':
      case 'keys.destroy':
      case 'keys.migrate':
      case 'keys.rotate-master': {
        const order = orderOfEffect(effect)
        if (order === undefined) throw new Failure('BUG', 'Effect is no order about keys')
        const keys = await this.#desk.order(room, order, caller, id)
        return { index: keys.steps.at(-1)?.index ?? null, keys }
      }
    }
  }

  /** Whether a log begins to be under dual control with its first roster. */
  get #demandsTwo(): boolean {
    return (this.#parts.dualControl ?? (this.#instance.dev ? 'none' : 'all')) === 'all'
  }

  async dryRun(tenant: string, request: EvaluationRequest, bound?: Bound): Promise<string> {
    return this.#use(tenant, (room) => dryRun(room, request, bound))
  }

  async registerPolicy(tenant: string, record: string, by: Caller): Promise<PolicyView> {
    return this.#sign(tenant, (room) => registerPolicy(room, record, by))
  }

  async activatePolicy(
    tenant: string,
    sha256: string,
    activation: PolicyActivation,
    by: Caller,
  ): Promise<PolicyView> {
    return this.#sign(tenant, (room) => activatePolicy(room, sha256, activation, by))
  }

  async retirePolicy(
    tenant: string,
    sha256: string,
    retirement: PolicyRetirement,
    by: Caller,
  ): Promise<PolicyView> {
    return this.#sign(tenant, (room) => retirePolicy(room, sha256, retirement, by))
  }

  async listPolicies(tenant: string): Promise<readonly PolicyView[]> {
    return this.#use(tenant, listPolicies)
  }

  async readPolicy(tenant: string, sha256: string): Promise<PolicyRecord> {
    return this.#use(tenant, (room) => readPolicy(room, sha256))
  }

  async readRoster(tenant: string): Promise<RosterView> {
    return this.#use(tenant, readRoster)
  }

  async applyRoster(tenant: string, proposal: RosterProposal, by: Caller): Promise<RosterApplied> {
    return this.#sign(tenant, (room) => applyRoster(room, proposal, by, this.#demandsTwo))
  }

  async openOverride(principal: Principal, opening: OverrideOpening): Promise<OverrideView> {
    return this.#sign(principal.tenant, async (room) => {
      expectNotClosed(room)
      return openOverride(room, principal, opening)
    })
  }

  async actOnOverride(principal: Principal, id: string, act: OverrideAct): Promise<OverrideView> {
    const { tenant } = principal
    const view = await this.#sign(tenant, (room) =>
      actOnOverride(room, principal, id, act, this.#overridesPerDay),
    )
    if (view.status === 'executed') this.#hall.ring(tenant, id)
    return view
  }

  async readOverride(tenant: string, id: string): Promise<OverrideView> {
    return this.#use(tenant, (room) => readOverride(room, id))
  }

  async listOverrides(tenant: string, request: OverrideListRequest): Promise<OverridePage> {
    return this.#use(tenant, (room) => listOverrides(room, request, this.#overridesPerDay))
  }

  async addWebhook(tenant: string, request: WebhookRequest, by: Caller): Promise<WebhookCreated> {
    return this.#use(tenant, (room) => addWebhook(room, request, by))
  }

  async listWebhooks(tenant: string): Promise<WebhookListView> {
    return this.#use(tenant, listWebhooks)
  }

  async removeWebhook(tenant: string, id: string, by: Caller): Promise<WebhookView> {
    return this.#use(tenant, (room) => removeWebhook(room, id, by))
  }

  async testWebhook(
    tenant: string,
    id: string,
    by: Caller,
  ): Promise<{ readonly webhook: string; readonly index: number }> {
    return this.#use(tenant, (room) => testWebhook(room, id, by))
  }

  async takeDeliveries(limit: number): Promise<readonly OutgoingDelivery[]> {
    this.#usableStore()
    return this.#outbox.take(limit)
  }

  async settleDelivery(id: number, outcome: DeliveryOutcome): Promise<void> {
    this.#usableStore()
    await this.#outbox.settle(id, outcome)
  }

  async readEscalation(tenant: string, id: string, waitMs: number): Promise<EscalationView> {
    return this.#hall.read(tenant, id, waitMs)
  }

  async listEscalations(tenant: string, request: EscalationListRequest): Promise<EscalationPage> {
    return this.#hall.list(tenant, request)
  }

  async challengeEscalation(
    tenant: string,
    id: string,
    said: EscalationChallengeQuery,
  ): Promise<{ readonly challenge: string }> {
    return this.#use(tenant, (room) => challengeEscalation(room, id, said))
  }

  async decideEscalation(
    principal: Principal,
    id: string,
    deciding: EscalationDeciding,
  ): Promise<EscalationView> {
    const { tenant } = principal
    try {
      return await this.#sign(tenant, (room) => decideEscalation(room, principal, id, deciding))
    } finally {
      // Also where it was refused, for its time may have run out.
      this.#hall.ring(tenant, id)
    }
  }

  async executeGateway(principal: Principal, request: GatewayRequest): Promise<GatewayAnswer> {
    return this.#hall.execute(principal, request)
  }

  endWaits(): Promise<void> {
    this.#hall.endWaits()
    return Promise.resolve()
  }

  /** Puts slots of providers beside those of a tenant, or in the place of those of some kinds: for opening and closing by hand. */
  async putSlots(
    tenant: string,
    add: readonly KekProvider[],
    drop: (kind: KekKind) => boolean,
    by: Caller,
  ): Promise<KeyOrderDone> {
    return this.#use(tenant, (room) => this.#desk.putSlots(room, add, drop, by))
  }

  /** Asks every key provider now; what they said is in the status. */
  checkProviders(): Promise<void> {
    return this.#desk.check()
  }

  async health(): Promise<Health> {
    // Anybody may ask: what it says comes from the table of failures; paths and causes are for the log.
    const store =
      this.#trouble === undefined ? 'ok' : `${this.#trouble.code}: ${this.#trouble.title}`
    const ready = this.#trouble === undefined && !this.#closing
    const outage = this.#outage()
    const keys = outage === undefined ? this.#desk.summary : `${outage.code}: ${outage.title}`
    const witnesses = this.#witnessing.summary
    const webhooks = await this.#webhookSummary()
    const overrides = await this.#overrideSummary()
    return {
      ready: ready && outage === undefined,
      parts: {
        keys,
        log: store,
        ...(overrides === undefined ? {} : { overrides }),
        tenants: this.#tenantSummary(),
        ...(webhooks === undefined ? {} : { webhooks }),
        ...(witnesses === undefined ? {} : { witnesses }),
      },
    }
  }

  async close(): Promise<void> {
    if (this.#closing) return
    this.#closing = true
    await this.#hall.close()
    await this.#recovery
    await this.#rooms.idle()
    await this.#witnessing.close()
    await this.#desk.close()
    await this.#leaveRooms()
    await this.#opening.closeKeys()
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

  /** How many decisions were overruled within 24 hours in the tenants that are open; undefined where none was, or nobody can say. */
  async #overrideSummary(): Promise<string | undefined> {
    if (this.#trouble !== undefined || this.#closing) return undefined
    let [all, limited] = [0, 0]
    for (const tenant of this.#rooms.tenants) {
      const since = this.#parts.clock() - dayMs + 1
      const count = await this.#store.countDecided(tenant, 'override', since).catch(() => 0)
      all += count
      if (count >= this.#overridesPerDay) limited++
    }
    if (all === 0) return undefined
    const told = `${all} in 24 h`
    return limited === 0 ? `ok (${told})` : `limit reached by ${limited} (${told})`
  }

  /** How many announcements wait and were given up; undefined where there are none, or nobody can say. */
  async #webhookSummary(): Promise<string | undefined> {
    if (this.#trouble !== undefined || this.#closing) return undefined
    const count = await this.#store.countDeliveries().catch(() => undefined)
    if (count === undefined || count.waiting + count.dead === 0) return undefined
    const { dead, waiting } = count
    return `${dead === 0 ? 'ok' : `${dead} given up`} (${waiting} waiting)`
  }

  /** How many rooms are open, and what those that are not were refused with. */
  #tenantSummary(): string {
    const open = `${this.#rooms.tenants.length} open`
    const codes = [...new Set(this.#refused.values())].sort().join(', ')
    return this.#refused.size === 0
      ? `ok (${open})`
      : `${this.#refused.size} refused (${codes}), ${open}`
  }

  /** As {@link #use}, for what makes new entries. @throws {@link Failure} KEK_UNAVAILABLE when no provider has been well for too long */
  #sign<T>(name: string, work: (room: Room) => Promise<T>): Promise<T> {
    this.#desk.checkOutage()
    return this.#use(name, work)
  }

  #usableStore(): Store {
    if (this.#trouble !== undefined) throw this.#trouble
    return this.#store
  }

  /** Works in the room of a tenant, opened where it is not open. */
  #use<T>(name: string, work: (room: Room) => Promise<T>): Promise<T> {
    if (this.#trouble !== undefined) return Promise.reject(this.#trouble)
    if (this.#closing) return Promise.reject(new Failure('LOG_CLOSED', 'Service is closing'))
    return this.#rooms.use(name, work)
  }

  /** What is read of a tenant whose checks have passed. No checkpoint leaves before it is pinned, and the store may hold one that is being pinned. */
  async #read<T>(name: string, work: (reading: Reading) => Promise<T>): Promise<T> {
    if (!this.#checked.has(name)) await this.#use(name, () => Promise.resolve())
    const read = await work(this.#reading)
    await this.#rooms.peek(name)?.log.settled()
    if (this.#trouble !== undefined) throw this.#trouble
    return read
  }

  async #openRoom(name: string): Promise<Room> {
    try {
      if (!this.#founding.has(name)) await this.#expectFounded(name)
      const room = await this.#opening.open(this.#store, name)
      if (!this.#founding.has(name)) await admitControl(room, this.#demandsTwo, installation)
      if (!this.#founding.has(name)) this.#checked.add(name)
      this.#refused.delete(name)
      return room
    } catch (error) {
      const { code, message } = asFailure(error)
      // While everything is opened again after trouble, unsealed keys are kept for the next attempt: the providers may be away.
      if (this.#trouble === undefined) {
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
    for (let wait = retryMs.first; !this.#closing; wait = Math.min(2 * wait, retryMs.most)) {
      try {
        await this.#store.close()
        this.#store = await this.#parts.openStore()
        await this.#store.probe()
        await this.#checkPins(await this.#store.listTenants())
        // One whose founding was cut off waits for being founded again.
        for (const name of names)
          if (await hasGenesis(this.#store, name))
            await this.#rooms.use(name, () => Promise.resolve())
        this.#trouble = undefined
        this.#hall.start()
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

  /** Ends all logs; their keys stay unsealed. */
  async #leaveRooms(): Promise<void> {
    this.#checked.clear()
    for (const opening of this.#rooms.leave()) {
      const room = await opening.catch(() => undefined)
      if (room === undefined) continue
      this.#desk.leave(room)
      await room.log.close()
      this.#witnessing.leave(room)
    }
  }
}

/** Works on all items, some at a time; the first failure is told when nothing is under way any more. */
async function inLanes<T>(
  items: readonly T[],
  lanes: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items]
  const lane = async (): Promise<void> => {
    for (let item = left.pop(); item !== undefined; item = left.pop()) await work(item)
  }
  const ended = await Promise.allSettled(Array.from({ length: lanes }, lane))
  const failed = ended.find(({ status }) => status === 'rejected')
  if (failed?.status === 'rejected') throw failed.reason
}

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
