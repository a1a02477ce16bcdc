import { expect, it } from 'vitest'
import { compileGates, readAegisConfig } from '../../../src/policy/gate-config.ts'
import { calculateUtility, GateEvaluator } from '../../../src/policy/gate-evaluator.ts'

const gates = compileGates(readAegisConfig({ omega: 2 }))
const evaluator = new GateEvaluator(gates)

it('evaluates the examples of AEGIS, gate by gate', () => {
  expect(evaluator.evaluateRiskGate(0.1, 0.3)).toMatchObject({ gate: 'risk', passed: true })
  expect(evaluator.evaluateRiskGate(0.1, 0.6)).toMatchObject({ gate: 'risk', passed: false })
  expect(evaluator.evaluateProfitGate(100, 120)).toMatchObject({ gate: 'profit', passed: true })
  expect(evaluator.evaluateProfitGate(100, 500)).toMatchObject({ gate: 'profit', passed: false })
  expect(evaluator.evaluateNoveltyGate(0.85)).toMatchObject({ gate: 'novelty', passed: true })
  expect(evaluator.evaluateNoveltyGate(0.65)).toMatchObject({ gate: 'novelty', passed: false })
  expect(evaluator.evaluateComplexityGate(0.7)).toMatchObject({ gate: 'complexity', passed: true })
  expect(evaluator.evaluateComplexityGate(0.4)).toMatchObject({ gate: 'complexity', passed: false })
  expect(evaluator.evaluateQualityGate(0.8, [0.9, 0.7])).toMatchObject({
    gate: 'quality',
    passed: true,
  })
  expect(evaluator.evaluateQualityGate(0.8, [0.9, 0])).toMatchObject({
    gate: 'quality',
    passed: false,
  })
  expect(evaluator.evaluateUtilityGate({ mean: 2, std: 1 })).toMatchObject({
    gate: 'utility',
    passed: true,
  })
  expect(evaluator.evaluateUtilityGate({ mean: 1, std: 1 })).toMatchObject({
    gate: 'utility',
    passed: false,
  })
})

it('evaluates all at once as each alone', () => {
  const input = {
    risk_baseline: 0.1,
    risk_proposed: 0.6,
    profit_baseline: 100,
    profit_proposed: 120,
    novelty_score: 0.85,
    complexity_score: 0.7,
    quality_score: 0.8,
    quality_subscores: [0.9, 0.7, 0.8],
  }
  const all = evaluator.evaluateAll(input)
  expect(all).toMatchObject({ allPassed: false, overrideEligible: true })
  expect(all.failures).toEqual([evaluator.evaluateRiskGate(0.1, 0.6)])
  expect(all.gates.quality).toEqual(evaluator.evaluateQualityGate(0.8, [0.9, 0.7, 0.8]))
  expect(all.minConfidence).toBe(
    Math.min(...Object.values(all.gates).map((gate) => gate.confidence ?? 1)),
  )
  expect(evaluator.evaluateAll({ ...input, risk_proposed: 0.15 })).toMatchObject({
    allPassed: true,
    failures: [],
  })
})

it('calculates the utility that the gate then judges', () => {
  const components = { delta_P_H: { mean: 100, std: 3 }, delay: { mean: 5, std: 2 } }
  const utility = calculateUtility(gates, components)
  expect(utility).toEqual({ mean: 90, std: 5 })
  expect(evaluator.evaluateUtilityGate(utility).value).toBe(
    evaluator.evaluateUtilityGate({ components }).value,
  )
  for (const wrong of [{}, null, 'x', { delay: 5 }, { delay: { mean: 5 } }])
    expect(calculateUtility(gates, wrong)).toBeUndefined()
})
