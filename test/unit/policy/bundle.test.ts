import { describe, expect, it } from 'vitest'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { parsePolicyText } from '../../../src/policy/bundle.ts'
import { dialects, type DialectName } from '../../../src/policy/dialect.ts'

const exists = { kind: 'exists', field: 'x' }
const bundleOf = (when: unknown, more: object = {}, rule: object = {}): unknown => ({
  bundle_id: 'b',
  policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when, ...rule }] }],
  ...more,
})

/** The code and place of a refusal, or `taken`. */
function refusalOf(value: unknown, dialect: DialectName): string {
  try {
    compileBundle(value, dialect)
  } catch (error) {
    if (error instanceof Failure) return `${error.code} ${error.field ?? ''}`
    throw error
  }
  return 'taken'
}

const at = (place: string): string => `POLICY_INVALID /policies/0${place}`

describe('a bundle', () => {
  it.each([
    ['no object', 1, '/'],
    ['nothing', undefined, '/'],
    ['an unknown member', { ...(bundleOf(exists) as object), zzz: 1 }, '/'],
    ['no id', { policies: [] }, '/bundle_id'],
    ['no policies', { bundle_id: 'b', policies: [] }, '/policies'],
    ['a version that is no text', bundleOf(exists, { version: 1 }), '/version'],
    ['a window in dialect 0.1', bundleOf(exists, { effective_from: null }), '/effective_from'],
  ])('is refused with %s', (_, value, place) => {
    expect(refusalOf(value, '0.1')).toBe(`POLICY_INVALID ${place}`)
  })

  it.each([
    ['no matcher', undefined, '/rules/0/when'],
    ['null for a matcher', null, '/rules/0/when'],
    ['a list for a matcher', [], '/rules/0/when'],
    ['an unknown kind', { kind: 'All_of', matchers: [exists] }, '/rules/0/when'],
    ['null for a kind', { kind: null }, '/rules/0/when'],
    ['no path', { kind: 'eq', value: 1 }, '/rules/0/when/field'],
    ['an empty path', { kind: 'exists', field: '' }, '/rules/0/when/field'],
    ['no value', { kind: 'eq', field: 'x' }, '/rules/0/when'],
    ['null for a value', { kind: 'eq', field: 'x', value: null }, '/rules/0/when'],
    ['a string for a list', { kind: 'in', field: 'x', value: 'abc' }, '/rules/0/when'],
    ['nothing to combine', { kind: 'any_of', matchers: [] }, '/rules/0/when/matchers'],
    ['a member of another kind', { kind: 'always', field: 'x' }, '/rules/0/when'],
    ['two kinds at once', { matchers: [exists], matcher: exists }, '/rules/0/when'],
    [
      'a wrong child',
      { kind: 'not', matcher: { kind: 'eq', field: 'x' } },
      '/rules/0/when/matcher',
    ],
    [
      'a pattern beyond linear time',
      { kind: 'regex', field: 'x', value: '(?=a)' },
      '/rules/0/when',
    ],
  ])('is refused with %s', (_, when, place) => {
    expect(refusalOf(bundleOf(when), '0.1')).toContain(at(place))
  })

  it('may leave the kind away where its members tell it', () => {
    for (const when of [{}, { matchers: [exists] }, { matcher: exists }])
      expect(refusalOf(bundleOf(when), '0.1')).toBe('taken')
    expect(refusalOf(bundleOf({ field: 'x', value: 1 }), '0.1')).toContain('POLICY_INVALID')
  })

  it('takes a name like __proto__ for what it is: unknown', () => {
    const text =
      '{"bundle_id":"b","__proto__":1,"policies":[{"id":"p","rules":[{"id":"r","effect":"allow","when":{}}]}]}'
    const dialect = dialects['0.1']
    expect(refusalOf(parsePolicyText(text, dialect), '0.1')).toContain('POLICY_INVALID')
    expect(refusalOf(parsePolicyText(text.replace('"__proto__":1,', ''), dialect), '0.1')).toBe(
      'taken',
    )
  })

  it('takes a broken pattern in dialect 0.1 only, where it raises when it is reached', () => {
    const broken = bundleOf({ kind: 'regex', field: 'x', value: '(' })
    expect([
      refusalOf(broken, '0.1'),
      refusalOf(broken, '0.2'),
      refusalOf(broken, 'native'),
    ]).toEqual(['taken', at('/rules/0/when'), at('/rules/0/when')])
    const number = bundleOf({ kind: 'regex', field: 'x', value: 1 })
    expect([refusalOf(number, '0.1'), refusalOf(number, '0.2')]).toEqual([
      'taken',
      at('/rules/0/when'),
    ])
  })

  it('may leave its answer open in native only', () => {
    const value = (): unknown => ({
      bundle_id: 'b',
      policies: [
        {
          id: 'p',
          default_effect: 'not_applicable',
          rules: [{ id: 'r', effect: 'deny', when: {} }],
        },
      ],
    })
    expect(refusalOf(value(), 'native')).toBe('taken')
    expect(refusalOf(value(), '0.2')).toBe(at('/default_effect'))
  })
})

