// Equality and order of JSON values as Python has them, for both dialects of the policy-as-code-engine speak Python: `True == 1`, exact comparison
// of integers with floats, strings by code point, lists element by element, and no order at all between what has different types. An integer beyond
// 2^53 is a bigint here. Nothing recurses deeper than the bundle's own value, however deep the context is.

/** The four orders. */
export type Order = 'gt' | 'gte' | 'lt' | 'lte'
/** How many members each object has that was counted, so that a large one is counted once for all that it is compared with. Of objects that nobody changes meanwhile. */
export type Sizes = WeakMap<object, number>
/** Whether two values are the same; `b` is the bundle's. */
export type Equality = (a: unknown, b: unknown, sizes?: Sizes) => boolean

/** The number of a value, booleans as 0 and 1, or undefined when it is none. */
function numberOf(value: unknown): number | bigint | undefined {
  if (typeof value === 'number' || typeof value === 'bigint') return value
  return typeof value === 'boolean' ? Number(value) : undefined
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null

function sizeOf(object: object, sizes: Sizes | undefined): number {
  const known = sizes?.get(object)
  if (known !== undefined) return known
  const size = Object.keys(object).length
  sizes?.set(object, size)
  return size
}

const known = new WeakMap<object, readonly string[]>()

/** The names of a bundle's object, read once: it may have many, and be compared with each item of a long list. */
function namesOf(object: object): readonly string[] {
  const names = known.get(object) ?? Object.keys(object)
  known.set(object, names)
  return names
}

function equalObjects(
  a: Readonly<Record<string, unknown>>,
  b: Readonly<Record<string, unknown>>,
  equal: Equality,
  sizes: Sizes | undefined,
): boolean {
  // By the names of the bundle's: a request may have many.
  const names = namesOf(b)
  return (
    names.every((name) => Object.hasOwn(a, name) && equal(a[name], b[name], sizes)) &&
    names.length === sizeOf(a, sizes)
  )
}

function equalContainers(
  a: unknown,
  b: unknown,
  equal: Equality,
  sizes: Sizes | undefined,
): boolean {
  if (Array.isArray(a))
    return (
      Array.isArray(b) &&
      a.length === b.length &&
      a.every((item: unknown, i) => equal(item, b[i], sizes))
    )
  return isObject(a) && isObject(b) && !Array.isArray(b) && equalObjects(a, b, equal, sizes)
}

/** Python's `==`: booleans are numbers, at every depth. */
export function looseEqual(a: unknown, b: unknown, sizes?: Sizes): boolean {
  if (isObject(a)) return equalContainers(a, b, looseEqual, sizes)
  if (a === b) return true
  const x = numberOf(a)
  const y = numberOf(b)
  // JavaScript compares a bigint with a number by value, exactly.
  return x !== undefined && y !== undefined && x == y
}

/** As {@link looseEqual}, but a boolean is the same as nothing but itself, at every depth. */
export function strictEqual(a: unknown, b: unknown, sizes?: Sizes): boolean {
  if (isObject(a)) return equalContainers(a, b, strictEqual, sizes)
  return typeof a === 'boolean' || typeof b === 'boolean' ? a === b : looseEqual(a, b)
}

/** What dialect 0.2 does: strict about booleans themselves, Python's `==` inside containers. */
export const booleanEqual: Equality = (a, b, sizes) =>
  typeof a === 'boolean' || typeof b === 'boolean' ? a === b : looseEqual(a, b, sizes)

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
export function isOrdered(order: Order, a: unknown, b: unknown, sizes?: Sizes): boolean {
  const holds = orders[order]
  if (typeof a === 'string') return typeof b === 'string' && holds(compareCodePoints(a, b), 0)
  if (Array.isArray(a)) {
    if (!Array.isArray(b)) return false
    const other = b as readonly unknown[]
    const shared = Math.min(a.length, other.length)
    for (let i = 0; i < shared; i++)
      if (!looseEqual(a[i], other[i], sizes)) return isOrdered(order, a[i], other[i], sizes)
    return holds(a.length, other.length)
  }
  const x = numberOf(a)
  const y = numberOf(b)
  return x !== undefined && y !== undefined && holds(x, y)
}
