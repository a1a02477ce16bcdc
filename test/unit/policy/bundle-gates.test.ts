import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { evaluateBundleGates } from '../../../src/policy/bundle-gates.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'
import type { DialectName } from '../../../src/policy/dialect.ts'
import { compileGates, readAegisConfig } from '../../../src/policy/gate-config.ts'

const version = 'countersign/gates/v1'
const measures = {
  estimated_impact: 'low',
  risk_baseline: 0.1,
  risk_proposed: 0.1,
  profit_baseline: 1,
  profit_proposed: 1,
  novelty_score: 0.8,
  complexity_score: 0.6,
  quality_score: 0.8,
  quality_subscores: [0.8],
}
const allowing = { id: 'p', rules: [{ id: 'r', effect: 'allow', when: {} }] }
const bundle = (gates: unknown, more: object = {}): object => ({
  bundle_id: 'changes',
  policies: [allowing],
  gates,
  ...more,
})
const compile = (value: unknown, dialect: DialectName = 'native') => compileBundle(value, dialect)

function ask(
  reported: unknown,
  {
    bundles = [bundle({ version })],
    ...more
  }: { bundles?: readonly unknown[]; facts?: Record<string, unknown> } = {},
  context: object = { gates: reported },
): Decided {
  return decide({
    request: { actor: { id: 'bot' }, action: { type: 'deploy' }, context: { ...context } },
    time: 0,
    active: bundles.map((value, index) => ({ compiled: compile(value), index })),
    ...more,
  })
}

