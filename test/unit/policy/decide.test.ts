import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalize } from '../../../src/base/canonical-json.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import {
  decide,
  requestDigest,
  type Decided,
  type DecideInput,
} from '../../../src/policy/decide.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'
import { explainDecision } from '../../../src/policy/explain.ts'
import type { GatesOpinion } from '../../../src/policy/opinion.ts'
import type { PolicyRequest } from '../../../src/policy/request.ts'
import type { ActivePolicy } from '../../../src/policy/select.ts'
import { obligationSchema } from '../../../src/policy/obligations.ts'

const always = { kind: 'always' }
const is = (field: string, value: unknown): object => ({ kind: 'eq', field, value })
const rule = (effect: string, when: object = always, more: object = {}): object => ({
  id: `${effect}-it`,
  effect,
  when,
  ...more,
})
const bundle = (id: string, rules: readonly object[], more: object = {}): object => ({
  bundle_id: id,
  policies: [{ id: `${id}-policy`, default_effect: 'not_applicable', rules }],
  ...more,
})
const active = (value: object, dialect: DialectName = 'native', index = 7): ActivePolicy => ({
  compiled: compileBundle(value, dialect),
  index,
})
const request = (more: Partial<PolicyRequest> = {}): PolicyRequest => ({
  actor: { id: 'bot' },
  action: { type: 'pay', amount: 500 },
  resource: { id: 'account:1' },
  context: { environment: 'prod' },
  ...more,
})
const ask = (
  policies: readonly (object | ActivePolicy)[],
  more: Partial<DecideInput> = {},
): Decided =>
  decide({
    request: request(),
    time: 1000,
    active: policies.map((one) => ('compiled' in one ? one : active(one))),
    ...more,
  })
const codes = ({ reasons }: Decided): readonly string[] => reasons.map(({ code }) => code)

const gates = (
  status: string,
  more: Partial<GatesOpinion> = {},
): NonNullable<DecideInput['gates']> => ({
  decision: {
    status,
    confidence: 0.9,
    rationale: 'Because',
    overrideEligible: true,
    version: '1',
    gates: [{ gate: 'risk', passed: true, value: 0.1, threshold: 0.95, message: 'Fine' }],
    trace: { settings: 'ab'.repeat(32) },
    ...more,
  },
  input: { risk_proposed: 0.1 },
})

const redact = { type: 'redact', paths: ['card.number'], mode: 'remove' }
const cap = {
  type: 'transform_input',
  changes: [{ op: 'set', path: 'action.amount', value: 100 }],
}

