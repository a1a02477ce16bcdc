// The gates of risk and profit: a normal prior over the normalised change, one normal observation of it, and the posterior probability that the change
// is as large as the trigger. Decided is on the standard score, whose steps are monotone in binary arithmetic; the probability is what is told.
import type { CompiledGates } from './gate-config.ts'
import { amount, InputReader, unit, type Range } from './gate-input.ts'
import { measured, notProvided, unevaluable, type GateResult } from './gate-result.ts'
import { normalCdf } from './normal.ts'

/** A normal belief about the change. */
export interface Posterior {
  readonly mean: number
  readonly std: number
}

/** The belief after one observation of the change. */
export function posteriorOf(observed: number, { config }: CompiledGates): Posterior {
  const prior = 1 / (config.prior_std * config.prior_std)
  const likelihood = 1 / (config.likelihood_std * config.likelihood_std)
  const variance = 1 / (prior + likelihood)
  return {
    mean: variance * (config.prior_mean * prior + observed * likelihood),
    std: Math.sqrt(variance),
  }
}

interface Trigger {
  readonly gate: 'risk' | 'profit'
  readonly range: Range
  readonly epsilon: number
  readonly factor: number
  /** −1 where a fall is what triggers. */
  readonly direction: 1 | -1
}

// Far beyond what can matter, and small enough for every number that follows to have a canonical form.
const mostChange = 1e9

function changeOf(reader: InputReader, { direction, epsilon, gate, range }: Trigger) {
  const baseline = reader.number(`${gate}_baseline`, range)
  const proposed = reader.number(`${gate}_proposed`, range)
  if (baseline === undefined || proposed === undefined) return undefined
  const change = (direction * (proposed - baseline)) / Math.max(Math.abs(baseline), epsilon)
  return Math.min(mostChange, Math.max(-mostChange, change))
}

function triggerGate(gates: CompiledGates, input: unknown, trigger: Trigger): GateResult {
  const { config, triggerScore } = gates
  const { factor, gate } = trigger
  const measure = { gate, test: '<', threshold: config.trigger_confidence_prob } as const
  const reader = new InputReader(input)
  if (config.optional_gates.includes(gate) && !reader.gives(`${gate}_baseline`, `${gate}_proposed`))
    return notProvided(measure)
  const delta = changeOf(reader, trigger)
  if (delta === undefined) return unevaluable(measure, reader.problems)
  const { mean, std } = posteriorOf(delta, gates)
  const score = (mean - factor) / std
  const probability = normalCdf(score)
  const passed = score < triggerScore
  return measured(measure, passed, probability, {
    confidence: passed ? normalCdf(-score) : probability,
    message: `P(change >= ${factor}) is ${probability.toPrecision(4)}`,
    detail: {
      delta: delta === 0 ? 0 : delta,
      posterior_mean: mean === 0 ? 0 : mean,
      posterior_std: std,
      score,
    },
  })
}

/** The gate of risk. */
export const riskGate = (gates: CompiledGates, input: unknown): GateResult =>
  triggerGate(gates, input, {
    gate: 'risk',
    range: unit,
    epsilon: gates.config.epsilon_R,
    factor: gates.config.risk_trigger_factor,
    direction: 1,
  })

/** The gate of profit. */
export const profitGate = (gates: CompiledGates, input: unknown): GateResult =>
  triggerGate(gates, input, {
    gate: 'profit',
    range: amount,
    epsilon: gates.config.epsilon_P,
    factor: gates.config.profit_trigger_factor,
    direction: gates.config.profit_direction === 'gain' ? 1 : -1,
  })
