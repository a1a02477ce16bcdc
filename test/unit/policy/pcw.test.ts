import { describe, expect, it } from 'vitest'
import { compileGates } from '../../../src/policy/gate-config.ts'
import {
  pcwDecide,
  quickRiskCheck,
  readPcwContext,
  requireHumanApproval,
  type PcwDecision,
} from '../../../src/policy/pcw.ts'

const gates = compileGates()
const occasion = {
  decisionId: '0198c1de-5f2a-7b1c-8a55-0123456789ab',
  now: Date.UTC(2026, 10, 21, 19, 30),
}
const decide = (context: unknown, more = {}): PcwDecision =>
  pcwDecide(gates, context, { ...occasion, ...more })

describe('pcw_decide', () => {
  it('answers in the words of AEGIS', () => {
    const {
      decision_trace: trace,
      gates: each,
      ...told
    } = decide({ novelty_score: 0.75, estimated_impact: 'low' })
    expect(told).toEqual({
      status: 'PROCEED',
      confidence: expect.closeTo(1 - 3.872e-6, 8) as number,
      gates_passed: 6,
      gates_failed: 0,
      failing_gates: [],
      rationale: 'All 6 gates passed. Proposal approved.',
      next_steps: [],
      constraints: [],
      decision_id: occasion.decisionId,
      timestamp: '2026-11-21T19:30:00.000+00:00',
      override_eligible: false,
      override_requires: [],
      drift_result: null,
      shadow_result: null,
    })
    expect(each['novelty']).toMatchObject({ passed: true, threshold: 0.6, confidence: 1 })
    expect(trace.version).toBe('countersign/gates/v1')
  })

  it('fails the default context by its novelty alone, and says what came by default', () => {
    const decision = decide({})
    expect(decision).toMatchObject({
      status: 'HALT',
      failing_gates: ['novelty'],
      gates_failed: 1,
      override_eligible: true,
    })
    expect(decision.decision_trace.defaulted).toHaveLength(12)
    expect(decide({ risk: 0.01 }).decision_trace.defaulted).not.toContain('risk_proposed')
  })

  it.each([
    [{ risk: 0.3 }, 'risk_proposed', 0.3],
    [{ risk_score: 0.3 }, 'risk_proposed', 0.3],
    [{ risk_proposed: 0.2, risk: 0.3 }, 'risk_proposed', 0.2],
    [{ risk_base: 0.3 }, 'risk_baseline', 0.3],
    [{ profit: 7 }, 'profit_proposed', 7],
    [{ profit_base: 7 }, 'profit_baseline', 7],
    [{ novelty: 0.1 }, 'novelty_score', 0.1],
    [{ complexity: 0.1 }, 'complexity_score', 0.1],
    [{ quality: 0.1 }, 'quality_score', 0.1],
    [{ novelty_score: null }, 'novelty_score', 0.5],
  ])('reads %j', (context, name, value) => {
    expect(readPcwContext(context).input).toHaveProperty(name, value)
  })

  it('takes no default for what is given wrong', () => {
    expect(decide({ novelty_score: '0.9' }).failing_gates).toEqual(['novelty'])
    expect(decide({ novelty_score: 0.9, risk_proposed: NaN }).failing_gates).toEqual(['risk'])
    expect(decide({ novelty_score: 0.9, quality_subscores: 'none' }).failing_gates).toEqual([
      'quality',
    ])
    expect(decide(null).failing_gates).toEqual(['novelty'])
  })

  it('escalates the failing example of the REST interface', () => {
    const decision = decide({
      novelty: 0.8,
      risk: 0.9,
      utility_result: { mean: -1, std: 1 },
      estimated_impact: 'high',
    })
    expect(decision).toMatchObject({
      status: 'ESCALATE',
      rationale: 'High impact proposal with failing gates: risk, utility',
      next_steps: ['Escalate to Risk Lead for review', 'Prepare justification document'],
      override_requires: ['risk_lead', 'security_lead'],
    })
  })

  it('tells in shadow mode what a monitor would observe', () => {
    const drift = { baseline: 'c'.repeat(64), expected: [0, 30, 0], recent: [0, 30, 0] }
    expect(decide({ novelty: 0.8, profit: 0.01 }, { shadow: true, drift }).shadow_result).toEqual({
      drift_result: expect.objectContaining({ status: 'NORMAL' }) as object,
      observation_values: [0, 1],
      baseline_hash: 'c'.repeat(64),
      shadow_only: true,
    })
    expect(decide({}, { shadow: true }).shadow_result).toMatchObject({
      baseline_hash: null,
      drift_result: null,
    })
  })
})

describe('require_human_approval', () => {
  it.each([
    [{}, false],
    [{ estimated_impact: 'medium' }, false],
    [{ estimated_impact: 'high' }, true],
    [{ estimated_impact: 'critical' }, true],
    [{ estimated_impact: 'unheard of' }, true],
    [{ reversible: false }, true],
    [{ requires_human_approval: true }, true],
    [{ risk_baseline: 0.125, risk_proposed: 0.43 }, false],
    [{ risk_baseline: 0.125, risk_proposed: 0.4375 }, true],
    [{ risk_proposed: 'high' }, true],
  ])('of %j is %s', (context, wanted) => {
    expect(requireHumanApproval(gates, context)).toBe(wanted)
  })
})

describe('quick_risk_check', () => {
  it('is below the threshold, strictly', () => {
    expect(quickRiskCheck(0.4999999999999999)).toBe(true)
    expect(quickRiskCheck(0.5)).toBe(false)
    expect(quickRiskCheck(0.5, 0.6)).toBe(true)
    expect([quickRiskCheck(0), quickRiskCheck(1, 1), quickRiskCheck(0, 0)]).toEqual([
      true,
      false,
      false,
    ])
  })

  it.each([NaN, -0.1, 1.1, Infinity, '0.1', null, undefined, {}])(
    'is never safe for %j',
    (value) => {
      expect(quickRiskCheck(value)).toBe(false)
      // Without a threshold the default counts; with a wrong one nothing is safe.
      if (value !== undefined) expect(quickRiskCheck(0.1, value)).toBe(false)
    },
  )
})
