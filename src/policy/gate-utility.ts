// The gate of utility: the lower confidence bound of a sum of uncertain terms. AEGIS names the terms' factors but not their sum: it is ours, with both
// readings of the names, in GATES.md.
import type { AegisConfig, CompiledGates } from './gate-config.ts'
import { amount, InputReader, isUsable } from './gate-input.ts'
import { measured, notProvided, unevaluable, type GateResult } from './gate-result.ts'

/** A utility as a normal distribution. */
export interface Utility {
  readonly mean: number
  readonly std: number
}

const spreads = [0, 1e12] as const

/** The terms: name and factor. */
const terms = [
  ['delta_P_H', () => 1],
  ['delta_V_long', ({ gamma }) => gamma],
  ['delta_R', ({ kappa }) => kappa],
  ['delta_C_S', ({ phi_S }) => -phi_S],
  ['delta_C_D', ({ phi_D }) => -phi_D],
  ['delta_OPEX', () => -1],
  ['delay', ({ omega }) => -omega],
] as const satisfies readonly (readonly [string, (config: AegisConfig) => number])[]

/** A term that is not given is zero, for nobody has all of them; one that is given wrong is a problem. */
function componentOf(reader: InputReader, name: string): Utility | undefined {
  if (!reader.gives(name)) return { mean: 0, std: 0 }
  const member = reader.within(name)
  const mean = member.number('mean', amount)
  const std = member.number('std', spreads)
  return mean === undefined || std === undefined ? undefined : { mean, std }
}

function sumOf(reader: InputReader, config: AegisConfig): Utility | undefined {
  if (!reader.gives(...terms.map(([name]) => name))) {
    reader.number('delta_P_H', amount)
    return undefined
  }
  let mean = 0
  let variance = 0
  for (const [name, factorOf] of terms) {
    const found = componentOf(reader, name)
    if (found === undefined) return undefined
    const factor = factorOf(config)
    mean += factor * found.mean
    variance += factor * found.std * (factor * found.std)
  }
  return { mean, std: Math.sqrt(variance) }
}

/** A utility as its mean and spread, or summed from its components. */
export function utilityOf(reader: InputReader, config: AegisConfig): Utility | undefined {
  if (reader.gives('components')) return sumOf(reader.within('components'), config)
  const mean = reader.number('mean', amount)
  const std = reader.number('std', spreads)
  return mean === undefined || std === undefined ? undefined : { mean, std }
}

/** The gate of utility: above the threshold for what stays, down to the budget for a migration. */
export function utilityGate({ config, utilityScore }: CompiledGates, input: unknown): GateResult {
  const reader = new InputReader(input)
  const inner = reader.within('utility')
  const migration = inner.flag('migration', false, false)
  const measure = {
    gate: 'utility',
    test: migration ? '>=' : '>',
    threshold: migration ? 0 - config.migration_budget : config.utility_threshold,
  } as const
  if (config.optional_gates.includes('utility') && !reader.gives('utility'))
    return notProvided(measure)
  const utility = utilityOf(inner, config)
  if (utility === undefined || reader.problems.length > 0)
    return unevaluable(measure, inner.problems)
  const { mean, std } = utility
  const bound = mean - utilityScore * std
  if (![mean, std, bound].every(isUsable)) return unevaluable(measure, [], 'Utility is too large')
  const passed = migration ? bound >= measure.threshold : bound > measure.threshold
  return measured(measure, passed, bound === 0 ? 0 : bound, {
    confidence: 1 - config.lcb_alpha,
    message: `Lower bound of the utility is ${bound.toPrecision(4)}`,
    detail: { mean: mean === 0 ? 0 : mean, std, score: utilityScore, migration },
  })
}
