// The service in the thread that owns the database and the keys. Its life is in `service-life.ts`; what it does is by subject in `*-calls.ts`; here
// stands which of them answers each call of the port.
import { Failure } from '../base/failure.ts'
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { AdminMatter, Caller } from '../dossier/matters.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import type { Instance, Store } from '../store/store.ts'
import type { KeyOrderDone } from '../wire/keys.ts'
import { decisionCalls } from './decision-calls.ts'
import { keyCalls } from './key-calls.ts'
import { logCalls } from './log-calls.ts'
import { escalationCalls, proposalCalls } from './people-calls.ts'
import { policyCalls } from './policy-calls.ts'
import type { Health, Service } from './service.ts'
import { ServiceLife } from './service-life.ts'
import { overridesPerDayOf, type ServiceParts } from './service-parts.ts'
import { tenantCalls } from './tenant-calls.ts'
import { actionCalls, controlCalls, overrideCalls } from './two-key-calls.ts'
import { webhookCalls } from './webhook-calls.ts'

export type { ServiceParts } from './service-parts.ts'

// Tenant and development suffix are put behind it; a checkpoint's origin has at most 255 bytes.
const originPattern = /^(?=.{1,150}$)[A-Za-z0-9.-]+(:\d+)?(\/[A-Za-z0-9._~-]+)*$/

/** The service over one data directory. */
export class LocalService implements Service {
  readonly #life: ServiceLife
  readonly #decisions: ReturnType<typeof decisionCalls>
  readonly #log: ReturnType<typeof logCalls>
  readonly #tenants: ReturnType<typeof tenantCalls>
  readonly #keys: ReturnType<typeof keyCalls>
  readonly #policies: ReturnType<typeof policyCalls>
  readonly #overrides: ReturnType<typeof overrideCalls>
  readonly #actions: ReturnType<typeof actionCalls>
  readonly #control: ReturnType<typeof controlCalls>
  readonly #proposals: ReturnType<typeof proposalCalls>
  readonly #escalations: ReturnType<typeof escalationCalls>
  readonly #webhooks: ReturnType<typeof webhookCalls>

  private constructor(parts: ServiceParts, life: ServiceLife) {
    this.#life = life
    this.#decisions = decisionCalls(life, life.notariser, life.hall)
    this.#log = logCalls(life)
    this.#tenants = tenantCalls(life, life)
    this.#keys = keyCalls(life, life.desk)
    this.#policies = policyCalls(life)
    this.#overrides = overrideCalls(life, life.hall, overridesPerDayOf(parts))
    this.#actions = actionCalls(life, life.desk)
    this.#control = controlCalls(life, life.demandsTwo)
    this.#proposals = proposalCalls(life, parts.version)
    this.#escalations = escalationCalls(life, life.hall)
    this.#webhooks = webhookCalls(life, life.outbox)
  }

  /** Opens the service. @throws {@link Failure} as {@link ServiceLife.open} */
  static async open(parts: ServiceParts): Promise<LocalService> {
    return new LocalService(parts, await ServiceLife.open(parts))
  }

  get instance(): Instance {
    return this.#life.instance
  }

  readonly notarise: Service['notarise'] = (...given) => this.#decisions.notarise(...given)
  readonly submit: Service['submit'] = (...given) => this.#decisions.submit(...given)
  readonly submitEvaluated: Service['submitEvaluated'] = (...given) =>
    this.#decisions.submitEvaluated(...given)
  readonly claim: Service['claim'] = (...given) => this.#decisions.claim(...given)
  readonly erase: Service['erase'] = (...given) => this.#decisions.erase(...given)
  readonly readDecision: Service['readDecision'] = (...given) =>
    this.#decisions.readDecision(...given)
  readonly listDecisions: Service['listDecisions'] = (...given) =>
    this.#decisions.listDecisions(...given)
  readonly exportDossier: Service['exportDossier'] = (...given) =>
    this.#decisions.exportDossier(...given)
  readonly exportSigstoreBundle: Service['exportSigstoreBundle'] = (...given) =>
    this.#decisions.exportSigstoreBundle(...given)

