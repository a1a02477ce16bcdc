// The gates over scores from 0 to 1: novelty, complexity, quality.
import { exp } from './exp-log.ts'
import type { CompiledGates } from './gate-config.ts'
import { InputReader, unit } from './gate-input.ts'
import { measured, notProvided, unevaluable, type GateResult } from './gate-result.ts'

const show = (value: number): string => value.toPrecision(4)

/** The gate of novelty: where the logistic curve lies against its threshold. */
export function noveltyGate(gates: CompiledGates, input: unknown): GateResult {
  const { config, criticalNovelty } = gates
  const novelPasses = config.novelty_direction === 'novel_passes'
  const measure = {
    gate: 'novelty',
    test: novelPasses ? '>=' : '<',
    threshold: config.novelty_threshold,
  } as const
  const reader = new InputReader(input)
  if (config.optional_gates.includes('novelty') && !reader.gives('novelty_score'))
    return notProvided(measure)
  const novelty = reader.number('novelty_score', unit)
  if (novelty === undefined) return unevaluable(measure, reader.problems)
  const value = 1 / (1 + exp(-config.novelty_k * (novelty - config.novelty_N0)))
  // On the score, not on the curve: one comparison, monotone whatever the exponential rounds.
  const reaches = novelty >= criticalNovelty
  return measured(measure, reaches === novelPasses, value, {
    confidence: 1,
    message: `G(${show(novelty)}) is ${show(value)}`,
    detail: { novelty, critical_novelty: criticalNovelty },
  })
}

/** The complexity floor, which nobody can override. */
export function complexityGate({ config }: CompiledGates, input: unknown): GateResult {
  const measure = { gate: 'complexity', test: '>=', threshold: config.complexity_floor } as const
  const reader = new InputReader(input)
  const score = reader.number('complexity_score', unit)
  if (score === undefined) return unevaluable(measure, reader.problems)
  return measured(measure, score >= config.complexity_floor, score, {
    confidence: 1,
    message: `Complexity score is ${show(score)}`,
  })
}

/** The gate of quality: the score, and no subscore of zero. */
export function qualityGate({ config }: CompiledGates, input: unknown): GateResult {
  const measure = { gate: 'quality', test: '>=', threshold: config.quality_min_score } as const
  const reader = new InputReader(input)
  if (
    config.optional_gates.includes('quality') &&
    !reader.gives('quality_score', 'quality_subscores')
  )
    return notProvided(measure)
  const score = reader.number('quality_score', unit)
  const wanted = config.quality_no_zero_subscores
  const subscores = wanted ? reader.numbers('quality_subscores', unit) : []
  if (score === undefined || subscores === undefined) return unevaluable(measure, reader.problems)
  const zeros = subscores.filter((subscore) => subscore === 0).length
  return measured(measure, score >= config.quality_min_score && zeros === 0, score, {
    confidence: 1,
    message: `Quality score is ${show(score)}${zeros === 0 ? '' : `, ${zeros} of its subscores are zero`}`,
    detail: { zero_subscores: zeros },
  })
}
