// The decision engine alone: a request decided on by one native bundle, of whose rules only the last matches, so that all are asked. Each decision is
// whole: chosen, evaluated, composed, traced.
import { compileBundle } from '../../src/policy/compile.ts'
import { decide } from '../../src/policy/decide.ts'
import { matter } from './sample.ts'

/** Numbers of rules that are measured. */
const ruleCounts = [1, 10, 100, 1000] as const

type RuleCount = (typeof ruleCounts)[number]

/** One number of rules, on one core. */
export interface PolicyFigure {
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
}

/** By number of rules. */
export type PolicyReport = Readonly<Record<RuleCount, PolicyFigure>>

/** A rule that asks three things, the second of which fails. */
const missing = (i: number): unknown => ({
  id: `large-${i}`,
  effect: i % 3 === 0 ? 'deny' : 'allow',
  when: {
    kind: 'all_of',
    matchers: [
      { kind: 'eq', field: 'action', value: 'payment.transfer' },
      { kind: 'gt', field: 'intent.action.amount', value: 1_000_000 + i },
      { kind: 'in', field: 'resource.kind', value: ['bank-account', 'card'] },
    ],
  },
})

const matching = {
  id: 'known',
  effect: 'allow',
  when: { kind: 'eq', field: 'resource.kind', value: 'bank-account' },
}

function measureRules(rules: number, seconds: number): PolicyFigure {
  const policy = {
    id: 'transfers',
    rules: [...Array.from({ length: rules - 1 }, (_, i) => missing(i)), matching],
  }
  const compiled = compileBundle({ bundle_id: 'payments', policies: [policy] }, 'native')
  const { action, actor, context, resource } = matter.intent
  const request = { actor, action, resource, context }
  const active = [{ compiled, index: 1 }]
  const took: number[] = []
  const once = (): void => {
    const { status } = decide({ request, time: matter.time, active })
    if (status !== 'ALLOW') throw new Error(`Policy is not the one that was meant: ${status}`)
  }
  const until = (end: number, each: (from: number) => void): void => {
    for (let now = performance.now(); now < end; now = performance.now()) {
      once()
      each(now)
    }
  }
  until(performance.now() + 300 * seconds, () => undefined)
  const began = performance.now()
  until(began + 1000 * seconds, (from) => took.push(performance.now() - from))
  const elapsed = performance.now() - began
  took.sort((a, b) => a - b)
  const at = (part: number): number =>
    Number((1000 * (took[Math.floor(took.length * part)] ?? 0)).toFixed(2))
  return {
    perSecond: Math.round((1000 * took.length) / elapsed),
    p50Us: at(0.5),
    p99Us: at(0.99),
  }
}

/** Decisions by every number of rules, each for so many seconds. */
export const measurePolicy = (seconds: number): PolicyReport => ({
  1: measureRules(1, seconds),
  10: measureRules(10, seconds),
  100: measureRules(100, seconds),
  1000: measureRules(1000, seconds),
})

/** Cells of a table: rules, then the figures. */
export const policyCells = (
  report: PolicyReport,
): readonly (readonly [name: string, ...cells: readonly number[]])[] =>
  ruleCounts.map((rules) => {
    const { p50Us, p99Us, perSecond } = report[rules]
    return [`${rules} ${rules === 1 ? 'rule' : 'rules'}`, perSecond, p50Us, p99Us]
  })
