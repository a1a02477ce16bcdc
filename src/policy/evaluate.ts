// What a bundle says about a context. Within a policy the first rule that matches decides, else its default; among policies a denial beats a hold, a
// hold an allowance, and an allowance nothing. The same bundle, context and time give the same answer for ever: no clock, no I/O, no randomness.
import type { CompiledBundle, CompiledPolicy, CompiledRule, PolicyDecision } from './compile.ts'
import type { EvaluationContext } from './context.ts'
import type { Dialect } from './dialect.ts'
import { rankOf } from './lattice.ts'

/** The answer of a bundle; the first policy's decision of the winning kind is the bundle's. */
export interface EvaluationResult {
  readonly bundle_id: string
  readonly decision: PolicyDecision
  /** One for each policy; empty where the bundle as a whole refuses. */
  readonly policy_decisions: readonly PolicyDecision[]
}

const outright = (reason: string, kind: PolicyDecision['kind'] = 'deny'): PolicyDecision =>
  Object.freeze({ kind, matched_policy_id: null, matched_rule_id: null, reason })

const early = outright('bundle is not yet effective')
const late = outright('bundle effective period has ended')
const outside = outright('request is outside Decision Card runtime scope')
const unmatched = outright('no policy matched', 'not_applicable')
const nothing = outright('no policy applied', 'not_applicable')

/** The denial of a bundle that does not apply at this time or to this request, or undefined when its policies are to be asked. */
export function refusalOf(
  { bundle: { effectiveFrom, effectiveUntil, scope } }: CompiledBundle,
  { action, resource }: EvaluationContext,
  now: number,
): PolicyDecision | undefined {
  // Written so that a time which is no number is refused by any window.
  if (effectiveFrom !== -Infinity && !(now >= effectiveFrom)) return early
  if (effectiveUntil !== Infinity && !(now < effectiveUntil)) return late
  if (scope === undefined) return undefined
  const vendor =
    resource !== undefined && resource !== null && Object.hasOwn(resource, 'vendor_id')
      ? resource['vendor_id']
      : undefined
  const within =
    vendor === scope.vendorId && typeof action === 'string' && scope.allowedActions.includes(action)
  return within ? undefined : outside
}

const allowed = outright('no policy matched', 'allow')

/** The decision among those of a bundle's policies: the first of the strongest, but where all allow the last in Brane's dialect. */
export function combine(decisions: readonly PolicyDecision[], { brane }: Dialect): PolicyDecision {
  const strongest = decisions.reduce(
    (first, one) => (rankOf(one.kind) < rankOf(first.kind) ? one : first),
    brane ? unmatched : nothing,
  )
  if (!brane) return strongest
  if (strongest === unmatched) return allowed
  return strongest.kind === 'allow'
    ? (decisions.findLast(({ kind }) => kind === 'allow') ?? strongest)
    : strongest
}

/** The answers of a bundle's policies; in Brane's dialect nobody is asked behind a denial. */
export function askInTurn<T>(
  { dialect, policies }: CompiledBundle,
  ask: (policy: CompiledPolicy) => T,
  isDenial: (answer: T) => boolean,
): readonly T[] {
  if (!dialect.brane) return policies.map(ask)
  const answers: T[] = []
  for (const policy of policies) {
    const answer = ask(policy)
    answers.push(answer)
    if (isDenial(answer)) break
  }
  return answers
}

/** The rule of a policy that matches first. */
export function findRule(
  { rules }: CompiledPolicy,
  context: EvaluationContext,
): CompiledRule | undefined {
  for (const rule of rules) if (rule.when.test(context)) return rule
  return undefined
}

/**
 * What a bundle says about a context at a time (ms since 1970).
 * @throws {@link Failure} POLICY_RAISED where a matcher has no answer; to be taken as an error, never as an allowance
 */
export function evaluate(
  compiled: CompiledBundle,
  context: EvaluationContext,
  now: number,
): EvaluationResult {
  const refusal = refusalOf(compiled, context, now)
  const decisions =
    refusal === undefined
      ? askInTurn(
          compiled,
          (policy) => findRule(policy, context)?.decision ?? policy.byDefault,
          ({ kind }) => kind === 'deny',
        )
      : []
  return {
    bundle_id: compiled.bundle.id,
    decision: refusal ?? combine(decisions, compiled.dialect),
    policy_decisions: decisions,
  }
}
