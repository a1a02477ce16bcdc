import fc from 'fast-check'
import { expect, it } from 'vitest'
import { decionisOperators, type KnownLists } from '../../../src/policy/decionis-values.ts'

const leaf = fc.constantFrom<unknown>(
  ...[
    0,
    -0,
    1,
    12,
    1.5,
    true,
    false,
    null,
    undefined,
    {},
    '',
    ' ',
    '0',
    '1',
    ' 1 ',
    '12abc',
    '1.50',
  ],
  ...['true', ' TRUE', 'false', 'yes', 'Yes ', 'Infinity', '-0'],
)
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof({ maxDepth: 2 }, leaf, fc.array(tie('value'), { maxLength: 4 })),
})).value

// What each makes of a value, undefined where nothing.
const number = (one: unknown): unknown => {
  const found = typeof one === 'string' ? parseFloat(one) : typeof one === 'number' ? one : NaN
  return Number.isFinite(found) ? found : undefined
}
const truth = (one: unknown): unknown => {
  const word = typeof one === 'string' ? one.trim().toLowerCase() : one
  if ([true, 'true', 1].includes(word as never)) return true
  return [false, 'false', 0].includes(word as never) ? false : undefined
}
const text = (one: unknown): unknown =>
  typeof one === 'string' || typeof one === 'number' || typeof one === 'boolean'
    ? String(one).trim().toLowerCase() || undefined
    : undefined

/** Each of one with each of the other, as Decionis's own source has it. */
function isSame(a: unknown, b: unknown): boolean {
  if (Array.isArray(a)) return a.some((one) => isSame(one, b))
  if (Array.isArray(b)) return b.some((one) => isSame(a, one))
  for (const read of [number, truth, text])
    if (read(a) !== undefined && read(b) !== undefined) return read(a) === read(b)
  return a === b
}

it('the same is what Decionis compares one by one', () => {
  const met = { same: 0, different: 0 }
  fc.assert(
    fc.property(value, value, (actual, wanted) => {
      const same = isSame(actual, wanted)
      met[same ? 'same' : 'different']++
      const lists: KnownLists = new Map()
      const answers = ['eq', 'in', 'ne', 'neq', 'not_in'].map((name) =>
        decionisOperators[name]?.(wanted)(actual, lists),
      )
      expect(answers).toEqual([same, same, !same, !same, !same])
    }),
    { numRuns: 2000 },
  )
  expect(Math.min(met.same, met.different)).toBeGreaterThan(100)
})
