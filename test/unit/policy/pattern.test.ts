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
    ['(?:\\b|\\B)', '', false],
    // Word boundaries, where the text has letters beyond ASCII.
    ['\\bb', 'éb', false],
    ['\\Bb', 'éb', true],
    ['\\bb', '€b', true],
    ['\\b1', '\u0301 1', true],
    ['a\\b', 'a\u0661', false],
    ['^\\b\u{10400}\\b$', '\u{10400}\n', true],
    ['(?a)\\bb', 'éb', true],
    ['\\B(?a:\\bb)\\b', 'ébé', false],
    ['\\B(?a:\\bb)\\b', 'éb', true],
    ['(?:\\b[^\\W\\d]+\\b ?){3}', 'é a ß', true],
    ['(?:\\b[^\\W\\d]+\\b ?){3}', 'é a1 ß', false],
    ['é(?:^|\\b)*$', 'é', true],
    // What stands behind `$`.
    ['a$\\n', 'a\n', true],
    ['a$\\n', 'a\n\n', false],
    ['a$b', 'ab', false],
    ['a$\\n\\Z', 'a\n', true],
    ['(?:a|$)*\\nb', 'a\nb', true],
    ['(?:$)+', 'a', true],
    ['(?m)a$\\n^b', 'a\nb', true],
    ['$\\B', '', false],
    ['a$\\b', 'a', true],
    ['a$\\b', '-\n', false],
    ['$a|\\Ab', '\ue000b', false],
    ['$a|b', '\ue000b', true],
    // Case as Python folds it.
    ['(?i)i', 'İ', true],
    ['(?i)i', 'ı', true],
    ['(?i)ı', 'I', true],
    ['(?i)[^a-z]', 'ı', false],
    ['(?i)[^a-z]', 'ß', true],
    ['(?i)k', '\u212a', true],
    ['(?i)ſ', 'S', true],
    ['(?i)ß', 'ẞ', true],
    ['(?i)ß', 'ss', false],
    ['(?i)\ufb05', '\ufb06', true],
    ['(?i)\u0390', '\u1fd3', true],
    ['(?i)[α-ω]', '\u0345', true],
    ['(?i)\\w', '\u0345', false],
    ['(?i)[^\\W\\d]', '\u0345', false],
    ['(?i)\u{10428}', '\u{10400}', true],
    ['(?i)[\u{10400}-\u{10401}]', '\u{10429}', true],
    ['(?i)[\u{10428}a]', '\u{10400}', true],
    ['(?i)[\u{10400}]', '\u{10428}', true],
    ['(?ai)[\u{10400}a]', '\u{10400}', true],
    ['(?ai)K', 'k', true],
    ['(?ai)k', '\u212a', false],
    ['(?ai)[^a-z]', 'ı', true],
    ['(?ai)É', 'é', false],
    ['(?a)x(?u:\\w)', 'xé', true],
    ['(?i-s:A)b', 'ab', true],
    // Verbose.
    ['(?x) a b # and c\n c', 'abc', true],
    ['(?x) a b', 'a b', false],
    ['(?x)a\\ b[ ]#', 'a b ', true],
    ['(?x)a {2}', 'aa', true],
    ['(?x)a{ 2}', 'a{2}', true],
    ['(?x: a )\\ (?-x: )b', 'a  b', true],
    [`a{${'0'.repeat(40)}2}`, 'a', false],
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
    '(?au)a',
    '(?a)(?u)a',
    '(?i-i:a)',
    '(?-u:a)',
    '(?x)a+ ?',
    '(?x)(a # b)',
    ' (?x)a',
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
    ['(?i)[^\u{10400}a]', 'Capital beyond U+FFFF in a class without case'],
    ['(?a:\\W)', 'Flag a or u of a group in front'],
    ['(?a)((?u:\\w))', 'Flag a or u of a group in front'],
    ['\\N{DIGIT ONE}', 'Character by name'],
    ['a{1001}', 'More than 1000 repetitions'],
    ['(?:a{100}){100}', 'Pattern is too large or names an unknown property'],
    [`${'('.repeat(60)}a${')'.repeat(60)}`, 'Groups nested deeper than 50'],
  ])('is refused by name where linear time cannot follow: %j', (pattern, what) => {
    expect(problemOf(pattern)).toBe(`unsupported: ${what}`)
  })

  it('knows properties of Unicode only in the second dialect', () => {
    expect(compilePattern('^\\p{Lu}\\P{Lu}$', true).test('Éa')).toBe(true)
    expect(problemOf('\\p{Nonsense}', true)).toMatch(/^unsupported/)
  })

  it.each([
    ['^\\w$', '\u0301', true],
    ['^\\w$', '\u24b6', true],
    ['^\\w$', '\u200d', true],
    ['^\\w$', '\u203f', true],
    ['^\\w$', '\xb2', false],
    ['^\\s$', '\x1c', false],
    ['^\\s$', '\x85', true],
    ['^[^\\W\\d]$', '\u0301', true],
    ['a\\b', 'a\u0301', false],
    ['\\b\u0301', '-\u0301', true],
    ['\\B', '', true],
    ['(?a)\\B', '', true],
    ['\\b', '', false],
    ['(?i)i', 'İ', true],
    ['(?i)i', 'ı', false],
    ['(?i)I', 'ı', true],
    ['(?i)I', 'İ', false],
    ['(?i)ı', 'i', false],
    ['(?i)[^İ]', 'I', true],
    ['(?i)k', '\u212a', true],
    ['(?i)\\p{Lu}', 'a', true],
    ['(?a:\\W)', 'é', true],
  ])('in the second dialect %j answers for %j as its engine does', (pattern, text, answer) => {
    expect(compilePattern(pattern, true).test(text)).toBe(answer)
  })

  it('is refused in the second dialect where its engine means something else', () => {
    expect(['a{e}', '[[:alpha:]]'].map((pattern) => problemOf(pattern, true))).toEqual([
      'unsupported: Brace that counts nothing',
      'unsupported: POSIX class',
    ])
    expect(['a{e}', '[[:alpha:]]'].map((pattern) => problemOf(pattern))).toEqual(['taken', 'taken'])
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

  it('gives no answer when a text with other letters is too long for word boundaries', () => {
    const pattern = compilePattern('\\bb\\b', false)
    expect(pattern.test(`é${' '.repeat(10_000)}b`)).toBe(true)
    expect(pattern.test(`é${' '.repeat(mostSteps / 4)}b`)).toBeUndefined()
  })

  it.each([
    ['(a+)+$', `${'a'.repeat(50_000)}b`],
    ['(?:a|aa)*b!', `!${'a'.repeat(50_000)}`],
    ['(.*)*x$', `x${'y'.repeat(50_000)}`],
    ['(\\b\\w+\\b)*$!', `é${'y'.repeat(30_000)}`],
  ])('that would keep Python busy for ever is answered: %j', (pattern, text) => {
    expect(compilePattern(pattern, false).test(text)).toBe(false)
  })
})
