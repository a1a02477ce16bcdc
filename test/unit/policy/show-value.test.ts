import fc from 'fast-check'
import { expect, it } from 'vitest'
import { showValue } from '../../../src/policy/show-value.ts'

it('shows the first 200 characters of the JSON of a value', () => {
  const met = { cut: 0, whole: 0 }
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 250 }),
    fc.constant('"\\\n'.repeat(60)),
  )
  const value = fc.letrec<{ value: unknown }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constantFrom<unknown>(null, true, 0, -1.5, 1e21, ''),
      text,
      fc.array(tie('value'), { maxLength: 120 }),
      fc.dictionary(text, tie('value'), { maxKeys: 30 }),
    ),
  })).value
  fc.assert(
    fc.property(value, (one) => {
      const whole = JSON.stringify(one)
      met[whole.length > 200 ? 'cut' : 'whole']++
      expect(showValue(one)).toBe(whole.length > 200 ? `${whole.slice(0, 200)}…` : whole)
    }),
    { numRuns: 500 },
  )
  expect(Math.min(met.cut, met.whole)).toBeGreaterThan(20)
})

it('shows 200 characters whole and cuts the 201st, in texts, lists and names', () => {
  for (const make of [
    (length: number) => 'x'.repeat(length - 2),
    (length: number) => ['x'.repeat(length - 4)],
    (length: number) => ({ ['x'.repeat(length - 6)]: 1 }),
    (length: number) => [[[]], 'x'.repeat(length - 9)],
  ]) {
    expect(showValue(make(200))).toBe(JSON.stringify(make(200)))
    expect(showValue(make(201))).toBe(`${JSON.stringify(make(201)).slice(0, 200)}…`)
  }
})

it('shows an integer beyond 2^53 as a text', () => {
  expect(showValue([9007199254740993n])).toBe('["9007199254740993"]')
})