describe('the bounds of the second dialect', () => {
  const nest = (levels: number): unknown =>
    levels === 1 ? exists : { kind: 'not', matcher: nest(levels - 1) }
  const many = (count: number): unknown => ({
    kind: 'all_of',
    matchers: Array.from({ length: count }, () => exists),
  })
  // 1 + 8 × (1 + 31) = 257 matchers with the last one, 256 without.
  const nodes = (last: number): unknown => ({
    kind: 'any_of',
    matchers: [...Array.from({ length: 7 }, () => many(31)), many(last)],
  })
  const rules = (count: number): unknown => ({
    bundle_id: 'b',
    policies: [
      {
        id: 'p',
        rules: Array.from({ length: count }, () => ({ id: 'r', effect: 'deny', when: {} })),
      },
    ],
  })
  const policies = (count: number): unknown => ({
    bundle_id: 'b',
    policies: Array.from({ length: count }, () => ({
      id: 'p',
      rules: [{ id: 'r', effect: 'deny', when: {} }],
    })),
  })
  const long = (length: number): string => 'x'.repeat(length)

  it.each([
    ['an id', 128, (n: number) => bundleOf({}, { bundle_id: long(n) })],
    ['a path', 256, (n: number) => bundleOf({ kind: 'exists', field: long(n) })],
    ['a pattern', 256, (n: number) => bundleOf({ kind: 'regex', field: 'x', value: long(n) })],
    ['tags', 32, (n: number) => bundleOf({}, {}, { tags: Array.from({ length: n }, () => 't') })],
    ['matchers side by side', 32, (n: number) => bundleOf(many(n))],
    ['levels of matchers', 16, (n: number) => bundleOf(nest(n))],
    ['matchers in all', 30, (n: number) => bundleOf(nodes(n))],
    ['rules', 64, rules],
    ['policies', 32, policies],
  ])('%s: %i, not one more', (_, most, make) => {
    expect(refusalOf(make(most), '0.2')).toBe('taken')
    expect(refusalOf(make(most + 1), '0.2')).toMatch(/^POLICY_INVALID/)
    expect(refusalOf(make(most + 1), '0.1')).toBe('taken')
  })

  it('are wider in native for policies and rules', () => {
    expect(refusalOf(policies(256), 'native')).toBe('taken')
    expect(refusalOf(policies(257), 'native')).toBe('POLICY_INVALID /policies')
    expect(refusalOf(rules(1024), 'native')).toBe('taken')
    expect(refusalOf(rules(1025), 'native')).toBe(at('/rules'))
  })

  it('of dialect 0.1 are those of evidence, and of patterns', () => {
    const deep = (levels: number): unknown => ({
      kind: 'eq',
      field: 'x',
      value: Array.from({ length: levels }).reduce<unknown>((inner) => [inner], 1),
    })
    expect(refusalOf(bundleOf(deep(60)), '0.1')).toBe('taken')
    expect(refusalOf(bundleOf(deep(100)), '0.1')).toMatch(/^POLICY_INVALID/)
    expect(refusalOf(bundleOf(deep(100_000)), '0.1')).toMatch(/^POLICY_INVALID/)
    expect(refusalOf(bundleOf({ kind: 'regex', field: 'x', value: long(1024) }), '0.1')).toBe(
      'taken',
    )
    expect(refusalOf(bundleOf({ kind: 'regex', field: 'x', value: long(1025) }), '0.1')).toMatch(
      /^POLICY_INVALID/,
    )
  })
})

