// The port between the edges (HTTP, command line) and the use cases. It can be had in the same thread, or across a message port from the thread that
// owns the database and the keys; both behave the same, and everything that passes can be structured-cloned.
//
// Nothing is acknowledged before it is durable, provable and pinned. Every method rejects with a Failure of the table and nothing else.
// Long because it is the one list of all that an edge can ask for, and nothing that runs.
import type { Profile } from '../dossier/kinds.ts'
import type { Caller } from '../dossier/matters.ts'
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
import type { PolicyActivation, PolicyRetirement, PolicyView } from '../wire/policies.ts'
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
import type { InForce } from './standing.ts'
import type { PolicyCopy } from './policy-book.ts'
import type { EvaluatedSubmission, Submission } from './submission.ts'

/** Who is calling, as authenticated, and what that allows. */
export interface Principal {
  readonly tenant: string
  readonly profile: Profile
  readonly caller: Caller
  readonly scopes: readonly Scope[]
  readonly bound?: Bound
}

/** What an API key is bound to, whoever uses it. */
export interface Bound {
  /** Policies that decide on all it asks for, beside those that decide anyhow. */
  readonly policies: readonly string[]
  /** Where it asks from; stands over what its requests say. */
  readonly environment: string | null
}

/** What can be told of one decision. */
export interface DecisionView extends InForce {
  readonly id: string
  readonly status: string | null
  readonly erased: boolean
  readonly index: number
  readonly time: number
  /** JSON text of the statement's matter, or null when erased. */
  readonly decision: string | null
  readonly executions: number
  readonly dossierUrl: string
}

/** Which decisions to list. */
export interface ListRequest {
  readonly status?: string
  /** What it is now. */
  readonly inForce?: string
  /** By what it is what it is now. */
  readonly by?: 'decision' | 'override' | 'escalation'
  /** A state of a request to overrule it, or `open`. */
  readonly override?: string
  /** A state of its escalation, or `open`. */
  readonly escalation?: string
  readonly actor?: string
  readonly action?: string
  readonly since?: number
  readonly until?: number
  readonly cursor?: string
  readonly limit: number
}

/** A tenant as `tenant list` tells it. */
export interface TenantView {
  readonly name: string
  readonly origin: string
  readonly profile: Profile
  readonly public: boolean
  readonly createdAt: number
  readonly size: number
}

/** A part of the log that was taken out for an auditor. */
export interface ExportRecord {
  readonly from: number
  readonly to: number
  /** Null for all decisions. */
  readonly statuses: readonly string[] | null
  readonly dossiers: number
  /** Hex SHA-256 of the period file. */
  readonly sha256: string
}

/** A policy with what it says. */
export interface PolicyRecord {
  readonly policy: PolicyView
  /** JSON text of dialect and bundle. */
  readonly record: string
}

/** Whether work can be done now. */
export interface Health {
  readonly ready: boolean
  /** One sentence a part: what is wrong, or `ok`. */
  readonly parts: Readonly<Record<string, string>>
}

/** A decision as a bundle for other verifiers. */
export interface SigstoreCopy {
  /** A Sigstore bundle v0.3. */
  readonly bundle: Uint8Array
  /** PEM of the key that verifies it. */
  readonly publicKey: string
}

/** An announcement ready to be sent: POST the body with these headers. */
export interface OutgoingDelivery {
  readonly id: number
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON text. */
  readonly body: string
}

/** What became of an attempt to send one. */
export interface DeliveryOutcome {
  readonly ok: boolean
  /** Whether the receiver has said that it wants no more (410). */
  readonly gone: boolean
  /** In a few words, for whoever runs it. */
  readonly said: string
}

