import type { Caller } from '../../src/dossier/matters.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { Failure } from '../../src/base/failure.ts'
import { uuidv7 } from '../../src/base/uuid.ts'
import type {
  DecisionView,
  ExportRecord,
  Health,
  ListRequest,
  PolicyRecord,
  Principal,
  Service,
  SigstoreCopy,
  TenantView,
} from '../../src/decisions/service.ts'
import type {
  ActionAct,
  ActionOpening,
  ActionPage,
  ActionView,
  ControlView,
} from '../../src/wire/actions.ts'
import {
  isFinished,
  parseDecisionRequest,
  scopes,
  type ApiKeyView,
  type Claimed,
  type DecisionPage,
  type EvaluationRequest,
  type Scope,
} from '../../src/wire/decision.ts'
import type {
  ConsistencyProofView,
  InclusionProofView,
  InclusionQuery,
} from '../../src/wire/log.ts'
import type { PolicyCopy } from '../../src/decisions/policy-book.ts'
import {
  canonicalSaid,
  type EvaluatedSubmission,
  type Submission,
} from '../../src/decisions/submission.ts'
import type { KeyOrder, KeyOrderDone, KeyStatus, KeyView, MasterView } from '../../src/wire/keys.ts'
import type {
  WebhookCreated,
  WebhookListView,
  WebhookRequest,
  WebhookView,
} from '../../src/wire/webhooks.ts'
import type {
  EscalationChallengeQuery,
  EscalationDeciding,
  EscalationListRequest,
  EscalationPage,
  EscalationView,
} from '../../src/wire/escalations.ts'
import type { GatewayAnswer } from '../../src/wire/gateway.ts'
import type {
  OverrideAct,
  OverrideListRequest,
  OverrideOpening,
  OverridePage,
  OverrideView,
} from '../../src/wire/overrides.ts'
import type { PolicyActivation, PolicyRetirement, PolicyView } from '../../src/wire/policies.ts'
import type {
  ProposalAct,
  ProposalListRequest,
  ProposalOpening,
  ProposalPage,
  ProposalView,
} from '../../src/wire/proposals.ts'
import type { RosterApplied, RosterProposal, RosterView } from '../../src/wire/roster.ts'
import type { Report } from '../../src/verify/report.ts'

const notFound = (what: string): Failure => new Failure('INPUT_NOT_FOUND', `No such ${what}`)
const unused = (): never => {
  throw new Failure('BUG', 'The HTTP edge never asks for this')
}

/** What is told of every proposal. */
const fakeProposal: ProposalView = {
  deadline: 2,
  decision: null,
  dossierUrl: '/v1/proposals/0197a9d0-0000-7000-8000-000000000003/dossier',
  due: null,
  index: 7,
  intent: { action: { type: 'pay' }, actor: { id: 'bot' } },
  note: null,
  openedAt: 1,
  proposal: '0197a9d0-0000-7000-8000-000000000003',
  proposer: 'carl',
  quorum: 1,
  status: 'open',
  threshold: { approvals: 2, of: 3 },
  voters: ['ann'],
  votes: [],
}

/** A token of the real shape, whose parts say nothing. */
export function fakeToken(name: string): string {
  const id = Buffer.from(name).toString('hex').padEnd(16, '0').slice(0, 16)
  return `csk_${id}_${name
    .replaceAll(/[^A-Za-z0-9]/g, '-')
    .padEnd(43, 'x')
    .slice(0, 43)}`
}

/** A call that the fake was asked, for tests that want to see what arrived. */
export interface Asked {
  readonly method: keyof Service
  readonly args: readonly unknown[]
}

const fakePolicy: PolicyView = {
  id: 'payments',
  index: 17,
  registeredAt: 1,
  scope: null,
  sha256: 'ab'.repeat(32),
  since: 1,
  state: 'registered',
  version: '1',
}

const report: Report = {
  action: null,
  proposal: null,
  assurance: 'operator',
  checks: [{ name: 'dossier.format', ok: false, outcome: 'fail', reason: 'Not a dossier' }],
  complete: 'no',
  dev: false,
  entries: [],
  escalation: null,
  notes: [],
  ok: false,
  origin: null,
  override: null,
  status: null,
  stream: null,
  tenant: null,
  treeSize: null,
  trustRoot: '0'.repeat(64),
  verdict: 'invalid',
}

