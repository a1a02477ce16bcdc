// Equality and order of JSON values as Python has them, for both dialects of the policy-as-code-engine speak Python: `True == 1`, exact comparison
// of integers with floats, strings by code point, lists element by element, and no order at all between what has different types. An integer beyond
// 2^53 is a bigint here. Nothing recurses deeper than the bundle's own value, however deep the context is.

/** The four orders. */
export type Order = 'gt' | 'gte' | 'lt' | 'lte'
/** Whether two values are the same. */
export type Equality = (a: unknown, b: unknown) => boolean

/** The number of a value, booleans as 0 and 1, or undefined when it is none. */
function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  return typeof value === 'boolean' ? Number(value) : undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

function equalObjects(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
  equal: Equality,
): boolean {
  const names = Object.keys(a)
  return (
    names.length === Object.keys(b).length &&
    names.every((name) => Object.hasOwn(b, name) && equal(a[name], b[name]))
  )
}

function equalContainers(a: unknown, b: unknown, equal: Equality): boolean {
  if (Array.isArray(a))
    return (
      Array.isArray(b) && a.length === b.length && a.every((item: unknown, i) => equal(item, b[i]))
    )
  return isObject(a) && isObject(b) && !Array.isArray(b) && equalObjects(a, b, equal)
}

/** Python's `==`: booleans are numbers, at every depth. */
export function looseEqual(a: unknown, b: unknown): boolean {
  if (isObject(a)) return equalContainers(a, b, looseEqual)
  if (a === b) return true
  const x = numberOf(a)
  const y = numberOf(b)
  // JavaScript compares a bigint with a number by value, exactly.
  return x !== undefined && y !== undefined && x == y
}

/** As {@link looseEqual}, but a boolean is the same as nothing but itself, at every depth. */
export function strictEqual(a: unknown, b: unknown): boolean {
  if (isObject(a)) return equalContainers(a, b, strictEqual)
  return typeof a === 'boolean' || typeof b === 'boolean' ? a === b : looseEqual(a, b)
}

/** What dialect 0.2 does: strict about booleans themselves, Python's `==` inside containers. */
export const booleanEqual: Equality = (a, b) =>
  typeof a === 'boolean' || typeof b === 'boolean' ? a === b : looseEqual(a, b)

const isHighSurrogate = (unit: number): boolean => (unit & 0xfc00) === 0xd800

/** Negative, zero or positive as `a` stands before, at or behind `b` by code points (UTF-16 units would put U+FFFF behind U+1F600). */
export function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length)
  let at = 0
  while (at < length && a.charCodeAt(at) === b.charCodeAt(at)) at++
  if (at === length) return a.length - b.length
  // The difference may lie in the second half of a pair: then the whole code points differ.
  if (at > 0 && isHighSurrogate(a.charCodeAt(at - 1))) {
    const difference = (a.codePointAt(at - 1) ?? 0) - (b.codePointAt(at - 1) ?? 0)
    if (difference !== 0) return difference
  }
  return (a.codePointAt(at) ?? 0) - (b.codePointAt(at) ?? 0)
}

const orders: Readonly<Record<Order, (a: number | bigint, b: number | bigint) => boolean>> = {
  gt: (a, b) => a > b,
  gte: (a, b) => a >= b,
  lt: (a, b) => a < b,
  lte: (a, b) => a <= b,
}

/** Whether `a` stands in this order to `b`; false where Python would raise TypeError. */
export function isOrdered(order: Order, a: unknown, b: unknown): boolean {
  const holds = orders[order]
  if (typeof a === 'string') return typeof b === 'string' && holds(compareCodePoints(a, b), 0)
  if (Array.isArray(a)) {
    if (!Array.isArray(b)) return false
    const other = b as readonly unknown[]
    const shared = Math.min(a.length, other.length)
    for (let i = 0; i < shared; i++)
      if (!looseEqual(a[i], other[i])) return isOrdered(order, a[i], other[i])
    return holds(a.length, other.length)
  }
  const x = numberOf(a)
  const y = numberOf(b)
  return x !== undefined && y !== undefined && holds(x, y)
}
