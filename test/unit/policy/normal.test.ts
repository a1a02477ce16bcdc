import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { exp, log } from '../../../src/policy/exp-log.ts'
import { normalCdf, normalQuantile } from '../../../src/policy/normal.ts'
import { cdfTable, expTable, logTable, quantileTable } from '../../support/normal-tables.ts'

/** Digits beyond those of a double do not matter: the bounds are wider than that. */
const off = (found: number, wanted: string): { absolute: number; relative: number } => {
  const absolute = Math.abs(found - Number(wanted))
  return {
    absolute,
    relative: Number(wanted) === 0 ? absolute : absolute / Math.abs(Number(wanted)),
  }
}

describe('the normal distribution function', () => {
  it.each(cdfTable)('is right at %d to 1e-15, and to 1e-13 of itself', (z, wanted) => {
    const { absolute, relative } = off(normalCdf(z), wanted)
    expect(absolute).toBeLessThan(1e-15)
    // Below 1e-308 a double has fewer digits.
    if (Number(wanted) > 1e-307) expect(relative).toBeLessThan(1e-13)
  })

  it('has the digits of the upper tail as the lower tail of the mirrored score', () => {
    expect(1 - normalCdf(10)).toBe(0)
    expect(normalCdf(-10)).toBeCloseTo(7.619853024160526e-24, 36)
  })

  it('ends at 0 and 1, and is no number of no number', () => {
    expect([-Infinity, -39, 39, Infinity, NaN].map(normalCdf)).toEqual([0, 0, 1, 1, NaN])
    expect(normalCdf(-38.9)).toBe(0)
    expect(normalCdf(-38.4)).toBeGreaterThan(0)
    expect(normalCdf(0)).toBe(0.5)
    expect(normalCdf(-0)).toBe(0.5)
  })

  it('adds up to 1 with its mirror image and never falls by more than rounding', () => {
    fc.assert(
      fc.property(fc.double({ min: -40, max: 40, noNaN: true }), (z) => {
        expect(Math.abs(normalCdf(z) + normalCdf(-z) - 1)).toBeLessThan(1e-15)
        expect(normalCdf(z + 1e-9) - normalCdf(z)).toBeGreaterThan(-1e-15)
      }),
    )
  })
})

describe('the normal quantile', () => {
  it.each(quantileTable)('is right at %d to 1e-13', (p, wanted) => {
    expect(off(normalQuantile(p), wanted).absolute).toBeLessThan(1e-13)
  })

  it('is the z of the utility gate to every digit of a double', () => {
    expect(-normalQuantile(0.05)).toBeCloseTo(1.6448536269514722, 15)
  })

  it('is exact in the middle, infinite at the ends and no number outside', () => {
    expect(normalQuantile(0.5)).toBe(0)
    expect([0, 1].map(normalQuantile)).toEqual([-Infinity, Infinity])
    expect([-1e-300, 1 + 2 ** -52, -Infinity, Infinity, NaN].map(normalQuantile)).toEqual(
      Array(5).fill(NaN),
    )
  })

  it('undoes the distribution function in both tails', () => {
    fc.assert(
      fc.property(fc.double({ min: -37, max: 5, noNaN: true }), (z) => {
        // Where Φ is near 1 a double cannot tell z apart.
        const bound = z < 2 ? 1e-12 : 1e-9
        expect(Math.abs(normalQuantile(normalCdf(z)) - z)).toBeLessThan(bound)
      }),
    )
  })
})

describe('exponential and logarithm', () => {
  it.each(expTable)('exp(%d) is right to 4e-16 of itself', (x, wanted) => {
    expect(off(exp(x), wanted).relative).toBeLessThan(4e-16)
  })

  it.each(logTable)('log(%d) is right to 4.5e-16 of itself', (x, wanted) => {
    expect(off(log(x), wanted).relative).toBeLessThan(4.5e-16)
  })

  it('have the limits that they must have', () => {
    expect([Infinity, 710, -746, -Infinity, NaN].map(exp)).toEqual([Infinity, Infinity, 0, 0, NaN])
    expect([0, -1, -Infinity, Infinity, NaN].map(log)).toEqual([-Infinity, NaN, NaN, Infinity, NaN])
    expect(exp(-745)).toBe(5e-324)
  })

  // Bits, not digits: what another engine must give too. Made by this code, held by the tables above.
  it('give the same bits for ever', () => {
    const bits = (value: number): string => {
      const view = new DataView(new ArrayBuffer(8))
      view.setFloat64(0, value)
      return view.getBigUint64(0).toString(16)
    }
    expect(
      [exp(1), exp(-0.5), log(10), log(0.1), normalCdf(-1.25), normalQuantile(0.95)].map(bits),
    ).toEqual([
      '4005bf0a8b14576a',
      '3fe368b2fc6f960a',
      '40026bb1bbb55516',
      'c0026bb1bbb55515',
      '3fbb0bdd12ba9c28',
      '3ffa515209676abe',
    ])
  })
})

it('leaves to the engine only operations that IEEE 754 rounds correctly', () => {
  const folder = join(import.meta.dirname, '../../../src/policy')
  const files = readdirSync(folder).filter((name) =>
    /^(?:exp-log|normal|drift.*|gate.*)\.ts$/.test(name),
  )
  expect(files.length).toBeGreaterThan(9)
  for (const name of files) {
    const code = readFileSync(join(folder, name), 'utf8').replace(/^\s*(?:\/\/|\*|\/\*).*$/gm, '')
    const used = [...code.matchAll(/Math\.(\w+)|\*\*/g)].map(([text]) => text)
    const exact = [
      'Math.abs',
      'Math.ceil',
      'Math.max',
      'Math.min',
      'Math.round',
      'Math.sqrt',
      'Math.trunc',
    ]
    expect(used.filter((text) => !exact.includes(text))).toEqual([])
  }
})
