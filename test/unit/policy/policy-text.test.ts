import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { parsePolicyText } from '../../../src/policy/bundle.ts'
import { dialects } from '../../../src/policy/dialect.ts'
import { mostText } from '../../../src/policy/policy-text.ts'

const first = dialects['0.1']
const { native } = dialects

const code = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return error instanceof Failure ? error.code : 'foreign'
  }
  return 'none'
}

describe('JSON', () => {
  it('keeps integers beyond 2^53 exactly in dialect 0.1', () => {
    expect(
      parsePolicyText(
        '[9007199254740993,-9007199254740993,9007199254740991,1e400,1.0,1e20]',
        first,
      ),
    ).toEqual([9007199254740993n, -9007199254740993n, 9007199254740991, Infinity, 1, 1e20])
  })

  it('refuses them in the other dialects, and names that stand twice', () => {
    expect(code(() => parsePolicyText('{"a":9007199254740993}', native))).toBe('INPUT_INVALID')
    expect(code(() => parsePolicyText('{"a":9007199254740991}', native))).toBe('none')
    expect(code(() => parsePolicyText('{"a":1,"a":2}', native))).toBe('INPUT_INVALID')
    expect(code(() => parsePolicyText('{"__proto__":1}', native))).toBe('INPUT_INVALID')
  })

  it('counts levels outside of texts only, whatever is escaped in them', () => {
    const nested = (levels: number, inner: string): string =>
      `${'['.repeat(levels)}${inner}${']'.repeat(levels)}`
    for (const inner of ['"[[{{"', '"}]}]"', String.raw`"\\"`, String.raw`"\"[[{\\"`]) {
      expect(parsePolicyText(nested(2, inner), first)).toEqual([[JSON.parse(inner)]])
      expect(code(() => parsePolicyText(nested(64, inner), first))).toBe('none')
      expect(code(() => parsePolicyText(nested(65, inner), first))).toBe('INPUT_MALFORMED')
    }
  })

  it('lets the last of two members count in dialect 0.1, and __proto__ be a name', () => {
    expect(parsePolicyText('{"a":1,"a":2}', first)).toEqual({ a: 2 })
    const value = parsePolicyText('{"__proto__":9007199254740993}', first) as object
    expect(Object.keys(value)).toEqual(['__proto__'])
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
  })

  it.each(['{', '[NaN]', '[Infinity]', '[01]', `["\n"]`, '{} x'])(
    'refuses what is none: %j',
    (text) => {
      expect(code(() => parsePolicyText(text, first, 'json'))).toBe('INPUT_MALFORMED')
    },
  )

  it('refuses in YAML what PyYAML refuses, or breaks lines at, where it is not escaped', () => {
    const yaml = (text: string): string => code(() => parsePolicyText(text, first, 'yaml'))
    for (const char of ['\x07', '\x7f', '\x85', '\u2028', '\u2029', '\ufffe', '\ud800'])
      expect(yaml(`a: "x${char}"`)).toBe('INPUT_MALFORMED')
    for (const char of ['\t', '\xa0', '\u2027', '\u202a', '\ufffd', '\u{1f600}', '\\x85', '\\L'])
      expect(yaml(`a: "x${char}"`)).toBe('none')
    for (const word of ['=', '<<']) {
      expect(yaml(`a: ${word}`)).toBe('INPUT_INVALID')
      expect(yaml(`- ${word}`)).toBe('INPUT_INVALID')
      expect(yaml(`a: "${word}"`)).toBe('none')
    }
    expect(['a: b\tc', 'a\tb: 1', '- &x 1\n- &x 2'].map(yaml)).toEqual(
      Array.from({ length: 3 }, () => 'INPUT_INVALID'),
    )
    expect(['a: "b\tc"', '- &x 1\n- &y 2'].map(yaml)).toEqual(['none', 'none'])
    expect(yaml('=: 1')).toBe('none')
    expect(yaml('a: &x {b: 1}\nc: {<<: *x}')).toBe('none')
  })

  it('takes 64 levels and 4300 digits, not one more', () => {
    const nested = (levels: number): string => '['.repeat(levels) + ']'.repeat(levels)
    expect(code(() => parsePolicyText(nested(64), first))).toBe('none')
    expect(code(() => parsePolicyText(nested(65), first))).toBe('INPUT_MALFORMED')
    expect(code(() => parsePolicyText(nested(65), native))).toBe('INPUT_MALFORMED')
    // Brackets in a string are no levels.
    expect(code(() => parsePolicyText(`["${'['.repeat(99)}\\"[["]`, first))).toBe('none')
    expect(code(() => parsePolicyText(`[${'9'.repeat(4300)}]`, first))).toBe('none')
    expect(code(() => parsePolicyText(`[-${'9'.repeat(4300)}]`, first))).toBe('none')
    for (const sign of ['', '-'])
      expect(code(() => parsePolicyText(`[${sign}${'9'.repeat(4301)}]`, first))).toBe(
        'INPUT_INVALID',
      )
  })

  it('takes a text of the greatest length, not one character more', () => {
    const text = (length: number): string => `"${'x'.repeat(length - 2)}"`
    expect(code(() => parsePolicyText(text(mostText), first, 'json'))).toBe('none')
    expect(code(() => parsePolicyText(text(mostText + 1), first, 'json'))).toBe('INPUT_TOO_LARGE')
    expect(code(() => parsePolicyText(text(mostText + 1), native, 'yaml'))).toBe('INPUT_TOO_LARGE')
  })
})

