import { expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { readContext } from '../../../src/policy/context.ts'
import { explain } from '../../../src/policy/explain.ts'
import { traceEvaluation, type Trace } from '../../../src/policy/trace.ts'

const payments = {
  bundle_id: 'payments',
  version: '3',
  policies: [
    {
      id: 'limit',
      rules: [
        {
          id: 'small',
          effect: 'allow',
          when: {
            kind: 'all_of',
            matchers: [
              { kind: 'eq', field: 'action', value: 'pay' },
              { kind: 'lte', field: 'amount', value: 100 },
            ],
          },
        },
        {
          id: 'known',
          effect: 'allow',
          when: {
            kind: 'all_of',
            matchers: [
              { kind: 'not', matcher: { kind: 'missing', field: 'payee.id' } },
              { kind: 'in', field: 'payee.id', value: ['a', 'b'] },
            ],
          },
        },
      ],
    },
  ],
}

const trace = (
  data: object,
  reveal?: (field: string) => boolean,
  bundle: unknown = payments,
): Trace =>
  traceEvaluation(compileBundle(bundle, 'native'), readContext({ data, action: 'pay' }), 0, reveal)

it('names rule, matcher and path that decided, and shows no value', () => {
  const { decision, policies } = trace({ amount: 42 })
  expect(decision.matched_rule_id).toBe('small')
  expect(policies[0]?.rules).toEqual([
    {
      rule: 'small',
      matched: true,
      because: [
        {
          at: '/policies/0/rules/0/when/matchers/0',
          kind: 'eq',
          field: 'action',
          found: 'string',
          matched: true,
        },
        {
          at: '/policies/0/rules/0/when/matchers/1',
          kind: 'lte',
          field: 'amount',
          found: 'number',
          matched: true,
        },
      ],
    },
  ])
})

it('names the one comparison that kept a rule from matching', () => {
  const [small, known] = trace({ amount: 101 }).policies[0]?.rules ?? []
  expect(small?.nearMiss).toMatchObject({
    at: '/policies/0/rules/0/when/matchers/1',
    field: 'amount',
  })
  // Two comparisons would have to come out otherwise: no near miss.
  expect(known?.nearMiss).toBeUndefined()
  expect(known?.because).toEqual([
    {
      at: '/policies/0/rules/1/when/matchers/0/matcher',
      kind: 'missing',
      field: 'payee.id',
      found: 'missing',
      matched: true,
    },
  ])
  expect(trace({ amount: 101, payee: { id: 'c' } }).policies[0]?.rules[1]?.nearMiss).toMatchObject({
    kind: 'in',
    found: 'string',
  })
})

it('shows the value of a path only when it may, cut after 200 characters', () => {
  const shown = trace(
    { amount: 101, payee: { id: 'x'.repeat(500) } },
    (field) => field !== 'amount',
  )
  const [small, known] = shown.policies[0]?.rules ?? []
  expect(small?.nearMiss?.value).toBeUndefined()
  expect(known?.nearMiss?.value).toHaveLength(201)
  expect(JSON.stringify(trace({ amount: 123_456_789 }))).not.toContain('123456789')
})

it('names no near miss where none can be', () => {
  const never = { kind: 'not', matcher: { kind: 'always' } }
  const either = { kind: 'any_of', matchers: [never, { kind: 'eq', field: 'x', value: 1 }] }
  const rules = [never, either].map((when, i) => ({ id: `r${i}`, effect: 'allow', when }))
  const traced = trace({ x: 2 }, undefined, { bundle_id: 'b', policies: [{ id: 'p', rules }] })
  expect(traced.policies[0]?.rules.map(({ nearMiss }) => nearMiss?.at)).toEqual([
    undefined,
    '/policies/0/rules/1/when/matchers/1',
  ])
})

it('reads as text', () => {
  expect(explain(trace({ amount: 101 })).replace(/sha256 [0-9a-f]{64}/, 'sha256 …'))
    .toMatchInlineSnapshot(`
    "deny by policy limit, its default: no rule matched; policy default_effect='deny'
    bundle payments 3, dialect native, sha256 …
      policy limit: deny (no rule matched; policy default_effect='deny')
        rule small: does not match
          amount (number) does not match lte, /policies/0/rules/0/when/matchers/1
          near miss: only amount kept it from matching
        rule known: does not match
          payee.id (missing) matches missing, /policies/0/rules/1/when/matchers/0/matcher"
  `)
})

it('asks no policy outside the window', () => {
  const late = trace({}, undefined, { ...payments, effective_until: '1970-01-01T00:00:00Z' })
  expect(late.policies).toEqual([])
  expect(explain(late)).toMatch(/^deny: bundle effective period has ended\n/)
})

it('lets no name in a bundle write lines or escape sequences', () => {
  const when = { kind: 'exists', field: 'a\n\u001b[31m' }
  const rules = [{ id: 'r\nallow', effect: 'deny', when, description: 'x\r\u202ey' }]
  const text = explain(
    trace({}, undefined, { bundle_id: 'b\n', policies: [{ id: 'p\u0085', rules }] }),
  )
  expect(text).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]/)
  expect(text.split('\n')).toHaveLength(6)
})

it('raises where evaluating raises', () => {
  const when = { kind: 'contains', field: 'x', value: 1 }
  const rules = [{ id: 'r', effect: 'allow', when }]
  expect(() =>
    trace({ x: 'a' }, undefined, { bundle_id: 'b', policies: [{ id: 'p', rules }] }),
  ).toThrow(expect.objectContaining({ code: 'POLICY_RAISED', field: '/policies/0/rules/0/when' }))
})
