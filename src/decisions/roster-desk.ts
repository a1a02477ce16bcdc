// The roster of a log: who may overrule. Its stream is its state; a version counts from its entry on, and the trust root that names it is published
// right behind. Nothing else enters the log meanwhile, so that every override is judged by the roster that counts where it stands.
import { Failure } from '../base/failure.ts'
import { encodeHex } from '../base/bytes.ts'
import type { Caller, RosterMatter } from '../dossier/matters.ts'
import { rosterDigest, type Roster, type RosterPlace } from '../dossier/roster.ts'
import { parseTrustRoot } from '../dossier/trust-root.ts'
import { advanceRoster, type RosterStory } from '../verify/judge-roster-stream.ts'
import { recoveryDelayMs } from '../verify/judge-roster.ts'
import type { RosterApplied, RosterProposal, RosterView } from '../wire/roster.ts'
import { beginControlNow } from './closing.ts'
import { asRead } from './namesakes.ts'
import { enterNow, type Room } from './room.ts'
import { publishNow, readCheckedTrustRoot } from './trust.ts'
import { placeOf, readRosterStory } from './roster-story.ts'

const logTime = ({ clock, log }: Room): number => Math.max(clock(), log.head.time)

const refused = (why: string): Failure => new Failure('ROSTER_REFUSED', why)

/** The roster that counts, and what recovery keys have asked for. */
export async function readRoster(room: Room): Promise<RosterView> {
  const { asked, versions } = await readRosterStory(room)
  const counting = versions.at(-1)
  return {
    ...placeOf(room),
    asked: [...asked].map(([sha256, time]) => ({ countsFrom: time + recoveryDelayMs, sha256 })),
    current:
      counting === undefined
        ? null
        : {
            from: counting.from,
            roster: counting.roster,
            sha256: rosterDigest(counting.roster),
            time: counting.time,
          },
  }
}

/** As what a proposal may come: as the next version, or as what recovery keys ask for. @throws {@link Failure} ROSTER_REFUSED */
function eventOf(
  story: RosterStory,
  proposal: RosterProposal,
  by: Caller,
  time: number,
  place: RosterPlace,
): RosterMatter {
  const of = (event: RosterMatter['event']): RosterMatter => ({ ...proposal, by, event, time })
  const may = (matter: RosterMatter): RosterStory | string =>
    advanceRoster(story, { index: Number.MAX_SAFE_INTEGER, matter, time }, place)
  const next = may(of('version'))
  if (typeof next !== 'string') return of('version')
  const isNew = !story.asked.has(rosterDigest(proposal.roster))
  if (isNew && typeof may(of('recovery')) !== 'string') return of('recovery')
  throw refused(next)
}

/** Whether the newest trust root names the roster that counts. */
async function isPublished(room: Room, sha256: string): Promise<boolean> {
  const parsed = parseTrustRoot((await readCheckedTrustRoot(room)).file)
  if (typeof parsed === 'string') return false
  const section = parsed.origins.find(({ origin }) => origin === room.tenant.origin)
  const last = section?.rosters.at(-1)
  return last !== undefined && rosterDigest(last.roster) === sha256
}

async function enterRoster(room: Room, matter: RosterMatter, story: RosterStory): Promise<number> {
  const head = await room.store.readStreamHead(room.tenant.name, 'roster')
  const { appended } = await enterNow(room, {
    kind: 'roster',
    matter,
    prev: head === undefined ? null : encodeHex(head.leafHash),
    refuseAt: (time) => {
      const next = advanceRoster(story, { index: room.log.head.size, matter, time }, placeOf(room))
      return typeof next === 'string' ? refused(next) : undefined
    },
    seq: head === undefined ? 0 : head.seq + 1,
    stream: 'roster',
  })
  return appended.index
}

/**
 * Sees that nobody new has the name of another in another spelling: two lead roles would be one person's, who reads as two.
 * @throws {@link Failure} ROSTER_REFUSED
 */
function expectDistinct({ people }: Roster, before: Roster | undefined): void {
  const known = new Set(before?.people.map(({ id }) => id))
  const ids = new Map<string, string>()
  for (const { id } of people) {
    const other = ids.get(asRead(id))
    if (other !== undefined && !(known.has(id) && known.has(other)))
      throw refused(`Two people of one name in two spellings: ${other} and ${id}`)
    ids.set(asRead(id), id)
  }
}

async function applyAlone(
  room: Room,
  proposal: RosterProposal,
  by: Caller,
  beginsControl: boolean,
): Promise<RosterApplied> {
  const story = await readRosterStory(room)
  const sha256 = rosterDigest(proposal.roster)
  const { version } = proposal.roster
  const counting = story.versions.at(-1)
  if (counting !== undefined && rosterDigest(counting.roster) === sha256) {
    // It was applied before, and perhaps cut off before anybody was told.
    if (!(await isPublished(room, sha256))) await publishNow(room)
    return { countsFrom: counting.time, event: 'version', index: counting.from, sha256, version }
  }
  expectDistinct(proposal.roster, counting?.roster)
  const time = logTime(room)
  const matter = eventOf(story, proposal, by, time, placeOf(room))
  const index = await enterRoster(room, matter, story)
  if (matter.event === 'version') {
    if (beginsControl) await beginControlNow(room, by)
    await publishNow(room)
  }
  const countsFrom = matter.event === 'version' ? time : time + recoveryDelayMs
  return { countsFrom, event: matter.event, index, sha256, version }
}

/**
 * Makes a version of the roster count, or asks for it by the recovery keys; publishes the trust root that names it. One that was interrupted goes on
 * when it is given again.
 * @param beginsControl whether the log comes under dual control with its first roster
 * @throws {@link Failure} ROSTER_REFUSED saying why it may not follow, INPUT_TOO_LARGE
 */
export const applyRoster = (
  room: Room,
  proposal: RosterProposal,
  by: Caller,
  beginsControl: boolean,
): Promise<RosterApplied> =>
  room.gate.alone(
    () => room.log.idle(),
    () => applyAlone(room, proposal, by, beginsControl),
  )
