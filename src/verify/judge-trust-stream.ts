// The stream of a trust root: each version once, announced behind the one before. Two files of one version would be two truths about the keys, and
// whoever holds either could be led on by its own announcement.
import { matters, type TrustMatter } from '../dossier/matters.ts'
import type { Checks } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** A version of a trust root as its entry announces it. */
type Announced = Pick<TrustMatter, 'previous' | 'sha256' | 'version'>

/** Whether a version may be announced behind another, or as the first. */
export const followsTrust = (
  { previous, version }: Announced,
  before: Announced | undefined,
): boolean => version === (before?.version ?? 0) + 1 && previous === (before?.sha256 ?? null)

/** Judges the entries of the stream `trust`. */
export function judgeTrustStream(checks: Checks, entries: readonly JudgedEntry[]): void {
  const name = 'stream.trust'
  let before: Announced | undefined
  for (const { leaf, statement } of entries) {
    const matter = matters.trust.safeParse(statement?.predicate.matter).data
    // What could not be read has failed already.
    if (matter === undefined) return
    if (!followsTrust(matter, before)) {
      checks.add(
        name,
        'fail',
        `Step ${leaf.seq}: version ${matter.version} does not follow version ${before?.version ?? 0} as announced`,
      )
      return
    }
    before = matter
  }
  checks.add(name, 'pass', `${before?.version ?? 0} versions, each announced behind the one before`)
}
