import { describe, expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'

/** Denies by a matcher on the field `v` and allows the rest. */
const ask = (dialect: DialectName, matcher: object, v: unknown): string => {
  const bundle = {
    bundle_id: 'b',
    version: '1',
    policies: [
      {
        id: 'p',
        default_effect: 'allow',
        rules: [{ id: 'no', effect: 'deny', when: { matchers: [{ field: 'v', ...matcher }] } }],
      },
    ],
  }
  return decide({
    active: [{ compiled: compileBundle(bundle, dialect), index: null }],
    request: { actor: { id: 'a' }, action: { type: 'pay' }, context: v === undefined ? {} : { v } },
    time: 0,
  }).status
}

describe.each([
  ['gt', 3, 4, 3, ['4', [4], null, {}, true]],
  ['gte', 3, 3, 2, ['3', [3], null, {}, true]],
  ['lt', 3, 2, 3, ['2', [2], null, {}, false]],
  ['lte', 3, 3, 4, ['3', [3], null, {}, false]],
  ['gt', 'b', 'c', 'b', [3, ['c'], null, {}, true]],
  ['regex', 'rm', 'a rm b', 'a', [3, ['rm'], null, {}, true]],
  ['starts_with', 'rm', 'rm b', 'b rm', [3, ['rm'], null, {}, true]],
  ['ends_with', 'rm', 'b rm', 'rm b', [3, ['rm'], null, {}, true]],
  ['contains', 'rm', ['rm'], ['a'], [3, null, true]],
])('a rule that denies by %s %j', (kind, value, hit, miss, others) => {
  it('denies, and lets pass what is not meant', () => {
    expect(ask('native', { kind, value }, hit)).toBe('BLOCK')
    expect(ask('native', { kind, value }, miss)).toBe('ALLOW')
    expect(ask('native', { kind, value }, undefined)).toBe('ALLOW')
  })

  it('is not escaped by a value of another kind: that is an error', () => {
    for (const other of others)
      expect([other, ask('native', { kind, value }, other)]).toEqual([other, 'ERROR'])
  })

  it('is escaped by one in dialect 0.2, as in its original; there a truth value is a number', () => {
    for (const other of others.filter((one) => typeof one !== 'boolean'))
      expect([other, ask('0.2', { kind, value }, other)]).toEqual([other, 'ALLOW'])
  })
})

it('judges every kind by eq, ne, in and not_in', () => {
  for (const v of ['3', [3], null, {}, true]) {
    expect(ask('native', { kind: 'eq', value: 3 }, v)).toBe('ALLOW')
    expect(ask('native', { kind: 'ne', value: 3 }, v)).toBe('BLOCK')
    expect(ask('native', { kind: 'in', value: [3] }, v)).toBe('ALLOW')
    expect(ask('native', { kind: 'not_in', value: [3] }, v)).toBe('BLOCK')
  }
})
