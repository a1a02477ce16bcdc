// A trace as text for people.
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
