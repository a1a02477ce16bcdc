// A trace as text for people: of one bundle, and of a decision that several policies, gates and steps made.
import type { Decided } from './decide.ts'
import type { BundleTrace, PolicyTrace } from './engine-trace.ts'
import type { Trace, TracedComparison, TracedPolicy, TracedRule } from './trace.ts'

// What stands in a bundle or a context must not write lines or escape sequences of its own.
const control = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu
const clean = (text: string): string =>
  text.replace(control, (char) => `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`)

function comparisonText({ at, field, found, kind, matched, value }: TracedComparison): string {
  const seen = value === undefined ? found : `${found} ${value}`
  return `${clean(field)} (${clean(seen)}) ${matched ? 'matches' : 'does not match'} ${kind}, ${at}`
}

function ruleLines({ because, matched, nearMiss, rule }: TracedRule): readonly string[] {
  return [
    `    rule ${clean(rule)}: ${matched ? 'matches' : 'does not match'}`,
    ...because.map((one) => `      ${comparisonText(one)}`),
    ...(nearMiss === undefined
      ? []
      : [`      near miss: only ${clean(nearMiss.field)} kept it from matching`]),
  ]
}

const policyLines = ({ decision, policy, rules }: TracedPolicy): readonly string[] => [
  `  policy ${clean(policy)}: ${decision.kind} (${clean(decision.reason ?? '')})`,
  ...rules.flatMap(ruleLines),
]

/** The lines of a trace, without a final line break. */
export function explain({ bundle, decision, dialect, digest, policies, version }: Trace): string {
  const by = decision.matched_policy_id
  const rule = decision.matched_rule_id
  const where =
    by === null ? '' : ` by policy ${by}${rule === null ? ', its default' : `, rule ${rule}`}`
  return [
    clean(`${decision.kind}${where}: ${decision.reason ?? ''}`),
    clean(`bundle ${bundle} ${version}, dialect ${dialect}, sha256 ${digest}`),
    ...policies.flatMap(policyLines),
  ].join('\n')
}

const outcomeLines = ({ because, code, effect, nearMisses, policy, rule }: PolicyTrace) => [
  `    ${policy === null ? 'the bundle itself' : `policy ${clean(policy)}`}${
    policy === null ? '' : rule === null ? ', its default' : `, rule ${clean(rule)}`
  }: ${effect} (${code})`,
  ...because.map((one) => `      ${comparisonText(one)}`),
  ...nearMisses.map(
    ({ comparison, rule: other }) =>
      `      near miss: only ${clean(comparison.field)} kept rule ${clean(other)} from matching`,
  ),
]

const bundleLines = ({ bundle, dialect, policies, sha256, untold, version }: BundleTrace) => [
  clean(`  bundle ${bundle} ${version}, dialect ${dialect}, sha256 ${sha256}`),
  ...policies.flatMap(outcomeLines),
  ...(untold === 0 ? [] : [`    and ${untold} more policies`]),
]

/** What an explanation reads of a decision, as it was made or as it stands in the log. */
export type Explained = Pick<Decided, 'gates' | 'obligations' | 'reasons' | 'status' | 'trace'>

/** The lines of a decision, without a final line break. */
export function explainDecision(decided: Explained): string {
  const { gates, obligations, reasons, status, trace } = decided
  return [
    `${status}, because the strongest of all that was said is ${trace.effect}`,
    ...reasons.map(({ code, text }) => clean(`  ${code}: ${text}`)),
    ...trace.passes.flatMap((bundles, i) => {
      const step = i === 0 ? undefined : trace.steps[i - 1]
      const asked = step === undefined ? 'as it came' : `after ${step.kind}, ${step.after}`
      return [`the request ${asked}`, ...bundles.flatMap(bundleLines)]
    }),
    ...(gates.length === 0 ? [] : ['gates']),
    ...gates.map(({ name, passed, reason }) =>
      clean(`  ${name}: ${passed ? 'passed' : 'failed'} (${reason})`),
    ),
    ...(obligations.length === 0 ? [] : ['obligations']),
    ...obligations.map((one) => clean(`  ${one.type}: ${JSON.stringify(one)}`)),
  ].join('\n')
}
