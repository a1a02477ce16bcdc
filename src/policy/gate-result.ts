// What one gate answers.
import type { InputProblem } from './gate-input.ts'

/** The six gates, in the order in which they are told. */
export const gateNames = ['risk', 'profit', 'novelty', 'complexity', 'quality', 'utility'] as const

/** The name of a gate. */
export type GateName = (typeof gateNames)[number]

/** The answer of a gate. */
export interface GateResult {
  readonly gate: GateName
  readonly passed: boolean
  /** `unevaluable` counts as failed, `not_provided` as passed. */
  readonly outcome: 'passed' | 'failed' | 'not_provided' | 'unevaluable'
  /** A posterior probability, a score or the lower bound of the utility; null where there is none. */
  readonly value: number | null
  /** The gate passes where `value test threshold` holds. */
  readonly test: '<' | '>=' | '>'
  readonly threshold: number
  /** Value less threshold. */
  readonly margin: number | null
  /** How probable it is that the verdict is right, null where nothing was evaluated. */
  readonly confidence: number | null
  readonly message: string
  /** The numbers between inputs and value. */
  readonly detail: Readonly<Record<string, number | boolean>>
  readonly problems: readonly InputProblem[]
}

type Measure = Pick<GateResult, 'gate' | 'test' | 'threshold'>

/** The answer of a gate that came to a value. */
export const measured = (
  measure: Measure,
  passed: boolean,
  value: number,
  more: Pick<GateResult, 'confidence' | 'message'> & Partial<Pick<GateResult, 'detail'>>,
): GateResult => ({
  ...measure,
  passed,
  outcome: passed ? 'passed' : 'failed',
  value,
  margin: value - measure.threshold,
  detail: {},
  problems: [],
  ...more,
})

/** The answer of a gate that could not be evaluated, which is a failure. */
export const unevaluable = (
  measure: Measure,
  problems: readonly InputProblem[],
  message = `Cannot be evaluated: ${problems
    .slice(0, 4)
    .map(({ field, problem }) => `${field} is ${problem.replaceAll('_', ' ')}`)
    .join(', ')}`,
): GateResult => ({
  ...measure,
  passed: false,
  outcome: 'unevaluable',
  value: null,
  margin: null,
  confidence: null,
  message,
  detail: {},
  problems,
})

/** The answer of an optional gate about which nothing was said. */
export const notProvided = (measure: Measure): GateResult => ({
  ...measure,
  passed: true,
  outcome: 'not_provided',
  value: null,
  margin: null,
  confidence: null,
  message: 'Not provided',
  detail: {},
  problems: [],
})
