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

  it('refuses a number that would become zero, in dialect 0.1 too', () => {
    const long = `0.${'0'.repeat(323)}`
    for (const number of ['1e-400', '-1E-400', '2e-324', '0.0000001e-0320', `${long}1`])
      for (const dialect of [first, native])
        expect(() => parsePolicyText(`[1, ${number}]`, dialect)).toThrow(
          expect.objectContaining({
            code: 'INPUT_INVALID',
            message: expect.stringMatching(/^Number too small, send it as a string: /) as string,
          }) as Error,
        )
    for (const number of ['0', '-0.0', '0e-400', '0.0E-999', `${long}0`])
      for (const dialect of [first, native])
        expect(parsePolicyText(`[1, ${number}]`, dialect)).toEqual([1, 0 * Number(number)])
    expect(parsePolicyText('[5e-324, 1e-300]', first)).toEqual([5e-324, 1e-300])
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
    ['-0x20000000000001', -9007199254740993n],
    ['1:00:00:00:00:00:00:00:00:00:00:01', 36279705600000000001n],
    ['-1:30.5', -90.5],
    ['1e-400', '1e-400'],
    ['0.0e-400', 0],
    ['"yes"', 'yes'],
    ['[1, {a: no}]', [1, { a: false }]],
  ])('in dialect 0.1 %j is what PyYAML makes of it', (text, value) => {
    expect(parsePolicyText(`v: ${text}\n`, first)).toEqual({ v: value })
  })

  it('is 1.2 in the other dialects', () => {
    const text = 'v: [yes, Off, 010, 1e3, 0o17, 0x1F, ~, 1_000, 1:30, 2026-01-01]\n'
    expect(parsePolicyText(text, native)).toEqual({
      v: ['yes', 'Off', 10, 1000, 15, 31, null, '1_000', '1:30', '2026-01-01'],
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
    ['what JSON has not', 'v: !!timestamp 2020-01-01', first],
    ['what JSON has not', 'v: !!timestamp 2020-01-01', native],
    ['what JSON has not', 'v: !!binary aGk=', first],
    ['what JSON has not', 'v: !!binary aGk=', native],
    ['what JSON has not', 'v: !!set {a, b}', first],
    ['what JSON has not', 'v: !!set {a, b}', native],
    ['what JSON has not', 'v: !!omap [a: 1]', first],
    ['what JSON has not', 'v: !!omap [a: 1]', native],
    ['pairs', 'v: !!pairs [a: 1]', native],
    ['what merges as a value', 'v: !!merge "<<"', first],
    ['what merges as a value', 'v: !!merge "<<"', native],
    ['what merges in 1.1 only', 'a: &x {b: 1}\nc: {<<: *x}', native],
    ['a name that JSON has not', 'v: {__proto__: 1}', native],
    ['a name that JSON has not', '"__proto__": 1', native],
    ['another version', '%YAML 1.1\n---\nv: yes', native],
    ['a number that would become zero', 'v: 1.0e-400', first],
    ['a number that would become zero', 'v: -0_0.0_1e-400', first],
    ['a number that would become zero', 'v: 1e-400', native],
    ['a number that would become zero', 'v: !!float "1e-400"', native],
    ['a number that would become zero', 'v: [-.0002e-320]', native],
    ['a number that overflows', 'v: 1e400', native],
    ['what is infinite', 'v: -.inf', native],
    ['what is no number', 'v: .nan', native],
    ['an integer of too many digits', `v: 0x${'F'.repeat(3572)}`, first],
    ['an integer of too many digits', `v: 1${':00'.repeat(1434)}`, first],
    ['an integer of too many digits', `v: 0b${'1'.repeat(4299)}`, first],
    ['two documents', 'a: 1\n---\nb: 2', native],
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

  it('takes zeros, numbers near zero, and integers of almost too many digits', () => {
    expect(parsePolicyText('v: [0, -0.0, 0e-400, 5e-324, 0x0, 0o0]', native)).toEqual({
      v: [0, -0, 0, 5e-324, 0, 0],
    })
    for (const digits of [
      `0x${'F'.repeat(3571)}`,
      `1${':00'.repeat(1433)}`,
      `0b${'1'.repeat(4298)}`,
    ])
      expect(typeof (parsePolicyText(`v: ${digits}`, first) as { v: unknown }).v).toBe('bigint')
    expect(parsePolicyText('%YAML 1.2\n---\nv: yes', native)).toEqual({ v: 'yes' })
    expect(parsePolicyText('v: {"<<": 1}', native)).toEqual({ v: { '<<': 1 } })
  })

  it('reads tags of what JSON has, and aliases as what they stand for', () => {
    const text =
      '[!!str 5, !!int "0x1F", !!float "1.5", !!bool "true", !!null "", !!map {}, !!seq []]'
    expect(parsePolicyText(`v: ${text}`, native, 'yaml')).toEqual({
      v: ['5', 31, 1.5, true, null, {}, []],
    })
    expect(parsePolicyText('v: &a [1]\nw: *a', native)).toEqual({ v: [1], w: [1] })
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
