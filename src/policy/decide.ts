// The decision: policies are chosen, asked, and composed with what the gates said; obligations that change the request make it be asked about again.
// Pure and total: the same input gives the same answer for ever, no input makes it throw, and what cannot be evaluated is an ERROR, never an allowance.
// How answers compose is said in COMPOSITION.md, which policies decide in select.ts.
import { canonicalBytes, canonicalize } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { evaluateBundleGates } from './bundle-gates.ts'
import {
  citationOf,
  gatesOf,
  most,
  reasonsOf,
  type CitedGate,
  type CitedPolicy,
} from './citations.ts'
import { engineVersion, Meter, rulesOf, type EngineName } from './engine.ts'
import { TraceWriter, type BundleTrace } from './engine-trace.ts'
import { rankOf, statusOf, stronger, type ComposedEffect, type DecisionStatus } from './lattice.ts'
import type { ObligationType } from './obligations.ts'
import {
  askBundle,
  askGates,
  byStrength,
  engineOpinion,
  strongestOf,
  type GatesOpinion,
  type Opinion,
} from './opinion.ts'
import type { PredicateCitation } from './predicate.ts'
import type { Reason } from './reason-codes.ts'
import { applySteps, type Demand, type StepTrace } from './steps.ts'
import { contextOf, isReadable, type PolicyRequest } from './request.ts'
import { selectPolicies, type ActivePolicy } from './select.ts'

/** Everything that a decision depends on. */
export interface DecideInput {
  /** The intent. */
  readonly request: PolicyRequest
  /** ms since 1970, by which windows are judged. */
  readonly time: number
  /** What the service itself asserts about the request, such as `environment` and `conditions_satisfied`; stands over the request's context. */
  readonly facts?: Readonly<Record<string, unknown>>
  /** The tenant's active policies, or at least those that an earlier decision cites. */
  readonly active: readonly ActivePolicy[]
  /** Policies that the API key is bound to. */
  readonly boundRefs?: readonly string[]
  /** What the gates said, and on what: input and drift snapshot are recorded as they are. */
  readonly gates?: {
    readonly decision: GatesOpinion
    readonly input: unknown
    readonly drift?: unknown
  }
  /** What whoever asks can do; undefined is everything. */
  readonly supports?: readonly ObligationType[]
  /** The newest unless an older one's decision is made again. */
  readonly engine?: EngineName
}

/** How the decision was made; together with the intent and the policies it is enough to make it again. */
export interface EngineTrace {
  readonly engine: string
  readonly time: number
  readonly facts: unknown
  readonly boundRefs: readonly string[]
  readonly supports: readonly string[] | null
  /** Scopes that were given at activation, by digest. */
  readonly scopes: Readonly<Record<string, unknown>>
  readonly gates: {
    readonly sha256: string
    readonly input: unknown
    readonly drift: unknown
  } | null
  /** Predicates in code that the policies ask: with any, the decision can be made again only where they are. */
  readonly predicates: readonly PredicateCitation[]
  readonly effect: ComposedEffect
  /** The request as it came, then as each step left it: how its policies answered. */
  readonly passes: readonly (readonly BundleTrace[])[]
  readonly steps: readonly StepTrace[]
}

/** The decision. */
export interface Decided {
  readonly status: DecisionStatus
  /** Whether two people may overrule it. */
  readonly overridable: boolean
  /** What led to the status, the strongest first; at most 64. */
  readonly reasons: readonly Reason[]
  /** The least confidence of the gates; null where there were none. */
  readonly confidence: number | null
  readonly obligations: readonly Demand[]
  /** Seconds for which a hold waits; null where no policy says or nothing is held. */
  readonly deadlineSeconds: number | null
  readonly policies: readonly CitedPolicy[]
  readonly gates: readonly CitedGate[]
  readonly trace: EngineTrace
}

/** The hex SHA-256 of a request's canonical form. */
export const requestDigest = (request: PolicyRequest): string =>
  encodeHex(sha256(canonicalBytes(request)))

