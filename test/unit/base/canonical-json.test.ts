import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  canonicalize,
  CanonicalText,
  parseCanonical,
} from '../../../src/base/canonical-json.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'

const code = (run: () => unknown): string => {
  try {
    run()
  } catch (error) {
    return error instanceof Failure ? error.code : 'foreign'
  }
  return 'none'
}

describe('canonical JSON', () => {
  it('orders names by UTF-16 code units, not by code point or as integers', () => {
    expect(canonicalize({ '10': 1, '9': 2, b: 3, a: 4, '\u{1f600}': 5, '\uffff': 6 })).toBe(
      '{"10":1,"9":2,"a":4,"b":3,"\u{1f600}":5,"\uffff":6}',
    )
  })

  it('orders few names and many as Array.prototype.sort does', () => {
    const name = fc.oneof(
      fc.string({ unit: 'binary', maxLength: 3 }),
      fc.constantFrom('', '10', '9'),
    )
    fc.assert(
      fc.property(fc.uniqueArray(name, { maxLength: 70, size: 'max' }), (names) => {
        const written = canonicalize(Object.fromEntries(names.map((one) => [one, 0])))
        expect(written).toBe(
          `{${names
            .toSorted()
            .map((one) => `${JSON.stringify(one)}:0`)
            .join(',')}}`,
        )
      }),
    )
    for (const count of [31, 32, 33, 34]) {
      const names = Array.from({ length: count }, (_, i) => `n${(i * 7919) % 101}`)
      const written = canonicalize(Object.fromEntries(names.map((one) => [one, 0])))
      expect(Object.keys(JSON.parse(written) as object)).toEqual(names.toSorted())
    }
  })

  it('writes numbers as ECMAScript does', () => {
    expect(canonicalize([1e30, 4.5, 2e-3, 1e-27, -0, 333333333.33333329, 1e21])).toBe(
      '[1e+30,4.5,0.002,1e-27,0,333333333.3333333,1e+21]',
    )
  })

  it('accepts integers up to 2^53-1 and refuses the next one', () => {
    expect(canonicalize(2 ** 53 - 1)).toBe('9007199254740991')
    expect(canonicalize(-(2 ** 53) + 1)).toBe('-9007199254740991')
    expect(code(() => canonicalize(2 ** 53))).toBe('INPUT_INVALID')
    expect(code(() => canonicalize(-(2 ** 53)))).toBe('INPUT_INVALID')
    expect(code(() => canonicalize(1e20))).toBe('INPUT_INVALID')
  })

  it.each([
    ['NaN', NaN],
    ['infinity', Infinity],
    ['a lone high surrogate', '\ud800'],
    ['a lone low surrogate', 'a\udc00b'],
    ['a lone surrogate in a name', { '\ud800': 1 }],
    ['undefined', undefined],
    ['an undefined member', { a: undefined }],
    ['a bigint', 1n],
    ['a function', () => 1],
    ['a date', new Date(0)],
    ['a map', new Map()],
    ['bytes', new Uint8Array(1)],
  ])('refuses %s', (_, value) => {
    expect(code(() => canonicalize(value))).toBe('INPUT_INVALID')
  })

  it('names the path of what it refuses', () => {
    expect(() => canonicalize({ a: [{ b: NaN }] })).toThrow('/a/0/b')
  })

  it('refuses nesting that would exhaust the stack', () => {
    let deep: unknown = 1
    for (let i = 0; i < 10_000; i++) deep = [deep]
    expect(code(() => canonicalize(deep))).toBe('INPUT_INVALID')
  })

  it('splices canonical text as it stands', () => {
    const part = canonicalize({ z: 1, a: 2 })
    expect(canonicalize({ b: new CanonicalText(part), a: 0 })).toBe('{"a":0,"b":{"a":2,"z":1}}')
  })

  it('is what it reads back, for any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
        let text: string
        try {
          text = canonicalize(value)
        } catch {
          return
        }
        expect(canonicalize(JSON.parse(text))).toBe(text)
      }),
    )
  })
})

describe('reading canonical JSON', () => {
  it('gives the value of canonical bytes', () => {
    expect(parseCanonical(canonicalBytes({ b: [1, 'é'], a: null }))).toEqual({
      a: null,
      b: [1, 'é'],
    })
  })

  it.each([
    ['white space', '{"a": 1}'],
    ['another order', '{"b":1,"a":2}'],
    ['an escape that is not needed', '{"a":"\\u0041"}'],
    ['another form of a number', '[1.0]'],
    ['a trailing newline', '[]\n'],
    ['minus zero', '[-0]'],
    ['a byte order mark', '\ufeff[]'],
    ['no JSON', 'nope'],
  ])('refuses %s', (_, text) => {
    expect(code(() => parseCanonical(utf8(text)))).toBe('INPUT_MALFORMED')
  })

  it('refuses bytes that are not UTF-8', () => {
    expect(code(() => parseCanonical(Uint8Array.of(0x22, 0xff, 0x22)))).toBe('INPUT_MALFORMED')
  })
})