const fakeOverride = (decision: string): OverrideView => ({
  approveBy: 1,
  challenge: '',
  decision,
  dossierUrl: '',
  executeBy: 2,
  index: 3,
  request: '0'.repeat(64),
  signatures: [],
  status: 'pending',
  void: false,
})

const fakeAction: ActionView = {
  action: '01890a5d-ac96-774b-bcce-b302099a8057',
  approveBy: 1,
  challenge: '',
  done: null,
  dossierUrl: '',
  effect: { action: 'tenant.close' },
  executeBy: 2,
  index: 3,
  request: '0'.repeat(64),
  signatures: [],
  status: 'pending',
  void: false,
}

const fakeEscalation = (id: string): EscalationView => ({
  action: 'transfer',
  actor: 'agent-1',
  deadline: 61_000,
  dossierUrl: '',
  endedAt: null,
  id,
  index: 3,
  intent: '0'.repeat(64),
  openedAt: 1000,
  overruled: false,
  person: null,
  reason: null,
  status: 'pending',
  vouchedBy: null,
})

/** The only key that the fake knows. */
export const fakeKey: KeyView = {
  purpose: 'evidence',
  version: 1,
  state: 'active',
  algorithm: 'id-MLDSA65-Ed25519-SHA512',
  keyId: '01890a5d-ac96-774b-bcce-b302099a8057',
  keyid: null,
  from: 2,
  to: null,
  revokedAt: null,
  createdAt: 0,
  since: 0,
}

/** The master key of every tenant. */
export const fakeMaster: MasterView = {
  keyId: '01890a5d-ac96-774b-bcce-b302099a8058',
  version: 1,
  algorithm: 'X-Wing',
  createdAt: 0,
}

interface Kept {
  readonly view: DecisionView
  readonly text: string
}

const fakeWebhook: WebhookView = {
  createdAt: 1,
  description: '',
  id: '01890a5d-ac96-774b-bcce-b302099a8057',
  kinds: ['*'],
  url: 'https://hooks.example.com/',
}

/**
 * A service in memory that signs and proves nothing. It knows the tenants `acme` (private) and `open` (public), and one token for each of them with
 * all scopes; a test puts a method of its own in place of any here.
 */
export class FakeService implements Service {
  readonly asked: Asked[] = []
  readonly decisions = new Map<string, Kept>()
  readonly principals = new Map<string, Principal>()
  readonly apiKeys = new Map<string, ApiKeyView>()
  readonly #byKey = new Map<string, string>()

  constructor() {
    this.admit(fakeToken('acme'), 'acme', scopes)
    this.admit(fakeToken('open'), 'open', scopes)
  }

  /** Lets a token in. */
  admit(
    token: string,
    tenant: string,
    granted: readonly Scope[],
    bound?: Principal['bound'],
  ): void {
    const id = token.slice(4, 20)
    this.principals.set(token, {
      tenant,
      profile: 'checkpoint',
      caller: { type: 'apiKey', id, owner: 'owner@example.com' },
      scopes: granted,
      ...(bound === undefined ? {} : { bound }),
    })
    const apiKey = { id, owner: 'owner@example.com', scopes: [...granted] }
    this.apiKeys.set(id, { ...apiKey, createdAt: 1, revokedAt: null })
  }