/** Gathers the opinions about one request and what becomes of it. */
class Deciding {
  readonly #input: DecideInput
  readonly #facts: Readonly<Record<string, unknown>>
  readonly #boundRefs: readonly string[]
  readonly #engine: EngineName
  /** Of asking, and of telling why it came out so. */
  readonly #meters: readonly [Meter, Meter] | undefined
  readonly #opinions: Opinion[] = []
  readonly #passes: (readonly BundleTrace[])[] = []
  readonly #writer = new TraceWriter()
  /** What gates have said: those of the input, then of bundles, each once. */
  readonly #gates = new Map<string, GatesOpinion>()
  readonly #cited = new Map<string, { policy: ActivePolicy; effect: ComposedEffect }>()

  constructor(input: DecideInput) {
    this.#input = input
    this.#facts = input.facts ?? {}
    this.#boundRefs = input.boundRefs ?? []
    this.#engine = input.engine ?? engineVersion
    const { mostSteps } = rulesOf(this.#engine)
    this.#meters = mostSteps === Infinity ? undefined : [new Meter(mostSteps), new Meter(mostSteps)]
  }

  /** What the policies say about a request, which may be one that a step has changed. */
  #ask(request: PolicyRequest): readonly Opinion[] {
    const { active, time } = this.#input
    const facts = this.#facts
    const boundRefs = this.#boundRefs
    const isChanged = this.#passes.length > 0
    const engine = this.#engine
    const chosen = selectPolicies({ request, facts, active, boundRefs, isChanged, engine })
    const plain = contextOf(request, facts)
    const [asking, telling] = this.#meters?.map((meter) => ({ ...plain, meter })) ?? []
    const found = chosen.problems.map(({ code, text }) => problem(code, text))
    for (const policy of chosen.concerned) this.#cite(policy, 'error')
    // Told although they said nothing: who decides again must find what was named.
    for (const policy of chosen.passedOver) this.#cite(policy, 'not_applicable')
    const traces: BundleTrace[] = []
    for (const policy of chosen.selected) {
      const outcomes = askBundle(policy.compiled, asking ?? plain, time)
      const opinions = outcomes.map(({ opinion }) => opinion)
      found.push(...opinions)
      const gated = evaluateBundleGates(policy.compiled.bundle, request, facts)
      const trace = this.#writer.bundle(policy, outcomes, telling ?? plain)
      traces.push(gated === undefined ? trace : { ...trace, gates: gated.trace })
      // Beside what policies found: gates that pass are no policy that matched.
      const held = gated === undefined ? [] : [this.#askGates(gated)]
      this.#cite(policy, strongestOf([...opinions, ...held]))
    }
    if (found.every(({ effect }) => effect === 'not_applicable'))
      found.push(engineOpinion('deny', 'NO_POLICY_MATCHED', 'No policy matched', true))
    this.#passes.push(traces)
    this.#opinions.push(...found)
    return found
  }

  #askGates(gates: GatesOpinion): Opinion {
    const opinion = askGates(gates)
    this.#opinions.push(opinion)
    this.#gates.set(canonicalize(gatesOf(gates)), gates)
    return opinion
  }

