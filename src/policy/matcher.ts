// Matchers, each compiled once to a closure. A test answers, or throws POLICY_RAISED where the original raises: that is never an allow.
import { Failure } from '../base/failure.ts'
import type { FieldMatcher, ForeignMatcher, Matcher } from './bundle.ts'
import { refuse } from './bundle-schema.ts'
import type { EvaluationContext } from './context.ts'
import type { Dialect } from './dialect.ts'
import { includesText } from './find-text.ts'
import { compilePath, missing, type Lookup } from './path.ts'
import { compilePattern, weighPythonPattern, type Pattern } from './pattern.ts'
import { askPredicate, type Predicates } from './predicate.ts'
import { PatternProblem } from './pattern-flags.ts'
import { isOrdered, type Sizes } from './python-values.ts'

/** A matcher that is ready to be asked. */
export interface CompiledMatcher {
  readonly matcher: Matcher
  /** JSON pointer to it in the bundle. */
  readonly at: string
  readonly children: readonly CompiledMatcher[]
  /** What its path leads to; for matchers with a path. */
  readonly lookup: Lookup | undefined
  /** @throws {@link Failure} POLICY_RAISED */
  readonly test: (context: EvaluationContext) => boolean
}

/** Compares what is there with what the bundle wants. */
type Comparison = (actual: unknown, sizes?: Sizes) => boolean

const raise = (what: string, at: string): never => {
  throw new Failure('POLICY_RAISED', `${what} at ${at}`, { field: at })
}

const never: Comparison = () => false

/** A string of at most so many code points. */
const fits = (text: string, most: number): boolean =>
  text.length <= most || (text.length <= 2 * most && Array.from(text).length <= most)

function compileText({ kind, value }: FieldMatcher): Comparison {
  if (typeof value !== 'string') return never
  return kind === 'starts_with'
    ? (actual) => typeof actual === 'string' && actual.startsWith(value)
    : (actual) => typeof actual === 'string' && actual.endsWith(value)
}

function compileContains({ value }: FieldMatcher, { member }: Dialect, at: string): Comparison {
  const unhashable = typeof value === 'object'
  const includes = typeof value === 'string' ? includesText(value) : undefined
  return (actual, sizes) => {
    if (typeof actual === 'string')
      return includes?.(actual) ?? raise('Only a string can be contained in a string', at)
    if (Array.isArray(actual)) return actual.some((item) => member(item, value, sizes))
    if (typeof actual !== 'object' || actual === null) return false
    if (unhashable) return raise('Neither list nor object can be a name', at)
    return typeof value === 'string' && Object.hasOwn(actual, value)
  }
}

function readPattern(value: string, dialect: Dialect, at: string): Pattern | string {
  if (!fits(value, dialect.bounds.pattern))
    throw refuse(`Pattern is longer than ${dialect.bounds.pattern}`, at)
  try {
    return compilePattern(value, dialect.extended)
  } catch (problem) {
    if (!(problem instanceof PatternProblem)) throw problem
    if (problem.kind === 'unsupported' || dialect.refusesEarly)
      throw refuse(`Pattern is refused: ${problem.message}`, at)
    return `Pattern is not one: ${problem.message}`
  }
}

function compileRegex({ value }: FieldMatcher, dialect: Dialect, at: string): Comparison {
  if (typeof value !== 'string') {
    if (dialect.refusesEarly) throw refuse('Pattern must be a string', at)
    return never
  }
  const pattern = readPattern(value, dialect, at)
  return (actual) => {
    if (typeof actual !== 'string') return false
    if (typeof pattern === 'string') return raise(pattern, at)
    if (!fits(actual, dialect.subject) && !dialect.raisesOnLong) return false
    const answer = fits(actual, dialect.subject) ? pattern.test(actual) : undefined
    return answer ?? raise('Text is too long for the pattern', at)
  }
}

function compileComparison(matcher: FieldMatcher, dialect: Dialect, at: string): Comparison {
  const { kind, value } = matcher
  switch (kind) {
    case 'eq':
      return (actual, sizes) => dialect.equal(actual, value, sizes)
    case 'ne':
      return (actual, sizes) => !dialect.equal(actual, value, sizes)
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return (actual, sizes) => isOrdered(kind, actual, value, sizes)
    case 'in':
    case 'not_in': {
      const items = value as readonly unknown[]
      const wanted = kind === 'in'
      return (actual, sizes) => items.some((item) => dialect.member(actual, item, sizes)) === wanted
    }
    case 'contains':
      return compileContains(matcher, dialect, at)
    case 'regex':
      return compileRegex(matcher, dialect, at)
    case 'starts_with':
    case 'ends_with':
      return compileText(matcher)
    case 'exists':
      return () => true
    case 'missing':
      return never
  }
}

const isText = (value: unknown): boolean => typeof value === 'string'

const orderedKind = (value: unknown): string =>
  Array.isArray(value) ? 'list' : typeof value === 'boolean' ? 'truth value' : typeof value

/** Whether a matcher can judge a value of such a kind; equality can judge all. */
function canJudge({ kind, value }: FieldMatcher, actual: unknown): boolean {
  switch (kind) {
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return orderedKind(actual) === orderedKind(value)
    case 'regex':
    case 'starts_with':
    case 'ends_with':
      return isText(actual)
    case 'contains':
      return isText(actual) || (typeof actual === 'object' && actual !== null)
    case 'eq':
    case 'ne':
    case 'in':
    case 'not_in':
    case 'exists':
    case 'missing':
      return true
  }
}

const judging =
  (matcher: FieldMatcher, compare: Comparison, at: string): Comparison =>
  (actual, sizes) =>
    canJudge(matcher, actual)
      ? compare(actual, sizes)
      : raise(`Value is of a kind that ${matcher.kind} cannot judge`, at)

