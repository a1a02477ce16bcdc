// Whether one matcher matches wherever another does, as far as that can be seen without solving anything: it never claims what is not so.
import { canonicalize } from '../base/canonical-json.ts'
import type { FieldMatcher, ForeignMatcher, Matcher } from './bundle.ts'

type Comparison = FieldMatcher | ForeignMatcher

/** The matchers all of which hold where a matcher does. */
export const conjunctsOf = (matcher: Matcher): readonly Matcher[] =>
  matcher.kind === 'all_of' && 'matchers' in matcher
    ? matcher.matchers.flatMap(conjunctsOf)
    : [matcher]

/** Whether a matcher holds for every context. */
export function isTautology(matcher: Matcher): boolean {
  if (matcher.kind === 'always') return true
  if ('matchers' in matcher)
    return matcher.kind === 'all_of'
      ? matcher.matchers.every(isTautology)
      : matcher.matchers.some(isTautology)
  return 'matcher' in matcher && isContradiction(matcher.matcher)
}

/** The lowest and the highest number that some comparisons of one path leave; `open` where the bound itself is left out. */
interface Range {
  low: number
  high: number
  openLow: boolean
  openHigh: boolean
}

const numeric: Readonly<Record<string, 'low' | 'high'>> = {
  gt: 'low',
  gte: 'low',
  '>': 'low',
  '>=': 'low',
  lt: 'high',
  lte: 'high',
  '<': 'high',
  '<=': 'high',
}
const open = new Set(['gt', 'lt', '>', '<'])
const equal = new Set(['eq', '=='])

/** The bound that a comparison with a number is, or undefined. */
export function boundOf(
  matcher: Matcher,
): { readonly side: 'low' | 'high'; readonly at: number; readonly open: boolean } | undefined {
  if (!('field' in matcher) || typeof matcher.value !== 'number') return undefined
  const side = numeric[matcher.kind]
  return side === undefined ? undefined : { side, at: matcher.value, open: open.has(matcher.kind) }
}

function narrow(range: Range, matcher: Matcher): void {
  const bound = boundOf(matcher)
  if (bound === undefined) return
  const isLow = bound.side === 'low'
  const now = isLow ? range.low : range.high
  const tighter = isLow ? bound.at > now : bound.at < now
  if (!tighter && bound.at !== now) return
  if (isLow) {
    range.low = bound.at
    range.openLow = tighter ? bound.open : range.openLow || bound.open
  } else {
    range.high = bound.at
    range.openHigh = tighter ? bound.open : range.openHigh || bound.open
  }
}

const isEmpty = ({ high, low, openHigh, openLow }: Range): boolean =>
  low > high || (low === high && (openLow || openHigh))

/** Whether nothing compares so with what is wanted: a text with a number, an order with an object, one of none. */
function isSenseless({ kind, value }: Comparison): boolean {
  if (kind === 'in') return Array.isArray(value) && value.length === 0
  if (kind === 'starts_with' || kind === 'ends_with' || kind === 'regex')
    return typeof value !== 'string'
  return numeric[kind] !== undefined && typeof value === 'object' && !Array.isArray(value)
}

function contradicts(comparisons: readonly Comparison[]): boolean {
  if (comparisons.some(isSenseless)) return true
  const range: Range = { low: -Infinity, high: Infinity, openLow: false, openHigh: false }
  for (const one of comparisons) narrow(range, one)
  if (isEmpty(range)) return true
  const kinds = new Set(comparisons.map(({ kind }) => kind))
  if (kinds.has('missing') && kinds.size > 1) return true
  const wanted = comparisons.filter(({ kind }) => equal.has(kind))
  return new Set(wanted.map(({ value }) => typeof value)).size === 1 && differ(wanted)
}

/** Strings or numbers that are not all one; lists are left alone, and so are other rule forms, where a list may be equal to any of its elements. */
function differ(comparisons: readonly Comparison[]): boolean {
  const values: readonly unknown[] = comparisons.map(({ value }) => value)
  const plain =
    values.every((value) => typeof value === 'number' || typeof value === 'string') &&
    comparisons.every((one) => !('compare' in one))
  return plain && new Set(values).size > 1
}

/** Whether a matcher holds for no context. */
export function isContradiction(matcher: Matcher): boolean {
  if ('matcher' in matcher) return isTautology(matcher.matcher)
  if (matcher.kind === 'any_of' && 'matchers' in matcher)
    return matcher.matchers.every(isContradiction)
  const parts = conjunctsOf(matcher)
  if (parts.length > 1 && parts.some((part) => part !== matcher && isContradiction(part)))
    return true
  return [...groupByField(parts).values()].some(contradicts)
}

const groupByField = (matchers: readonly Matcher[]): ReadonlyMap<string, readonly Comparison[]> =>
  Map.groupBy(
    matchers.filter((one): one is Comparison => 'field' in one),
    ({ field }) => field,
  )

function impliesBound(matcher: Matcher, wanted: Matcher): boolean {
  const a = boundOf(matcher)
  const b = boundOf(wanted)
  if (a === undefined || b?.side !== a.side) return false
  if (a.at === b.at) return a.open || !b.open
  return a.side === 'low' ? a.at > b.at : a.at < b.at
}

const texts = new WeakMap<Matcher, string>()

/** A text that two matchers share exactly when they are written alike. */
function textOf(matcher: Matcher): string {
  const known = texts.get(matcher)
  if (known !== undefined) return known
  const plain: unknown = JSON.parse(
    JSON.stringify(matcher, (_, value: unknown) =>
      typeof value === 'bigint' ? `${value}n` : value,
    ),
  )
  const text = canonicalize(plain)
  texts.set(matcher, text)
  return text
}

/** What a matcher surely holds with, made ready to be asked about many others. */
export interface Given {
  /** Of the matchers all of which hold where it does. */
  readonly texts: ReadonlySet<string>
  readonly byField: ReadonlyMap<string, readonly Comparison[]>
}

/** What holds where a matcher does. */
export function givenBy(matcher: Matcher): Given {
  const conjuncts = conjunctsOf(matcher)
  return {
    texts: new Set(conjuncts.map(textOf)),
    byField: groupByField(conjuncts),
  }
}

function impliesOne(given: Comparison, wanted: Comparison): boolean {
  if (impliesBound(given, wanted)) return true
  if (wanted.kind === 'exists') return given.kind !== 'missing' && !('compare' in given)
  return (
    wanted.kind === 'in' &&
    equal.has(given.kind) &&
    Array.isArray(wanted.value) &&
    wanted.value.includes(given.value)
  )
}

/** Whether `wanted` surely matches wherever what is given holds. */
export function implies(given: Given, wanted: Matcher): boolean {
  if (wanted.kind === 'all_of' && 'matchers' in wanted)
    return wanted.matchers.every((one) => implies(given, one))
  if (isTautology(wanted) || given.texts.has(textOf(wanted))) return true
  if (wanted.kind === 'any_of' && 'matchers' in wanted)
    return wanted.matchers.some((one) => implies(given, one))
  return (
    'field' in wanted &&
    given.byField.get(wanted.field)?.some((one) => impliesOne(one, wanted)) === true
  )
}
