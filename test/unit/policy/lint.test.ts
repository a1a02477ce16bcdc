import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { readContext } from '../../../src/policy/context.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'
import { findRule } from '../../../src/policy/evaluate.ts'
import { lintBundle, lintPattern } from '../../../src/policy/lint.ts'

const lint = (value: unknown, dialect: DialectName = 'native'): readonly string[] =>
  lintBundle(compileBundle(value, dialect)).map(({ code, rule }) => `${code} ${rule ?? ''}`.trim())
const rule = (id: string, effect: string, when: object): object => ({ id, effect, when })
const bundle = (rules: readonly object[], more: object = {}): object => ({
  bundle_id: 'b',
  policies: [{ id: 'p', rules, ...more }],
})
const is = (field: string, value: unknown, kind = 'eq'): object => ({ kind, field, value })
const all = (...matchers: readonly object[]): object => ({ kind: 'all_of', matchers })
const some = (...matchers: readonly object[]): object => ({ kind: 'any_of', matchers })
const not = (matcher: object): object => ({ kind: 'not', matcher })
const lintAllow = (when: object): readonly string[] => lint(bundle([rule('r', 'allow', when)]))
const good = all(is('action', 'pay'), is('amount', 0, 'gte'), is('amount', 100, 'lte'))

it('has nothing to say about a bundle that says what it means', () => {
  expect(lint(bundle([rule('r', 'allow', good), rule('s', 'deny', is('a', 1))]))).toEqual([])
})

it('says what each finding is about', () => {
  const value = bundle([rule('r', 'deny', {}), rule('s', 'deny', is('a', 1))])
  expect(lintBundle(compileBundle(value, 'native'))).toEqual([
    {
      code: 'UNREACHABLE_RULE',
      level: 'warning',
      at: '/policies/0/rules/1/when',
      policy: 'p',
      rule: 's',
      message: 'A rule before it always matches: r',
    },
  ])
})