/** Everything an edge can ask for. */
export interface Service {
  /** @throws AUTH_INVALID */
  authenticate(token: string): Promise<Principal>
  /**
   * Notarises a decision, or makes one by the policies of the tenant where `text` is an intent without a status; it has passed `parseDecisionRequest`.
   * Gives the JSON text of a `Notarised`.
   * @param idempotencyKey of the header; the body's counts when it is null
   */
  notarise(principal: Principal, text: string, idempotencyKey: string | null): Promise<string>
  /** As {@link notarise}, of a finished decision that was made canonical where it was checked. */
  submit(principal: Principal, submission: Submission): Promise<string>
  /** The policies that decide now, for whoever decides away from here. */
  readActivePolicies(tenant: string): Promise<PolicyCopy>
  /** As {@link submit}, of a decision that was made by such a copy. @throws LOG_CONFLICT when other policies count: decide again */
  submitEvaluated(principal: Principal, submission: EvaluatedSubmission): Promise<string>
  /**
   * What would be decided on an intent now; nothing of it is kept. Gives the JSON text of a `DryRun`.
   * @param bound what the API key is bound to
   */
  dryRun(tenant: string, request: EvaluationRequest, bound?: Bound): Promise<string>
  /**
   * Claims one use of an ALLOW before its effect.
   * @param left aborts when the caller has left: what has not begun is not done for them
   * @throws INPUT_NOT_CLAIMABLE, INPUT_CLAIMED, LOG_BUSY when the caller has left before it began
   */
  claim(
    principal: Principal,
    id: string,
    request: ClaimRequest,
    left?: AbortSignal,
  ): Promise<Claimed>
  /**
   * Erases every payload of the decision's stream; gives the index of the erasure entry.
   * @param action id of the action that two leads have signed for exactly this
   * @throws INPUT_NOT_FOUND, INPUT_ERASED, ACTION_REQUIRED, ACTION_REFUSED
   */
  erase(
    principal: Principal,
    id: string,
    reason: string,
    action?: string,
  ): Promise<{ readonly index: number }>
  readDecision(tenant: string, id: string): Promise<DecisionView>
  listDecisions(tenant: string, request: ListRequest): Promise<DecisionPage>
  /** Bytes of a dossier file of a decision's or a system stream, under the newest checkpoint or one that was kept at a size. */
  exportDossier(tenant: string, stream: string, size?: number): Promise<Uint8Array>
  /** A decision's statement signed once more for verifiers that know nothing of this log. @throws INPUT_NOT_FOUND, INPUT_ERASED, INPUT_KEY_STATE */
  exportSigstoreBundle(tenant: string, id: string): Promise<SigstoreCopy>
  /** Bytes of the newest trust root, or of the version asked for. */
  readTrustRoot(tenant: string, version?: number): Promise<Uint8Array>
  /** Bytes of the dossier by which whoever has the version before takes this one: the stream `trust` up to its announcement, under the checkpoint of then. */
  exportTrustProof(tenant: string, version: number): Promise<Uint8Array>
  /** Makes a new version of the trust root and logs it; gives its bytes. */
  publishTrustRoot(tenant: string): Promise<Uint8Array>
  /** Verifies a dossier under the tenant's own newest trust root. */
  verify(tenant: string, dossier: Uint8Array): Promise<Report>
  /** The checkpoint that the static tree serves. */
  readCheckpoint(tenant: string): Promise<string>
  /** Hashes of a tile, or leaves of an entry bundle, as C2SP tlog-tiles serves them. @throws INPUT_NOT_FOUND beyond the tree */
  readTile(tenant: string, path: string): Promise<Uint8Array>
  /** That a leaf stands in the tree, by its index or its hash. @throws INPUT_NOT_FOUND */
  proveInclusion(tenant: string, query: InclusionQuery): Promise<InclusionProofView>
  /** That the tree of one size is a prefix of the one of another. @throws INPUT_NOT_FOUND, INPUT_INVALID */
  proveConsistency(tenant: string, first: number, second: number): Promise<ConsistencyProofView>
  /** A leaf with its proof as a C2SP tlog-proof. @throws INPUT_NOT_FOUND */
  exportTlogProof(tenant: string, index: number): Promise<string>
  createTenant(
    name: string,
    options: { profile: Profile; public: boolean },
    by: Caller,
  ): Promise<TenantView>
  listTenants(): Promise<readonly TenantView[]>
  /** The token is told once and never again. */
  createApiKey(
    tenant: string,
    owner: string,
    scopes: readonly Scope[],
    by: Caller,
    bound?: Bound,
  ): Promise<{ readonly apiKey: ApiKeyView; readonly token: string }>
  listApiKeys(tenant: string): Promise<readonly ApiKeyView[]>
  revokeApiKey(tenant: string, id: string, by: Caller): Promise<ApiKeyView>
  /** Tells the log that a part of it was taken out; gives the index of the entry. */
  recordExport(
    tenant: string,
    record: ExportRecord,
    by: Caller,
  ): Promise<{ readonly index: number }>
  listKeys(tenant: string): Promise<readonly KeyView[]>
  /** Every signing key, every slot, how the providers are, and what is unfinished. */
  keyStatus(tenant: string): Promise<KeyStatus>
  /**
   * Does something to the keys while decisions go on. Each step is an entry of the stream `keys`; an order that was interrupted goes on where it
   * stopped when it is given again.
   * @param action id of the action that two leads have signed for exactly this
   * @throws INPUT_NOT_FOUND, INPUT_KEY_STATE, CONFIG_INVALID, KEK_*, OPEN_FAILED, ACTION_REQUIRED, ACTION_REFUSED
   */
  orderKeys(tenant: string, order: KeyOrder, by: Caller, action?: string): Promise<KeyOrderDone>
  /** Asks two leads to sign something that could undo evidence. @throws ACTION_REFUSED, AUTH_SCOPE, INPUT_NOT_FOUND, INPUT_INVALID, INPUT_TOO_LARGE */
  openAction(principal: Principal, opening: ActionOpening): Promise<ActionView>
  /** Does something to an action; executing it is doing what it says. @throws ACTION_REFUSED, INPUT_NOT_FOUND, and as what it does */
  actOnAction(principal: Principal, id: string, act: ActionAct): Promise<ActionView>
  readAction(tenant: string, id: string): Promise<ActionView>
  listActions(tenant: string, request: OverrideListRequest): Promise<ActionPage>
  /** Lets people of the roster vote on an intent before it becomes a decision. @throws PROPOSAL_REFUSED, INPUT_TOO_LARGE, TENANT_CLOSED */
  openProposal(principal: Principal, opening: ProposalOpening): Promise<ProposalView>
  /** Votes, withdraws or closes; the vote that settles a proposal closes it. @throws PROPOSAL_REFUSED, INPUT_NOT_FOUND, TENANT_CLOSED */
  actOnProposal(principal: Principal, id: string, act: ProposalAct): Promise<ProposalView>
  /** @throws INPUT_NOT_FOUND */
  readProposal(tenant: string, id: string): Promise<ProposalView>
  listProposals(tenant: string, request: ProposalListRequest): Promise<ProposalPage>
  /** Whether two leads are demanded, and whether the tenant is closed. */
  readControl(tenant: string): Promise<ControlView>
  /** Closes a tenant for ever: its log can be read, and nothing is decided any more. @throws TENANT_CLOSED, ACTION_REQUIRED, ACTION_REFUSED */
  closeTenant(
    tenant: string,
    reason: string,
    by: Caller,
    action?: string,
  ): Promise<{ readonly index: number }>
  /** Ends dual control of a log. @throws INPUT_INVALID where there is none, ACTION_REQUIRED, ACTION_REFUSED */
  endControl(
    tenant: string,
    reason: string,
    by: Caller,
    action?: string,
  ): Promise<{ readonly index: number }>
  /** Registers a bundle by the canonical JSON of its record; one that is registered stays what it was. @throws POLICY_INVALID, POLICY_REFUSED */
  registerPolicy(tenant: string, record: string, by: Caller): Promise<PolicyView>
  /** Lets a registered bundle decide, in place of the one of its id that does. @throws INPUT_NOT_FOUND, POLICY_REFUSED, ACTION_REQUIRED, ACTION_REFUSED */
  activatePolicy(
    tenant: string,
    sha256: string,
    activation: PolicyActivation,
    by: Caller,
  ): Promise<PolicyView>
  /** Retires a bundle for ever. @throws INPUT_NOT_FOUND, ACTION_REQUIRED, ACTION_REFUSED */
  retirePolicy(
    tenant: string,
    sha256: string,
    retirement: PolicyRetirement,
    by: Caller,
  ): Promise<PolicyView>
  /** In the order of their registration. */
  listPolicies(tenant: string): Promise<readonly PolicyView[]>
  /** @throws INPUT_NOT_FOUND */
  readPolicy(tenant: string, sha256: string): Promise<PolicyRecord>
  readRoster(tenant: string): Promise<RosterView>
  /** Lets a version of the roster count, or recovery keys ask for it. @throws ROSTER_REFUSED */
  applyRoster(tenant: string, proposal: RosterProposal, by: Caller): Promise<RosterApplied>
  /** Asks two leads to overrule a decision. @throws OVERRIDE_REFUSED, INPUT_NOT_FOUND, INPUT_ERASED */
  openOverride(principal: Principal, opening: OverrideOpening): Promise<OverrideView>
  /** Does something to the newest request about a decision. @throws OVERRIDE_REFUSED, INPUT_NOT_FOUND, INPUT_ERASED */
  actOnOverride(principal: Principal, id: string, act: OverrideAct): Promise<OverrideView>
  readOverride(tenant: string, id: string): Promise<OverrideView>
  listOverrides(tenant: string, request: OverrideListRequest): Promise<OverridePage>
  /** Makes a webhook; a secret that is made here is told once. @throws INPUT_INVALID, INPUT_EXISTS */
  addWebhook(tenant: string, request: WebhookRequest, by: Caller): Promise<WebhookCreated>
  listWebhooks(tenant: string): Promise<WebhookListView>
  /** Removes a webhook and what waits for it. @throws INPUT_NOT_FOUND */
  removeWebhook(tenant: string, id: string, by: Caller): Promise<WebhookView>
  /** Lets one webhook be told of a test. @throws INPUT_NOT_FOUND */
  testWebhook(
    tenant: string,
    id: string,
    by: Caller,
  ): Promise<{ readonly webhook: string; readonly index: number }>
  /** What is to be sent now, at most so many, of all tenants; for whoever sends it. */
  takeDeliveries(limit: number): Promise<readonly OutgoingDelivery[]>
  settleDelivery(id: number, outcome: DeliveryOutcome): Promise<void>
  /**
   * How it stands with the escalation of a decision; told when it has ended, or when the time to wait is up, or the service ends.
   * @param waitMs 0 to 60,000
   * @param left aborts when the caller has left: nobody is waited for in its place
   * @throws INPUT_NOT_FOUND, INPUT_ERASED, LOG_BUSY when too many wait
   */
  readEscalation(
    tenant: string,
    id: string,
    waitMs: number,
    left?: AbortSignal,
  ): Promise<EscalationView>
  listEscalations(tenant: string, request: EscalationListRequest): Promise<EscalationPage>
  /** The text that a reviewer signs who answers by a key. @throws ESCALATION_REFUSED, INPUT_NOT_FOUND, INPUT_ERASED, INPUT_TOO_LARGE */
  challengeEscalation(
    tenant: string,
    id: string,
    said: EscalationChallengeQuery,
  ): Promise<{ readonly challenge: string }>
  /** Answers an escalation, as who calls or who has signed. @throws ESCALATION_REFUSED, INPUT_NOT_FOUND, INPUT_ERASED */
  decideEscalation(
    principal: Principal,
    id: string,
    deciding: EscalationDeciding,
  ): Promise<EscalationView>
  /**
   * Decides what a PROVENANCE client asks for, by policies alone, and holds the answer while a reviewer is asked, 60 s at most.
   * @param left as of {@link readEscalation}; an approval is not used up for who has left
   */
  executeGateway(
    principal: Principal,
    request: GatewayRequest,
    left?: AbortSignal,
  ): Promise<GatewayAnswer>
  /** Sends everybody home who waits for an escalation, and lets nobody wait any more: before listeners are closed. */
  endWaits(): Promise<void>
  health(): Promise<Health>
  /** Refuses new work, finishes what was accepted, and ends. */
  close(): Promise<void>
}
