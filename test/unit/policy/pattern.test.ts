import { describe, expect, it } from 'vitest'
import { compilePattern, mostSteps } from '../../../src/policy/pattern.ts'
import { PatternProblem } from '../../../src/policy/pattern-flags.ts'

/** What becomes of a pattern that is not taken. */
function problemOf(pattern: string, extended = false): string {
  try {
    compilePattern(pattern, extended)
  } catch (problem) {
    if (problem instanceof PatternProblem) return `${problem.kind}: ${problem.message}`
    throw problem
  }
  return 'taken'
}

describe('a Python pattern', () => {
  it.each([
    ['b+', 'abbc', true],
    ['^b', 'ab', false],
    ['a$', 'a\n', true],
    ['a$', 'a\nb', false],
    ['a$', 'a\n\n', false],
    ['a\\Z', 'a\n', false],
    ['^$', '\n', true],
    ['(?m)^b$', 'a\nb\nc', true],
    ['a.b', 'a\nb', false],
    ['a.b', 'a\rb', true],
    ['(?s)a.b', 'a\nb', true],
    ['(?i)ADMIN', 'xadmin', true],
    ['(?i:A)b', 'ab', true],
    ['(?i:A)b', 'aB', false],
    ['(?i)a(?-i:b)', 'AB', false],
    ['^\\d$', '\u0661', true],
    ['^\\w$', 'é', true],
    ['^\\w$', '\u0301', false],
    ['^\\s$', '\x1c', true],
    ['^\\s$', '\u3000', true],
    ['(?a)^\\w$', 'é', false],
    ['^[^\\W\\d_]+$', 'aé', true],
    ['^[^\\W\\d_]+$', 'a1', false],
    ['^[\\W]$', '-', true],
    ['^[\\w-]$', '-', true],
    ['[]a]', ']', true],
    ['[[:a]', '[', true],
    ['^.$', '\u{1f600}', true],
    ['a{,2}b', 'b', true],
    ['a{b', 'a{b', true],
    ['a{2}{', 'aa{', true],
    ['\\x41\\u00e9\\101', 'AéA', true],
    ['(?P<n>a)(?#note)+', 'aa', true],
    ['\\bab\\b', 'x ab', true],
    ['\\bab\\b', 'xab', false],
    ['\\B', '', false],
    ['\\B', 'ab', true],
  ])('%j answers for %j as Python does', (pattern, text, answer) => {
    expect(compilePattern(pattern, false).test(text)).toBe(answer)
  })

  it.each([
    '(',
    ')',
    '[',
    '[z-a]',
    '[\\w-a]',
    '*a',
    'a**',
    '^*',
    'a{2,1}',
    '\\p{L}',
    '\\z',
    '\\8',
    '\\q',
    '\\x4',
    '\\U00110000',
    '\\777',
    '(?P<1>a)',
    '(?P<n>a)(?P<n>b)',
    'a(?i)b',
    '(?k)a',
    'a\\',
  ])('is invalid where Python says so: %j', (pattern) => {
    expect(problemOf(pattern)).toMatch(/^invalid: /)
  })

  it.each([
    ['(?=a)', 'Look-ahead'],
    ['(?!a)', 'Look-ahead'],
    ['(?<=a)', 'Look-behind'],
    ['(?<!a)', 'Look-behind'],
    ['(a)\\1', 'Backreference'],
    ['(?P<n>a)(?P=n)', 'Backreference'],
    ['a++', 'Possessive repetition'],
    ['(?>a)', 'Atomic group'],
    ['(a)?(?(1)b)', 'Conditional group'],
    ['(?x)a', 'Verbose pattern'],
    ['(?ai)a', 'Flags a and i together'],
    ['\\N{DIGIT ONE}', 'Character by name'],
    ['a{1001}', 'More than 1000 repetitions'],
    ['(?:a{100}){100}', 'Pattern is too large or names an unknown property'],
    ['a$\\n', 'Something stands behind `$`'],
    ['(?:a$)*', '`$` is repeated'],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 'Groups nested deeper than 50'],
  ])('is refused by name where linear time cannot follow: %j', (pattern, what) => {
    expect(problemOf(pattern)).toBe(`unsupported: ${what}`)
  })

  it('knows properties of Unicode only in the second dialect', () => {
    expect(compilePattern('^\\p{Lu}\\P{Lu}$', true).test('Éa')).toBe(true)
    expect(problemOf('\\p{Nonsense}', true)).toMatch(/^unsupported/)
  })

  it('is refused in the second dialect where its engine means something else', () => {
    expect(['a{e}', '[[:alpha:]]'].map((pattern) => problemOf(pattern, true))).toEqual([
      'unsupported: Brace that counts nothing',
      'unsupported: POSIX class',
    ])
    expect(['a{e}', '[[:alpha:]]'].map((pattern) => problemOf(pattern))).toEqual(['taken', 'taken'])
  })

  it('gives no answer about word boundaries in a text of other letters', () => {
    const pattern = compilePattern('\\bb', false)
    expect(pattern.test('éb')).toBeUndefined()
    expect(pattern.test('€b')).toBe(true)
    expect(compilePattern('(?a)\\bb', false).test('éb')).toBe(true)
  })

  it('gives no answer when the text is too long for the pattern', () => {
    const pattern = compilePattern('ab', false)
    // The bound lies where length times program size passes it: found by halving, then looked at from both sides.
    let answered = 0
    let refused = mostSteps
    while (refused - answered > 1) {
      const middle = Math.floor((answered + refused) / 2)
      if (pattern.test(' '.repeat(middle)) === undefined) refused = middle
      else answered = middle
    }
    expect(answered).toBeGreaterThan(100_000)
    expect(pattern.test(' '.repeat(answered))).toBe(false)
    expect(pattern.test(' '.repeat(refused))).toBeUndefined()
  })

  it.each([
    ['(a+)+$', `${'a'.repeat(50_000)}b`],
    ['(?:a|aa)*b!', `!${'a'.repeat(50_000)}`],
    ['(.*)*x$', `x${'y'.repeat(50_000)}`],
  ])('that would keep Python busy for ever is answered: %j', (pattern, text) => {
    expect(compilePattern(pattern, false).test(text)).toBe(false)
  })
})