describe('a rule that can never decide', () => {
  const after = (before: object, behind: object): readonly string[] =>
    lint(bundle([rule('r', 'deny', before), rule('s', 'deny', behind)]))

  it.each([
    ['itself', is('a', 1), is('a', 1)],
    ['a part of it', is('a', 1), all(is('b', 2), is('a', 1))],
    ['a wider bound', is('a', 1, 'gt'), is('a', 1.5, 'gte')],
    ['the same bound, closed', is('a', 1, 'gte'), is('a', 1, 'gt')],
    ['a list with its value', is('a', [1, 2], 'in'), is('a', 2)],
    ['any of what has it', some(is('a', 1), is('b', 1)), all(is('b', 1), is('c', 1))],
    ['its path being there', is('a', null, 'exists'), is('a', 1)],
  ])('stands in the shadow of %s', (_, before, behind) => {
    expect(after(before, behind)).toEqual(['SHADOWED_RULE s'])
  })

  it.each([
    ['another value', is('a', 1), is('a', 2)],
    ['a narrower bound', is('a', 2, 'gt'), is('a', 1, 'gt')],
    ['the same bound, open', is('a', 1, 'gt'), is('a', 1, 'gte')],
    ['a bound on the other side', is('a', 1, 'gt'), is('a', 5, 'lt')],
    ['another path', is('b', 1, 'gt'), is('a', 5, 'gt')],
    ['more than it asks', all(is('a', 1), is('b', 1)), is('a', 1)],
    ['a list without its value', is('a', [1, 2], 'in'), is('a', 3)],
    ['its path not being there', is('a', null, 'exists'), is('a', null, 'missing')],
  ])('does not stand in the shadow of %s', (_, before, behind) => {
    expect(after(before, behind)).toEqual([])
  })

  it.each([
    ['two values', all(is('a', 1), is('a', 2))],
    ['bounds that cross', all(is('a', 5, 'gt'), is('a', 4, 'lt'))],
    ['bounds that touch and are open', all(is('a', 5, 'gte'), is('a', 5, 'lt'))],
    ['a path that is there and is not', all(is('a', null, 'missing'), is('a', 1))],
    ['nothing but what never holds', some(not({ kind: 'always' }))],
    ['a text that begins with a number', is('a', 5, 'starts_with')],
    ['a text that ends with a list', all(is('a', ['x'], 'ends_with'), is('b', 1))],
    ['an order with an object', is('a', {}, 'lte')],
    ['one of none', is('a', [], 'in')],
  ])('excludes itself by %s', (_, when) => {
    expect(lint(bundle([rule('r', 'deny', when)]))).toEqual(['NEVER_MATCHES r'])
  })

  it.each([
    ['a text that begins with a text', is('a', '5', 'starts_with')],
    ['an order with a list', is('a', [], 'lte')],
    ['none of none', is('a', [], 'not_in')],
    ['one of one', is('a', [1], 'in')],
  ])('does not exclude itself by %s', (_, when) => {
    expect(lint(bundle([rule('r', 'deny', when)]))).toEqual([])
  })

  it('may have bounds that touch and are closed', () => {
    expect(lint(bundle([rule('r', 'deny', all(is('a', 5, 'gte'), is('a', 5, 'lte')))]))).toEqual([])
  })

  it('is never claimed of a rule that decides something', () => {
    const field = fc.constantFrom('a', 'b')
    const one = fc.oneof(
      fc.record({
        kind: fc.constantFrom('eq', 'ne', 'gt', 'gte', 'lt', 'lte'),
        field,
        value: fc.nat(2),
      }),
      fc.record({ kind: fc.constant('in'), field, value: fc.array(fc.nat(2)) }),
      fc.record({ kind: fc.constantFrom('exists', 'missing'), field }),
      fc.constant({ kind: 'always' }),
    )
    const matcher = fc.letrec<{ m: object }>((tie) => ({
      m: fc.oneof(
        { maxDepth: 3 },
        one,
        fc.record({
          kind: fc.constantFrom('all_of', 'any_of'),
          matchers: fc.array(tie('m'), { minLength: 1, maxLength: 3 }),
        }),
        fc.record({ kind: fc.constant('not'), matcher: tie('m') }),
      ),
    })).m
    // A rule that raises has decided nothing.
    const ruleFor = (...asked: Parameters<typeof findRule>): ReturnType<typeof findRule> => {
      try {
        return findRule(...asked)
      } catch (error) {
        expect(error).toMatchObject({ code: 'POLICY_RAISED' })
        return undefined
      }
    }
    const contexts = [undefined, 0, 1, 2, 3, 'x'].flatMap((a) =>
      [undefined, 0, 1, 2, 3].map((b) =>
        readContext({
          data: { ...(a === undefined ? {} : { a }), ...(b === undefined ? {} : { b }) },
        }),
      ),
    )
    fc.assert(
      fc.property(fc.array(matcher, { minLength: 1, maxLength: 3 }), (matchers) => {
        const compiled = compileBundle(
          bundle(matchers.map((when, i) => rule(`r${i}`, 'deny', when))),
          'native',
        )
        const dead = lintBundle(compiled)
          .filter(({ code }) =>
            ['NEVER_MATCHES', 'SHADOWED_RULE', 'UNREACHABLE_RULE'].includes(code),
          )
          .map((finding) => finding.rule)
        const [policy] = compiled.policies
        for (const context of policy === undefined ? [] : contexts) {
          expect(dead).not.toContain(policy && ruleFor(policy, context)?.id)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('an allowance', () => {
  it.each([
    ['of everything', {}, ['ALLOWS_EVERYTHING r']],
    ['of everything in other words', some(is('a', 1), {}), ['ALLOWS_EVERYTHING r']],
    ['without an upper bound', is('amount', 0, 'gte'), ['ALLOWS_UNBOUNDED r']],
    ['with an upper bound only', is('amount', 100, 'lte'), []],
    ['of all but something', is('a', 1, 'ne'), ['ALLOWS_ALL_BUT r']],
    ['that passes where nothing is', all(is('b', 1), not(is('a', 1))), ['MISSING_PASSES r']],
    ['that makes sure of the path', all(is('a', null, 'exists'), not(is('a', 1))), []],
  ])('%s', (_, when, found) => {
    expect(lintAllow(when)).toEqual(found)
  })

  it('by default is noted, and two policies that deny each other are told', () => {
    expect(lint(bundle([rule('r', 'deny', is('a', 1))], { default_effect: 'allow' }))).toEqual([
      'DEFAULTS_TO_ALLOW',
    ])
    const two = {
      bundle_id: 'b',
      policies: ['p', 'q'].map((id) => ({ id, rules: [rule('r', 'allow', good)] })),
    }
    expect(lint(two)).toEqual(['DEFAULTS_DENY_EACH_OTHER'])
  })
})

it('tells of a deadline that is longer than a hold waits', () => {
  const held = (deadline: number) =>
    lint(bundle([{ ...rule('r', 'escalate', is('a', 1)), deadline }]))
  expect(held(604_800)).toEqual([])
  expect(held(604_801)).toEqual(['DEADLINE_CUT r'])
})

it('tells of a bundle by which whoever names it is allowed', () => {
  const named = (effect: string, more: object = {}) =>
    lint({
      ...bundle([rule('r', effect, effect === 'allow' ? good : is('a', 1))], more),
      scope: { select: 'referenced' },
    })
  expect(named('allow')).toEqual(['ALLOWS_WHO_NAMES_IT'])
  expect(named('deny')).toEqual([])
  expect(named('deny', { default_effect: 'allow' })).toContain('ALLOWS_WHO_NAMES_IT')
})

it('tells ids that stand twice', () => {
  const twice = [rule('r', 'deny', is('a', 1)), rule('r', 'deny', is('a', 2))]
  expect(lint(bundle(twice))).toEqual(['DUPLICATE_ID'])
})

it('tells of code that a rule asks, and of rules that are only references', () => {
  const asks = bundle([rule('r', 'deny', { kind: 'predicate', predicate: 'x' })])
  expect(lint(asks)).toEqual(['ASKS_CODE r'])
  const refers = {
    protocol_version: '1.0',
    bundle_id: 'b',
    version: '1',
    rules: [{ artifact_ref: 'x' }],
  }
  expect(lint(refers, 'decionis')).toEqual(['OPAQUE_RULE x'])
})

it.each([
  ['^[a-z]+$', []],
  ['[a-z]+', ['PATTERN_NOT_ANCHORED']],
  ['\\$', ['PATTERN_NOT_ANCHORED']],
  ['\\\\$', []],
  ['\\\\\\$', ['PATTERN_NOT_ANCHORED']],
  ['\\\\Z', ['PATTERN_NOT_ANCHORED']],
  ['\\\\\\Z', []],
  ['^a|b$', ['PATTERN_HALF_ANCHORED']],
  ['^(?:a|b)$', []],
  ['^[|]$', []],
  ['^\\|$', []],
  ['^.*@example.com$', ['PATTERN_OPEN_DOT']],
  ['^.*@example\\.com$', []],
  ['(?i)^a$', []],
  ['\\Aa\\Z', []],
])('finds in the pattern %s: %j', (pattern, found) => {
  expect(lintPattern(pattern)).toEqual(found)
})

describe('rules of Provenance', () => {
  const of = (operator: string, more: object, compat: object = {}): readonly string[] =>
    lint(
      {
        ...compat,
        rules: [
          {
            action: 'payment.*',
            reason: 'Large payments need approval',
            conditions: [{ name: 'c', field: 'amount', operator, value: 500 }],
            ...more,
          },
        ],
      },
      'provenance',
    )

  it('are told when they fire below a bound, as in the template of the original', () => {
    expect(of('>=', { on_violation: 'ESCALATE' })).toEqual(['INVERTED_VIOLATION rules/0'])
    expect(of('>', { on_violation: 'BLOCK' })).toEqual(['INVERTED_VIOLATION rules/0'])
    expect(of('<', { on_violation: 'ESCALATE' })).toEqual([])
    expect(of('>=', { on_match: 'ESCALATE' })).toEqual([])
  })

  it('are told when their conditions do not matter', () => {
    const faulty = { compat: 'provenance-bug' }
    expect(of('>=', { on_match: 'ESCALATE' }, faulty)).toEqual(['CONDITIONS_IGNORED rules/0'])
  })
})

describe('in a large bundle', () => {
  /** Rules that have nothing to do with each other, but for the last, which the first one shadows. */
  const large = (count: number, dialect: DialectName): readonly string[] =>
    lint(
      bundle([
        ...Array.from({ length: count - 1 }, (_, i) => rule(`r${i}`, 'deny', is('a', i))),
        rule('last', 'deny', all(is('a', 0), is('b', 1))),
      ]),
      dialect,
    )

  it('the last rule of as many as a policy may have is found in the shadow of the first', () => {
    expect(large(1024, 'native')).toEqual(['SHADOWED_RULE last'])
  })

  it('2,000,000 pairs of rules are compared, not one more', () => {
    expect(large(2001, '0.1')).toEqual(['SHADOWED_RULE last'])
    expect(large(2002, '0.1')).toEqual([])
  })
})

describe('a path into a request', () => {
  it.each(['action.type', 'action.amount', 'intent.amount', 'intent.Action.type'])(
    'is told of where it leads nowhere: %s',
    (field) => {
      const value = bundle([rule('r', 'deny', not(is(field, 1)))])
      expect(lint(value)).toEqual(['PATH_LEADS_NOWHERE r'])
      expect(lint(value, '0.2')).toEqual([])
    },
  )

  it.each(['actor.id', 'context.amount'])('is told of where it means another: %s', (field) => {
    const [finding] = lintBundle(compileBundle(bundle([rule('r', 'deny', is(field, 1))]), 'native'))
    expect(finding).toMatchObject({ code: 'PATH_IN_CONTEXT', level: 'note' })
  })

  it.each(['action', 'subject.id', 'actor', 'intent', 'intent.action.amount', 'action\\.type'])(
    'is not told of where it leads somewhere: %s',
    (field) => {
      expect(lint(bundle([rule('r', 'deny', is(field, 1))]))).toEqual([])
    },
  )
})
