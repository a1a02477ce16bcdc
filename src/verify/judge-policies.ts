// Policies in evidence: whether their stream may stand as it does, and whether what a decision cites is what it names.
import { matters, type DecisionMatter } from '../dossier/matters.ts'
import { PolicyTelling } from './policy-story.ts'
import type { Checks } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** Judges the entries of the stream `policies`. */
export function judgePolicyStream(checks: Checks, entries: readonly JudgedEntry[]): void {
  const name = 'stream.policies'
  const telling = new PolicyTelling()
  for (const { index, leaf, statement } of entries) {
    const { data: matter } = matters.policy.safeParse(statement?.predicate.matter)
    // What could not be read has failed already.
    if (matter === undefined) return
    const why = telling.add({ index, matter, time: leaf.time })
    if (why !== undefined) {
      checks.add(name, 'fail', `Step ${leaf.seq}: ${why}`)
      return
    }
  }
  checks.add(
    name,
    'pass',
    `${telling.story.policies.size} versions of policies, none of them changed`,
  )
}

/** Holds each policy that a decision names by index and digest against the entry that registered it. */
export function judgeCitedPolicies(
  checks: Checks,
  decision: DecisionMatter | undefined,
  cited: readonly JudgedEntry[],
): void {
  for (const { index, leaf, statement } of cited) {
    const named = decision?.policies.filter((policy) => policy.index === index) ?? []
    const { data: matter } = matters.policy.safeParse(statement?.predicate.matter)
    if (named.length === 0 || matter === undefined) continue
    const alone =
      matter.event === 'registered'
        ? new PolicyTelling().add({ index, matter, time: leaf.time })
        : 'A decision cites the entry that registered a policy'
    const isNamed = named.every(({ sha256 = matter.sha256 }) => sha256 === matter.sha256)
    const same = isNamed && alone === undefined
    checks.expect(
      'cited.policy',
      same,
      `Policy at index ${index} is the one that the decision names`,
      alone ?? `Policy at index ${index} is not the one that is named`,
    )
  }
}
