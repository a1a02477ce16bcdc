// What a decision lists of those that had a say: policies, gates, and the reasons that gave its status. Bounded as the evidence formats have it.
import { statusOf, type ComposedEffect, type DecisionStatus } from './lattice.ts'
import type { GatesOpinion, Opinion } from './opinion.ts'
import type { Reason } from './reason-codes.ts'
import type { ActivePolicy } from './select.ts'

/** How many of each a decision has; characters of a reason's text, and of all obligations as canonical JSON. */
export const most = Object.freeze({
  reasons: 64,
  obligations: 64,
  policies: 256,
  gates: 64,
  text: 512,
  demanded: 65_536,
})

const cut = (text: string): string =>
  text.length <= most.text ? text.toWellFormed() : `${text.slice(0, most.text - 1).toWellFormed()}…`

/** A policy that was asked, as a decision lists it. */
export interface CitedPolicy {
  readonly id: string
  readonly version: string
  readonly sha256: string
  readonly index?: number
  readonly effect: string
}

/** A gate, as a decision lists it. */
export interface CitedGate {
  readonly name: string
  readonly version: string
  readonly sha256: string
  readonly passed: boolean
  readonly score?: number
  readonly threshold: number
  readonly reason: string
}

/** The citation of a policy and the strongest effect of its opinions. */
export function citationOf({
  effect,
  policy: { compiled, index },
}: {
  readonly policy: ActivePolicy
  readonly effect: ComposedEffect
}): CitedPolicy {
  const { bundle, digest } = compiled
  return {
    id: bundle.id,
    version: bundle.version,
    sha256: digest,
    ...(index === null ? {} : { index }),
    effect,
  }
}

/** The citations of gates. */
export const gatesOf = ({ gates, trace, version }: GatesOpinion): readonly CitedGate[] =>
  gates.map(({ gate, message, passed, threshold, value }) => ({
    name: gate,
    version,
    sha256: trace.settings,
    passed,
    ...(value === null ? {} : { score: value }),
    threshold,
    reason: cut(message),
  }))

/** Why it is this status: every opinion that says so, each once. */
export function reasonsOf(ranked: readonly Opinion[], status: DecisionStatus): readonly Reason[] {
  const reasons = new Map<string, Reason>()
  for (const { code, effect, text } of ranked) {
    if (statusOf(effect) !== status || effect === 'not_applicable') continue
    const reason = { code, text: cut(text) }
    reasons.set(`${code} ${reason.text}`, reason)
    if (reasons.size === most.reasons) break
  }
  return [...reasons.values()]
}
