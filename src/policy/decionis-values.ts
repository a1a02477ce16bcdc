// How Decionis compares: numbers out of text, booleans out of words, text without case, and lists by any of their elements.

import { includesText } from './find-text.ts'

/** A comparison of what a fact is, or undefined where there is none; what is known of lists is of one request. */
type DecionisComparison = (actual: unknown, lists: KnownLists) => boolean

/** Makes ready what a fact is compared with. */
type Operator = (wanted: unknown) => DecionisComparison

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

/** Wanted values of which the same readings are something: each reading's values, and the values themselves. */
interface Alike {
  readonly read: readonly (ReadonlySet<unknown> | undefined)[]
  readonly raw: ReadonlySet<unknown>
}

const readingsOf = (value: unknown): readonly unknown[] => readings.map((read) => read(value))

const isRead = (reading: unknown): boolean => reading !== undefined

/** The values of a list and of the lists in it. */
const leavesOf = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value.flatMap(leavesOf) : [value]

/** Lists of a request whose values were read already, for many rules may look at one. Of lists that nobody changes meanwhile. */
export type KnownLists = Map<readonly unknown[], readonly Alike[]>

function groupAlike(value: unknown): readonly Alike[] {
  const groups = Map.groupBy(leavesOf(value), (leaf) => readingsOf(leaf).map(isRead).join())
  return [...groups.values()].map((values) => {
    const read = values.map(readingsOf)
    return {
      read: readings.map((_, i) =>
        isRead(read[0]?.[i]) ? new Set(read.map((one) => one[i])) : undefined,
      ),
      raw: new Set(values),
    }
  })
}

function groupOnce(list: readonly unknown[], lists: KnownLists): readonly Alike[] {
  const groups = lists.get(list) ?? groupAlike(list)
  lists.set(list, groups)
  return groups
}

/** Whether a value of one group is the same as one of another: by the first reading that both have. */
function isShared(a: Alike, b: Alike): boolean {
  const by = readings.findIndex((_, i) => a.read[i] !== undefined && b.read[i] !== undefined)
  const [few, many] = [a.read[by] ?? a.raw, b.read[by] ?? b.raw].sort((x, y) => x.size - y.size)
  for (const one of few ?? []) if (many?.has(one) === true) return true
  return false
}

/** Whether two values are the same to Decionis. A long list is compared with a long list in the time that reading both takes, once. */
function same(wanted: unknown): DecionisComparison {
  const groups = groupAlike(wanted)
  return (actual, lists) => {
    const found = Array.isArray(actual) ? groupOnce(actual, lists) : groupAlike(actual)
    return found.some((one) => groups.some((other) => isShared(one, other)))
  }
}

const different: Operator = (wanted) => {
  const isSame = same(wanted)
  return (actual, lists) => !isSame(actual, lists)
}

const ordered =
  (holds: (a: number, b: number) => boolean): Operator =>
  (wanted) => {
    const b = numberOf(wanted)
    return (actual) => {
      const a = numberOf(actual)
      return a !== undefined && b !== undefined && holds(a, b)
    }
  }

function contains(wanted: unknown): DecionisComparison {
  const isSame = same(wanted)
  const b = textOf(wanted)
  const includes = b === undefined ? undefined : includesText(b)
  return (actual, lists) => {
    if (Array.isArray(actual)) return isSame(actual, lists)
    const a = textOf(actual)
    return a !== undefined && includes?.(a) === true
  }
}

/** Every operator but `matches`; of what is missing `ne` and `not_in` are true. */
export const decionisOperators: Readonly<Record<string, Operator>> = Object.freeze({
  eq: same,
  ne: different,
  neq: different,
  gt: ordered((a, b) => a > b),
  gte: ordered((a, b) => a >= b),
  lt: ordered((a, b) => a < b),
  lte: ordered((a, b) => a <= b),
  in: same,
  not_in: different,
  exists: () => (actual) => actual !== undefined && actual !== null,
  contains,
})
