// The gates by AEGIS's names. AEGIS's own AegisConfig makes evaluators; so does this one, from settings that are frozen and have a digest.
import { decomposeComplexity, type Complexity } from '../policy/complexity-parts.ts'
import { DriftMonitor } from '../policy/drift-monitor.ts'
import { parseAegisConfig } from '../policy/gate-config-text.ts'
import {
  compileGates,
  defaultAegisConfig,
  readAegisConfig,
  type AegisConfig as Settings,
  type CompiledGates,
} from '../policy/gate-config.ts'
import { calculateUtility, GateEvaluator } from '../policy/gate-evaluator.ts'
import type { Utility } from '../policy/gate-utility.ts'

/** A utility and its lower confidence bound, which the gate holds against its threshold. */
export interface UtilityResult extends Utility {
  /** Mean less z of 1 − `lcb_alpha` times the spread. */
  readonly lowerBound: number
}

/** AEGIS's UtilityCalculator. */
export class UtilityCalculator {
  readonly #gates: CompiledGates

  constructor(gates: CompiledGates) {
    this.#gates = gates
  }

  /** The utility of components, or undefined where they are none. */
  calculate(components: unknown): UtilityResult | undefined {
    const utility = calculateUtility(this.#gates, components)
    if (utility === undefined) return undefined
    const { mean, std } = utility
    return { mean, std, lowerBound: mean - this.#gates.utilityScore * std }
  }
}

/** AEGIS's ComplexityDecomposer. */
export class ComplexityDecomposer {
  /** @throws {@link Failure} POLICY_INVALID when they are no parts */
  decompose(parts: unknown): Complexity {
    return decomposeComplexity(parts)
  }
}

/** AEGIS's AegisConfig: frozen settings, and what works by them. */
export class AegisConfig {
  readonly settings: Settings
  /** The settings ready for {@link pcwDecide} and the like. */
  readonly gates: CompiledGates

  private constructor(settings: Settings) {
    this.settings = settings
    this.gates = compileGates(settings)
    Object.freeze(this)
  }

  static default(): AegisConfig {
    return new AegisConfig(defaultAegisConfig)
  }

  /**
   * Some settings, the rest by default.
   * @throws {@link Failure} POLICY_INVALID naming what is unknown or wrong
   */
  static from(settings: unknown): AegisConfig {
    return new AegisConfig(readAegisConfig(settings))
  }

  /**
   * The settings of the text of a YAML file; names that nobody knows are passed over, as AEGIS does.
   * @throws {@link Failure} POLICY_INVALID, INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE
   */
  static fromYaml(text: string): AegisConfig {
    return new AegisConfig(parseAegisConfig(text).config)
  }

  createGateEvaluator(): GateEvaluator {
    return new GateEvaluator(this.gates)
  }

  createDriftMonitor(): DriftMonitor {
    return new DriftMonitor(this.settings)
  }

  createUtilityCalculator(): UtilityCalculator {
    return new UtilityCalculator(this.gates)
  }
}