describe('composing policies', () => {
  it.each([
    ['allow', 'ALLOW', 'POLICY_ALLOWED'],
    ['deny', 'BLOCK', 'POLICY_DENIED'],
    ['escalate', 'ESCALATE', 'POLICY_ESCALATED'],
    ['review', 'REVIEW_REQUIRED', 'POLICY_REVIEW'],
  ])('answers a rule that says %s with %s', (effect, status, code) => {
    const decided = ask([bundle('b', [rule(effect)])])
    expect(decided).toMatchObject({ status, overridable: true, confidence: null })
    expect(codes(decided)).toEqual([code])
    expect(decided.policies).toMatchObject([{ id: 'b', version: '0.1.0', index: 7, effect }])
  })

  it('blocks what no policy matches, and what no policy is there for', () => {
    const unmatched = ask([bundle('b', [rule('allow', is('action', 'refund'))])])
    expect([unmatched.status, codes(unmatched)]).toEqual(['BLOCK', ['NO_POLICY_MATCHED']])
    const none = ask([])
    expect([none.status, codes(none)]).toEqual(['BLOCK', ['NO_POLICY_MATCHED']])
  })

  it('blocks by default where a policy says nothing else', () => {
    const value = {
      bundle_id: 'b',
      policies: [{ id: 'p', rules: [rule('allow', is('action', 'refund'))] }],
    }
    const decided = ask([value])
    expect([decided.status, codes(decided)]).toEqual(['BLOCK', ['NO_POLICY_MATCHED']])
  })

  it('lets the strongest of several policies decide, in whatever order they stand', () => {
    const order = ['deny', 'escalate', 'review', 'allow']
    for (const [at, effect] of order.entries()) {
      const values = order.slice(at).map((one) => active(bundle(one, [rule(one)])))
      const forth = ask(values)
      expect(forth.policies.find(({ id }) => id === effect)?.effect).toBe(effect)
      expect(forth.trace.effect).toBe(effect)
      expect(ask(values.toReversed())).toEqual(forth)
    }
  })

  it('calls a rule without an answer an error, whatever others say', () => {
    const raising = active(
      {
        bundle_id: 'raises',
        policies: [
          { id: 'p', rules: [rule('allow', { kind: 'contains', field: 'who', value: 1 })] },
        ],
      },
      '0.1',
    )
    const decided = ask([raising, bundle('deny', [rule('deny')])], {
      request: request({ context: { who: 'somebody' } }),
    })
    expect([decided.status, decided.overridable]).toEqual(['ERROR', false])
    expect(codes(decided)).toEqual(['POLICY_RAISED'])
  })

  it('keeps what must not be overruled from being overruled', () => {
    const firm = ask([
      bundle('firm', [rule('deny', always, { overridable: false })]),
      bundle('soft', [rule('deny')]),
    ])
    expect([firm.status, firm.overridable]).toEqual(['BLOCK', false])
    expect(ask([bundle('soft', [rule('deny')])]).overridable).toBe(true)
  })

  it('waits as long as the shortest deadline of those that hold', () => {
    const hold = (id: string, effect: string, deadline: number): object =>
      bundle(id, [rule(effect, always, { deadline })])
    expect(ask([hold('a', 'escalate', 90), hold('b', 'review', 30)]).deadlineSeconds).toBe(30)
    expect(ask([hold('a', 'escalate', 90), hold('b', 'allow', 30)]).deadlineSeconds).toBe(90)
    expect(ask([hold('b', 'allow', 30)]).deadlineSeconds).toBeNull()
    expect(ask([bundle('c', [rule('escalate')])]).deadlineSeconds).toBeNull()
  })

  it('takes the terms of a rule before those of its policy, and adds obligations', () => {
    const value = {
      bundle_id: 'b',
      policies: [
        {
          id: 'p',
          deadline: 30,
          overridable: false,
          reason_code: 'OF_POLICY',
          obligations: [redact],
          rules: [
            rule('escalate', always, {
              deadline: 40,
              overridable: true,
              reason_code: 'OF_RULE',
              obligations: [{ type: 'log_only' }],
            }),
          ],
        },
      ],
    }
    const decided = ask([value])
    expect(decided).toMatchObject({ overridable: true, deadlineSeconds: 40 })
    expect(codes(decided)).toEqual(['OF_RULE'])
    expect(decided.obligations).toEqual([redact, { type: 'log_only' }])
  })
})

describe('composing gates', () => {
  const allowed = [bundle('b', [rule('allow')])]

  it.each([
    ['PROCEED', 'ALLOW', 'POLICY_ALLOWED'],
    ['PAUSE', 'REVIEW_REQUIRED', 'GATES_PAUSED'],
    ['ESCALATE', 'ESCALATE', 'GATES_ESCALATED'],
    ['HALT', 'BLOCK', 'GATES_HALTED'],
    ['SHRUG', 'ERROR', 'GATES_UNKNOWN'],
  ])('answers gates that say %s with %s', (said, status, code) => {
    const decided = ask(allowed, { gates: gates(said) })
    expect([decided.status, codes(decided)]).toEqual([status, [code]])
    expect(decided.confidence).toBe(0.9)
    expect(decided.gates).toEqual([
      {
        name: 'risk',
        version: '1',
        sha256: 'ab'.repeat(32),
        passed: true,
        score: 0.1,
        threshold: 0.95,
        reason: 'Fine',
      },
    ])
  })

  it('allows nothing on the word of gates alone', () => {
    const decided = ask([], { gates: gates('PROCEED') })
    expect([decided.status, codes(decided)]).toEqual(['BLOCK', ['NO_POLICY_MATCHED']])
  })

  it('makes a halt that AEGIS does not let override final', () => {
    const final = ask(allowed, { gates: gates('HALT', { overrideEligible: false }) })
    expect([final.status, final.overridable]).toEqual(['BLOCK', false])
    expect(ask(allowed, { gates: gates('HALT') }).overridable).toBe(true)
  })
})

