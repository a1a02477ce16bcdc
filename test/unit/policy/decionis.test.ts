import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'
import { parseDecionisMarkdown } from '../../../src/policy/decionis.ts'
import { dialects, type DialectName } from '../../../src/policy/dialect.ts'

const decideBy = (
  dialect: DialectName,
  value: unknown,
  context: object,
  action: object = {},
  time = 0,
): Decided =>
  decide({
    request: {
      actor: { id: 'bot' },
      action: { type: 'refund', ...action },
      context: context as Record<string, unknown>,
    },
    time,
    active: [{ compiled: compileBundle(value, dialect), index: 1 }],
  })
const condition = (op: string, value?: unknown, field = 'x'): object =>
  op === 'in' || op === 'not_in'
    ? { field, op, values: value }
    : { field, op, ...(value === undefined ? {} : { value }) }
const rule = (action: string, conditions: readonly object[], more: object = {}): object => ({
  name: `${action} rule`,
  all: conditions,
  action,
  ...more,
})
const block = (...rules: readonly unknown[]): object => ({ version: '3', rules })
const status = (value: unknown, context: object, action: object = {}): string =>
  decideBy('decionis-block', value, context, action).status
const always = condition('ne', 'never', 'nothing')

describe('the block of a DECIONIS_POLICY.md', () => {
  it.each([
    ['allow', 'ALLOW'],
    ['Block', 'BLOCK'],
    ['RESTRAIN', 'REVIEW_REQUIRED'],
    ['escalate', 'ESCALATE'],
  ])('answers %s with %s', (action, answer) => {
    expect(status(block(rule(action, [always])), {})).toBe(answer)
  })

  it('wants a review where no rule matches', () => {
    const decided = decideBy('decionis-block', block(rule('allow', [condition('eq', 1)])), {})
    expect(decided).toMatchObject({
      status: 'REVIEW_REQUIRED',
      reasons: [{ code: 'POLICY_DEFAULT_HELD', text: 'no_matching_rule' }],
    })
  })

  it('asks rules of higher priority first, and later ones before earlier ones without any', () => {
    const two = (first: object, second: object): string =>
      status(block(rule('block', [always], first), rule('allow', [always], second)), {})
    expect(two({}, {})).toBe('ALLOW')
    expect(two({ priority: 2 }, {})).toBe('BLOCK')
    expect(two({ priority: 1 }, {})).toBe('BLOCK')
    expect(two({ priority: 0.4 }, { priority: 0 })).toBe('BLOCK')
    expect(two({ priority: 0.4 }, { priority: 0.6 })).toBe('ALLOW')
    expect(two({ priority: 200_000 }, { priority: 100_000 })).toBe('BLOCK')
    expect(two({ priority: -5 }, { priority: 0 })).toBe('BLOCK')
    expect(two({ priority: 'high' }, {})).toBe('ALLOW')
  })

  it('keeps a rule to its domain', () => {
    const of = (domain: string | undefined, context: object): string =>
      status(block(rule('allow', [always], domain === undefined ? {} : { domain })), context)
    expect(of('*', { decision_domain: 'x' })).toBe('ALLOW')
    expect(of('ANY', { decision_domain: 'x' })).toBe('ALLOW')
    expect(of('any', { decision_domain: 'x' })).toBe('ALLOW')
    expect(of(' ', {})).toBe('ALLOW')
    expect(of('x', { decision_domain: 'x' })).toBe('ALLOW')
    expect(of('y', { decision_domain: 'x' })).toBe('REVIEW_REQUIRED')
    expect(of(undefined, {})).toBe('ALLOW')
    expect(of('github_action', {})).toBe('ALLOW')
    expect(of(undefined, { workflow_key: 'w' })).toBe('ALLOW')
    expect(of('w', { workflow_key: 'w' })).toBe('ALLOW')
    expect(of(undefined, { workflow_key: 'w', decision_domain: 'x' })).toBe('REVIEW_REQUIRED')
  })

  it('finds a fact by its whole name first, then by its path, and the action beside the context', () => {
    const at = (field: string, value: unknown, context: object, action: object = {}): boolean =>
      status(block(rule('allow', [condition('eq', value, field)])), context, action) === 'ALLOW'
    expect(at('a.b', 1, { 'a.b': 1, a: { b: 2 } })).toBe(true)
    expect(at('a.b', 2, { a: { b: 2 } })).toBe(true)
    expect(at('a[1].b', 2, { a: [0, { b: 2 }] })).toBe(true)
    expect(at(' a . b ', 2, { a: { b: 2 } })).toBe(true)
    expect(at('context.a', 1, { a: 1 })).toBe(true)
    expect(at('intake.a', 1, { a: 1 })).toBe(true)
    expect(at('decision_type', 'refund', {})).toBe(true)
    expect(at('amount', 9, { amount: 1 }, { amount: 9 })).toBe(true)
    expect(at('amount', 1, { amount: 1 })).toBe(true)
    expect(at('a.length', 2, { a: 'xx' })).toBe(false)
    expect(at('a.constructor.name', 'Object', { a: {} })).toBe(false)
  })

  it('takes the word of the service before that of the action', () => {
    const value = block(rule('allow', [condition('eq', 'eu', 'org_id')]))
    const active = [{ compiled: compileBundle(value, 'decionis-block'), index: 1 }]
    const request = { actor: { id: 'bot' }, action: { type: 'refund', org_id: 'eu' } }
    expect(decide({ request, time: 0, active }).status).toBe('ALLOW')
    expect(decide({ request, time: 0, active, facts: { org_id: 'us' } }).status).toBe(
      'REVIEW_REQUIRED',
    )
  })

  it.each([
    ['eq', 1, 1, true],
    ['eq', 12, '12abc', true],
    ['eq', '12', 12, true],
    ['eq', true, 'TRUE ', true],
    ['eq', true, 1, true],
    ['eq', 'Yes', ' yes', true],
    ['eq', 'yes', 'no', false],
    ['eq', null, null, true],
    ['eq', null, undefined, false],
    ['eq', 'b', ['a', 'B'], true],
    ['eq', ['a', 'b'], 'B', true],
    ['ne', 'a', undefined, true],
    ['ne', 'a', 'A', false],
    ['neq', 'a', 'b', true],
    ['gt', 5, 6, true],
    ['gt', 5, 5, false],
    ['gt', 5, '6 days', true],
    ['gt', '5', 6, true],
    ['gt', 5, 'six', false],
    ['gte', 5, 5, true],
    ['gte', 5, 4.9, false],
    ['lt', 5, 4, true],
    ['lt', 5, 5, false],
    ['lte', 5, 5, true],
    ['lte', 5, 5.1, false],
    ['lt', 5, undefined, false],
    ['lt', 5, true, false],
    ['in', ['a', 'b'], 'B', true],
    ['in', ['a', 'b'], ['c', 'a'], true],
    ['in', ['a', 'b'], undefined, false],
    ['not_in', ['a', 'b'], undefined, true],
    ['not_in', ['a', 'b'], 'a', false],
    ['exists', 'ignored', 0, true],
    ['exists', undefined, null, false],
    ['exists', undefined, undefined, false],
    ['contains', 'WORLD', 'hello world', true],
    ['contains', 'b', ['a', 'B'], true],
    ['contains', 'bc', ['abcd'], false],
    ['contains', 1, 213, true],
    ['contains', '', 'abc', false],
    ['matches', '^HE.*o$', ' Hello ', true],
    ['matches', '^b', 'abc', false],
    ['matches', '(', 'anything', false],
    ['matches', '\\d{3}', 1234, true],
    ['matches', '', 'a', false],
    ['matches', 1, 1, false],
  ])('has an operator %s that takes %j and %j to %s', (op, value, actual, matches) => {
    const context = actual === undefined ? {} : { x: actual }
    const answer = status(block(rule('allow', [condition(op, value)])), context)
    expect(answer === 'ALLOW').toBe(matches)
    // In any case of letters.
    expect(status(block(rule('allow', [condition(op, value)])), context)).toBe(answer)
    const shouted = { ...condition(op, value), op: op.toUpperCase() }
    expect(status(block(rule('allow', [shouted])), context)).toBe(answer)
  })

  it('leaves members alone that nobody knows, as the original does', () => {
    const more = { enabled: false, operator: 'x' }
    const odd = { ...condition('eq', 1), operator: 'gt' }
    expect(status({ ...block(rule('allow', [odd], more)), more }, { x: 1 })).toBe('ALLOW')
  })

  it('counts what is attached to the request or to its evidence', () => {
    const counted = (count: number, context: object): string =>
      status(block(rule('allow', [condition('eq', count, 'attachment_count')])), context)
    expect(counted(0, {})).toBe('ALLOW')
    expect(counted(1, { attachments: ['a'] })).toBe('ALLOW')
    expect(counted(2, { evidence: { attachments: ['a', 'b'] } })).toBe('ALLOW')
    expect(counted(2, { attachments: 'ab' })).toBe('REVIEW_REQUIRED')
    expect(status(block(rule('allow', [condition('exists', undefined, 'signals')])), {})).toBe(
      'ALLOW',
    )
  })

  it('takes any instead of all', () => {
    const any = [condition('eq', 1), condition('eq', 2)]
    const one = { name: 'r', any, action: 'allow' }
    expect(status(block(one), { x: 2 })).toBe('ALLOW')
    expect(status(block(one), { x: 3 })).toBe('REVIEW_REQUIRED')
    expect(status(block({ ...one, all: [] }), { x: 2 })).toBe('ALLOW')
  })

  it.each([
    ['both all and any', { ...rule('allow', [always]), any: [always] }],
    ['neither', { name: 'r', action: 'allow' }],
    ['no condition', rule('allow', [])],
    ['another action', rule('permit', [always])],
    ['another operator', rule('allow', [condition('like', 1)])],
    ['a name of the prototype as operator', rule('allow', [condition('constructor', 1)])],
    ['in without values', rule('allow', [{ field: 'x', op: 'in', value: ['a'] }])],
    ['in with no values', rule('allow', [condition('in', [])])],
    ['eq without a value', rule('allow', [{ field: 'x', op: 'eq' }])],
    ['a pattern that looks ahead', rule('allow', [condition('matches', 'a(?=b)')])],
    ['a pattern that refers back', rule('allow', [condition('matches', '(a)\\1')])],
    ['a word of the API as action', rule('approve', [always])],
    ['a blank name', rule('allow', [always], { name: ' ' })],
    ['a blank field', rule('allow', [condition('eq', 1, ' ')])],
  ])('is refused as a whole when a rule has %s', (_, wrong) => {
    const compile = (...rules: readonly unknown[]): unknown =>
      compileBundle(block(...rules), 'decionis-block')
    expect(() => compile(rule('allow', [always]), wrong)).toThrow(Failure)
    expect(() => compile(rule('allow', [always]))).not.toThrow()
  })

  it('judges a hostile pattern in linear time', () => {
    const hostile = block(rule('allow', [condition('matches', '^(a+)+$')]))
    expect(status(hostile, { x: `${'a'.repeat(20_000)}b` })).toBe('REVIEW_REQUIRED')
    expect(status(hostile, { x: 'a'.repeat(20_000) })).toBe('ALLOW')
    expect(status(hostile, { x: 'a'.repeat(1_000_000) })).toBe('ERROR')
  })
})

