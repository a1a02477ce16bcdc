import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'

const ask = (rules: unknown, parameters: object = {}, action = 'payment.send'): Decided =>
  decide({
    request: { actor: { id: 'bot' }, action: { type: action }, context: { parameters } },
    time: 0,
    active: [{ compiled: compileBundle(rules, 'provenance'), index: 1 }],
  })
const status = (...asked: Parameters<typeof ask>): string => ask(...asked).status
const condition = (operator: string, value: unknown, field = 'amount'): object => ({
  name: 'c',
  field,
  operator,
  value,
})
const rule = (more: object): object => ({ action: 'payment.*', reason: 'Because', ...more })

describe('rules of Provenance', () => {
  it('allow what none of them is about', () => {
    const decided = ask([rule({ on_match: 'BLOCK' })], {}, 'email.send')
    expect(decided).toMatchObject({
      status: 'ALLOW',
      reasons: [{ code: 'POLICY_DEFAULT_ALLOWED', text: 'No rule matched; default ALLOW' }],
    })
  })

  it('fire on a match of the action, the first that does', () => {
    const rules = [
      rule({ action: 'email.*', on_match: 'ALLOW' }),
      rule({ on_match: 'BLOCK' }),
      rule({ on_match: 'ESCALATE' }),
    ]
    expect(status(rules)).toBe('BLOCK')
    expect(status(rules, {}, 'email.send')).toBe('ALLOW')
    expect(status(rules.slice(2))).toBe('ESCALATE')
    expect(ask(rules).reasons).toEqual([{ code: 'POLICY_DENIED', text: 'Because' }])
  })

  it('with on_match fire when all conditions pass, and only then', () => {
    const rules = [
      rule({
        conditions: [condition('>=', 500), condition('==', 'GBP', 'currency')],
        on_match: 'ESCALATE',
      }),
    ]
    expect(status(rules, { amount: 500, currency: 'GBP' })).toBe('ESCALATE')
    expect(status(rules, { amount: 499, currency: 'GBP' })).toBe('ALLOW')
    expect(status(rules, { amount: 500, currency: 'EUR' })).toBe('ALLOW')
  })

  it('with on_match fire all the same where the bug of the server is wanted', () => {
    const rules = [rule({ conditions: [condition('>=', 500)], on_match: 'ESCALATE' })]
    const compat = { compat: 'provenance-bug', rules }
    expect(status(compat, { amount: 1 })).toBe('ESCALATE')
    expect(status({ rules }, { amount: 1 })).toBe('ALLOW')
    expect(status(compat, { amount: 'much' })).toBe('ERROR')
  })

  it('with on_violation fire when a condition fails, and only then', () => {
    const rules = [rule({ conditions: [condition('<', 500)], on_violation: 'BLOCK' })]
    expect(status(rules, { amount: 500 })).toBe('BLOCK')
    expect(status(rules, { amount: 499 })).toBe('ALLOW')
  })

  it('with on_violation and no condition never fire', () => {
    expect(status([rule({ on_violation: 'BLOCK' })])).toBe('ALLOW')
    expect(status([rule({ conditions: [], on_violation: 'BLOCK' })])).toBe('ALLOW')
  })

  it('with both are rules of on_match', () => {
    const rules = [
      rule({ conditions: [condition('<', 500)], on_match: 'ESCALATE', on_violation: 'BLOCK' }),
    ]
    expect(status(rules, { amount: 1 })).toBe('ESCALATE')
    expect(status(rules, { amount: 900 })).toBe('ALLOW')
  })

  it('see parameters, or the context where there are none, and only their own level', () => {
    const rules = [rule({ conditions: [condition('==', 1, 'a.b')], on_match: 'BLOCK' })]
    expect(status(rules, { a: { b: 1 } })).toBe('ALLOW')
    expect(status(rules, { 'a.b': 1 })).toBe('BLOCK')
    const plain = decide({
      request: { actor: { id: 'bot' }, action: { type: 'payment.send' }, context: { 'a.b': 1 } },
      time: 0,
      active: [{ compiled: compileBundle(rules, 'provenance'), index: 1 }],
    })
    expect(plain.status).toBe('BLOCK')
  })
})

