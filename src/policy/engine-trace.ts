// What a decision says of its own making: enough to recompute it from the policies it cites, and to tell a person which rule, matcher and path decided.
// Bounded, whatever bundles and requests hold, for it is signed and kept. Values of the request stand in it only where the bundle reveals their path.
import type { EvaluationContext } from './context.ts'
import type { PolicyOutcome } from './opinion.ts'
import type { ActivePolicy } from './select.ts'
import { traceRule, type TracedComparison } from './trace.ts'

/** The name and version of the engine; another version may answer otherwise. */
export const engineVersion = 'countersign-engine/1'

const most = Object.freeze({ comparisons: 32, nearMisses: 8, rules: 64, policies: 64 })

/** How one policy of a bundle came out. */
export interface PolicyTrace {
  readonly policy: string | null
  readonly rule: string | null
  readonly effect: string
  readonly code: string
  readonly because: readonly TracedComparison[]
  /** Rules that one comparison kept from matching; told where the policy did not allow. */
  readonly nearMisses: readonly { readonly rule: string; readonly comparison: TracedComparison }[]
}

/** How one bundle came out. */
export interface BundleTrace {
  readonly bundle: string
  readonly version: string
  readonly dialect: string
  readonly sha256: string
  readonly policies: readonly PolicyTrace[]
  /** Policies beyond those that are told. */
  readonly untold: number
}

function nearMisses(
  { opinion, policy, rule }: PolicyOutcome,
  context: EvaluationContext,
  reveal: (path: string) => boolean,
): PolicyTrace['nearMisses'] {
  if (policy === undefined || opinion.effect === 'error' || rule?.decision.kind === 'allow')
    return []
  const found: PolicyTrace['nearMisses'][number][] = []
  for (const other of policy.rules.slice(0, most.rules)) {
    if (other === rule || found.length === most.nearMisses) break
    const { nearMiss } = traceRule(other, context, reveal)
    if (nearMiss !== undefined) found.push({ rule: other.id, comparison: nearMiss })
  }
  return found
}

function traceOutcome(
  outcome: PolicyOutcome,
  context: EvaluationContext,
  reveal: (path: string) => boolean,
): PolicyTrace {
  const { opinion, policy, rule } = outcome
  return {
    policy: policy?.id ?? null,
    rule: rule?.id ?? null,
    effect: opinion.effect,
    code: opinion.code,
    because:
      rule === undefined ? [] : traceRule(rule, context, reveal).because.slice(0, most.comparisons),
    nearMisses: nearMisses(outcome, context, reveal),
  }
}

/** The trace of a bundle's outcomes. */
export function traceBundle(
  { compiled }: ActivePolicy,
  outcomes: readonly PolicyOutcome[],
  context: EvaluationContext,
): BundleTrace {
  const { bundle, dialect, digest } = compiled
  return {
    bundle: bundle.id,
    version: bundle.version,
    dialect: dialect.name,
    sha256: digest,
    policies: outcomes
      .slice(0, most.policies)
      .map((outcome) => traceOutcome(outcome, context, bundle.reveals)),
    untold: Math.max(0, outcomes.length - most.policies),
  }
}
