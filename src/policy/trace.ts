// Why a bundle answered as it did: each rule that was asked, the comparisons that made it match or not, and the rules that would have matched had
// one comparison been otherwise. Slower than evaluating, same answer. Values of the context stay out unless their path is named.
import type { CompiledBundle, CompiledPolicy, CompiledRule, PolicyDecision } from './compile.ts'
import type { EvaluationContext } from './context.ts'
import { askInTurn, combine, refusalOf } from './evaluate.ts'
import type { CompiledMatcher } from './matcher.ts'
import { missing } from './path.ts'
import { showValue } from './show-value.ts'

/** One comparison and how it came out. */
export interface TracedComparison {
  /** JSON pointer to the matcher in the bundle. */
  readonly at: string
  readonly kind: string
  readonly field: string
  /** What was there: `missing`, or the type of the value. */
  readonly found: string
  /** The value as JSON, where its path may be shown; at most 200 characters. */
  readonly value?: string
  readonly matched: boolean
}

/** One rule that was asked. */
export interface TracedRule {
  readonly rule: string
  readonly matched: boolean
  /** The comparisons that settle it: all that hold where it matched, those that failed it where not. */
  readonly because: readonly TracedComparison[]
  /** The one comparison without which the rule would have matched. */
  readonly nearMiss?: TracedComparison
}

/** One policy. */
export interface TracedPolicy {
  readonly policy: string
  readonly decision: PolicyDecision
  readonly rules: readonly TracedRule[]
}

/** How a bundle came to its decision. */
export interface Trace {
  readonly bundle: string
  readonly version: string
  readonly dialect: string
  readonly digest: string
  readonly decision: PolicyDecision
  readonly policies: readonly TracedPolicy[]
}

/** Whether the value at a path may stand in a trace. */
export type Reveal = (field: string) => boolean

const typeOf = (value: unknown): string => {
  if (value === missing) return 'missing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'bigint' ? 'number' : typeof value
}

/** What two comparisons or more would have to be otherwise for, or none could be. */
const never: readonly undefined[] = [undefined, undefined]

/** Traces the matchers of a rule for one context. */
class Tracer {
  readonly #context: EvaluationContext
  readonly #reveal: Reveal

  constructor(context: EvaluationContext, reveal: Reveal) {
    this.#context = context
    this.#reveal = reveal
  }

  rule({ id, when }: CompiledRule): TracedRule {
    const matched = when.test(this.#context)
    const because = this.#settling(when, matched)
    if (matched) return { rule: id, matched, because }
    const otherwise = this.#flip(when, true)
    return {
      rule: id,
      matched,
      because,
      ...(otherwise.length === 1 && otherwise[0] !== undefined ? { nearMiss: otherwise[0] } : {}),
    }
  }

  #comparison({ at, lookup, matcher, test }: CompiledMatcher): TracedComparison | undefined {
    if ('predicate' in matcher)
      return {
        at,
        kind: 'predicate',
        field: matcher.predicate,
        found: 'code',
        matched: test(this.#context),
      }
    if (!('field' in matcher) || lookup === undefined) return undefined
    const { field, kind } = matcher
    const value = lookup(this.#context)
    const shown = value !== missing && this.#reveal(field)
    return {
      at,
      kind,
      field,
      found: typeOf(value),
      ...(shown ? { value: showValue(value) } : {}),
      matched: test(this.#context),
    }
  }

  /** The comparisons by which a matcher answers as it does. Those that were never asked, behind one that settled it, are left out. */
  #settling(node: CompiledMatcher, answer: boolean): readonly TracedComparison[] {
    const { children, matcher } = node
    if (matcher.kind === 'not') return children.flatMap((child) => this.#settling(child, !answer))
    if (matcher.kind === 'all_of' || matcher.kind === 'any_of') {
      const all = (matcher.kind === 'all_of') === answer
      if (all) return children.flatMap((child) => this.#settling(child, answer))
      const first = children.find((child) => child.test(this.#context) === answer)
      return first === undefined ? [] : this.#settling(first, answer)
    }
    const comparison = this.#comparison(node)
    return comparison === undefined ? [] : [comparison]
  }

  /** The fewest comparisons that would have to come out otherwise for the matcher to answer so; two stand for many and for never. */
  #flip(node: CompiledMatcher, wanted: boolean): readonly (TracedComparison | undefined)[] {
    const { children, matcher } = node
    if (matcher.kind === 'always') return wanted ? [] : never
    if (matcher.kind === 'not') return children.flatMap((child) => this.#flip(child, !wanted))
    if (matcher.kind === 'all_of' || matcher.kind === 'any_of') {
      const each = children.map((child) => this.#flip(child, wanted))
      if ((matcher.kind === 'all_of') === wanted) return each.flat().slice(0, 2)
      return each.reduce((least, one) => (one.length < least.length ? one : least), never)
    }
    return this.#answer(node) === wanted ? [] : [this.#safeComparison(node)]
  }

  // A comparison that evaluating never reached may be one that raises.
  #answer(node: CompiledMatcher): boolean | undefined {
    try {
      return node.test(this.#context)
    } catch {
      return undefined
    }
  }

  #safeComparison(node: CompiledMatcher): TracedComparison | undefined {
    return this.#answer(node) === undefined ? undefined : this.#comparison(node)
  }
}

/**
 * How one rule answers.
 * @throws {@link Failure} POLICY_RAISED exactly where evaluating throws it
 */
export const traceRule = (
  rule: CompiledRule,
  context: EvaluationContext,
  reveal: Reveal,
): TracedRule => new Tracer(context, reveal).rule(rule)

function tracePolicy({ byDefault, id, rules }: CompiledPolicy, tracer: Tracer): TracedPolicy {
  const asked: TracedRule[] = []
  for (const rule of rules) {
    const traced = tracer.rule(rule)
    asked.push(traced)
    if (traced.matched) return { policy: id, decision: rule.decision, rules: asked }
  }
  return { policy: id, decision: byDefault, rules: asked }
}

/**
 * How a bundle comes to its answer about a context at a time (ms since 1970): the answer of {@link evaluate}, with its reasons.
 * @throws {@link Failure} POLICY_RAISED exactly where evaluating throws it
 */
export function traceEvaluation(
  compiled: CompiledBundle,
  context: EvaluationContext,
  now: number,
  reveal: Reveal = () => false,
): Trace {
  const refusal = refusalOf(compiled, context, now)
  const tracer = new Tracer(context, reveal)
  const policies =
    refusal === undefined
      ? askInTurn(
          compiled,
          (policy) => tracePolicy(policy, tracer),
          ({ decision }) => decision.kind === 'deny',
        )
      : []
  return {
    bundle: compiled.bundle.id,
    version: compiled.bundle.version,
    dialect: compiled.dialect.name,
    digest: compiled.digest,
    decision:
      refusal ??
      combine(
        policies.map(({ decision }) => decision),
        compiled.dialect,
      ),
    policies,
  }
}
