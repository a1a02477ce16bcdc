// What an author should look at twice: rules that can never decide, allowances wider than they look, patterns that match more than they say. Nothing here
// is wrong by the rules of the dialect, so that a bundle is accepted all the same. It claims only what it can see.
import type { FieldMatcher, Matcher, Policy, PolicyBundle, Rule } from './bundle.ts'
import type { CompiledBundle } from './compile.ts'
import type { Dialect } from './dialect.ts'
import {
  boundOf,
  conjunctsOf,
  givenBy,
  implies,
  isContradiction,
  isTautology,
} from './implication.ts'
import { cutEscaped } from './path.ts'
import { mostHold } from './terms.ts'

/** What the linter knows. */
const lintCodes = Object.freeze({
  DUPLICATE_ID: 'Two have one id, so that a decision does not say which of them decided',
  UNREACHABLE_RULE: 'A rule before it always matches',
  SHADOWED_RULE: 'Wherever it matches, a rule before it does',
  NEVER_MATCHES: 'Its conditions exclude each other, or one of them holds of nothing',
  ALLOWS_EVERYTHING: 'It allows whatever comes',
  ALLOWS_UNBOUNDED: 'It allows a number from some value on, without an upper bound',
  ALLOWS_ALL_BUT: 'It says only what is not allowed, so that whatever is new is',
  MISSING_PASSES: 'It holds too where the path leads nowhere',
  DEFAULTS_TO_ALLOW: 'What no rule is about is allowed',
  DEFAULTS_DENY_EACH_OTHER: 'Each of these policies denies what only another is about',
  DEADLINE_CUT: 'A hold waits 7 days at most, whatever is said',
  ALLOWS_WHO_NAMES_IT:
    'It is asked where a request names it, and then allows: whoever asks can do that',
  OPAQUE_RULE: 'It refers to what is not here, so that every decision is an error',
  PATH_LEADS_NOWHERE: 'No request has anything at this path',
  PATH_IN_CONTEXT: 'This path is looked up within the context of a request',
  ASKS_CODE: 'It asks a predicate in code, so that a decision cannot be made again without it',
  PATTERN_NOT_ANCHORED: 'It matches anywhere in the text',
  PATTERN_HALF_ANCHORED: 'Only the first or the last alternative is anchored',
  PATTERN_OPEN_DOT: 'A dot that is not escaped stands for any character',
  INVERTED_VIOLATION: 'It fires below the bound, not from it on',
  CONDITIONS_IGNORED: 'Its conditions do not matter, for it is to be as faulty as the original',
} as const)

/** A code of the linter. */
export type LintCode = keyof typeof lintCodes

/** One finding. */
export interface LintFinding {
  readonly code: LintCode
  readonly level: 'warning' | 'note'
  /** JSON pointer to the place. */
  readonly at: string
  /** Policy and rule, as far as it is about one. */
  readonly policy: string | null
  readonly rule: string | null
  readonly message: string
}

const notes: ReadonlySet<LintCode> = new Set([
  'ALLOWS_EVERYTHING',
  'DEFAULTS_TO_ALLOW',
  'ASKS_CODE',
  'PATH_IN_CONTEXT',
  'PATTERN_NOT_ANCHORED',
])

/** Pairs of rules that are compared in all, more than a bundle that can be registered has; beyond it rules are no longer looked for in the shadow of others. */
const mostPairs = 2_000_000

function* walk(matcher: Matcher): Generator<Matcher> {
  yield matcher
  if ('matchers' in matcher) for (const one of matcher.matchers) yield* walk(one)
  else if ('matcher' in matcher) yield* walk(matcher.matcher)
}

const isPattern = (matcher: Matcher): matcher is FieldMatcher & { readonly value: string } =>
  (matcher.kind === 'regex' || matcher.kind === 'matches') &&
  'field' in matcher &&
  typeof matcher.value === 'string'

/** What is odd about a pattern. */
export function lintPattern(pattern: string): readonly LintCode[] {
  const found: LintCode[] = []
  const starts = /^(?:\(\?[a-z]+\))?(?:\^|\\A)/.test(pattern)
  const ends = /(?:\$|\\[zZ])$/.test(pattern.replace(/\\[^zZ]/gs, ''))
  if (!starts && !ends) found.push('PATTERN_NOT_ANCHORED')
  // An alternative outside of every group splits the whole pattern.
  const outside = pattern.replace(/\\./gs, '').replace(/\[[^\]]*\]/g, '')
  let flat = outside
  for (let before = ''; before !== flat;) {
    before = flat
    flat = flat.replace(/\([^()]*\)/g, '')
  }
  if (flat.includes('|') && (starts || ends)) found.push('PATTERN_HALF_ANCHORED')
  if (/[A-Za-z0-9]\.(?:com|org|net|io|eu|gov|edu|[a-z]{2})\b/.test(pattern))
    found.push('PATTERN_OPEN_DOT')
  return found
}

