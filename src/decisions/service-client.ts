// The service across a channel, such as a message port: the side that asks. Decisions to notarise are gathered, for a message costs as much as a
// tenth of a decision: in the `checkpoint` profile half a commit's worth goes together while others are under way, so that the other side signs the
// first half while the second is still being read, and commits all that has come as soon as it is free; no timer is needed, and commits grow with the
// load by themselves. In the `each` profile signing takes long, and whatever is there goes.
import { Failure } from '../base/failure.ts'
import type { Profile } from '../dossier/kinds.ts'
import type { Claimed } from '../wire/decision.ts'
import type { EscalationView } from '../wire/escalations.ts'
import type { GatewayAnswer } from '../wire/gateway.ts'
import { OpenCalls } from './open-calls.ts'
import type { Answer, Call, Channel, Leaving } from './service-host.ts'
import type { Principal, Service } from './service.ts'
import type { EvaluatedSubmission, Submission } from './submission.ts'

interface Waiting {
  readonly resolve: (value: unknown) => void
  readonly reject: (failure: Failure) => void
  readonly lane: Profile | undefined
}

/** Calls that may be in one message. */
const batchCalls = 32
/** Calls that go together while others are under way, and how many may be under way before the next are sent. */
const flow: Readonly<Record<Profile, { readonly together: number; readonly underWay: number }>> = {
  checkpoint: { together: batchCalls / 2, underWay: 2 * batchCalls },
  each: { together: 1, underWay: 3 * batchCalls + 1 },
}

interface Lane {
  waiting: Call[]
  outstanding: number
}

/** Speaks to the thread that hosts the service; use {@link connectService}. */
class Connection {
  readonly #port: Channel
  readonly #open = new OpenCalls<Waiting>()
  readonly #lanes: Record<Profile, Lane> = {
    checkpoint: { waiting: [], outstanding: 0 },
    each: { waiting: [], outstanding: 0 },
  }
  #lost: Failure | undefined

  constructor(port: Channel, ended: Failure) {
    this.#port = port
    port.on('message', (answers: readonly Answer[]) => {
      for (const answer of answers) this.#settle(answer)
      this.#pump('checkpoint')
      this.#pump('each')
    })
    port.on('close', () => {
      this.#lose(ended)
    })
  }

  call(method: keyof Service, args: readonly unknown[], lane?: Profile): Promise<unknown> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost)
    return new Promise((resolve, reject) => {
      const id = this.#open.add({ resolve, reject, lane })
      const call: Call = { id, method, args }
      if (lane === undefined) this.#port.postMessage([call])
      else {
        this.#lanes[lane].waiting.push(call)
        this.#pump(lane)
      }
    })
  }

  /** As {@link call}, of a method that is told when who calls has left. */
  async callUntil(
    method: keyof Service,
    args: readonly unknown[],
    left: AbortSignal | undefined,
  ): Promise<unknown> {
    if (left === undefined) return this.call(method, args)
    if (this.#lost !== undefined) throw this.#lost
    const { promise, reject, resolve } = Promise.withResolvers<unknown>()
    const id = this.#open.add({ resolve, reject, lane: undefined })
    const call: Call = { id, method, args, mayLeave: true }
    this.#port.postMessage([call])
    const leave = (): void => {
      const leaving: Leaving = { id, left: true }
      this.#port.postMessage([leaving])
    }
    left.addEventListener('abort', leave)
    if (left.aborted) leave()
    try {
      return await promise
    } finally {
      left.removeEventListener('abort', leave)
    }
  }

  /** Whoever waits is told that it is unknown what became of the call. */
  lose(failure: Failure): void {
    this.#lose(failure)
  }

  #pump(name: Profile): void {
    const lane = this.#lanes[name]
    const { together, underWay } = flow[name]
    while (lane.waiting.length > 0) {
      if (lane.outstanding >= underWay) return
      if (lane.outstanding > 0 && lane.waiting.length < together) return
      const batch = lane.waiting.splice(0, batchCalls)
      lane.outstanding += batch.length
      this.#port.postMessage(batch)
    }
  }

  #settle(answer: Answer): void {
    const waiting = this.#open.take(answer.id)
    if (waiting === undefined) return
    if (waiting.lane !== undefined) this.#lanes[waiting.lane].outstanding--
    if ('value' in answer) {
      waiting.resolve(answer.value)
      return
    }
    const { code, field, message, stack } = answer.failure
    const failure = new Failure(code, message, { field })
    if (stack !== undefined) failure.stack = stack
    waiting.reject(failure)
  }

  #lose(failure: Failure): void {
    this.#lost ??= failure
    for (const { reject } of this.#open.takeAll()) reject(failure)
  }
}