  #cite(policy: ActivePolicy, effect: ComposedEffect): void {
    const { digest } = policy.compiled
    const before = this.#cited.get(digest)?.effect ?? effect
    this.#cited.set(digest, { policy, effect: stronger(before, effect) })
  }

  decide(): Decided {
    const { gates, request, supports } = this.#input
    if (!isReadable(request)) {
      const text = 'Request is too large, too deep or no JSON'
      this.#opinions.push(engineOpinion('error', 'REQUEST_UNREADABLE', text))
      return this.#compose([], [])
    }
    if (gates !== undefined) this.#askGates(gates.decision)
    const { demands, problems, steps } = applySteps(request, (changed) => this.#ask(changed))
    this.#opinions.push(...problems)
    const missing = demands.find(({ type }) => supports?.includes(type) === false)
    if (missing !== undefined)
      this.#opinions.push(
        engineOpinion('deny', 'OBLIGATION_UNSUPPORTED', `Cannot be done: ${missing.type}`),
      )
    const tooMuch =
      demands.length > most.obligations ||
      (demands.length > 0 && canonicalize(demands).length > most.demanded)
    if (tooMuch || this.#cited.size > most.policies || this.#citedGates().length > most.gates)
      this.#opinions.push(
        engineOpinion('error', 'POLICY_TOO_MANY', 'Too many policies, gates or obligations'),
      )
    return this.#compose(tooMuch ? [] : demands, steps)
  }

  #compose(demands: readonly Demand[], steps: readonly StepTrace[]): Decided {
    const confidences = [...this.#gates.values()].map(({ confidence }) => confidence)
    const ranked = byStrength(this.#opinions)
    const effect = strongestOf(ranked)
    const status = statusOf(effect)
    const held = ranked.filter((one) => one.effect === 'escalate' || one.effect === 'review')
    const deadlines = held.flatMap(({ deadlineSeconds }) => deadlineSeconds ?? [])
    const isHeld = status === 'ESCALATE' || status === 'REVIEW_REQUIRED'
    return {
      status,
      // An error has decided nothing that could be overruled.
      overridable:
        status !== 'ERROR' &&
        ranked.every((one) => one.overridable || rankOf(one.effect) > rankOf('review')),
      reasons: reasonsOf(ranked, status),
      confidence: confidences.length === 0 ? null : Math.min(...confidences),
      obligations: isHeld || status === 'ALLOW' ? demands : [],
      deadlineSeconds: isHeld && deadlines.length > 0 ? Math.min(...deadlines) : null,
      policies: [...this.#cited.values()].slice(0, most.policies).map(citationOf),
      gates: this.#citedGates().slice(0, most.gates),
      trace: this.#trace(effect, steps),
    }
  }

  #citedGates(): readonly CitedGate[] {
    return [...this.#gates.values()].flatMap(gatesOf)
  }

  #predicates(): readonly PredicateCitation[] {
    const all = [...this.#cited.values()].flatMap(({ policy }) => policy.compiled.predicates)
    return [...new Map(all.map((one) => [one.name, one])).values()]
  }

  #trace(effect: ComposedEffect, steps: readonly StepTrace[]): EngineTrace {
    const { gates, supports, time } = this.#input
    const scopes = [...this.#cited.values()].flatMap(({ policy: { compiled, scope } }) =>
      scope === undefined ? [] : [[compiled.digest, scope.stated] as const],
    )
    return {
      engine: this.#engine,
      time,
      facts: this.#facts,
      boundRefs: this.#boundRefs,
      supports: supports ?? null,
      scopes: Object.fromEntries(scopes),
      gates:
        gates === undefined
          ? null
          : {
              sha256: gates.decision.trace.settings,
              input: gates.input ?? null,
              drift: gates.drift ?? null,
            },
      predicates: this.#predicates(),
      effect,
      passes: this.#passes,
      steps,
    }
  }
}

const problem = (code: string, text: string): Opinion => ({
  effect: 'error',
  code,
  text,
  overridable: false,
  deadlineSeconds: null,
  obligations: [],
})

/** What a decision is that could not be made. */
const failed = ({ engine = engineVersion, time }: DecideInput): Decided => ({
  status: 'ERROR',
  overridable: false,
  reasons: [{ code: 'EVALUATION_FAILED', text: 'The evaluation itself failed' }],
  confidence: null,
  obligations: [],
  deadlineSeconds: null,
  policies: [],
  gates: [],
  trace: {
    engine,
    time,
    facts: {},
    boundRefs: [],
    supports: null,
    scopes: {},
    gates: null,
    predicates: [],
    effect: 'error',
    passes: [],
    steps: [],
  },
})

/** Decides on a request; never throws. */
export function decide(input: DecideInput): Decided {
  try {
    return new Deciding(input).decide()
  } catch {
    return failed(input)
  }
}