  readonly readTrustRoot: Service['readTrustRoot'] = (...given) => this.#log.readTrustRoot(...given)
  readonly exportTrustProof: Service['exportTrustProof'] = (...given) =>
    this.#log.exportTrustProof(...given)
  readonly publishTrustRoot: Service['publishTrustRoot'] = (...given) =>
    this.#log.publishTrustRoot(...given)
  readonly verify: Service['verify'] = (...given) => this.#log.verify(...given)
  readonly readCheckpoint: Service['readCheckpoint'] = (...given) =>
    this.#log.readCheckpoint(...given)
  readonly readTile: Service['readTile'] = (...given) => this.#log.readTile(...given)
  readonly proveInclusion: Service['proveInclusion'] = (...given) =>
    this.#log.proveInclusion(...given)
  readonly proveConsistency: Service['proveConsistency'] = (...given) =>
    this.#log.proveConsistency(...given)
  readonly exportTlogProof: Service['exportTlogProof'] = (...given) =>
    this.#log.exportTlogProof(...given)
  readonly recordExport: Service['recordExport'] = (...given) => this.#log.recordExport(...given)

  readonly authenticate: Service['authenticate'] = (...given) =>
    this.#tenants.authenticate(...given)
  readonly createTenant: Service['createTenant'] = (...given) =>
    this.#tenants.createTenant(...given)
  readonly listTenants: Service['listTenants'] = (...given) => this.#tenants.listTenants(...given)
  readonly createApiKey: Service['createApiKey'] = (...given) =>
    this.#tenants.createApiKey(...given)
  readonly listApiKeys: Service['listApiKeys'] = (...given) => this.#tenants.listApiKeys(...given)
  readonly revokeApiKey: Service['revokeApiKey'] = (...given) =>
    this.#tenants.revokeApiKey(...given)

  readonly listKeys: Service['listKeys'] = (...given) => this.#keys.listKeys(...given)
  readonly keyStatus: Service['keyStatus'] = (...given) => this.#keys.keyStatus(...given)
  readonly orderKeys: Service['orderKeys'] = (...given) => this.#keys.orderKeys(...given)

  readonly readActivePolicies: Service['readActivePolicies'] = (...given) =>
    this.#policies.readActivePolicies(...given)
  readonly dryRun: Service['dryRun'] = (...given) => this.#policies.dryRun(...given)
  readonly registerPolicy: Service['registerPolicy'] = (...given) =>
    this.#policies.registerPolicy(...given)
  readonly activatePolicy: Service['activatePolicy'] = (...given) =>
    this.#policies.activatePolicy(...given)
  readonly retirePolicy: Service['retirePolicy'] = (...given) =>
    this.#policies.retirePolicy(...given)
  readonly listPolicies: Service['listPolicies'] = (...given) =>
    this.#policies.listPolicies(...given)
  readonly readPolicy: Service['readPolicy'] = (...given) => this.#policies.readPolicy(...given)

  readonly openOverride: Service['openOverride'] = (...given) =>
    this.#overrides.openOverride(...given)
  readonly actOnOverride: Service['actOnOverride'] = (...given) =>
    this.#overrides.actOnOverride(...given)
  readonly readOverride: Service['readOverride'] = (...given) =>
    this.#overrides.readOverride(...given)
  readonly listOverrides: Service['listOverrides'] = (...given) =>
    this.#overrides.listOverrides(...given)

  readonly openAction: Service['openAction'] = (...given) => this.#actions.openAction(...given)
  readonly actOnAction: Service['actOnAction'] = (...given) => this.#actions.actOnAction(...given)
  readonly readAction: Service['readAction'] = (...given) => this.#actions.readAction(...given)
  readonly listActions: Service['listActions'] = (...given) => this.#actions.listActions(...given)

