// The stream of a roster: every version with the signatures by which it came, told again from the first, and held against the versions that the trust
// root names.
import { canonicalize } from '../base/canonical-json.ts'
import { matters, type RosterMatter } from '../dossier/matters.ts'
import { readRoster, rosterDigest, type Roster } from '../dossier/roster.ts'
import type { OriginSection, TrustedRoster } from '../dossier/trust-root.ts'
import { isLaterRoster } from './check-rosters.ts'
import {
  judgeRosterStep,
  readEndorsements,
  recoveryQuorum,
  type RosterStep,
} from './judge-roster.ts'
import type { Checks } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** What has come of the roster so far. */
export interface RosterStory {
  readonly versions: readonly TrustedRoster[]
  /** Log time at which recovery keys asked for a version first, by its hex digest. */
  readonly asked: ReadonlyMap<string, number>
}

/** A step of the roster in its place. */
export interface RosterEvent {
  readonly matter: RosterMatter
  readonly index: number
  /** Log time, ms since 1970. */
  readonly time: number
}

/** The story before anything has happened. */
export const noRoster: RosterStory = Object.freeze({
  asked: new Map<string, number>(),
  versions: [],
})

/** Why recovery keys may not ask for a version, or undefined when they may. */
function askingProblem(step: RosterStep): string | undefined {
  const { endorsements, next, place, previous } = step
  if (previous === undefined) return 'Recovery needs a roster to recover'
  // With the delay taken as over, everything else that will be asked of the version is asked now.
  const why = judgeRosterStep({ ...step, askedAt: -Infinity })
  if (why !== undefined) return why
  const signed = readEndorsements(place, next, endorsements)
  return typeof signed === 'string' || recoveryQuorum(previous, signed)
    ? undefined
    : 'Not enough recovery keys have signed'
}

/** What a step makes of the roster, or why it may not come. */
export function advanceRoster(
  story: RosterStory,
  { index, matter, time }: RosterEvent,
  place: RosterStep['place'],
): RosterStory | string {
  const { endorsements, event } = matter
  const next: Roster | string = readRoster(matter.roster)
  if (typeof next === 'string') return next
  const digest = rosterDigest(next)
  const askedAt = story.asked.get(digest)
  const previous = story.versions.at(-1)?.roster
  const step = { askedAt, endorsements, next, place, previous, time }
  const why = event === 'version' ? judgeRosterStep(step) : askingProblem(step)
  if (why !== undefined) return why
  if (event === 'recovery') return { ...story, asked: new Map([[digest, time], ...story.asked]) }
  const version = { askedAt: askedAt ?? null, endorsements, from: index, roster: next, time }
  return { asked: new Map(), versions: [...story.versions, version] }
}

/** How a version stands to those that the trust root names. */
function judgeNamed(checks: Checks, section: OriginSection, version: TrustedRoster): void {
  const name = 'stream.roster.named'
  const number = version.roster.version
  const known = section.rosters.find(({ roster }) => roster.version === number)
  if (known === undefined && isLaterRoster(section, number, version.from))
    checks.add(
      name,
      'inconclusive',
      `Roster is not known to a trust root of size ${section.asOf.size}: version ${number}`,
    )
  else
    checks.expect(
      name,
      known !== undefined && canonicalize(known) === canonicalize(version),
      `Trust root names roster ${number} as it stands here`,
      `Trust root names another roster than version ${number}`,
    )
}

/** Judges the entries of the stream `roster`. */
export function judgeRosterStream(
  checks: Checks,
  section: OriginSection,
  entries: readonly JudgedEntry[],
): void {
  const name = 'stream.roster'
  let story = noRoster
  for (const { index, leaf, statement } of entries) {
    const matter = matters.roster.safeParse(statement?.predicate.matter).data
    // What could not be read has failed already, or is missing and nothing of this stream may be.
    if (matter === undefined) return
    const next = advanceRoster(story, { index, matter, time: leaf.time }, section)
    if (typeof next === 'string') {
      checks.add(name, 'fail', `Step ${leaf.seq}: ${next}`)
      return
    }
    story = next
  }
  checks.add(
    name,
    'pass',
    `${story.versions.length} versions, each signed as the one before demands`,
  )
  for (const version of story.versions) judgeNamed(checks, section, version)
}