describe('a bundle with gates', () => {
  it('allows what its rules allow and its gates let pass', () => {
    const decided = ask(measures)
    expect(decided).toMatchObject({ status: 'ALLOW', policies: [{ effect: 'allow' }] })
    expect(decided.confidence).toBeCloseTo(1 - 3.872e-6, 8)
    expect(decided.gates).toHaveLength(6)
    expect(decided.gates[0]).toMatchObject({
      name: 'risk',
      version,
      sha256: compileGates().digest,
      passed: true,
      threshold: 0.95,
    })
  })

  it('tells beside its rules how the gates came out', () => {
    const { trace } = ask(measures)
    expect(trace.passes[0]?.[0]?.gates).toMatchObject({ version, row: 6, impact: 'low' })
    expect(trace.gates).toBeNull()
  })

  it.each([
    [{ quality_score: 0.1 }, 'BLOCK', true, 'GATES_HALTED'],
    [{ complexity_score: 0.1 }, 'BLOCK', false, 'GATES_HALTED'],
    [{ quality_score: 0.1, estimated_impact: 'high' }, 'ESCALATE', true, 'GATES_ESCALATED'],
    [{ reversible: false }, 'REVIEW_REQUIRED', true, 'GATES_PAUSED'],
    [{ risk_proposed: 'none' }, 'BLOCK', true, 'GATES_HALTED'],
  ])('with %j answers %s', (more, status, overridable, code) => {
    const decided = ask({ ...measures, ...more })
    expect(decided).toMatchObject({ status, overridable, reasons: [{ code }] })
    expect(decided.policies[0]?.effect).not.toBe('allow')
  })

  it.each([null, {}, 'fine', []])('blocks where the request reports %j', (reported) => {
    expect(ask(reported)).toMatchObject({ status: 'BLOCK', overridable: false, confidence: 0 })
  })

  it('blocks where the request reports nothing, or reports it through a prototype', () => {
    expect(ask(null, {}, {})).toMatchObject({ status: 'BLOCK', confidence: 0 })
    const context = Object.create({ gates: measures }) as Record<string, unknown>
    const request = { actor: { id: 'bot' }, action: { type: 'deploy' }, context }
    const { bundle: gated } = compile(bundle({ version }))
    expect(evaluateBundleGates(gated, request, {})?.failing).toHaveLength(5)
  })

  it('does not allow by gates alone', () => {
    const nothing = bundle(
      { version },
      {
        policies: [
          {
            ...allowing,
            default_effect: 'not_applicable',
            rules: [{ id: 'r', effect: 'allow', when: { kind: 'exists', field: 'no' } }],
          },
        ],
      },
    )
    expect(ask(measures, { bundles: [nothing] })).toMatchObject({
      status: 'BLOCK',
      reasons: [{ code: 'NO_POLICY_MATCHED' }],
    })
    // Nor does a hold of the gates stand in for a policy.
    const held = ask({ ...measures, reversible: false }, { bundles: [nothing] })
    expect(held).toMatchObject({ status: 'BLOCK', reasons: [{ code: 'NO_POLICY_MATCHED' }] })
  })

  it('takes drift from the service alone', () => {
    const drift = { baseline: 'a'.repeat(64), expected: [0, 50, 0], recent: [0, 0, 50] }
    expect(ask(measures, { facts: { drift } })).toMatchObject({ status: 'REVIEW_REQUIRED' })
    expect(ask({ ...measures, drift }, {}, { gates: measures, drift })).toMatchObject({
      status: 'ALLOW',
    })
    expect(ask(measures, { facts: { drift } }).trace.facts).toEqual({ drift })
  })

  it('obeys its settings, and each bundle its own', () => {
    const strict = bundle(
      { version, settings: { novelty_threshold: 0.8 } },
      { bundle_id: 'strict' },
    )
    const decided = ask(measures, { bundles: [bundle({ version }), strict] })
    expect(decided).toMatchObject({
      status: 'BLOCK',
      policies: expect.arrayContaining([
        expect.objectContaining({ effect: 'allow' }),
        expect.objectContaining({ effect: 'deny' }),
      ]) as object[],
    })
    expect(decided.gates).toHaveLength(12)
    expect(decided.gates.filter(({ passed }) => !passed)).toMatchObject([
      { name: 'novelty', sha256: compileGates(readAegisConfig({ novelty_threshold: 0.8 })).digest },
    ])
  })

  it('is as sure as the least sure of several', () => {
    const unsure = bundle({ version, settings: { likelihood_std: 2 } }, { bundle_id: 'unsure' })
    const alone = [bundle({ version }), unsure].map(
      (one) => ask(measures, { bundles: [one] }).confidence,
    )
    const both = ask(measures, { bundles: [bundle({ version }), unsure] }).confidence
    expect(alone[1]).toBeLessThan(alone[0] ?? 0)
    expect(both).toBe(alone[1])
  })

  it('is one of ten at most that have settings of their own', () => {
    const bundles = (count: number): readonly unknown[] =>
      Array.from({ length: count }, (_, i) =>
        bundle({ version, settings: { gamma: i } }, { bundle_id: `b${i}` }),
      )
    expect(ask(measures, { bundles: bundles(10) })).toMatchObject({ status: 'ALLOW' })
    expect(ask(measures, { bundles: bundles(11) })).toMatchObject({
      status: 'ERROR',
      reasons: [{ code: 'POLICY_TOO_MANY' }],
    })
    // The same settings give the same answer, which is told once.
    const alike = Array.from({ length: 30 }, (_, i) => bundle({ version }, { bundle_id: `b${i}` }))
    expect(ask(measures, { bundles: alike }).gates).toHaveLength(6)
  })

  it.each([
    [{}, '/gates/version'],
    [{ version: 'countersign/gates/v2' }, '/gates/version'],
    [{ version, more: 1 }, '/gates'],
    [{ version, settings: { gamma: -1 } }, '/gates/settings/gamma'],
    [{ version, settings: { gama: 1 } }, '/gates/settings'],
    [{ version, settings: 7 }, '/gates/settings'],
    [null, '/gates'],
    ['on', '/gates'],
  ])('is refused with the gates %j', (gates, field) => {
    expect(() => compile(bundle(gates))).toThrow(
      expect.objectContaining({ code: 'POLICY_INVALID', field }),
    )
  })

  it('is native, or of Brane; older dialects have none', () => {
    expect(() => compile(bundle({ version }))).not.toThrow()
    for (const dialect of ['0.1', '0.2'] as const)
      expect(() => compile(bundle({ version }), dialect)).toThrow(
        expect.objectContaining({ code: 'POLICY_INVALID' }),
      )
  })

  it('never allows what it would not allow without its gates', () => {
    const names = [
      'estimated_impact',
      'risk_proposed',
      'novelty_score',
      'complexity_score',
      'reversible',
      'utility',
    ]
    const reported = fc.oneof(
      fc.jsonValue(),
      fc
        .dictionary(fc.constantFrom(...names), fc.jsonValue())
        .map((more) => ({ ...measures, ...more })),
    )
    const effects = fc.constantFrom('allow', 'deny', 'escalate', 'review')
    fc.assert(
      fc.property(reported, effects, fc.boolean(), (value, effect, matches) => {
        const when = matches ? {} : { kind: 'exists', field: 'nothing' }
        const rules = {
          policies: [
            { id: 'p', default_effect: 'not_applicable', rules: [{ id: 'r', effect, when }] },
          ],
        }
        const gated = ask(value, { bundles: [bundle({ version }, rules)] })
        const plain = ask(value, { bundles: [{ bundle_id: 'changes', ...rules }] })
        if (gated.status === 'ALLOW') expect(plain.status).toBe('ALLOW')
        if (plain.status === 'BLOCK') expect(gated.status).toBe('BLOCK')
      }),
    )
  })

  it('has another digest with other settings', () => {
    const digest = (gates: unknown): string => compile(bundle(gates)).digest
    expect(digest({ version, settings: { gamma: 1 } })).not.toBe(digest({ version }))
  })
})
