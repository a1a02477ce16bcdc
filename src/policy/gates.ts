// The quantitative gates: six measures of a proposal, drift, and what they come to. It decides from numbers that somebody reports, and knows neither
// clock nor state: the same settings, input and drift snapshot give the same answer to the bit, on any machine. Formulas: GATES.md.
import { assessDrift, type DriftResult } from './drift.ts'
import { gatesVersion, type CompiledGates } from './gate-config.ts'
import type { InputProblem } from './gate-input.ts'
import { gateNames, type GateName, type GateResult } from './gate-result.ts'
import { complexityGate, noveltyGate, qualityGate } from './gate-scores.ts'
import {
  approvalGrounds,
  readCircumstances,
  statusOf,
  type ApprovalGround,
  type GateStatus,
  type Impact,
  type StatusRow,
} from './gate-status.ts'
import { profitGate, riskGate } from './gate-trigger.ts'
import { utilityGate } from './gate-utility.ts'

const evaluators: Readonly<Record<GateName, (gates: CompiledGates, input: unknown) => GateResult>> =
  {
    risk: riskGate,
    profit: profitGate,
    novelty: noveltyGate,
    complexity: complexityGate,
    quality: qualityGate,
    utility: utilityGate,
  }

const leads = ['risk_lead', 'security_lead'] as const

/** How an answer came about: enough to see which formula, setting and number decided. */
export interface GateTrace {
  /** Version of every formula, {@link gatesVersion}. */
  readonly version: string
  /** Hex SHA-256 of the record of the settings. */
  readonly settings: string
  readonly options: {
    readonly profit_direction: string
    readonly novelty_direction: string
    readonly novelty_threshold: number
    readonly strict_human_approval: boolean
    readonly optional_gates: readonly string[]
  }
  readonly impact: Impact
  readonly problems: readonly InputProblem[]
  readonly gates: readonly GateResult[]
  readonly drift: DriftResult | null
  readonly approval: readonly ApprovalGround[]
  readonly row: StatusRow['row']
}

/** What shadow mode tells for calibration. */
export interface ShadowResult {
  readonly drift: DriftResult | null
  /** The changes of risk and profit, as far as there are any. */
  readonly observations: readonly number[]
  readonly baseline: string | null
  readonly shadowOnly: true
}

/** The answer of the gates. */
export interface GateDecision {
  readonly status: GateStatus
  /** The least confidence of the gates, 0 where one could not be evaluated. */
  readonly confidence: number
  readonly rationale: string
  readonly nextSteps: readonly string[]
  readonly constraints: readonly string[]
  readonly gates: readonly GateResult[]
  readonly failing: readonly GateName[]
  readonly overrideEligible: boolean
  /** Roles, both of which an override takes; none where there is nothing to override. */
  readonly overrideRequires: readonly string[]
  readonly drift: DriftResult | null
  /** Every ground on which AEGIS wants a person, also those that do not count here. */
  readonly approval: readonly ApprovalGround[]
  readonly shadow: ShadowResult | null
  readonly trace: GateTrace
  readonly version: string
}

/** What comes with an input. */
export interface GateCircumstances {
  /** A {@link DriftSnapshot}; without one, drift is not assessed. */
  readonly drift?: unknown
  readonly shadow?: boolean
}

function leastConfidence(gates: readonly GateResult[]): number {
  if (gates.some(({ outcome }) => outcome === 'unevaluable')) return 0
  return gates.reduce((least, { confidence }) => Math.min(least, confidence ?? 1), 1)
}

const shadowOf = (gates: readonly GateResult[], drift: DriftResult | null): ShadowResult => ({
  drift,
  observations: gates
    .map(({ detail }) => detail['delta'])
    .filter((delta) => typeof delta === 'number'),
  baseline: drift?.baseline ?? null,
  shadowOnly: true,
})

/**
 * What the gates say about a {@link GateInput}. Any JSON value may stand in for the input and the drift snapshot: a gate that cannot be evaluated fails,
 * a snapshot that cannot be evaluated pauses, and nothing throws.
 */
export function evaluateGates(
  gates: CompiledGates,
  input: unknown,
  { drift: snapshot, shadow = false }: GateCircumstances = {},
): GateDecision {
  const { config, digest } = gates
  const circumstances = readCircumstances(input)
  const results = gateNames.map((name) => evaluators[name](gates, input))
  const failing = results.filter(({ passed }) => !passed).map(({ gate }) => gate)
  const drift = snapshot === undefined || snapshot === null ? null : assessDrift(snapshot, config)
  const approval = approvalGrounds(circumstances, results)
  const { impact, problems } = circumstances
  const { row, ...told } = statusOf({ failing, impact, drift, approval }, gates)
  const overrideEligible = failing.length > 0 && !failing.includes('complexity')
  return {
    ...told,
    confidence: leastConfidence(results),
    constraints: drift === null || drift.status === 'NORMAL' ? [] : [`drift: ${drift.message}`],
    gates: results,
    failing,
    overrideEligible,
    overrideRequires: overrideEligible ? leads : [],
    drift,
    approval,
    shadow: shadow ? shadowOf(results, drift) : null,
    version: gatesVersion,
    trace: {
      version: gatesVersion,
      settings: digest,
      options: {
        profit_direction: config.profit_direction,
        novelty_direction: config.novelty_direction,
        novelty_threshold: config.novelty_threshold,
        strict_human_approval: config.strict_human_approval,
        optional_gates: config.optional_gates,
      },
      impact,
      problems,
      gates: results,
      drift,
      approval,
      row,
    },
  }
}
