// What the stream of the keys says of revoked ones, held against the trust root: what the log knew when it was made must stand in it, or whoever
// relies on it would go on believing a stolen key.
import { matters, type KeyMatter } from '../dossier/matters.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import type { Checks } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** Whether the trust root says it of every key of the entry that it names. */
function isNamed({ keys, logKeys }: OriginSection, { from, keyid, vkeys }: KeyMatter): boolean {
  const named = [
    ...keys.filter((key) => key.keyid === keyid),
    ...logKeys.filter(({ vkey }) => vkeys.includes(vkey)),
  ]
  return named.every(
    // A later entry may have moved it to an earlier position.
    ({ revokedAt }) => revokedAt !== null && (from === null || revokedAt <= from),
  )
}

/** Judges the entries of the stream `keys`. */
export function judgeKeyStream(
  checks: Checks,
  section: OriginSection,
  entries: readonly JudgedEntry[],
): void {
  const revoked = entries.flatMap(({ index, statement }) => {
    const matter = matters.key.safeParse(statement?.predicate.matter).data
    return matter?.event === 'revoked' && index < section.asOf.size ? [{ index, matter }] : []
  })
  const unnamed = revoked.find(({ matter }) => !isNamed(section, matter))
  if (unnamed !== undefined)
    checks.add(
      'stream.keys.named',
      'fail',
      `Trust root of size ${section.asOf.size} does not say what stands at index ${unnamed.index}: ${unnamed.matter.purpose}:${unnamed.matter.version} is revoked from ${unnamed.matter.from ?? 'there'}`,
    )
  else if (revoked.length > 0)
    checks.add(
      'stream.keys.named',
      'pass',
      `No key that was revoked below its size counts longer in the trust root (${revoked.length})`,
    )
}