describe('the Markdown text', () => {
  const read = (text: string): unknown => parseDecionisMarkdown(text, dialects['decionis-block'])
  const yaml =
    'version: "1"\nrules:\n  - name: r\n    all: [{field: x, op: eq, value: 1}]\n    action: allow'
  const value = {
    version: '1',
    rules: [{ name: 'r', all: [{ field: 'x', op: 'eq', value: 1 }], action: 'allow' }],
  }

  it('holds its rules in the first block that is fenced so', () => {
    expect(
      read(`# Policy\n\n\`\`\`json\n{}\n\`\`\`\n\`\`\`decionis yaml\n${yaml}\n\`\`\`\ntext`),
    ).toEqual(value)
    expect(read(`\`\`\`decionis\n${yaml}\n\`\`\``)).toEqual(value)
    expect(read(`\`\`\`decionis json\r\n${JSON.stringify(value)}\r\n\`\`\`\r\n`)).toEqual(value)
    expect(
      read(`\`\`\`decionis\n${JSON.stringify(value)}\n\`\`\`\n\`\`\`decionis\n{}\n\`\`\``),
    ).toEqual(value)
  })

  it.each([
    ['without such a block', '```json\n{}\n```'],
    ['whose block is not closed', '```decionis\n{}'],
    ['whose block has another name', '```decionisx\n{}\n```'],
    ['whose JSON is none', '```decionis json\n{rules: []\n```'],
    ['whose block is empty', '```decionis\n\n```'],
  ])('is refused %s', (_, text) => {
    expect(() => read(text)).toThrow(Failure)
  })

  it('never makes anything but a failure', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), fc.boolean(), (text, fenced) => {
        try {
          compileBundle(read(fenced ? `\`\`\`decionis\n${text}\n\`\`\`` : text), 'decionis-block')
        } catch (error) {
          expect(error).toBeInstanceOf(Failure)
        }
      }),
    )
  })
})

