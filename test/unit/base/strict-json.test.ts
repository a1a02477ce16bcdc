import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseStrictJson } from '../../../src/base/strict-json.ts'
import { Failure } from '../../../src/base/failure.ts'

const refusal = (text: string): Failure => {
  try {
    parseStrictJson(text)
  } catch (error) {
    if (error instanceof Failure) return error
    throw error
  }
  throw new Error(`Not refused: ${text.slice(0, 60)}`)
}

const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)

describe('strict JSON', () => {
  it('reads what JSON.parse reads', () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 5 }), (text) => {
        let value: unknown
        try {
          value = parseStrictJson(text)
        } catch (error) {
          // Integers that parsing would round are the one thing a generated text may hold and we refuse.
          expect((error as Failure).code).toBe('INPUT_INVALID')
          return
        }
        expect(value).toEqual(JSON.parse(text))
      }),
    )
  })

  it('accepts 64 levels and refuses 65', () => {
    expect(parseStrictJson(nested(64))).toBeDefined()
    expect(refusal(nested(65)).code).toBe('INPUT_MALFORMED')
    expect(refusal(nested(30_000)).code).toBe('INPUT_MALFORMED')
  })

  it('accepts 2^53-1 and refuses 2^53, of both signs', () => {
    expect(parseStrictJson('[9007199254740991,-9007199254740991]')).toEqual([
      9007199254740991, -9007199254740991,
    ])
    expect(refusal('[9007199254740992]').message).toContain('9007199254740992')
    expect(refusal('[-9007199254740992]').code).toBe('INPUT_INVALID')
    expect(refusal('{"amount":12345678901234567890}').code).toBe('INPUT_INVALID')
    expect(refusal(`[${'9'.repeat(400)}]`).code).toBe('INPUT_INVALID')
  })

  it('does not take digits inside a string for a number', () => {
    expect(parseStrictJson('{"a":"12345678901234567890"}')).toEqual({ a: '12345678901234567890' })
  })

  it('refuses a number that overflows and names its path', () => {
    const failure = refusal('{"a":[0,1e400]}')
    expect(failure.code).toBe('INPUT_INVALID')
    expect(failure.field).toBe('/a/1')
    expect(refusal('1e400').message).toBe('Number overflows at /')
  })

  it('accepts the smallest number and refuses what is not zero and would become it', () => {
    const smallest = ['5e-324', '2.5E-324', '-5e-324', `0.${'0'.repeat(323)}5`]
    const lost = ['2.4e-324', '2.4E-324', '-2.4e-324', '1e-400', `0.${'0'.repeat(323)}2`]
    for (const literal of smallest) {
      expect(parseStrictJson(`[${literal}]`)).toEqual([Number(literal)])
      expect(Number(literal)).not.toBe(0)
    }
    for (const literal of lost) {
      const failure = refusal(`{"a":[0,${literal}]}`)
      expect([literal, failure.code, failure.field]).toEqual([literal, 'INPUT_INVALID', '/a/1'])
      expect(failure.message).toMatch(/^Number too small, send it as a string: /)
    }
    for (const zero of ['0', '-0', '0.0', '0e-400', '0.000E5', `-0.${'0'.repeat(400)}e-9`])
      expect(parseStrictJson(`[${zero}]`)).toEqual([zero.startsWith('-') ? -0 : 0])
  })

  it('names the path of whatever it refuses for its value, in one way', () => {
    const number = '9007199254740993'
    const wrong: readonly (readonly [text: string, field: string])[] = [
      [number, ''],
      [`[[],{"b":[1,"x:",${number}]}]`, '/1/b/2'],
      [`{"a":{"b" \n:1},"c":[{},{"\\u0064":${number}}]}`, '/c/1/d'],
      [`{"a":{"x":[1,2]},"b":1e-999}`, '/b'],
      ['{"a":{"x":[1,2]},"b":1e999}', '/b'],
      ['{"a":[{"__proto__":1}]}', '/a/0/__proto__'],
    ]
    for (const [text, field] of wrong) expect([text, refusal(text).field]).toEqual([text, field])
    // What stands behind is not looked at, and need not be JSON.
    expect(refusal(`{"a":${number}}}{`).field).toBe('/a')
    expect(refusal(`{"a""b":[,${number}`).field).toBe('/b/1')
  })

  it.each([
    ['{"a":1,"a":2}', '/a'],
    ['{"x":{"b":1,"c":2,"b":3}}', '/x/b'],
    ['{"a":1,"\\u0061":2}', '/a'],
    ['[{"k":{}},{"k":{"z":1,"z":1}}]', '/1/k/z'],
    [`{"a":1,"a"${' '.repeat(100)}:2}`, '/a'],
  ])('refuses the duplicate name in %s', (text, name) => {
    const failure = refusal(text)
    expect(failure.code).toBe('INPUT_INVALID')
    expect(failure.field).toBe(name)
  })

  it('does not take a colon or a name inside a string for a member', () => {
    expect(parseStrictJson('{"a":"x:y","b":":","c":"\\"a\\":1"}')).toEqual({
      a: 'x:y',
      b: ':',
      c: '"a":1',
    })
  })

  it.each([
    '{"__proto__":1}',
    '{"a":{"__proto__":{}}}',
    '{"\\u005f_proto__":1}',
    '[{"__proto__":null}]',
  ])('refuses __proto__ in %s', (text) => {
    expect(refusal(text).code).toBe('INPUT_INVALID')
  })

  it.each([
    '',
    '{',
    '[1,]',
    '{"a"}',
    '"abc',
    "{'a':1}",
    '01',
    '[1 2]',
    'nul',
    '"\u0001"',
    '{"a":1}}',
  ])('refuses the malformed text %j', (text) => {
    expect(refusal(text).code).toBe('INPUT_MALFORMED')
  })

  it('does not quote the input in its message', () => {
    expect(refusal('{"secret": hunter2}').message).not.toContain('hunter2')
  })
})