function compileField(matcher: FieldMatcher, at: string, dialect: Dialect): CompiledMatcher {
  const lookup = compilePath(matcher.field, dialect.extended)
  const plain = compileComparison(matcher, dialect, at)
  const compare = dialect.raisesOnKind ? judging(matcher, plain, at) : plain
  const whenMissing = matcher.kind === 'missing'
  const charge = metered(matcher, dialect, at)
  return {
    matcher,
    at,
    children: [],
    lookup,
    test: (context) => {
      const actual = lookup(context)
      if (actual === missing) return whenMissing
      charge(context, actual)
      return compare(actual, context.meter?.sizes)
    },
  }
}

function compileForeign(matcher: ForeignMatcher, at: string, dialect: Dialect): CompiledMatcher {
  const { compare, lookup, pattern } = matcher
  pattern?.compile()
  const charge = metered(matcher, dialect, at)
  return {
    matcher,
    at,
    children: [],
    lookup,
    test: (context) => {
      const actual = lookup(context)
      charge(context, actual)
      return compare(actual, at, context)
    },
  }
}

function compilePredicate(
  matcher: Extract<Matcher, { predicate: string }>,
  at: string,
  predicates: Predicates,
): CompiledMatcher {
  const { predicate: name } = matcher
  const predicate = predicates.get(name)
  return compose(matcher, at, [], (context) =>
    predicate === undefined
      ? raise(`Predicate is not defined: ${name}`, at)
      : (askPredicate(predicate, context) ?? raise(`Predicate gave no answer: ${name}`, at)),
  )
}

/** A matcher whose answer is made of those of others. */
const compose = (
  matcher: Matcher,
  at: string,
  children: readonly CompiledMatcher[],
  test: CompiledMatcher['test'],
): CompiledMatcher => ({ matcher, at, children, lookup: undefined, test })

/** What comparing with a matcher costs for each character or item of what is there. */
function unitCost(matcher: FieldMatcher | ForeignMatcher, dialect: Dialect): number {
  const items = 'value' in matcher && Array.isArray(matcher.value) ? matcher.value.length : 1
  return Math.max(weighComparison(matcher, dialect), items)
}

/** Takes what a comparison costs from what a decision may still cost. */
function metered(
  matcher: FieldMatcher | ForeignMatcher,
  dialect: Dialect,
  at: string,
): (context: EvaluationContext, actual: unknown) => void {
  let cost: number | undefined
  return ({ meter }, actual) => {
    if (meter === undefined || (typeof actual !== 'string' && !Array.isArray(actual))) return
    cost ??= unitCost(matcher, dialect)
    if (!meter.take(actual.length * cost)) raise('Deciding takes too many steps', at)
  }
}

/** What the patterns of a comparison weigh; nothing where one is refused, which its compiling tells. */
function weighComparison(matcher: FieldMatcher | ForeignMatcher, dialect: Dialect): number {
  if ('compare' in matcher) return matcher.pattern?.weight ?? 0
  const { kind, value } = matcher
  if (kind !== 'regex' || typeof value !== 'string' || !fits(value, dialect.bounds.pattern))
    return 0
  try {
    return weighPythonPattern(value, dialect.extended)
  } catch (problem) {
    if (problem instanceof PatternProblem) return 0
    throw problem
  }
}

/** What each pattern weighs that stands in a matcher, with its place. */
export function* weighMatcher(
  matcher: Matcher,
  at: string,
  dialect: Dialect,
): Generator<{ readonly at: string; readonly weight: number }, void> {
  if ('field' in matcher) {
    const weight = weighComparison(matcher, dialect)
    if (weight > 0) yield { at, weight }
  } else if (matcher.kind === 'not') yield* weighMatcher(matcher.matcher, `${at}/matcher`, dialect)
  else if (matcher.kind === 'all_of' || matcher.kind === 'any_of')
    for (const [i, one] of matcher.matchers.entries())
      yield* weighMatcher(one, `${at}/matchers/${i}`, dialect)
}

/**
 * Compiles a matcher that stands at a place of its bundle, stopping behind each that may have a pattern.
 * @throws {@link Failure} POLICY_INVALID when a pattern in it is refused
 */
export function* compileMatcher(
  matcher: Matcher,
  at: string,
  dialect: Dialect,
  predicates: Predicates,
): Generator<undefined, CompiledMatcher> {
  if ('field' in matcher) {
    const compiled =
      'compare' in matcher
        ? compileForeign(matcher, at, dialect)
        : compileField(matcher, at, dialect)
    yield
    return compiled
  }
  switch (matcher.kind) {
    case 'predicate':
      return compilePredicate(matcher, at, predicates)
    case 'opaque':
      return compose(matcher, at, [], () => raise(matcher.why, at))
    case 'always':
      return compose(matcher, at, [], () => true)
    case 'not': {
      const child = yield* compileMatcher(matcher.matcher, `${at}/matcher`, dialect, predicates)
      return compose(matcher, at, [child], (context) => !child.test(context))
    }
    case 'all_of':
    case 'any_of': {
      const children: CompiledMatcher[] = []
      for (const [i, one] of matcher.matchers.entries())
        children.push(yield* compileMatcher(one, `${at}/matchers/${i}`, dialect, predicates))
      // All hold unless one does not; any holds as soon as one does.
      const settles = matcher.kind === 'any_of'
      const tests = children.map(({ test }) => test)
      return compose(matcher, at, children, (context) => {
        for (const test of tests) if (test(context) === settles) return settles
        return !settles
      })
    }
  }
}