describe('a protocol bundle', () => {
  const small = {
    rule_id: 'small',
    name: 'Small amounts',
    when: { all: [{ field: 'amount', operator: 'LTE', value: 100 }] },
    then: { action: 'ALLOW', severity: 'routine' },
  }
  const large = {
    rule_id: 'large',
    when: { any: [{ field: 'amount', operator: 'GT', value: 1000 }] },
    then: { action: 'ESCALATE', authority: { selector: { role_id: 'APPROVER' } } },
  }
  const bundle = (rules: readonly unknown[], more: object = {}): object => ({
    protocol_version: '1.0',
    bundle_id: '7b0d4c1e-4a52-4a42-9a39-0b8f3a1c2d11',
    org_id: 'org',
    version: 'customer_ops.v4',
    rules,
    metadata: { author: 'somebody' },
    ...more,
  })
  const answer = (value: unknown, amount: number, time = 0): string =>
    decideBy('decionis', value, {}, { amount }, time).status

  it('answers by its first rule that matches, else wants a review', () => {
    const value = bundle([small, large])
    expect(answer(value, 100)).toBe('ALLOW')
    expect(answer(value, 1001)).toBe('ESCALATE')
    expect(answer(value, 500)).toBe('REVIEW_REQUIRED')
  })

  it('takes a rule without conditions for one that always matches', () => {
    expect(
      answer(bundle([small, { rule_id: 'r', when: {}, then: { action: 'REQUIRE_REVIEW' } }]), 500),
    ).toBe('REVIEW_REQUIRED')
    expect(answer(bundle([{ rule_id: 'r', then: { action: 'deny' } }]), 500)).toBe('BLOCK')
  })

  it('leaves a rule out that is not enabled, but reads it', () => {
    expect(answer(bundle([{ ...small, enabled: false }, large]), 1)).toBe('REVIEW_REQUIRED')
    const wrong = { ...small, enabled: false, then: { action: 'PERMIT' } }
    expect(() => compileBundle(bundle([wrong]), 'decionis')).toThrow(Failure)
  })

  it('is an error as soon as one of its rules is a reference', () => {
    const value = bundle([small, { artifact_ref: 'decionis-admin-export:rules-7' }])
    expect(answer(value, 1)).toBe('ERROR')
  })

  it('counts from the time it says', () => {
    const value = bundle([small], { effective_from: '2026-01-01T00:00:00Z' })
    const from = Date.parse('2026-01-01T00:00:00Z')
    expect(answer(value, 1, from - 1)).toBe('BLOCK')
    expect(answer(value, 1, from)).toBe('ALLOW')
  })

  it.each([
    ['another protocol', { protocol_version: '2.0' }],
    ['no rules', { rules: [] }],
    ['a time that is none', { effective_from: 'soon' }],
    ['a member that nobody knows', { more: 1 }],
    ['a rule with a member that nobody knows', { rules: [{ ...small, priority: 1 }] }],
    ['a reference with more beside it', { rules: [{ ...small, artifact_ref: 'x' }] }],
  ])('is refused with %s', (_, more) => {
    expect(() => compileBundle(bundle([small], more), 'decionis')).toThrow(Failure)
  })

  it('never makes anything but a failure, whatever the rules are', () => {
    const near = fc.record(
      {
        rule_id: fc.string(),
        when: fc.record(
          {
            all: fc.array(
              fc.record({
                field: fc.string(),
                operator: fc.constantFrom('EQ', 'IN', 'MATCHES', 'x'),
                value: fc.jsonValue(),
              }),
            ),
          },
          { requiredKeys: [] },
        ),
        then: fc.record({ action: fc.constantFrom('ALLOW', 'BLOCK', 'x') }),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.jsonValue(), fc.array(near)), fc.object(), (rules, context) => {
        try {
          decideBy('decionis', bundle(rules as unknown[]), context)
        } catch (error) {
          expect(error).toBeInstanceOf(Failure)
        }
      }),
    )
  })
})