  readonly readRoster: Service['readRoster'] = (...given) => this.#control.readRoster(...given)
  readonly applyRoster: Service['applyRoster'] = (...given) => this.#control.applyRoster(...given)
  readonly readControl: Service['readControl'] = (...given) => this.#control.readControl(...given)
  readonly closeTenant: Service['closeTenant'] = (...given) => this.#control.closeTenant(...given)
  readonly endControl: Service['endControl'] = (...given) => this.#control.endControl(...given)

  readonly openProposal: Service['openProposal'] = (...given) =>
    this.#proposals.openProposal(...given)
  readonly actOnProposal: Service['actOnProposal'] = (...given) =>
    this.#proposals.actOnProposal(...given)
  readonly readProposal: Service['readProposal'] = (...given) =>
    this.#proposals.readProposal(...given)
  readonly listProposals: Service['listProposals'] = (...given) =>
    this.#proposals.listProposals(...given)

  readonly readEscalation: Service['readEscalation'] = (...given) =>
    this.#escalations.readEscalation(...given)
  readonly listEscalations: Service['listEscalations'] = (...given) =>
    this.#escalations.listEscalations(...given)
  readonly challengeEscalation: Service['challengeEscalation'] = (...given) =>
    this.#escalations.challengeEscalation(...given)
  readonly decideEscalation: Service['decideEscalation'] = (...given) =>
    this.#escalations.decideEscalation(...given)
  readonly executeGateway: Service['executeGateway'] = (...given) =>
    this.#escalations.executeGateway(...given)
  readonly endWaits: Service['endWaits'] = (...given) => this.#escalations.endWaits(...given)

  readonly addWebhook: Service['addWebhook'] = (...given) => this.#webhooks.addWebhook(...given)
  readonly listWebhooks: Service['listWebhooks'] = (...given) =>
    this.#webhooks.listWebhooks(...given)
  readonly removeWebhook: Service['removeWebhook'] = (...given) =>
    this.#webhooks.removeWebhook(...given)
  readonly testWebhook: Service['testWebhook'] = (...given) => this.#webhooks.testWebhook(...given)
  readonly takeDeliveries: Service['takeDeliveries'] = (...given) =>
    this.#webhooks.takeDeliveries(...given)
  readonly settleDelivery: Service['settleDelivery'] = (...given) =>
    this.#webhooks.settleDelivery(...given)

  health(): Promise<Health> {
    return this.#life.health()
  }

  close(): Promise<void> {
    return this.#life.close()
  }

  /** Tells the log of an act that changes nothing else. */
  recordAct(
    tenant: string,
    act: Pick<AdminMatter, 'action' | 'detail' | 'subject'>,
    by: Caller,
  ): Promise<{ readonly index: number }> {
    return this.#tenants.recordAct(tenant, act, by)
  }

  /** Puts slots of providers beside those of a tenant, or in the place of those of some kinds: for opening and closing by hand. */
  putSlots(
    tenant: string,
    add: readonly KekProvider[],
    drop: (kind: KekKind) => boolean,
    by: Caller,
  ): Promise<KeyOrderDone> {
    return this.#keys.putSlots(tenant, add, drop, by)
  }

  /** Asks every key provider now; what they said is in the status. */
  checkProviders(): Promise<void> {
    return this.#life.desk.check()
  }
}

/** @throws {@link Failure} INPUT_INVALID where the prefix of the names of logs is none; nothing is one that is chosen */
export function expectOrigin(origin: string | undefined): void {
  if (origin !== undefined && !originPattern.test(origin))
    throw new Failure(
      'INPUT_INVALID',
      `Origin must be a host and a path without scheme, at most 150 characters: ${origin}`,
      { field: 'origin' },
    )
}

/** Makes an empty data directory an instance. @throws {@link Failure} INPUT_EXISTS */
export async function createInstance(
  store: Store,
  options: { readonly origin?: string; readonly dev: boolean; readonly clock: () => number },
): Promise<Instance> {
  if ((await store.readInstance()) !== undefined)
    throw new Failure('INPUT_EXISTS', 'Data directory holds an instance already')
  expectOrigin(options.origin)
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
