import { describe, expect, it } from 'vitest'
import { parsePythonInt, repr, str } from '../../../src/policy/python-text.ts'
import {
  booleanEqual,
  compareCodePoints,
  isOrdered,
  looseEqual,
  strictEqual,
} from '../../../src/policy/python-values.ts'

const big = 9007199254740993n

describe('equality', () => {
  it.each([
    [true, 1, true],
    [false, 0, true],
    [true, 2, false],
    ['1', 1, false],
    [null, false, false],
    [big, 9007199254740992, false],
    [9007199254740992n, 9007199254740992, true],
    [NaN, NaN, false],
    [-0, 0, true],
    [[1, [true]], [true, [1]], true],
    [[1], [1, 2], false],
    [{ a: 1, b: 2 }, { b: 2, a: true }, true],
    [{ a: 1 }, { a: 1, b: 2 }, false],
    [{ a: 1 }, { b: 1 }, false],
    [[], {}, false],
    [{}, [], false],
    [{}, null, false],
    [null, {}, false],
    [{ '0': 1 }, [1], false],
  ])('is that of Python: %o and %o', (a, b, same) => {
    expect(looseEqual(a, b)).toBe(same)
    expect(looseEqual(b, a)).toBe(same)
  })

  it('does not take what an object inherits for its member', () => {
    expect(looseEqual({ constructor: 1 }, { toString: 1 })).toBe(false)
    expect(looseEqual(JSON.parse('{"__proto__":1}'), { a: 1 })).toBe(false)
    expect(looseEqual(JSON.parse('{"__proto__":1}'), JSON.parse('{"__proto__":1}'))).toBe(true)
  })

  it('keeps booleans apart in dialect 0.2 at the top and in native everywhere', () => {
    expect([booleanEqual(true, 1), booleanEqual([true], [1]), booleanEqual(true, true)]).toEqual([
      false,
      true,
      true,
    ])
    expect([
      strictEqual(true, 1),
      strictEqual([true], [1]),
      strictEqual({ a: 0 }, { a: 0 }),
    ]).toEqual([false, false, true])
    expect(strictEqual(1, big)).toBe(false)
  })
})

describe('order', () => {
  it('of strings is by code point, not by UTF-16 unit', () => {
    expect(compareCodePoints('\u{1f600}', '\uffff')).toBeGreaterThan(0)
    expect(compareCodePoints('a\u{1f600}', 'a\uffff')).toBeGreaterThan(0)
    expect(compareCodePoints('\u{1f600}', '\u{1f601}')).toBeLessThan(0)
    // A pair against its own half, which is a code point below.
    expect(compareCodePoints('\u{1f600}', '\ud83d\uffff')).toBeGreaterThan(0)
    expect(compareCodePoints('\ud83d', '\ue000')).toBeLessThan(0)
    expect(compareCodePoints('ab', 'a')).toBeGreaterThan(0)
    expect(compareCodePoints('a', 'a')).toBe(0)
  })

  it.each([
    ['gt', 2, 1, true],
    ['gt', 1, 1, false],
    ['gte', 1, 1, true],
    ['lt', 1, 2, true],
    ['lte', 2, 2, true],
    ['lte', 3, 2, false],
    ['gt', true, 0, true],
    ['gt', big, 9007199254740992, true],
    ['lt', 9007199254740992, big, true],
    ['gte', NaN, NaN, false],
    ['gt', '2', 1, false],
    ['gt', 2, '1', false],
    ['gte', null, null, false],
    ['gte', {}, {}, false],
    ['gt', [1, 3], [1, 2], true],
    ['gt', [1, 2], [1], true],
    ['gte', [1], [1], true],
    ['gt', [1], 1, false],
    ['gt', 1, [1], false],
    ['gt', ['a', 1], [1, 0], false],
    ['gte', [{ a: 1 }], [{ a: true }], true],
    ['gte', [{ a: 1 }], [{ a: 2 }], false],
  ] as const)('%s of %o and %o is that of Python', (order, a, b, holds) => {
    expect(isOrdered(order, a, b)).toBe(holds)
  })
})

describe('text', () => {
  it.each([
    ['0', 0],
    ['-1', -1],
    ['+1', 1],
    [' 1 ', 1],
    ['01', 1],
    ['1_0', 10],
    ['\u0661\u0662', 12],
    ['\u{1d7d8}1', 1],
    ['\u30001', 1],
    ['\u0661\x85', 1],
    ['\u0661\x1c', undefined],
    ['\x1c1', undefined],
    [`${'0'.repeat(4299)}1`, 1],
    [`-${'0'.repeat(4299)}1`, -1],
    [`${'0'.repeat(4300)}1`, undefined],
    ['', undefined],
    ['1__0', undefined],
    ['_1', undefined],
    ['1_', undefined],
    ['--1', undefined],
    ['1.0', undefined],
    ['length', undefined],
  ])('%o is as an index what int() makes of it', (text, index) => {
    expect(parsePythonInt(text)).toBe(index)
  })

  it.each([
    ['r', "'r'"],
    ["it's", '"it\'s"'],
    [`a"b'c`, `'a"b\\'c'`],
    ['\n\t\\', "'\\n\\t\\\\'"],
    ['\x7f\xad\u200b\u2028', "'\\x7f\\xad\\u200b\\u2028'"],
    ['\u{e0001}é\u{1f600}', "'\\U000e0001é\u{1f600}'"],
    [null, 'None'],
    [true, 'True'],
    [1.5, '1.5'],
    [1e-7, '1e-07'],
    [1e-4, '0.0001'],
    [1e16, '1e+16'],
    [1.5e300, '1.5e+300'],
    [10n ** 20n, '100000000000000000000'],
    [[1, 'a', { b: null }], "[1, 'a', {'b': None}]"],
  ])('%o reads as repr() writes it', (value, text) => {
    expect(repr(value)).toBe(text)
  })

  it('leaves a string as it is where Python formats without repr', () => {
    expect([str("it's"), str(5), str(null)]).toEqual(["it's", '5', 'None'])
  })
})