describe('obligations', () => {
  const obliged = (...obligations: readonly object[]): object =>
    bundle('b', [rule('allow', always, { obligations })])

  it('go with what is allowed or held, never with what is blocked', () => {
    expect(ask([obliged(redact)])).toMatchObject({ status: 'ALLOW', obligations: [redact] })
    const held = ask([obliged(redact), bundle('c', [rule('review')])])
    expect(held).toMatchObject({ status: 'REVIEW_REQUIRED', obligations: [redact] })
    expect(ask([obliged(redact), bundle('c', [rule('deny')])]).obligations).toEqual([])
  })

  it('go with no decision that gates block', () => {
    expect(ask([obliged(redact)], { gates: gates('HALT') }).obligations).toEqual([])
    expect(ask([obliged(redact)], { gates: gates('PAUSE') }).obligations).toEqual([redact])
  })

  it('of a policy that has no opinion are nobody’s', () => {
    const silent = {
      bundle_id: 'silent',
      policies: [
        {
          id: 'p',
          default_effect: 'not_applicable',
          obligations: [redact],
          rules: [rule('allow', is('action', 'refund'))],
        },
      ],
    }
    expect(ask([silent, bundle('b', [rule('allow')])])).toMatchObject({
      status: 'ALLOW',
      obligations: [],
    })
  })

  it('change nothing about a request that is blocked as it came', () => {
    const unfit = obliged({
      type: 'transform_input',
      changes: [{ op: 'set', path: 'action.amount.value', value: 1 }],
    })
    const decided = ask([unfit, bundle('c', [rule('deny')])])
    expect([decided.status, decided.trace.steps]).toEqual(['BLOCK', []])
  })

  it('stand once, however many policies demand them', () => {
    const two = [obliged(redact), { ...obliged(redact), bundle_id: 'c' }]
    expect(ask(two).obligations).toEqual([redact])
  })

  it('block a request whose caller cannot carry them out', () => {
    const decided = ask([obliged(redact)], { supports: ['log_only'] })
    expect([decided.status, codes(decided)]).toEqual(['BLOCK', ['OBLIGATION_UNSUPPORTED']])
    expect(ask([obliged(redact)], { supports: ['redact'] }).status).toBe('ALLOW')
  })

  it('change the input, which is then asked about again', () => {
    const limit = bundle('limit', [
      rule('escalate', { kind: 'gt', field: 'intent.action.amount', value: 1000 }),
    ])
    const decided = ask([obliged(cap), limit])
    const before = requestDigest(request())
    const after = requestDigest(request({ action: { type: 'pay', amount: 100 } }))
    expect(decided.obligations).toEqual([{ ...cap, before, after }])
    expect(decided.trace.steps).toEqual([{ kind: 'transform_input', before, after }])
    expect(decided.trace.passes).toHaveLength(2)
  })

  it('do not let a changed input pass that a policy denies', () => {
    const small = bundle('small', [
      rule('deny', { kind: 'lt', field: 'intent.action.amount', value: 200 }),
    ])
    expect(ask([small, bundle('ok', [rule('allow')])]).status).toBe('ALLOW')
    expect(ask([obliged(cap), small]).status).toBe('BLOCK')
  })

  it('do not let a change undo what was said about the input as it came', () => {
    const large = bundle('large', [
      rule('deny', { kind: 'gt', field: 'intent.action.amount', value: 200 }),
    ])
    expect(ask([obliged(cap), large]).status).toBe('BLOCK')
  })

  it('are an error where changes never end', () => {
    const flip = (from: number, to: number): object =>
      rule('allow', is('intent.action.amount', from), {
        id: `from-${from}`,
        obligations: [
          { type: 'transform_input', changes: [{ op: 'set', path: 'action.amount', value: to }] },
        ],
      })
    const decided = ask([bundle('b', [flip(500, 1), flip(1, 500)])])
    expect([decided.status, codes(decided)]).toEqual(['ERROR', ['TRANSFORM_UNSTABLE']])
    const chain = (n: number): object =>
      bundle('b', [...Array.from({ length: n }, (_, i) => flip(500 + i, 501 + i)), rule('allow')])
    expect(ask([chain(4)]).status).toBe('ALLOW')
    expect(codes(ask([chain(5)]))).toEqual(['TRANSFORM_UNSTABLE'])
  })

  it('are an error where a change does not fit', () => {
    const decided = ask([
      obliged({
        type: 'transform_input',
        changes: [{ op: 'set', path: 'action.amount.value', value: 1 }],
      }),
    ])
    expect([decided.status, codes(decided)]).toEqual(['ERROR', ['TRANSFORM_FAILED']])
  })

  it('are an error where what is changed is a request no more', () => {
    const decided = ask([
      obliged({ type: 'transform_input', changes: [{ op: 'set', path: 'resource', value: 'r' }] }),
    ])
    expect([decided.status, codes(decided)]).toEqual(['ERROR', ['TRANSFORM_FAILED']])
  })

  const to = (action: string): object => ({ type: 'route', target: { action } })
  const on = (action: string, effect: string, ...obligations: readonly object[]): object =>
    rule(effect, is('action', action), {
      id: `${action}-${effect}`,
      ...(obligations.length === 0 ? {} : { obligations }),
    })

  it('route to an action that is decided on too', () => {
    const ok = ask([bundle('b', [on('pay', 'allow', to('hold')), on('hold', 'allow')])])
    const before = requestDigest(request())
    const after = requestDigest(request({ action: { type: 'hold', amount: 500 } }))
    expect(ok).toMatchObject({ status: 'ALLOW', obligations: [{ ...to('hold'), before, after }] })
    const denied = ask([bundle('b', [on('pay', 'allow', to('hold')), on('hold', 'deny')])])
    expect(denied.status).toBe('BLOCK')
    const unknown = ask([bundle('b', [on('pay', 'allow', to('hold'))])])
    expect([unknown.status, codes(unknown)]).toEqual(['BLOCK', ['NO_POLICY_MATCHED']])
  })

  it('route the request as it was changed, not as it came', () => {
    const changed = bundle('b', [
      rule(
        'allow',
        { kind: 'gt', field: 'intent.action.amount', value: 100 },
        {
          obligations: [cap, to('hold')],
        },
      ),
      rule('allow', always, { id: 'rest' }),
    ])
    const decided = ask([changed])
    expect(decided.obligations.map(({ type }) => type)).toEqual(['transform_input'])
    expect(decided.trace.steps.map(({ kind }) => kind)).toEqual(['transform_input'])
  })

  it('route away from a policy that the request names', () => {
    const named = bundle('pay', [on('pay', 'allow', to('hold'))], {
      scope: { actions: ['pay'], select: 'referenced' },
    })
    const policies = [named, bundle('hold', [on('hold', 'allow')])]
    const asked = request({ policyRefs: ['pay'] })
    expect(ask(policies, { request: asked }).status).toBe('ALLOW')
    const held = request({ policyRefs: ['pay'], action: { type: 'hold' } })
    expect(codes(ask(policies, { request: held }))).toEqual(['POLICY_REF_OUT_OF_SCOPE'])
  })

  it('are an error where routes part, come back, or are too long', () => {
    const parted = ask([bundle('b', [on('pay', 'allow', to('one'), to('two')), rule('allow')])])
    expect(codes(parted)).toEqual(['ROUTE_CONFLICT'])
    const round = ask([bundle('b', [on('pay', 'allow', to('x')), on('x', 'allow', to('pay'))])])
    expect(codes(round)).toEqual(['ROUTE_LOOP'])
    expect(round.trace.steps).toHaveLength(2)
    const chain = (n: number): object =>
      bundle('b', [
        on('pay', 'allow', to('a0')),
        ...Array.from({ length: n - 1 }, (_, i) => on(`a${i}`, 'allow', to(`a${i + 1}`))),
        rule('allow'),
      ])
    expect(ask([chain(4)]).status).toBe('ALLOW')
    expect(codes(ask([chain(5)]))).toEqual(['ROUTE_LOOP'])
  })
})