const intentMembers: readonly string[] = ['actor', 'action', 'resource', 'context', 'policyRefs']

/** What is odd about a path into a request: names that its author may take for those of the request itself. */
function lintPath(field: string): readonly [LintCode, string] | undefined {
  const [root = '', next] = cutEscaped(field)
  if (root === 'action' && next !== undefined)
    return ['PATH_LEADS_NOWHERE', `${field}; action is its type, all else is at intent.${field}`]
  if (root === 'intent' && next !== undefined && !intentMembers.includes(next))
    return ['PATH_LEADS_NOWHERE', `${field}; an intent has ${intentMembers.join(', ')}`]
  if (next === undefined) return undefined
  if (root === 'actor')
    return ['PATH_IN_CONTEXT', `${field}; the actor is subject, or intent.actor`]
  if (root === 'context')
    return ['PATH_IN_CONTEXT', `${field}; the context itself has no name, or intent.context`]
  return undefined
}

const negative = new Set(['ne', 'neq', 'not_in', '!='])

const isNegative = (matcher: Matcher): boolean =>
  ('field' in matcher && negative.has(matcher.kind)) || matcher.kind === 'not'

/** Paths that a matcher surely finds something at. */
const surePaths = (conjuncts: readonly Matcher[]): ReadonlySet<string> =>
  new Set(
    conjuncts.flatMap((one) =>
      'field' in one && one.kind !== 'missing' && !('compare' in one) ? [one.field] : [],
    ),
  )

const mayAllow = ({ defaultEffect, rules }: Policy): boolean =>
  defaultEffect === 'allow' || rules.some(({ effect }) => effect === 'allow')

/** A rule that stands before another, and whether it always matches. */
interface Before {
  readonly rule: Rule
  readonly always: boolean
}

/** Lints one bundle. */
class Linter {
  readonly #dialect: Dialect
  readonly #found: LintFinding[] = []
  #pairs = 0

  constructor(dialect: Dialect) {
    this.#dialect = dialect
  }

