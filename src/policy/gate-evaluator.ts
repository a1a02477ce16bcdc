// AEGIS's GateEvaluator and UtilityCalculator: one gate, or all six, by measures that a program has at hand.
import type { CompiledGates } from './gate-config.ts'
import { InputReader } from './gate-input.ts'
import type { GateName, GateResult } from './gate-result.ts'
import { complexityGate, noveltyGate, qualityGate } from './gate-scores.ts'
import { profitGate, riskGate } from './gate-trigger.ts'
import { utilityGate, utilityOf, type Utility } from './gate-utility.ts'
import { evaluateGates } from './gates.ts'

/** What all gates come to. */
export interface GateEvaluation {
  readonly gates: Readonly<Record<GateName, GateResult>>
  readonly failures: readonly GateResult[]
  readonly allPassed: boolean
  readonly overrideEligible: boolean
  readonly minConfidence: number
}

/** Evaluates gates by one configuration; total like {@link evaluateGates}. */
export class GateEvaluator {
  readonly #gates: CompiledGates

  constructor(gates: CompiledGates) {
    this.#gates = gates
  }

  evaluateRiskGate(baseline: unknown, proposed: unknown): GateResult {
    return riskGate(this.#gates, { risk_baseline: baseline, risk_proposed: proposed })
  }

  evaluateProfitGate(baseline: unknown, proposed: unknown): GateResult {
    return profitGate(this.#gates, { profit_baseline: baseline, profit_proposed: proposed })
  }

  evaluateNoveltyGate(score: unknown): GateResult {
    return noveltyGate(this.#gates, { novelty_score: score })
  }

  evaluateComplexityGate(score: unknown): GateResult {
    return complexityGate(this.#gates, { complexity_score: score })
  }

  evaluateQualityGate(score: unknown, subscores: unknown): GateResult {
    return qualityGate(this.#gates, { quality_score: score, quality_subscores: subscores })
  }

  evaluateUtilityGate(utility: unknown): GateResult {
    return utilityGate(this.#gates, { utility })
  }

  /** All six, by the names of {@link GateInput}. */
  evaluateAll(input: unknown): GateEvaluation {
    const { confidence, gates, overrideEligible } = evaluateGates(this.#gates, input)
    const failures = gates.filter(({ passed }) => !passed)
    return {
      gates: Object.fromEntries(gates.map((gate) => [gate.gate, gate])) as GateEvaluation['gates'],
      failures,
      allPassed: failures.length === 0,
      overrideEligible,
      minConfidence: confidence,
    }
  }
}

/** The utility of components, for the gate to judge, or undefined where they are none. */
export function calculateUtility(gates: CompiledGates, components: unknown): Utility | undefined {
  const reader = new InputReader({ components })
  return utilityOf(reader, gates.config)
}