describe('any decision', () => {
  const effects = ['allow', 'deny', 'escalate', 'review']
  const someRule = fc.record({
    effect: fc.constantFrom(...effects),
    value: fc.integer({ min: 0, max: 3 }),
  })
  type Rules = readonly { readonly effect: string; readonly value: number }[]
  const someBundles = fc.array(fc.array(someRule, { minLength: 1, maxLength: 4 }), { maxLength: 4 })
  const compiled = (bundles: readonly Rules[]): readonly ActivePolicy[] =>
    bundles.map((rules, i) =>
      active(
        bundle(
          `b${i}`,
          rules.map(({ effect, value }, j) => rule(effect, is('x', value), { id: `r${j}` })),
        ),
      ),
    )
  const reversed = (value: unknown): unknown =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(
          Object.entries(value)
            .toReversed()
            .map(([name, member]) => [name, reversed(member)]),
        )
      : value

  it('is the same again, and whatever order names stand in', () => {
    fc.assert(
      fc.property(someBundles, fc.object({ maxDepth: 2 }), fc.nat(3), (bundles, extra, x) => {
        const asked = request({ context: { ...(JSON.parse(JSON.stringify(extra)) as object), x } })
        const one = decide({ request: asked, time: 1, active: compiled(bundles) })
        const other = reversed(asked) as PolicyRequest
        const two = decide({ request: other, time: 1, active: compiled(bundles) })
        expect(canonicalize(two)).toBe(canonicalize(one))
      }),
    )
  })

  it('is not turned from a block into anything else by another policy that denies', () => {
    fc.assert(
      fc.property(someBundles, fc.nat(3), (bundles, x) => {
        const asked = request({ context: { x } })
        const more = [...compiled(bundles), active(bundle('no', [rule('deny')]))]
        expect(decide({ request: asked, time: 1, active: more }).status).toBe('BLOCK')
      }),
    )
  })

  it('can be made again from what it cites alone', () => {
    fc.assert(
      fc.property(someBundles, fc.nat(3), (bundles, x) => {
        const asked = request({ context: { x } })
        const all = [
          ...compiled(bundles),
          active(bundle('other', [rule('deny')], { scope: { actions: ['refund'] } })),
        ]
        const one = decide({ request: asked, time: 1, active: all })
        const cited = all.filter(({ compiled: { digest } }) =>
          one.policies.some(({ sha256 }) => sha256 === digest),
        )
        expect(decide({ request: asked, time: 1, active: cited })).toEqual(one)
      }),
    )
  })

  it('can be made again though a policy that was named had nothing to say', () => {
    const all = [
      active(bundle('open', [rule('allow')])),
      active(bundle('refunds', [rule('deny')], { scope: { actions: ['refund'] } })),
    ]
    const input = { request: request(), time: 1, boundRefs: ['refunds'] }
    const one = decide({ ...input, active: all })
    expect(one.status).toBe('ALLOW')
    expect(one.policies.map(({ effect, id }) => [id, effect])).toEqual([
      ['refunds', 'not_applicable'],
      ['open', 'allow'],
    ])
    const cited = all.filter(({ compiled: { digest } }) =>
      one.policies.some(({ sha256 }) => sha256 === digest),
    )
    expect(decide({ ...input, active: cited.toReversed() })).toEqual(one)
  })

  it('never throws, whatever is asked', () => {
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withNullPrototype: true }), (anything) => {
        const whole = decide({ request: anything as PolicyRequest, time: 1, active: [] })
        expect(whole.status).toBe('ERROR')
        const inside = decide({
          request: request({ context: anything as Record<string, unknown> }),
          time: 1,
          active: [active(bundle('b', [rule('allow', is('x', 1))]))],
        })
        expect(['ALLOW', 'BLOCK', 'ERROR']).toContain(inside.status)
      }),
    )
  })
})

