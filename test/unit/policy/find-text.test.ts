import fc from 'fast-check'
import { expect, it } from 'vitest'
import { includesText } from '../../../src/policy/find-text.ts'

it('finds exactly what stands in a text', () => {
  const met = { found: 0, not: 0 }
  const text = (least: number, most: number) =>
    fc
      .array(fc.constantFrom('a', 'a', 'b', '\u{1f600}'), { minLength: least, maxLength: most })
      .map((chars) => chars.join(''))
  const period = fc.tuple(text(1, 5), fc.nat(60)).map(([part, times]) => part.repeat(times))
  fc.assert(
    fc.property(fc.oneof(text(0, 40), period), text(0, 20), text(0, 20), (middle, front, end) => {
      const includes = includesText(middle)
      expect(includes(front + middle + end)).toBe(true)
      const others = [front + middle.slice(1) + end, front + middle.slice(0, -1) + end, '']
      for (const other of others) {
        expect(includes(other)).toBe(other.includes(middle))
        met[other.includes(middle) ? 'found' : 'not']++
      }
    }),
    { numRuns: 500 },
  )
  expect(Math.min(met.found, met.not)).toBeGreaterThan(20)
})

it('finds a text of 33 characters and one of 32 alike, and the empty one everywhere', () => {
  for (const length of [32, 33]) {
    const wanted = `${'a'.repeat(length - 1)}b`
    expect(includesText(wanted)(`aa${wanted}`)).toBe(true)
    expect(includesText(wanted)(`aa${wanted.slice(1)}`)).toBe(true)
    expect(includesText(`${wanted}b`)(`aa${wanted}`)).toBe(false)
    expect(includesText(wanted)(wanted.slice(1))).toBe(false)
  }
  expect(includesText('')('')).toBe(true)
})