describe('YAML', () => {
  it.each([
    ['yes', true],
    ['Off', false],
    ['y', 'y'],
    ['tRue', 'tRue'],
    ['~', null],
    ['', null],
    ['010', 8],
    ['08', '08'],
    ['0o10', '0o10'],
    ['0x1F', 31],
    ['-0b11', -3],
    ['1_000', 1000],
    ['1:30', 90],
    ['1:30.5', 90.5],
    ['1e3', '1e3'],
    ['1.0e3', '1.0e3'],
    ['1.0e+3', 1000],
    ['.5', 0.5],
    ['-.Inf', -Infinity],
    ['9007199254740993', 9007199254740993n],
    ['"yes"', 'yes'],
    ['[1, {a: no}]', [1, { a: false }]],
  ])('in dialect 0.1 %j is what PyYAML makes of it', (text, value) => {
    expect(parsePolicyText(`v: ${text}\n`, first)).toEqual({ v: value })
  })

  it('is 1.2 in the other dialects', () => {
    expect(parsePolicyText('v: [yes, 010, 1e3, 0o10, ~]\n', native)).toEqual({
      v: ['yes', 10, 1000, 8, null],
    })
  })

  it('merges in dialect 0.1 and takes the last of two names', () => {
    expect(parsePolicyText('a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\nd: 1\nd: 3\n', first)).toEqual({
      a: { b: 1 },
      c: { b: 1, d: 2 },
      d: 3,
    })
  })

  it.each([
    ['an unknown tag', 'v: !foo 1', first],
    ['a tab for a space', 'v:\n\t- 1', first],
    ['a name that stands twice', 'v: 1\nv: 2', native],
    ['a name that is no string', '1: 2', first],
    ['a name that is no string', 'true: 2', native],
    ['a list for a name', '? [a]\n: 1', native],
    ['an integer beyond 2^53', 'v: 9007199254740993', native],
    ['an alias of nothing', 'v: *x', native],
    ['a date without quotes', 'v: 2020-01-01', first],
    ['two documents', 'a: 1\n---\nb: 2', first],
    [
      'aliases that multiply',
      `a: &a [1,1,1,1,1,1,1,1,1]\nb: &b [${'*a,'.repeat(9)}]\nc: &c [${'*b,'.repeat(9)}]\nd: [${'*c,'.repeat(9)}]`,
      native,
    ],
    ['100 levels', `v: ${'['.repeat(100)}${']'.repeat(100)}`, native],
  ])('refuses %s: %s', (_, text, dialect) => {
    expect(code(() => parsePolicyText(text, dialect, 'yaml'))).toMatch(/^INPUT_/)
  })

  it('says what to do about a date', () => {
    expect(() => parsePolicyText('v: 2020-01-01', first)).toThrow('A date in YAML must be quoted')
    expect(parsePolicyText('v: "2020-01-01"', first)).toEqual({ v: '2020-01-01' })
  })

  it('is what a text is taken for that opens with neither brace nor bracket', () => {
    expect(parsePolicyText(' {"a":1}', native)).toEqual({ a: 1 })
    expect(code(() => parsePolicyText('{a: 1}', native))).toBe('INPUT_MALFORMED')
    expect(parsePolicyText('{a: 1}', native, 'yaml')).toEqual({ a: 1 })
  })
})