describe('conditions of Provenance', () => {
  // As Python answers; ERROR where it raises TypeError.
  it.each([
    ['==', 1, true, 'yes'],
    ['==', '1', 1, 'no'],
    ['!=', 'a', undefined, 'yes'],
    ['==', null, undefined, 'yes'],
    ['<', 5, 4, 'yes'],
    ['<', 5, 5, 'no'],
    ['<=', 5, 5, 'yes'],
    ['>', 5, 5, 'no'],
    ['>', 5, 6, 'yes'],
    ['>=', 5, 5, 'yes'],
    ['<', 5, true, 'yes'],
    ['<', 'b', 'a', 'yes'],
    ['<', [2], [1], 'yes'],
    ['<', 5, undefined, 'ERROR'],
    ['<', 5, null, 'ERROR'],
    ['<', 5, '4', 'ERROR'],
    ['<', '5', 4, 'ERROR'],
    ['<', {}, {}, 'ERROR'],
    ['in', ['a', 'b'], 'a', 'yes'],
    ['in', [1], true, 'yes'],
    ['in', ['a', 'b'], 'c', 'no'],
    ['in', ['a'], undefined, 'no'],
    ['not_in', ['a'], undefined, 'yes'],
    ['not_in', ['a'], 'a', 'no'],
    ['in', 'abc', 'bc', 'yes'],
    ['in', 'abc', '', 'yes'],
    ['in', 'abc', 1, 'ERROR'],
    ['in', { a: 1 }, 'a', 'yes'],
    ['in', { a: 1 }, 1, 'no'],
    ['in', { a: 1 }, ['a'], 'ERROR'],
    ['in', 7, 7, 'ERROR'],
    ['not_in', null, 7, 'ERROR'],
    ['in', { a: 1 }, 'constructor', 'no'],
  ])('%s %j of %j is %s', (operator, value, actual, answer) => {
    const rules = [rule({ conditions: [condition(operator, value)], on_match: 'BLOCK' })]
    const answers: Readonly<Record<string, string>> = { yes: 'BLOCK', no: 'ALLOW', ERROR: 'ERROR' }
    expect(status(rules, actual === undefined ? {} : { amount: actual })).toBe(answers[answer])
  })

  it('are asked in order and no further than the first that fails', () => {
    const conditions = [condition('==', 1), condition('<', 1, 'missing')]
    const rules = [rule({ conditions, on_match: 'BLOCK' })]
    expect(status(rules, { amount: 2 })).toBe('ALLOW')
    expect(status(rules, { amount: 1 })).toBe('ERROR')
  })
})

it.each([
  ['no outcome', [rule({})]],
  ['an unknown outcome', [rule({ on_match: 'MAYBE' })]],
  ['an unknown operator', [rule({ conditions: [condition('~', 1)], on_match: 'BLOCK' })]],
  ['a member that nobody knows', [rule({ on_match: 'BLOCK', violation_reason: 'x' })]],
  ['no reason', [{ action: 'a', on_match: 'BLOCK' }]],
  ['no action', [{ action: '', reason: 'r', on_match: 'BLOCK' }]],
  ['no rules', []],
  ['another compat', { compat: 'yes', rules: [rule({ on_match: 'BLOCK' })] }],
])('refuses rules with %s', (_, rules) => {
  expect(() => compileBundle(rules, 'provenance')).toThrow(Failure)
})

it('never throws anything but a failure, whatever the rules are', () => {
  const near = fc.record(
    {
      action: fc.string(),
      reason: fc.string(),
      conditions: fc.array(
        fc.record({
          field: fc.string(),
          operator: fc.constantFrom('==', '<', 'in', 'not_in', 'x'),
          value: fc.jsonValue(),
        }),
      ),
      on_match: fc.constantFrom('ALLOW', 'BLOCK', 'x'),
      on_violation: fc.constantFrom('BLOCK', 'ESCALATE', 1),
    },
    { requiredKeys: [] },
  )
  fc.assert(
    fc.property(fc.oneof(fc.jsonValue(), fc.array(near)), fc.object(), (rules, parameters) => {
      try {
        ask(rules, parameters)
      } catch (error) {
        expect(error).toBeInstanceOf(Failure)
      }
    }),
  )
})
