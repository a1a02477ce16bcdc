// How Decionis compares: numbers out of text, booleans out of words, text without case, and lists by any of their elements.

/** A comparison of what a fact is, or undefined where there is none, with what a rule wants. */
export type DecionisComparison = (actual: unknown, wanted: unknown) => boolean

function numberOf(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number.parseFloat(value) : value
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined
}

function booleanOf(value: unknown): boolean | undefined {
  if (typeof value === 'boolean') return value
  const word = typeof value === 'string' ? value.trim().toLowerCase() : value
  if (word === 'true' || word === 1) return true
  return word === 'false' || word === 0 ? false : undefined
}

/** Text as it is compared: trimmed, in lower case, undefined when blank. */
export function textOf(value: unknown): string | undefined {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value)
  const text = typeof value === 'string' ? value.trim().toLowerCase() : ''
  return text === '' ? undefined : text
}

const readings: readonly ((value: unknown) => unknown)[] = [numberOf, booleanOf, textOf]

/** Whether two values are the same to Decionis. */
function isSame(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(actual)) return actual.some((item) => isSame(item, wanted))
  if (Array.isArray(wanted)) return wanted.some((item) => isSame(actual, item))
  for (const read of readings) {
    const a = read(actual)
    const b = read(wanted)
    if (a !== undefined && b !== undefined) return a === b
  }
  return actual === wanted
}

const ordered =
  (holds: (a: number, b: number) => boolean): DecionisComparison =>
  (actual, wanted) => {
    const a = numberOf(actual)
    const b = numberOf(wanted)
    return a !== undefined && b !== undefined && holds(a, b)
  }

function contains(actual: unknown, wanted: unknown): boolean {
  if (Array.isArray(actual)) return actual.some((item) => isSame(item, wanted))
  const a = textOf(actual)
  const b = textOf(wanted)
  return a !== undefined && b !== undefined && a.includes(b)
}

/** Every operator but `matches`; of what is missing `ne` and `not_in` are true. */
export const decionisOperators: Readonly<Record<string, DecionisComparison>> = Object.freeze({
  eq: isSame,
  ne: (actual, wanted) => !isSame(actual, wanted),
  neq: (actual, wanted) => !isSame(actual, wanted),
  gt: ordered((a, b) => a > b),
  gte: ordered((a, b) => a >= b),
  lt: ordered((a, b) => a < b),
  lte: ordered((a, b) => a <= b),
  in: isSame,
  not_in: (actual, wanted) => !isSame(actual, wanted),
  exists: (actual) => actual !== undefined && actual !== null,
  contains,
})
