// AEGIS's own interface to the gates: pcw_decide over a PCWContext, with the original's names, defaults and short checks. Where evaluateGates refuses a
// missing measure, a PCWContext has a default, so the answer says which defaults were used.
import { evaluateGates, type GateCircumstances, type GateDecision } from './gates.ts'
import type { CompiledGates } from './gate-config.ts'
import { InputReader, unit, type GateInput } from './gate-input.ts'
import type { GateName } from './gate-result.ts'

/** What a PCWContext has where nothing is given. */
const defaults: GateInput = Object.freeze({
  estimated_impact: 'medium',
  risk_baseline: 0,
  risk_proposed: 0,
  profit_baseline: 0,
  profit_proposed: 0,
  novelty_score: 0.5,
  complexity_score: 0.5,
  quality_score: 0.7,
  quality_subscores: Object.freeze([0.7, 0.7, 0.7]),
  requires_human_approval: false,
  reversible: true,
})

/** Short names of AEGIS's command line. */
const aliases = {
  risk_baseline: ['risk_base'],
  risk_proposed: ['risk', 'risk_score'],
  profit_baseline: ['profit_base'],
  profit_proposed: ['profit'],
  novelty_score: ['novelty'],
  complexity_score: ['complexity'],
  quality_score: ['quality'],
  utility: ['utility_result'],
} as const satisfies Partial<Record<keyof GateInput, readonly string[]>>

const given = (context: object, name: string): unknown =>
  Object.hasOwn(context, name) ? (context as Readonly<Record<string, unknown>>)[name] : undefined

/** The input of the gates that a PCWContext is, and the names that came by default. */
export function readPcwContext(context: unknown): {
  readonly input: GateInput
  readonly defaulted: readonly string[]
} {
  const members = typeof context === 'object' && context !== null ? context : {}
  const named: Record<string, unknown> = {}
  const names = [...new Set([...Object.keys(defaults), ...Object.keys(aliases)])]
  const defaulted: string[] = []
  for (const name of names) {
    const others = Object.hasOwn(aliases, name) ? aliases[name as keyof typeof aliases] : []
    const value = [name, ...others]
      .map((one) => given(members, one))
      .find((found) => found !== undefined && found !== null)
    if (value === undefined) defaulted.push(name)
    named[name] = value ?? defaults[name as keyof GateInput] ?? null
  }
  return { input: named, defaulted }
}

/** The decision as AEGIS's clients know it. */
export interface PcwDecision {
  readonly status: GateDecision['status']
  readonly confidence: number
  readonly gates_passed: number
  readonly gates_failed: number
  readonly failing_gates: readonly GateName[]
  readonly rationale: string
  readonly next_steps: readonly string[]
  readonly constraints: readonly string[]
  readonly decision_id: string
  /** RFC 3339 with the offset written out, as AEGIS has it. */
  readonly timestamp: string
  readonly override_eligible: boolean
  readonly override_requires: readonly string[]
  readonly gates: Readonly<Record<string, PcwGate>>
  readonly decision_trace: GateDecision['trace'] & { readonly defaulted: readonly string[] }
  readonly drift_result: GateDecision['drift']
  readonly shadow_result: PcwShadow | null
}

interface PcwGate {
  readonly passed: boolean
  readonly value: number | null
  readonly threshold: number
  readonly confidence: number | null
  readonly message: string
}

interface PcwShadow {
  readonly drift_result: GateDecision['drift']
  readonly observation_values: readonly number[]
  readonly baseline_hash: string | null
  readonly shadow_only: true
}

/** What a decision takes from outside. */
export interface PcwOccasion extends GateCircumstances {
  readonly decisionId: string
  /** Time of the decision, ms since 1970. */
  readonly now: number
}

function pcwShadow({ shadow }: GateDecision): PcwShadow | null {
  if (shadow === null) return null
  const { baseline, drift, observations, shadowOnly } = shadow
  return {
    drift_result: drift,
    observation_values: observations,
    baseline_hash: baseline,
    shadow_only: shadowOnly,
  }
}

/** What AEGIS's pcw_decide says about a PCWContext, which may be any JSON value. */
export function pcwDecide(
  gates: CompiledGates,
  context: unknown,
  occasion: PcwOccasion,
): PcwDecision {
  const { defaulted, input } = readPcwContext(context)
  const decision = evaluateGates(gates, input, occasion)
  return {
    status: decision.status,
    confidence: decision.confidence,
    gates_passed: decision.gates.length - decision.failing.length,
    gates_failed: decision.failing.length,
    failing_gates: decision.failing,
    rationale: decision.rationale,
    next_steps: decision.nextSteps,
    constraints: decision.constraints,
    decision_id: occasion.decisionId,
    timestamp: new Date(occasion.now).toISOString().replace('Z', '+00:00'),
    override_eligible: decision.overrideEligible,
    override_requires: decision.overrideRequires,
    gates: Object.fromEntries(
      decision.gates.map(({ confidence, gate, message, passed, threshold, value }) => [
        gate,
        { passed, value, threshold, confidence, message },
      ]),
    ),
    decision_trace: { ...decision.trace, defaulted },
    drift_result: decision.drift,
    shadow_result: pcwShadow(decision),
  }
}

/** Whether AEGIS's require_human_approval wants a person for a PCWContext. */
export const requireHumanApproval = (gates: CompiledGates, context: unknown): boolean =>
  evaluateGates(gates, readPcwContext(context).input).approval.length > 0

/** AEGIS's quick_risk_check: below the threshold, strictly. A score or a threshold outside 0 to 1 is not safe. No evidence, no Bayes. */
export function quickRiskCheck(riskScore: unknown, threshold: unknown = 0.5): boolean {
  const reader = new InputReader({ riskScore, threshold })
  const score = reader.number('riskScore', unit)
  const bound = reader.number('threshold', unit)
  return score !== undefined && bound !== undefined && score < bound
}
