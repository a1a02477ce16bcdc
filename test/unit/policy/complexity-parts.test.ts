import { expect, it } from 'vitest'
import { decomposeComplexity } from '../../../src/policy/complexity-parts.ts'

const part = (kind: string, complexity: unknown, weight?: unknown): object => ({
  name: 'x',
  kind,
  complexity,
  ...(weight === undefined ? {} : { weight }),
})

it('is one less the weighted mean of the parts, and the means of both kinds', () => {
  const found = decomposeComplexity([
    part('static', 0.5, 3),
    part('static', 0.1),
    part('dynamic', 0.25, 4),
  ])
  expect(found.score).toBeCloseTo(1 - (1.5 + 0.1 + 1) / 8, 15)
  expect(found.static).toBeCloseTo(0.4, 15)
  expect(found.dynamic).toBe(0.25)
  expect(decomposeComplexity([part('static', 0)])).toEqual({ score: 1, static: 0, dynamic: null })
  expect(decomposeComplexity([part('dynamic', 1)])).toEqual({ score: 0, static: null, dynamic: 1 })
})

it('stays within 0 and 1 whatever is rounded', () => {
  const { score } = decomposeComplexity(Array.from({ length: 64 }, () => part('static', 1, 0.1)))
  expect(score).toBe(0)
})

it.each([
  [[]],
  [null],
  [Array(65).fill(part('static', 0.5))],
  [[part('other', 0.5)]],
  [[part('static', -0.1)]],
  [[part('static', 1.1)]],
  [[part('static', NaN)]],
  [[part('static', 0.5, 0)]],
  [[part('static', 0.5, -1)]],
  [[{ ...part('static', 0.5), more: 1 }]],
])('refuses %j', (parts) => {
  expect(() => decomposeComplexity(parts)).toThrow(
    expect.objectContaining({ code: 'POLICY_INVALID' }),
  )
})

it('takes 64 parts', () => {
  expect(decomposeComplexity(Array(64).fill(part('static', 0.5))).score).toBe(0.5)
})
