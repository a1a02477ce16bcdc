import { describe, expect, it } from 'vitest'
import {
  AegisConfig,
  ComplexityDecomposer,
  GateEvaluator,
  pcwDecide,
  quickRiskCheck,
  requireHumanApproval,
} from '../../../src/aegis/aegis.ts'

const good = {
  novelty_score: 0.85,
  complexity_score: 0.7,
  quality_score: 0.8,
  quality_subscores: [0.9, 0.7, 0.8],
  estimated_impact: 'low',
}
const occasion = { decisionId: 'd', now: Date.UTC(2026, 0, 1) }

describe('the gates by AEGIS’s names', () => {
  it('have frozen settings, AEGIS’s by default, and others from YAML', () => {
    const config = AegisConfig.default()
    expect(config.settings).toMatchObject({ risk_trigger_factor: 2, novelty_threshold: 0.6 })
    expect(Object.isFrozen(config) && Object.isFrozen(config.settings)).toBe(true)
    const other = AegisConfig.fromYaml('parameters:\n  complexity_floor: {value: 0.75}\nx: 1\n')
    expect(other.settings.complexity_floor).toBe(0.75)
    expect(other.gates.digest).not.toBe(config.gates.digest)
    expect(AegisConfig.from({ complexity_floor: 0.75 }).gates.digest).toBe(other.gates.digest)
  })

  it('refuse settings that are none', () => {
    expect(() => AegisConfig.from({ complexity_flor: 0.75 })).toThrow(/complexity_flor/)
    expect(() => AegisConfig.fromYaml('complexity_floor: high')).toThrow(/complexity_floor/)
  })

  it('make evaluators that judge by them', () => {
    const strict = AegisConfig.from({ complexity_floor: 0.75 }).createGateEvaluator()
    expect(strict).toBeInstanceOf(GateEvaluator)
    expect(strict.evaluateComplexityGate(0.7).passed).toBe(false)
    expect(AegisConfig.default().createGateEvaluator().evaluateComplexityGate(0.7).passed).toBe(
      true,
    )
    expect(strict.evaluateAll(good)).toMatchObject({ allPassed: false, overrideEligible: false })
  })

  it('decide, and want a person where AEGIS does', () => {
    const { gates } = AegisConfig.default()
    expect(pcwDecide(gates, good, occasion)).toMatchObject({
      status: 'PROCEED',
      gates_failed: 0,
      timestamp: '2026-01-01T00:00:00.000+00:00',
    })
    expect(pcwDecide(gates, { ...good, complexity_score: 0.4 }, occasion).status).toBe('HALT')
    expect(requireHumanApproval(gates, good)).toBe(false)
    expect(requireHumanApproval(gates, { ...good, reversible: false })).toBe(true)
    expect([quickRiskCheck(0.1), quickRiskCheck(0.5), quickRiskCheck('0.1')]).toEqual([
      true,
      false,
      false,
    ])
  })

  it('calculate utility with its lower bound: the mean less 1.6448536 spreads at 0.05', () => {
    const calculator = AegisConfig.default().createUtilityCalculator()
    const components = { delta_P_H: { mean: 10, std: 3 }, delta_R: { mean: 2, std: 4 } }
    const utility = calculator.calculate(components)
    expect(utility).toMatchObject({ mean: 12, std: 5 })
    expect(utility?.lowerBound).toBeCloseTo(12 - 1.6448536269514722 * 5, 12)
    expect(calculator.calculate({ delta_P_H: { mean: 'ten', std: 3 } })).toBeUndefined()
  })

  it('decompose complexity, and refuse what is no part', () => {
    const decomposer = new ComplexityDecomposer()
    const parts = [
      { name: 'schema', kind: 'static', complexity: 0.2 },
      { name: 'roll-out', kind: 'dynamic', complexity: 0.6, weight: 3 },
    ]
    expect(decomposer.decompose(parts)).toMatchObject({ score: 0.5, static: 0.2, dynamic: 0.6 })
    expect(() => decomposer.decompose([{ ...parts[0], complexity: 1.1 }])).toThrow(/complexity/)
  })

  it('watch drift from the thirtieth observation on', () => {
    const monitor = AegisConfig.default().createDriftMonitor()
    const values = Array.from({ length: 30 }, (_, n) => (n % 10) / 100)
    expect(() => monitor.setBaseline(values.slice(1))).toThrow(/29/)
    monitor.setBaseline(values)
    for (const [time, value] of values.entries()) monitor.observe({ time, value: value + 5 })
    expect(monitor.assess(100).status).toBe('CRITICAL')
  })
})