describe('the request', () => {
  const allowAll = [bundle('b', [rule('allow')])]
  const nested = (levels: number): object => {
    let value: object = {}
    for (let i = 1; i < levels; i++) value = { value }
    return value
  }

  it('is refused when it is nested deeper than 64 levels', () => {
    // The request itself is one level.
    expect(ask(allowAll, { request: request({ context: nested(63) as never }) }).status).toBe(
      'ALLOW',
    )
    for (const levels of [64, 100]) {
      const decided = ask(allowAll, { request: request({ context: nested(levels) as never }) })
      expect([decided.status, codes(decided)]).toEqual(['ERROR', ['REQUEST_UNREADABLE']])
    }
  })

  it('is refused when its texts are longer than 1 MiB', () => {
    const withText = (length: number): Decided =>
      ask(allowAll, { request: request({ context: { text: 'a'.repeat(length) } }) })
    expect(withText(1_048_000).status).toBe('ALLOW')
    expect(withText(1_048_577).status).toBe('ERROR')
    expect(withText(10 * 1_048_576).status).toBe('ERROR')
  })

  it('gives names of a prototype no meaning', () => {
    const hostile = JSON.parse(
      '{"__proto__":{"admin":true},"constructor":{"prototype":{"admin":true}}}',
    ) as Record<string, unknown>
    const admin = bundle('b', [
      rule('allow', { kind: 'exists', field: 'admin' }, { id: 'one' }),
      rule('allow', { kind: 'exists', field: 'toString' }, { id: 'two' }),
      rule('allow', { kind: 'exists', field: 'subject.constructor' }, { id: 'three' }),
    ])
    expect(ask([admin], { request: request({ context: hostile }) }).status).toBe('BLOCK')
    expect(({} as Record<string, unknown>)['admin']).toBeUndefined()
  })

  it('does not stand over what the service says', () => {
    const trusted = bundle('b', [rule('allow', is('tier', 'gold'))])
    const asked = request({ context: { tier: 'gold' } })
    expect(ask([trusted], { request: asked }).status).toBe('ALLOW')
    expect(ask([trusted], { request: asked, facts: { tier: 'none' } }).status).toBe('BLOCK')
  })

  it('cannot say what only the service may', () => {
    const conditions = bundle('b', [rule('allow', is('conditions_satisfied.dpa', true))])
    const claimed = request({ context: { conditions_satisfied: { dpa: true } } })
    expect(ask([conditions], { request: claimed }).status).toBe('BLOCK')
    const facts = { conditions_satisfied: { dpa: true } }
    expect(ask([conditions], { facts }).status).toBe('ALLOW')
  })
})

