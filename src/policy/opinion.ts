// What one bundle, or the gates, say about a request, as opinions that compose. A rule that has no answer is an opinion too: an error.
import { asFailure } from '../base/failure.ts'
import type { CompiledBundle, CompiledPolicy, CompiledRule, PolicyDecision } from './compile.ts'
import type { EvaluationContext } from './context.ts'
import { askInTurn, findRule, refusalOf } from './evaluate.ts'
import { effectOf, rankOf, stronger, type ComposedEffect } from './lattice.ts'
import type { Obligation } from './obligations.ts'
import type { ReasonCode } from './reason-codes.ts'
import { plainTerms, type Terms } from './terms.ts'

/** One opinion. */
export interface Opinion extends Pick<Terms, 'overridable' | 'deadlineSeconds' | 'obligations'> {
  readonly effect: ComposedEffect
  readonly code: string
  readonly text: string
}

/** How a policy of a bundle came out; without a rule it is the policy's default, without a policy the bundle itself refused. */
export interface PolicyOutcome {
  readonly policy: CompiledPolicy | undefined
  readonly rule: CompiledRule | undefined
  readonly opinion: Opinion
}

/** An opinion of the engine itself, which nobody overrules. */
export const engineOpinion = (
  effect: 'error' | 'deny',
  code: ReasonCode,
  text: string,
  overridable = false,
): Opinion => ({ effect, code, text, overridable, deadlineSeconds: null, obligations: [] })

const ruleCodes: Readonly<Record<PolicyDecision['kind'], ReasonCode>> = {
  allow: 'POLICY_ALLOWED',
  deny: 'POLICY_DENIED',
  escalate: 'POLICY_ESCALATED',
  review: 'POLICY_REVIEW',
  not_applicable: 'NO_POLICY_MATCHED',
}

const defaultCodes: Readonly<Record<PolicyDecision['kind'], ReasonCode>> = {
  allow: 'POLICY_DEFAULT_ALLOWED',
  deny: 'NO_POLICY_MATCHED',
  escalate: 'POLICY_DEFAULT_HELD',
  review: 'POLICY_DEFAULT_HELD',
  not_applicable: 'NO_POLICY_MATCHED',
}

/** The strongest of an effect and what is demanded with it. */
const withObligations = (
  kind: ComposedEffect,
  obligations: readonly Obligation[],
): ComposedEffect => obligations.reduce((most, { type }) => stronger(most, type), kind)

function opinionOf(
  { kind, reason }: PolicyDecision,
  { code, deadlineSeconds, obligations, overridable }: Terms,
  codes: Readonly<Record<PolicyDecision['kind'], ReasonCode>>,
): Opinion {
  const silent = kind === 'deny' || kind === 'not_applicable'
  return {
    effect: silent ? kind : withObligations(kind, obligations),
    code: code ?? codes[kind],
    text: reason ?? '',
    overridable,
    deadlineSeconds,
    obligations: silent ? [] : obligations,
  }
}

const refusalCodes: Readonly<Record<string, ReasonCode>> = {
  'bundle is not yet effective': 'POLICY_NOT_EFFECTIVE',
  'bundle effective period has ended': 'POLICY_EXPIRED',
  'request is outside Decision Card runtime scope': 'POLICY_CARD_SCOPE',
}

function outcomeOf(policy: CompiledPolicy, context: EvaluationContext): PolicyOutcome {
  try {
    const rule = findRule(policy, context)
    return rule === undefined
      ? { policy, rule, opinion: opinionOf(policy.byDefault, policy.terms, defaultCodes) }
      : { policy, rule, opinion: opinionOf(rule.decision, rule.terms, ruleCodes) }
  } catch (cause) {
    const { code, message } = asFailure(cause)
    const reason = code === 'POLICY_RAISED' ? 'POLICY_RAISED' : 'EVALUATION_FAILED'
    return { policy, rule: undefined, opinion: engineOpinion('error', reason, message) }
  }
}

/** What a bundle of Brane's dialect says when all its policies are silent. */
const braneDefault: PolicyOutcome = Object.freeze({
  policy: undefined,
  rule: undefined,
  opinion: Object.freeze({
    effect: 'allow',
    code: 'POLICY_DEFAULT_ALLOWED',
    text: 'no policy matched',
    overridable: true,
    deadlineSeconds: null,
    obligations: [],
  }),
})

function outcomesOf(
  compiled: CompiledBundle,
  context: EvaluationContext,
): readonly PolicyOutcome[] {
  const outcomes = askInTurn(
    compiled,
    (policy) => outcomeOf(policy, context),
    ({ opinion }) => opinion.effect === 'deny',
  )
  if (!compiled.dialect.brane) return outcomes
  // The last allowance is Brane's answer, so it stands first among its equals.
  return outcomes.every(({ opinion }) => opinion.effect === 'not_applicable')
    ? [...outcomes, braneDefault]
    : outcomes.toReversed()
}

/** How every policy of a bundle comes out for a context at a time (ms since 1970); never throws. */
export function askBundle(
  compiled: CompiledBundle,
  context: EvaluationContext,
  now: number,
): readonly PolicyOutcome[] {
  const refusal = refusalOf(compiled, context, now)
  if (refusal === undefined) return outcomesOf(compiled, context)
  const opinion = opinionOf(
    refusal,
    { ...plainTerms, code: refusalCodes[refusal.reason ?? ''] ?? null },
    ruleCodes,
  )
  return [{ policy: undefined, rule: undefined, opinion }]
}

/** What the gates have said, as far as it is composed; {@link GateDecision} is one. */
export interface GatesOpinion {
  readonly status: string
  readonly confidence: number
  readonly rationale: string
  readonly overrideEligible: boolean
  readonly version: string
  readonly gates: readonly {
    readonly gate: string
    readonly passed: boolean
    readonly value: number | null
    readonly threshold: number
    readonly message: string
  }[]
  /** `settings` is the hex SHA-256 of the settings. */
  readonly trace: { readonly settings: string }
}

const gateCodes: Partial<Readonly<Record<ComposedEffect, ReasonCode>>> = {
  deny: 'GATES_HALTED',
  escalate: 'GATES_ESCALATED',
  review: 'GATES_PAUSED',
}

/** The opinion of the gates. A PROCEED is none: gates can hold a request back, but only a policy allows. */
export function askGates({ overrideEligible, rationale, status }: GatesOpinion): Opinion {
  const effect = effectOf('aegis', status)
  if (effect === 'error') return engineOpinion('error', 'GATES_UNKNOWN', `Gates answered ${status}`)
  return {
    effect: effect === 'allow' ? 'not_applicable' : effect,
    code: gateCodes[effect] ?? 'POLICY_ALLOWED',
    text: rationale,
    // A hold of gates that all pass is for a reviewer; what has failed is overridable where AEGIS says so.
    overridable: effect === 'review' || overrideEligible,
    deadlineSeconds: null,
    obligations: [],
  }
}

/** The strongest effect of opinions; `not_applicable` of none. */
export const strongestOf = (opinions: readonly Opinion[]): ComposedEffect =>
  opinions.reduce<ComposedEffect>((most, { effect }) => stronger(most, effect), 'not_applicable')

/** Opinions, the strongest first, else as they came. */
export const byStrength = (opinions: readonly Opinion[]): readonly Opinion[] =>
  opinions.toSorted((a, b) => rankOf(a.effect) - rankOf(b.effect))
