// The rosters that a trust root names: each version must follow from the one before by the signatures that stand beside it, so that whoever makes a
// trust root cannot put people into it.
import { readRoster, rosterDigest, type Roster } from '../dossier/roster.ts'
import type { OriginSection, TrustedRoster } from '../dossier/trust-root.ts'
import { judgeRosterStep } from './judge-roster.ts'

/** Why the rosters of a section are none to rely on, or undefined when they are. */
export function rostersProblem(section: OriginSection): string | undefined {
  const { asOf, rosters } = section
  let before: TrustedRoster | undefined
  for (const one of rosters) {
    const { askedAt, endorsements, from, time } = one
    const next = readRoster(one.roster)
    if (typeof next === 'string') return next
    if (from >= asOf.size || (before !== undefined && (from <= before.from || time < before.time)))
      return `Roster does not stand in its place: version ${next.version}`
    const why = judgeRosterStep({
      askedAt: askedAt ?? undefined,
      endorsements,
      next,
      place: section,
      previous: before?.roster,
      time,
    })
    if (why !== undefined) return `Roster ${next.version}: ${why}`
    before = one
  }
  return undefined
}

/** The version of the roster that counts at a leaf index. */
const rosterAt = (
  { rosters }: Pick<OriginSection, 'rosters'>,
  index: number,
): TrustedRoster | undefined => rosters.findLast(({ from }) => from <= index)

const digests = new WeakMap<Roster, string>()

/** The roster that counts at a leaf index, with its hex digest, which is made once: many steps are judged by one roster. */
export function countingRosterAt(
  ground: Pick<OriginSection, 'rosters'>,
  index: number,
): { readonly roster: Roster; readonly sha256: string } | undefined {
  const roster = rosterAt(ground, index)?.roster
  if (roster === undefined) return undefined
  const sha256 = digests.get(roster) ?? rosterDigest(roster)
  digests.set(roster, sha256)
  return { roster, sha256 }
}

/** Whether a version of a roster may have come after a trust root was made, or the file is of before there were rosters. */
export const isLaterRoster = (
  { asOf, rosters }: Pick<OriginSection, 'asOf' | 'rosters'>,
  version: number,
  index: number,
): boolean =>
  version > (rosters.at(-1)?.roster.version ?? 0) && (index >= asOf.size || rosters.length === 0)
