import fc from 'fast-check'
import { RE2JS } from 're2js'
import { describe, expect, it } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { compileBundle, compileInSteps, finish } from '../../../src/policy/compile.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'
import { readEcmaPattern } from '../../../src/policy/ecma-pattern.ts'
import { weighPythonPattern } from '../../../src/policy/pattern.ts'
import { weighPattern } from '../../../src/policy/pattern-weight.ts'
import { translateMarked, translatePattern } from '../../../src/policy/python-pattern.ts'

const stepsOf = (pattern: string): number => RE2JS.compile(pattern, RE2JS.LOOKBEHINDS).programSize()

const atom = fc.constantFrom(
  'a',
  '.',
  '\\w',
  '[^\\W\\d]',
  '[a-f]',
  '\\b',
  '^',
  '$',
  '\\u00e9',
  '\\(',
)
const { pattern } = fc.letrec<{ pattern: string; item: string }>((tie) => ({
  item: fc.oneof(
    { maxDepth: 4 },
    atom,
    tie('pattern').map((inner) => `(${inner})`),
    fc
      .tuple(
        tie('pattern'),
        fc.constantFrom('*', '+?', '?', '{0}', '{3}', '{2,}', '{0,5}', '{2,4}?'),
      )
      .map(([inner, often]) => `(?:${inner})${often}`),
  ),
  pattern: fc.oneof(
    fc.array(tie('item'), { maxLength: 4 }).map((items) => items.join('')),
    fc.tuple(tie('item'), tie('item')).map((branches) => branches.join('|')),
  ),
}))

describe('the weight of a pattern', () => {
  it('is never less than the steps of its program', () => {
    fc.assert(
      fc.property(pattern, fc.boolean(), (text, extended) => {
        const plain = translatePattern(text, extended).pattern
        const marked = translateMarked(text, extended)
        expect(weighPattern(plain)).toBeGreaterThanOrEqual(stepsOf(plain))
        expect(weighPattern(marked)).toBeGreaterThanOrEqual(stepsOf(marked))
      }),
      { numRuns: 300 },
    )
  })

  it.each(['a{900}', 'a{900,}', 'a{0,900}', '(?:a?b*){300}', '(?:a|b){30,500}?'])(
    'is never less than the steps of its program where it repeats much: %s',
    (repeated) => {
      expect(weighPattern(repeated)).toBeGreaterThanOrEqual(stepsOf(repeated))
    },
  )

  it('counts a repetition as often as it may be, and the reading of a class once', () => {
    expect(weighPattern('(?:a){100}')).toBeGreaterThan(100)
    expect(weighPattern('(?:(?:a){20}){30}')).toBeGreaterThan(600)
    const once = weighPattern('\\p{L}')
    expect(weighPattern('(?:\\p{L}){100}') - once).toBeLessThan(400)
    expect(weighPattern('\\p{L}'.repeat(100))).toBeGreaterThan(100 * 50)
  })

  it('counts both programs of a pattern that asks for the edges of words', () => {
    expect(weighPythonPattern('\\ba{50}', true)).toBeGreaterThan(
      weighPythonPattern('a{50}', true) * 2,
    )
  })

  it('counts each character of a range where case is looked up', () => {
    expect(readEcmaPattern('[\\u0100-\\uffff]')?.weight).toBeGreaterThan(1000)
    expect(readEcmaPattern('[a-f]')?.weight).toBeLessThan(100)
  })
})

const bundleOf = (patterns: readonly string[]): unknown => ({
  bundle_id: 'b',
  policies: [
    {
      id: 'p',
      default_effect: 'deny',
      rules: patterns.map((value, i) => ({
        effect: 'allow',
        id: `r${i}`,
        when: { field: 'x', kind: 'regex', value },
      })),
    },
  ],
  version: '1',
})

/** Why a bundle of these patterns may not be registered. */
function refusalOf(value: unknown, dialect: DialectName = 'native'): unknown {
  try {
    finish(compileInSteps(value, dialect, { isNew: true }))
    return undefined
  } catch (error) {
    return error
  }
}

/** A pattern that weighs exactly this much: three steps for each character that is repeated, one for any other, and four beside. */
function weighing(weight: number): string {
  const steps = weight - 4
  const rest = steps % 3000
  const [some, few] = [Math.floor(rest / 3), rest % 3]
  return 'a{1000}'.repeat(Math.floor(steps / 3000)) + `a{${some}}` + 'a'.repeat(few)
}

describe('a new bundle', () => {
  const most = weighing(limits.patternWeight)

  it('has no pattern that weighs more than one may', () => {
    expect(weighPythonPattern(most, true)).toBe(25_000)
    expect(refusalOf(bundleOf([most]))).toBeUndefined()
    expect(refusalOf(bundleOf(['b', `${most}a`]))).toMatchObject({
      code: 'INPUT_TOO_LARGE',
      field: '/policies/0/rules/1/when',
      message: expect.stringContaining('25000') as string,
    })
  })

  it('has no more of them than may weigh so much together', () => {
    const full = Array.from(
      { length: limits.bundlePatternWeight / limits.patternWeight },
      () => most,
    )
    expect(refusalOf(bundleOf(full))).toBeUndefined()
    expect(refusalOf(bundleOf([...full, 'a']))).toMatchObject({
      code: 'INPUT_TOO_LARGE',
      field: '/policies/0/rules/20/when',
      message: expect.stringContaining('500000') as string,
    })
  })

  it('is weighed in the rule form of another engine too', () => {
    const block = (value: string): unknown => ({
      rules: [{ action: 'block', all: [{ field: 'x', op: 'matches', value }], name: 'r' }],
      version: '3',
    })
    expect(refusalOf(block('[\\u0100-\\uffff]'), 'decionis-block')).toBeUndefined()
    expect(refusalOf(block('[\\u0100-\\uffff]'.repeat(14)), 'decionis-block')).toMatchObject({
      code: 'INPUT_TOO_LARGE',
    })
  })

  it('may have a thousand rules with patterns as people write them', () => {
    const patterns = Array.from({ length: 1000 }, (_, i) => `\\brm\\s+-[a-z]*r${i}`)
    expect(refusalOf(bundleOf(patterns))).toBeUndefined()
  })

  it('is refused before anything of it is compiled, and one that was registered earlier is not', () => {
    const heavy = bundleOf([`${most}a`, '('])
    expect(refusalOf(heavy)).toMatchObject({ code: 'INPUT_TOO_LARGE' })
    expect(() => compileBundle(bundleOf([`${most}a`]), 'native')).not.toThrow()
  })
})