describe('a window', () => {
  const window = (effective_from: unknown, effective_until: unknown): string =>
    refusalOf(bundleOf({}, { effective_from, effective_until }), '0.2')

  it('has a zone, exists, and ends after it begins', () => {
    expect(window('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.000001Z')).toBe('taken')
    expect(window('2026-01-01T01:00:00+01:00', '2026-01-01T00:00:00Z')).toBe(
      'POLICY_INVALID /effective_until',
    )
    expect(window(null, null)).toBe('taken')
    for (const bad of [
      '2026-01-01T00:00:00',
      '2026-01-01',
      '2026-02-30T00:00:00Z',
      '2026-01-01T25:00:00Z',
      '',
      1,
    ])
      expect(window(bad, null)).toBe('POLICY_INVALID /effective_from')
  })
})

describe('the record', () => {
  const value = (literal: string): unknown =>
    parsePolicyText(
      `{"bundle_id":"b","policies":[{"id":"p","rules":[{"id":"r","effect":"allow","when":{"kind":"eq","field":"x","value":${literal}}}]}]}`,
      dialects['0.1'],
    )
  const digest = (literal: string): string => compileBundle(value(literal), '0.1').digest

  it('keeps an integer beyond 2^53 as a string and says that it was one', () => {
    const { record } = compileBundle(value('[1,9007199254740993]'), '0.1')
    expect(fromUtf8(record)).toBe(
      '{"bundle":{"bundle_id":"b","policies":[{"id":"p","rules":[{"effect":"allow","id":"r","when":{"field":"x","kind":"eq","value":[1,"9007199254740993"]}}]}]},"dialect":"0.1","exact":{"/policies/0/rules/0/when/value/1":"integer"}}',
    )
  })

  it('differs wherever the answer may differ', () => {
    const all = [
      '9007199254740993',
      '"9007199254740993"',
      '100000000000000000000',
      '1e20',
      '"1e20"',
      'true',
      '1',
    ]
    expect(new Set(all.map(digest)).size).toBe(all.length)
    const plain = bundleOf(exists)
    expect(compileBundle(plain, '0.1').digest).not.toBe(compileBundle(plain, 'native').digest)
  })

  it('is the same however the names are ordered, and has this value', () => {
    const one = compileBundle(
      { bundle_id: 'b', policies: [{ id: 'p', rules: [{ id: 'r', effect: 'deny', when: {} }] }] },
      'native',
    )
    const other = compileBundle(
      { policies: [{ rules: [{ when: {}, effect: 'deny', id: 'r' }], id: 'p' }], bundle_id: 'b' },
      'native',
    )
    expect(one.digest).toBe(other.digest)
    expect(one.digest).toMatchInlineSnapshot(
      `"de36ec19b55a383be972af82b9e4eda948a38f035043dfa28e6202fc661ba121"`,
    )
  })

  it.each([NaN, Infinity, undefined, () => 1, new Date(0), '\ud800', 2 ** 53])(
    'refuses in native what has no canonical form: %o',
    (wrong) => {
      expect(refusalOf(bundleOf({ kind: 'eq', field: 'x', value: wrong }), 'native')).toMatch(
        /^POLICY_INVALID/,
      )
    },
  )
})