/** A service whose calls go over a channel to {@link hostService}. */
export type RemoteService = Service & {
  /** Rejects what waits and everything later, when the other side is known to be gone. */
  lose(failure: Failure): void
}

/** Methods whose calls are gathered, or left. */
type Special =
  'claim' | 'executeGateway' | 'notarise' | 'readEscalation' | 'submit' | 'submitEvaluated'

const methods = [
  'authenticate',
  'erase',
  'readDecision',
  'listDecisions',
  'exportDossier',
  'exportSigstoreBundle',
  'readTrustRoot',
  'publishTrustRoot',
  'exportTrustProof',
  'verify',
  'readCheckpoint',
  'readTile',
  'proveInclusion',
  'proveConsistency',
  'exportTlogProof',
  'createTenant',
  'listTenants',
  'createApiKey',
  'listApiKeys',
  'revokeApiKey',
  'recordExport',
  'listKeys',
  'keyStatus',
  'orderKeys',
  'readActivePolicies',
  'dryRun',
  'registerPolicy',
  'activatePolicy',
  'retirePolicy',
  'listPolicies',
  'readPolicy',
  'openAction',
  'actOnAction',
  'readAction',
  'listActions',
  'openProposal',
  'actOnProposal',
  'readProposal',
  'listProposals',
  'readControl',
  'closeTenant',
  'endControl',
  'readRoster',
  'applyRoster',
  'openOverride',
  'actOnOverride',
  'readOverride',
  'listOverrides',
  'addWebhook',
  'listWebhooks',
  'removeWebhook',
  'testWebhook',
  'takeDeliveries',
  'settleDelivery',
  'listEscalations',
  'challengeEscalation',
  'decideEscalation',
  'endWaits',
  'health',
  'close',
] as const satisfies readonly Exclude<keyof Service, Special>[]

/**
 * Connects to a hosted service; every method answers as the real one would.
 * @param ended what whoever waits is told when the channel has closed
 */
export function connectService(
  port: Channel,
  ended = new Failure('LOG_CLOSED', 'Service thread has ended'),
): RemoteService {
  const connection = new Connection(port, ended)
  const forwarded = Object.fromEntries(
    methods.map((method) => [
      method,
      (...args: readonly unknown[]) => connection.call(method, args),
    ]),
  ) as unknown as Omit<Service, Special>
  return {
    ...forwarded,
    claim: (principal, id, request, left) =>
      connection.callUntil('claim', [principal, id, request], left) as Promise<Claimed>,
    readEscalation: (tenant, id, waitMs, left) =>
      connection.callUntil('readEscalation', [tenant, id, waitMs], left) as Promise<EscalationView>,
    executeGateway: (principal, request, left) =>
      connection.callUntil('executeGateway', [principal, request], left) as Promise<GatewayAnswer>,
    notarise: (principal: Principal, text: string, key: string | null) =>
      connection.call('notarise', [principal, text, key], principal.profile) as Promise<string>,
    submitEvaluated: (principal: Principal, submission: EvaluatedSubmission) =>
      connection.call(
        'submitEvaluated',
        [principal, submission],
        principal.profile,
      ) as Promise<string>,
    submit: (principal: Principal, submission: Submission) =>
      connection.call('submit', [principal, submission], principal.profile) as Promise<string>,
    lose: (failure) => {
      connection.lose(failure)
    },
  }
}