  lint({ applies, policies }: PolicyBundle): readonly LintFinding[] {
    if (applies.select === 'referenced' && policies.some(mayAllow))
      this.#add('ALLOWS_WHO_NAMES_IT', '/scope/select')
    this.#duplicates(
      policies.map(({ id }) => id),
      '/policies',
      null,
    )
    const denying = policies.filter(
      ({ defaultEffect, rules }) =>
        defaultEffect === 'deny' && rules.some((rule) => rule.effect === 'allow'),
    )
    if (denying.length > 1 && this.#dialect.terms)
      this.#add(
        'DEFAULTS_DENY_EACH_OTHER',
        '/policies',
        undefined,
        undefined,
        denying.map(({ id }) => id).join(', '),
      )
    for (const policy of policies) this.#policy(policy)
    return this.#found
  }

  #add(code: LintCode, at: string, policy?: Policy, rule?: Rule, what?: string): void {
    this.#found.push({
      code,
      level: notes.has(code) ? 'note' : 'warning',
      at,
      policy: policy?.id ?? null,
      rule: rule?.id ?? null,
      message: what === undefined ? lintCodes[code] : `${lintCodes[code]}: ${what}`,
    })
  }

  #duplicates(ids: readonly string[], at: string, policy: Policy | null): void {
    const known = new Set<string>()
    const twice = ids.find((id) => known.size === known.add(id).size)
    if (twice !== undefined) this.#add('DUPLICATE_ID', at, policy ?? undefined, undefined, twice)
  }

  #policy(policy: Policy): void {
    const { defaultEffect, rules } = policy
    this.#duplicates(
      rules.map(({ id }) => id),
      rules[0]?.at ?? '/',
      policy,
    )
    if (defaultEffect === 'allow' && this.#dialect.terms && this.#dialect.name === 'native')
      this.#add('DEFAULTS_TO_ALLOW', rules[0]?.at ?? '/', policy)
    const before: Before[] = []
    for (const rule of rules) {
      if (!this.#shadow(policy, rule, before)) this.#rule(policy, rule)
      before.push({ rule, always: isTautology(rule.when) })
      for (const matcher of walk(rule.when)) this.#matcher(policy, rule, matcher)
    }
  }

  /** Whether a rule can never decide. */
  #shadow(policy: Policy, rule: Rule, before: readonly Before[]): boolean {
    if (isContradiction(rule.when)) {
      this.#add('NEVER_MATCHES', rule.at, policy, rule)
      return true
    }
    const given = givenBy(rule.when)
    for (const { always, rule: other } of before) {
      if (++this.#pairs > mostPairs) return false
      if (!always && !implies(given, other.when)) continue
      this.#add(always ? 'UNREACHABLE_RULE' : 'SHADOWED_RULE', rule.at, policy, rule, other.id)
      return true
    }
    return false
  }

  #rule(policy: Policy, rule: Rule): void {
    const { deadlineSeconds } = rule.terms
    if (deadlineSeconds !== null && deadlineSeconds > mostHold)
      this.#add('DEADLINE_CUT', rule.at, policy, rule, `${deadlineSeconds} s`)
    const conjuncts = conjunctsOf(rule.when)
    if (this.#dialect.name === 'provenance') this.#provenance(policy, rule, conjuncts)
    if (rule.effect !== 'allow') return
    if (isTautology(rule.when)) this.#add('ALLOWS_EVERYTHING', rule.at, policy, rule)
    else if (conjuncts.every(isNegative)) this.#add('ALLOWS_ALL_BUT', rule.at, policy, rule)
    const bounds = conjuncts.flatMap((one) => {
      const bound = boundOf(one)
      return bound !== undefined && 'field' in one ? [{ ...bound, field: one.field }] : []
    })
    const closed = new Set(bounds.filter(({ side }) => side === 'high').map(({ field }) => field))
    const without = bounds.find(({ field, side }) => side === 'low' && !closed.has(field))
    if (without !== undefined) this.#add('ALLOWS_UNBOUNDED', rule.at, policy, rule, without.field)
    this.#missing(policy, rule, conjuncts)
  }

  #missing(policy: Policy, rule: Rule, conjuncts: readonly Matcher[]): void {
    const sure = surePaths(conjuncts)
    for (const one of conjuncts) {
      const inner = 'matcher' in one ? one.matcher : one
      const passes = 'matcher' in one ? !('compare' in inner) : 'compare' in one && isNegative(one)
      if (
        passes &&
        'field' in inner &&
        inner.kind !== 'missing' &&
        inner.kind !== 'exists' &&
        !sure.has(inner.field)
      )
        this.#add('MISSING_PASSES', rule.at, policy, rule, inner.field)
    }
  }

  #provenance(policy: Policy, rule: Rule, conjuncts: readonly Matcher[]): void {
    for (const one of conjuncts) {
      if (one.kind === 'any_of' && 'matchers' in one && isTautology(one))
        this.#add('CONDITIONS_IGNORED', rule.at, policy, rule)
      if (!('matcher' in one) || rule.effect === 'allow') continue
      const bound = conjunctsOf(one.matcher).find((part) => boundOf(part)?.side === 'low')
      if (bound !== undefined && 'field' in bound)
        this.#add(
          'INVERTED_VIOLATION',
          rule.at,
          policy,
          rule,
          `${bound.field} ${bound.kind} ${String(bound.value)}`,
        )
    }
  }

  #matcher(policy: Policy, rule: Rule, matcher: Matcher): void {
    if (matcher.kind === 'opaque') this.#add('OPAQUE_RULE', rule.at, policy, rule)
    if ('predicate' in matcher) this.#add('ASKS_CODE', rule.at, policy, rule, matcher.predicate)
    const path =
      this.#dialect.name === 'native' && 'field' in matcher ? lintPath(matcher.field) : undefined
    if (path !== undefined) this.#add(path[0], rule.at, policy, rule, path[1])
    if (isPattern(matcher))
      for (const code of lintPattern(matcher.value))
        this.#add(code, rule.at, policy, rule, matcher.value)
  }
}

/** What is odd about a bundle, in the order in which it stands. */
export const lintBundle = ({ bundle, dialect }: CompiledBundle): readonly LintFinding[] =>
  new Linter(dialect).lint(bundle)
