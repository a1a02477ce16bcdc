// What a decision says of its own making: enough to recompute it from the policies it cites, and to tell a person which rule, matcher and path decided.
// Bounded, whatever bundles and requests hold, for it is signed and kept. Values of the request stand in it only where the bundle reveals their path.
import type { CompiledRule } from './compile.ts'
import type { EvaluationContext } from './context.ts'
import type { GateTrace } from './gates.ts'
import type { PolicyOutcome } from './opinion.ts'
import type { ActivePolicy } from './select.ts'
import { traceRule, type Reveal, type TracedComparison } from './trace.ts'

/** Of a policy: comparisons and near misses told, rules asked for near misses; of a decision: comparisons told, policies told. */
const most = Object.freeze({
  because: 32,
  nearMisses: 8,
  rules: 64,
  comparisons: 200,
  policies: 256,
})

/** Longest name or path that is told; those of dialect 0.1 have no bound. */
const longest = 256

const cut = (text: string): string =>
  text.length <= longest ? text : `${text.slice(0, longest - 1).toWellFormed()}…`

const short = (comparison: TracedComparison): TracedComparison => ({
  ...comparison,
  at: cut(comparison.at),
  field: cut(comparison.field),
})

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
  /** How its gates came out, where it has any. */
  readonly gates?: GateTrace
}

/** Writes the trace of one decision, and no more than fits. */
export class TraceWriter {
  #comparisons: number = most.comparisons
  #policies: number = most.policies

  /** The trace of a bundle's outcomes for a context. */
  bundle(
    { compiled }: ActivePolicy,
    outcomes: readonly PolicyOutcome[],
    context: EvaluationContext,
  ): BundleTrace {
    const { bundle, dialect, digest } = compiled
    const told = outcomes.slice(0, this.#policies)
    this.#policies -= told.length
    return {
      bundle: cut(bundle.id),
      version: cut(bundle.version),
      dialect: dialect.name,
      sha256: digest,
      policies: told.map((outcome) => this.#outcome(outcome, context, bundle.reveals)),
      untold: outcomes.length - told.length,
    }
  }

  #outcome(outcome: PolicyOutcome, context: EvaluationContext, reveal: Reveal): PolicyTrace {
    const { opinion, policy, rule } = outcome
    const because = rule === undefined ? [] : this.#because(rule, context, reveal)
    const told = because.slice(0, Math.min(most.because, this.#comparisons))
    this.#comparisons -= told.length
    return {
      policy: policy === undefined ? null : cut(policy.id),
      rule: rule === undefined ? null : cut(rule.id),
      effect: opinion.effect,
      code: opinion.code,
      because: told.map(short),
      nearMisses: this.#nearMisses(outcome, context, reveal),
    }
  }

  /** What is told of a rule that matched: nothing where telling would cost too much. */
  #because(
    rule: CompiledRule,
    context: EvaluationContext,
    reveal: Reveal,
  ): readonly TracedComparison[] {
    try {
      return traceRule(rule, context, reveal).because
    } catch (error) {
      if (context.meter === undefined) throw error
      return []
    }
  }

  #nearMisses(
    { opinion, policy, rule }: PolicyOutcome,
    context: EvaluationContext,
    reveal: Reveal,
  ): PolicyTrace['nearMisses'] {
    if (policy === undefined || opinion.effect === 'error' || rule?.decision.kind === 'allow')
      return []
    const found: PolicyTrace['nearMisses'][number][] = []
    for (const other of policy.rules.slice(0, most.rules)) {
      if (other === rule || found.length === most.nearMisses || this.#comparisons === 0) break
      const nearMiss = this.#nearMiss(other, context, reveal)
      if (nearMiss === undefined) continue
      found.push({ rule: cut(other.id), comparison: short(nearMiss) })
      this.#comparisons--
    }
    return found
  }

  #nearMiss(
    rule: CompiledRule,
    context: EvaluationContext,
    reveal: Reveal,
  ): TracedComparison | undefined {
    try {
      return traceRule(rule, context, reveal).nearMiss
    } catch (error) {
      if (context.meter === undefined) throw error
      return undefined
    }
  }
}