it('has a schema that refuses obligations which are not quite right', () => {
  const fits = (value: unknown): boolean => obligationSchema.safeParse(value).success
  const change = (path: string): unknown => ({
    type: 'transform_input',
    changes: [{ op: 'set', path, value: 1 }],
  })
  expect(fits(redact)).toBe(true)
  expect(fits({ ...redact, paths: [] })).toBe(false)
  expect(fits({ ...redact, mode: 'shred' })).toBe(false)
  expect(fits({ ...redact, more: 1 })).toBe(false)
  expect(['action.amount', 'resource.id', 'context', 'context.a.b'].map(change).map(fits)).toEqual([
    true,
    true,
    true,
    true,
  ])
  expect(['action', 'action.type', 'actor.id', 'policyRefs.0'].map(change).map(fits)).toEqual([
    false,
    false,
    false,
    false,
  ])
  expect(fits({ type: 'route', target: {} })).toBe(false)
  expect(fits({ type: 'route', target: { action: 'x' } })).toBe(true)
  expect(fits({ type: 'sandbox', profile: 'p', network: 'none', timeoutMs: 1 })).toBe(true)
  expect(fits({ type: 'sandbox', profile: 'p', timeoutMs: 0 })).toBe(false)
  expect(fits({ type: 'sandbox' })).toBe(false)
  expect(fits({ type: 'log_only' })).toBe(true)
  expect(fits({ type: 'shout' })).toBe(false)
})