  #note(method: keyof Service, ...args: readonly unknown[]): void {
    this.asked.push({ method, args })
  }

  authenticate(token: string): Promise<Principal> {
    this.#note('authenticate', token)
    const principal = this.principals.get(token)
    return principal === undefined
      ? Promise.reject(new Failure('AUTH_INVALID', 'API key is unknown, wrong or revoked'))
      : Promise.resolve(principal)
  }

  notarise(principal: Principal, text: string, idempotencyKey: string | null): Promise<string> {
    this.#note('notarise', principal, text, idempotencyKey)
    const request = parseDecisionRequest(text)
    const status = isFinished(request) ? request.status : 'ALLOW'
    return this.#take(text, status, idempotencyKey ?? request.idempotencyKey ?? null)
  }

  readActivePolicies(tenant: string): Promise<PolicyCopy> {
    this.#note('readActivePolicies', tenant)
    return Promise.resolve({ epoch: 'now', policies: [] })
  }

  submitEvaluated(principal: Principal, submission: EvaluatedSubmission): Promise<string> {
    this.#note('submitEvaluated', principal, submission)
    return this.submit(principal, submission.said)
  }

  submit(principal: Principal, submission: Submission): Promise<string> {
    this.#note('submit', principal, submission)
    const { idempotencyKey, status } = submission
    return this.#take(canonicalSaid(submission), status, idempotencyKey)
  }

  #take(text: string, status: string, key: string | null): Promise<string> {
    const known = key === null ? undefined : this.#byKey.get(key)
    if (known !== undefined) return Promise.resolve(this.#reply(known, true))
    const id = uuidv7(this.decisions.size, crypto.getRandomValues(new Uint8Array(10)))
    if (key !== null) this.#byKey.set(key, id)
    const view: DecisionView = {
      id,
      status,
      inForce: status,
      by: 'decision',
      override: null,
      escalation: null,
      erased: false,
      index: this.decisions.size,
      time: 1_700_000_000_000,
      decision: text,
      executions: 0,
      dossierUrl: `/v1/decisions/${id}/dossier`,
    }
    this.decisions.set(id, { view, text })
    return Promise.resolve(this.#reply(id, false))
  }

  #reply(id: string, replayed: boolean): string {
    const { view } = this.#decision(id)
    return `{"id":"${id}","status":"${view.status ?? ''}","time":${view.time},"index":${view.index},"envelope":null,"leaf":"","proof":[],"checkpoint":"\\u2014","dossierUrl":"${view.dossierUrl}","replayed":${String(replayed)}}`
  }

  #decision(id: string): Kept {
    const kept = this.decisions.get(id)
    if (kept === undefined) throw notFound('decision')
    return kept
  }

  // Async, so that what is thrown is a rejection as the port promises.
  // eslint-disable-next-line @typescript-eslint/require-await
  async claim(...[principal, id, request]: Parameters<Service['claim']>): Promise<Claimed> {
    this.#note('claim', principal, id, request)
    const { view } = this.#decision(id)
    if (view.status !== 'ALLOW')
      throw new Failure('INPUT_NOT_CLAIMABLE', 'Decision is not an ALLOW')
    return {
      id,
      use: 1,
      maxUses: null,
      index: 1,
      time: view.time,
      envelope: {
        payload: '',
        payloadType: 'application/vnd.in-toto+json',
        signatures: [{ keyid: '', sig: '' }],
      },
      leaf: '',
      proof: [],
      checkpoint: '',
      dossierUrl: view.dossierUrl,
    }
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async erase(principal: Principal, id: string, reason: string): Promise<{ index: number }> {
    this.#note('erase', principal, id, reason)
    this.#decision(id)
    return { index: 7 }
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async readDecision(tenant: string, id: string): Promise<DecisionView> {
    this.#note('readDecision', tenant, id)
    return this.#decision(id).view
  }

  listDecisions(tenant: string, request: ListRequest): Promise<DecisionPage> {
    this.#note('listDecisions', tenant, request)
    return Promise.resolve({ decisions: [], cursor: null })
  }

  // eslint-disable-next-line @typescript-eslint/require-await
  async exportDossier(tenant: string, stream: string): Promise<Uint8Array> {
    this.#note('exportDossier', tenant, stream)
    if (!/^(action|proposal)-/.test(stream)) this.#decision(stream)
    return Buffer.from('{"dossier":true}')
  }

  readTrustRoot(tenant: string, version?: number): Promise<Uint8Array> {
    this.#note('readTrustRoot', tenant, version)
    return version === undefined || version === 1
      ? Promise.resolve(Buffer.from('{"v":1}'))
      : Promise.reject(notFound('trust root'))
  }

  publishTrustRoot = unused

  dryRun(tenant: string, request: EvaluationRequest): Promise<string> {
    this.#note('dryRun', tenant, request)
    return Promise.resolve('{"dryRun":true,"status":"ALLOW"}')
  }

  registerPolicy(tenant: string, record: string, by: Caller): Promise<PolicyView> {
    this.#note('registerPolicy', tenant, record, by)
    return Promise.resolve(fakePolicy)
  }

  activatePolicy(
    tenant: string,
    sha256: string,
    activation: PolicyActivation,
    by: Caller,
  ): Promise<PolicyView> {
    this.#note('activatePolicy', tenant, sha256, activation, by)
    return Promise.resolve(fakePolicy)
  }

  retirePolicy(
    tenant: string,
    sha256: string,
    retirement: PolicyRetirement,
    by: Caller,
  ): Promise<PolicyView> {
    this.#note('retirePolicy', tenant, sha256, retirement, by)
    return Promise.resolve(fakePolicy)
  }

  listPolicies(tenant: string): Promise<readonly PolicyView[]> {
    this.#note('listPolicies', tenant)
    return Promise.resolve([fakePolicy])
  }

  readPolicy(tenant: string, sha256: string): Promise<PolicyRecord> {
    this.#note('readPolicy', tenant, sha256)
    return Promise.resolve({ policy: fakePolicy, record: '{"bundle":{},"dialect":"native"}' })
  }

  openAction(principal: Principal, opening: ActionOpening): Promise<ActionView> {
    this.#note('openAction', principal, opening)
    return Promise.resolve({ ...fakeAction, effect: opening.wish })
  }

  actOnAction(principal: Principal, id: string, act: ActionAct): Promise<ActionView> {
    this.#note('actOnAction', principal, id, act)
    return Promise.resolve({ ...fakeAction, action: id })
  }

  readAction(tenant: string, id: string): Promise<ActionView> {
    this.#note('readAction', tenant, id)
    return Promise.resolve({ ...fakeAction, action: id })
  }

  openProposal(principal: Principal, opening: ProposalOpening): Promise<ProposalView> {
    this.#note('openProposal', principal, opening)
    return Promise.resolve(fakeProposal)
  }

  actOnProposal(principal: Principal, id: string, act: ProposalAct): Promise<ProposalView> {
    this.#note('actOnProposal', principal, id, act)
    return Promise.resolve(fakeProposal)
  }

  readProposal(tenant: string, id: string): Promise<ProposalView> {
    this.#note('readProposal', tenant, id)
    return Promise.resolve(fakeProposal)
  }

  listProposals(tenant: string, request: ProposalListRequest): Promise<ProposalPage> {
    this.#note('listProposals', tenant, request)
    return Promise.resolve({ cursor: null, proposals: [] })
  }

  listActions(tenant: string, request: OverrideListRequest): Promise<ActionPage> {
    this.#note('listActions', tenant, request)
    return Promise.resolve({ actions: [], cursor: null })
  }

  readControl(tenant: string): Promise<ControlView> {
    this.#note('readControl', tenant)
    return Promise.resolve({
      breakGlass: 0,
      closedAt: null,
      dualControl: 'none',
      from: null,
      roster: null,
    })
  }

  closeTenant(...given: Parameters<Service['closeTenant']>): Promise<{ readonly index: number }> {
    this.#note('closeTenant', ...given)
    return Promise.resolve({ index: 9 })
  }

  endControl(...given: Parameters<Service['endControl']>): Promise<{ readonly index: number }> {
    this.#note('endControl', ...given)
    return Promise.resolve({ index: 9 })
  }

  readRoster(tenant: string): Promise<RosterView> {
    this.#note('readRoster', tenant)
    const instance = '01890a5d-ac96-774b-bcce-b302099a8057'
    return Promise.resolve({ asked: [], current: null, instance, origin: 'example.com', tenant })
  }

  applyRoster(tenant: string, proposal: RosterProposal, by: Caller): Promise<RosterApplied> {
    this.#note('applyRoster', tenant, proposal, by)
    const { version } = proposal.roster
    return Promise.resolve({
      countsFrom: 0,
      event: 'version',
      index: 1,
      sha256: '0'.repeat(64),
      version,
    })
  }

  openOverride(principal: Principal, opening: OverrideOpening): Promise<OverrideView> {
    this.#note('openOverride', principal, opening)
    return Promise.resolve(fakeOverride(opening.decision))
  }

  actOnOverride(principal: Principal, id: string, act: OverrideAct): Promise<OverrideView> {
    this.#note('actOnOverride', principal, id, act)
    return Promise.resolve(fakeOverride(id))
  }

  listOverrides(tenant: string, request: OverrideListRequest): Promise<OverridePage> {
    this.#note('listOverrides', tenant, request)
    return Promise.resolve({ cursor: null, overrides: [], today: { limit: 20, overruled: 0 } })
  }

  readOverride(tenant: string, id: string): Promise<OverrideView> {
    this.#note('readOverride', tenant, id)
    return Promise.resolve(fakeOverride(id))
  }

  readEscalation(
    ...[tenant, id, waitMs]: Parameters<Service['readEscalation']>
  ): Promise<EscalationView> {
    this.#note('readEscalation', tenant, id, waitMs)
    return Promise.resolve(fakeEscalation(id))
  }

  listEscalations(tenant: string, request: EscalationListRequest): Promise<EscalationPage> {
    this.#note('listEscalations', tenant, request)
    return Promise.resolve({ cursor: null, escalations: [] })
  }

  challengeEscalation(
    tenant: string,
    id: string,
    said: EscalationChallengeQuery,
  ): Promise<{ challenge: string }> {
    this.#note('challengeEscalation', tenant, id, said)
    return Promise.resolve({ challenge: 'Countersign escalation v1\n' })
  }

  decideEscalation(
    principal: Principal,
    id: string,
    deciding: EscalationDeciding,
  ): Promise<EscalationView> {
    this.#note('decideEscalation', principal, id, deciding)
    return Promise.resolve(fakeEscalation(id))
  }

  executeGateway(
    ...[principal, request]: Parameters<Service['executeGateway']>
  ): Promise<GatewayAnswer> {
    this.#note('executeGateway', principal, request)
    return Promise.resolve({
      actor_human_id: null,
      decision: 'BLOCK',
      escalation_id: null,
      event_id: null,
      reason: 'tenant_policy_id is required',
    })
  }

  endWaits = unused

  exportTrustProof = unused

  verify(tenant: string, dossier: Uint8Array): Promise<Report> {
    this.#note('verify', tenant, dossier)
    return Promise.resolve(report)
  }

  readCheckpoint(tenant: string): Promise<string> {
    this.#note('readCheckpoint', tenant)
    return Promise.resolve(`example.com/${tenant}\n1\nAAAA\n\n— example.com AAAA\n`)
  }

  readTile(tenant: string, path: string): Promise<Uint8Array> {
    this.#note('readTile', tenant, path)
    return path === '0/000.p/1'
      ? Promise.resolve(new Uint8Array(32).fill(7))
      : Promise.reject(notFound('tile'))
  }

  exportSigstoreBundle(tenant: string, id: string): Promise<SigstoreCopy> {
    this.#note('exportSigstoreBundle', tenant, id)
    return Promise.resolve({ bundle: utf8('{}'), publicKey: 'PEM' })
  }

  proveInclusion(tenant: string, query: InclusionQuery): Promise<InclusionProofView> {
    this.#note('proveInclusion', tenant, query)
    return Promise.resolve({
      checkpoint: null,
      inclusionPath: [],
      leaf: 'e30=',
      leafIndex: query.index ?? 0,
      rootHash: 'AAAA',
      treeSize: query.size ?? 1,
    })
  }

  proveConsistency(tenant: string, first: number, second: number): Promise<ConsistencyProofView> {
    this.#note('proveConsistency', tenant, first, second)
    return Promise.resolve({
      consistencyPath: [],
      firstRoot: 'AAAA',
      firstSize: first,
      secondRoot: 'AAAA',
      secondSize: second,
    })
  }

  exportTlogProof(tenant: string, index: number): Promise<string> {
    this.#note('exportTlogProof', tenant, index)
    return Promise.resolve(`c2sp.org/tlog-proof@v1\nindex ${index}\n`)
  }

  createTenant = unused

  listTenants(): Promise<readonly TenantView[]> {
    this.#note('listTenants')
    const tenant = { profile: 'checkpoint', createdAt: 1, size: 1 } as const
    return Promise.resolve([
      { ...tenant, name: 'acme', origin: 'example.com/acme', public: false },
      { ...tenant, name: 'open', origin: 'example.com/open', public: true },
    ])
  }

  createApiKey(
    tenant: string,
    owner: string,
    granted: readonly Scope[],
    by: Principal['caller'],
    bound?: Principal['bound'],
  ): Promise<{ apiKey: ApiKeyView; token: string }> {
    this.#note('createApiKey', tenant, owner, granted, by, ...(bound === undefined ? [] : [bound]))
    const token = fakeToken(`new-${this.apiKeys.size}`)
    this.admit(token, tenant, granted)
    const apiKey = this.apiKeys.get(token.slice(4, 20))
    return apiKey === undefined
      ? Promise.reject(notFound('API key'))
      : Promise.resolve({ apiKey, token })
  }

  listApiKeys(tenant: string): Promise<readonly ApiKeyView[]> {
    this.#note('listApiKeys', tenant)
    return Promise.resolve([...this.apiKeys.values()])
  }

  revokeApiKey(tenant: string, id: string, by: Principal['caller']): Promise<ApiKeyView> {
    this.#note('revokeApiKey', tenant, id, by)
    const known = this.apiKeys.get(id)
    if (known === undefined) return Promise.reject(notFound('API key'))
    for (const token of this.principals.keys())
      if (token.slice(4, 20) === id) this.principals.delete(token)
    return Promise.resolve({ ...known, revokedAt: 2 })
  }

  recordExport(
    tenant: string,
    record: ExportRecord,
    by: Principal['caller'],
  ): Promise<{ index: number }> {
    this.#note('recordExport', tenant, record, by)
    return Promise.resolve({ index: 9 })
  }

  planPeriod = unused
  exportPeriod = unused
  listKeys = unused

  keyStatus(tenant: string): Promise<KeyStatus> {
    this.#note('keyStatus', tenant)
    return Promise.resolve({
      tenant,
      master: fakeMaster,
      keys: [fakeKey],
      slots: [],
      providers: [],
      next: [],
    })
  }

  orderKeys(tenant: string, order: KeyOrder, by: Principal['caller']): Promise<KeyOrderDone> {
    this.#note('orderKeys', tenant, order, by)
    const step = { purpose: 'evidence', version: 2, keyId: fakeKey.keyId }
    const steps = [
      { ...step, event: 'prepared', index: 41 },
      { ...step, event: 'activated', index: 42 },
    ]
    return Promise.resolve({ tenant, order: order.order, steps, notes: ['Publish it'] })
  }

  listSlots = unused
  readMaster = (): Promise<MasterView> => Promise.resolve(fakeMaster)

  addWebhook(
    tenant: string,
    request: WebhookRequest,
    by: Principal['caller'],
  ): Promise<WebhookCreated> {
    this.#note('addWebhook', tenant, request, by)
    return Promise.resolve({ secret: 'whsec_AAAA', webhook: fakeWebhook })
  }

  listWebhooks(tenant: string): Promise<WebhookListView> {
    this.#note('listWebhooks', tenant)
    return Promise.resolve({ dead: 0, deadDeliveries: [], waiting: 0, webhooks: [fakeWebhook] })
  }

  removeWebhook(tenant: string, id: string, by: Principal['caller']): Promise<WebhookView> {
    this.#note('removeWebhook', tenant, id, by)
    return Promise.resolve(fakeWebhook)
  }

  testWebhook(
    tenant: string,
    id: string,
    by: Principal['caller'],
  ): Promise<{ webhook: string; index: number }> {
    this.#note('testWebhook', tenant, id, by)
    return Promise.resolve({ index: 9, webhook: id })
  }

  takeDeliveries = unused
  settleDelivery = unused

  health(): Promise<Health> {
    this.#note('health')
    return Promise.resolve({ ready: true, parts: { log: 'ok' } })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}
