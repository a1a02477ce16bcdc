import { expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'
import { definePredicate, gatherPredicates, type Predicate } from '../../../src/policy/predicate.ts'

const asks = (...names: readonly string[]): object => ({
  bundle_id: 'b',
  policies: [
    {
      id: 'p',
      rules: [
        {
          id: 'r',
          effect: 'allow',
          when: {
            kind: 'all_of',
            matchers: names.map((predicate) => ({ kind: 'predicate', predicate })),
          },
        },
      ],
    },
  ],
})

const ask = (predicates: readonly Predicate[], ...names: readonly string[]): Decided =>
  decide({
    request: { actor: { id: 'bot' }, action: { type: 'pay' }, context: { list: [1] } },
    time: 0,
    active: [
      { compiled: compileBundle(asks(...names), 'native', gatherPredicates(predicates)), index: 1 },
    ],
  })

it('decides as the function answers, and cites it', () => {
  const small = definePredicate('small', ({ data }) => (data['list'] as unknown[]).length < 2, '7')
  const decided = ask([small], 'small')
  expect(decided.status).toBe('ALLOW')
  expect(decided.trace.predicates).toEqual([{ name: 'small', version: '7', sha256: small.digest }])
  expect(decided.trace.passes[0]?.[0]?.policies[0]?.because).toEqual([
    {
      at: '/policies/0/rules/0/when/matchers/0',
      kind: 'predicate',
      field: 'small',
      found: 'code',
      matched: true,
    },
  ])
  expect(ask([definePredicate('small', () => false)], 'small').status).toBe('BLOCK')
})

it.each([
  ['throws', () => JSON.parse('{') as unknown],
  ['answers a promise', () => Promise.resolve(true)],
  ['answers a number', () => 1],
  ['answers nothing', () => undefined],
])('is an error of the decision when it %s', (_, answer) => {
  const decided = ask([definePredicate('odd', answer)], 'odd')
  expect([decided.status, decided.reasons[0]?.code]).toEqual(['ERROR', 'POLICY_RAISED'])
})

it('is an error of the decision when it is not defined, and is cited without a digest', () => {
  const decided = ask([], 'gone')
  expect(decided.status).toBe('ERROR')
  expect(decided.trace.predicates).toEqual([{ name: 'gone', version: null, sha256: null }])
})

it('can change nothing for those that are asked after it', () => {
  const spoil = definePredicate('spoil', ({ data }) => {
    ;(data['list'] as unknown[]).push(2)
    return true
  })
  const small = definePredicate('small', ({ data }) => (data['list'] as unknown[]).length === 1)
  expect(ask([spoil, small], 'spoil', 'small').status).toBe('ALLOW')
})

it('has a digest of its name, version and source', () => {
  const answer = (): boolean => true
  const one = definePredicate('one', answer)
  expect(definePredicate('one', answer).digest).toBe(one.digest)
  const others = [
    definePredicate('two', answer),
    definePredicate('one', answer, '2'),
    definePredicate('one', () => !false),
  ]
  for (const { digest } of others) expect(digest).not.toBe(one.digest)
})

it('refuses a name that is none, and two of one name', () => {
  const answer = (): boolean => true
  for (const name of ['', 'a b', 'é', 'a'.repeat(129)])
    expect(() => definePredicate(name, answer)).toThrow(Failure)
  expect(definePredicate('a'.repeat(128), answer).name).toHaveLength(128)
  const one = definePredicate('one', answer)
  expect(() => gatherPredicates([one, one])).toThrow(Failure)
})

it('is for native bundles only', () => {
  for (const dialect of ['0.1', '0.2'] as const)
    expect(() => compileBundle(asks('x'), dialect)).toThrow(Failure)
})