describe('the trace', () => {
  const limit = {
    ...bundle('limit', [
      rule('allow', { kind: 'lt', field: 'intent.action.amount', value: 100 }, { id: 'small' }),
      rule('deny', is('subject.id', 'bot'), { id: 'bots' }),
    ]),
    reveal: ['intent.action.*'],
  }

  it('tells which comparison decided and what nearly did, with values where the bundle reveals them', () => {
    const [told] = ask([limit]).trace.passes[0]?.[0]?.policies ?? []
    expect(told).toEqual({
      policy: 'limit-policy',
      rule: 'bots',
      effect: 'deny',
      code: 'POLICY_DENIED',
      because: [
        {
          at: '/policies/0/rules/1/when',
          kind: 'eq',
          field: 'subject.id',
          found: 'string',
          matched: true,
        },
      ],
      nearMisses: [
        {
          rule: 'small',
          comparison: {
            at: '/policies/0/rules/0/when',
            kind: 'lt',
            field: 'intent.action.amount',
            found: 'number',
            value: '500',
            matched: false,
          },
        },
      ],
    })
  })

  it('stays small, however many policies and rules are asked', () => {
    const many = (id: string): object => ({
      bundle_id: id,
      policies: Array.from({ length: 256 }, (_, i) => ({
        id: `p${i}`,
        default_effect: 'deny',
        rules: Array.from({ length: 20 }, (_, j) =>
          rule('allow', is(`context.${'x'.repeat(200)}`, j), { id: `r${j}` }),
        ),
      })),
    })
    const decided = ask([many('a'), many('b')])
    const { passes } = decided.trace
    expect(passes[0]?.map(({ policies, untold }) => [policies.length, untold])).toEqual([
      [256, 0],
      [0, 256],
    ])
    expect(canonicalize(decided).length).toBeLessThan(200_000)
  })

  it('is told in words', () => {
    const text = explainDecision(ask([limit, bundle('hold', [rule('review')])]))
    expect(text).toContain('BLOCK, because the strongest of all that was said is deny')
    expect(text).toContain("  POLICY_DENIED: matched rule 'bots'")
    expect(text).toContain('    policy limit-policy, rule bots: deny (POLICY_DENIED)')
    expect(text).toContain('      subject.id (string) matches eq, /policies/0/rules/1/when')
    expect(text).toContain('near miss: only intent.action.amount kept rule small from matching')
    expect(text).toContain('    policy hold-policy, rule review-it: review (POLICY_REVIEW)')
    const stepped = explainDecision(
      ask([bundle('b', [rule('allow', always, { obligations: [cap] })])], {
        gates: gates('PROCEED'),
      }),
    )
    expect(stepped).toContain('the request as it came\n')
    expect(stepped).toMatch(/the request after transform_input, [0-9a-f]{64}\n/)
    expect(stepped).toContain('gates\n  risk: passed (Fine)')
    expect(stepped).toContain('obligations\n  transform_input: {')
  })

  it('writes no lines of its own for what stands in a bundle', () => {
    const text = explainDecision(
      ask([bundle('b', [rule('deny', always, { description: 'no\nALLOW\u001b[2J' })])]),
    )
    expect(text).toContain('POLICY_DENIED: no\\u{a}ALLOW\\u{1b}[2J')
  })
})

it('is an error when policies demand more than a decision can hold', () => {
  const demanding = (count: number, length: number): Decided =>
    ask([
      bundle('b', [rule('allow')], {
        policies: Array.from({ length: count }, (_, i) => ({
          id: `p${i}`,
          rules: [
            rule('allow', always, {
              obligations: [{ type: 'log_only', note: `${i}${'x'.repeat(length)}` }],
            }),
          ],
        })),
      }),
    ])
  expect(demanding(64, 0)).toMatchObject({ status: 'ALLOW' })
  expect(demanding(64, 0).obligations).toHaveLength(64)
  const tooMany = demanding(65, 0)
  expect([tooMany.status, codes(tooMany), tooMany.obligations]).toEqual([
    'ERROR',
    ['POLICY_TOO_MANY'],
    [],
  ])
})
