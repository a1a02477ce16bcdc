// Overruling a decision. Everything about a request stands in the decision's own stream, so that its dossier holds the whole story and a restart loses
// nothing. Whatever happens is judged twice by the same rules as verifiers use: before it is signed, and by the log with the very leaf time that it gets.
// Meanwhile nothing else enters the log: of fifty that execute at once the first does, and the others find it done.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { randomBytes } from '../crypto/hash.ts'
import { formatChallenge, type Challenge } from '../dossier/challenge.ts'
import type { Caller, DecisionMatter } from '../dossier/matters.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import { rosterDigest } from '../dossier/roster.ts'
import { rivalsOf } from '../verify/judge-overrides.ts'
import { advanceOverride, type OverrideScene } from '../verify/override-story.ts'
import { isOpen } from '../verify/two-key-story.ts'
import type { OverrideAct, OverrideOpening, OverrideView } from '../wire/overrides.ts'
import { announce } from './announce.ts'
import { nextPlace } from './follow-up.ts'
import { dossierUrl } from './reply.ts'
import { readOverrides, type StandingOverrides } from './override-reading.ts'
import { enterNow, expectNotClosed, type Room } from './room.ts'
import { placeOf } from './roster-story.ts'
import type { Principal } from './service.ts'
import { overrideStanding, stands } from './standing.ts'
import { eventOfAct, isOverdue, sameAsRequester } from './two-key-acts.ts'

const secondMs = 1000
const usualSeconds = { approve: 3600, execute: 7200 }

const refused = (why: string): Failure => new Failure('OVERRIDE_REFUSED', why)

const logTime = ({ clock, log }: Room): number => Math.max(clock(), log.head.time)

/** What an event is judged by when it happens at a time. */
function sceneOf(
  room: Room,
  { approved, decision, requests, roster }: StandingOverrides,
  event: OverrideEvent,
  by: Caller | null,
  time: number,
): OverrideScene {
  if (roster === undefined)
    throw refused('There is no roster: propose one first (countersign roster propose)')
  return {
    decision,
    owner: by?.owner ?? null,
    place: placeOf(room),
    rivals: rivalsOf(requests, event.request, approved),
    roster,
    rosterSha256: rosterDigest(roster),
    time,
  }
}

const dayMs = 86_400_000

/** How many decisions of the tenant were overruled within the 24 hours before a log time. */
export const countOverruled = ({ store, tenant }: Room, time: number): Promise<number> =>
  store.countDecided(tenant.name, 'override', time - dayMs + 1)

/**
 * An override breaks the glass of a policy: it is for the exception, and when it becomes the rule somebody must notice.
 * @throws {@link Failure} OVERRIDE_LIMIT
 */
async function expectRare(room: Room, perDay: number, time: number): Promise<void> {
  const count = await countOverruled(room, time)
  if (count >= perDay)
    throw new Failure(
      'OVERRIDE_LIMIT',
      `As many decisions were overruled within 24 hours as may be, wait or raise overrides.perDay: ${count}`,
    )
}

/** What a tenant that is closed takes no more: a request can only end there. */
const overruling: readonly OverrideEvent['event'][] = ['opened', 'signed', 'executed']

/** Lets an event happen. @throws {@link Failure} OVERRIDE_REFUSED with the reason why it may not, OVERRIDE_LIMIT, TENANT_CLOSED */
async function enterEvent(
  room: Room,
  standing: StandingOverrides,
  event: OverrideEvent,
  by: Caller | null,
  perDay = Infinity,
): Promise<void> {
  if (overruling.includes(event.event)) expectNotClosed(room)
  const before = standing.requests.get(event.request)
  const refuseAt = (time: number): Failure | undefined => {
    const next = advanceOverride(before, event, sceneOf(room, standing, event, by, time))
    return typeof next === 'string' ? refused(next) : undefined
  }
  const time = logTime(room)
  const next = advanceOverride(before, event, sceneOf(room, standing, event, by, time))
  if (typeof next === 'string') throw refused(next)
  if (event.event === 'executed') await expectRare(room, perDay, time)
  const { instance, tenant } = room
  const place = nextPlace(standing.entries)
  await enterNow(room, {
    effects: [
      stands(place.stream, overrideStanding(next.challenge, next.status)),
      announce({ clock: () => time, instance, tenant }, `override.${event.event}`, {
        decision: place.stream,
        request: event.request,
      }),
    ],
    kind: event.event === 'signed' ? 'approval' : 'override',
    ...place,
    matter: { ...event, by, time },
    refuseAt,
  })
}

/** The requests about a decision, after telling of those whose deadline has passed. */
async function readCurrent(room: Room, id: string): Promise<StandingOverrides> {
  const standing = await readOverrides(room, id)
  const time = logTime(room)
  const overdue = [...standing.requests].find(
    ([, request]) => isOpen(request) && isOverdue(request, time),
  )
  if (overdue === undefined) return standing
  await enterEvent(room, standing, { event: 'expired', request: overdue[0] }, null)
  return readOverrides(room, id)
}

/** Works while nothing else enters the log, and tells how it stands then. */
const alone = (room: Room, id: string, work: () => Promise<void>): Promise<OverrideView> =>
  room.gate.alone(
    () => room.log.idle(),
    async () => {
      await work()
      return viewOf(room, await readOverrides(room, id))
    },
  )

function viewOf(room: Room, { entries, requests, roster }: StandingOverrides): OverrideView {
  const [id, index] = [entries[0]?.stream ?? '', entries.at(-1)?.index ?? 0]
  const newest = [...requests].at(-1)
  if (newest === undefined)
    throw new Failure('INPUT_NOT_FOUND', `Nobody has asked to overrule this decision: ${id}`)
  const [request, told] = newest
  const { challenge, signatures, status, text } = told
  const over = isOpen(told) && isOverdue(told, logTime(room))
  return {
    approveBy: challenge.approveBy,
    challenge: text,
    decision: id,
    dossierUrl: dossierUrl(id),
    executeBy: challenge.executeBy,
    index,
    request,
    signatures: [...signatures],
    status: over ? 'expired' : status,
    void:
      isOpen(told) && (roster === undefined || rosterDigest(roster) !== challenge.roster.sha256),
  }
}

function challengeOf(
  room: Room,
  { decision, roster }: StandingOverrides,
  opening: OverrideOpening,
  by: Caller,
): Challenge {
  if (roster === undefined)
    throw refused('There is no roster: propose one first (countersign roster propose)')
  if (decision === undefined)
    throw new Failure('INPUT_ERASED', `Decision was erased: ${opening.decision}`)
  const { matter } = decision
  const { approveWithinSeconds, executeWithinSeconds } = opening
  const approve = approveWithinSeconds ?? usualSeconds.approve
  const execute = executeWithinSeconds ?? Math.max(usualSeconds.execute, approve)
  const time = logTime(room)
  return {
    ...placeOf(room),
    approveBy: time + approve * secondMs,
    decision: matter.id,
    decisionLeaf: decision.leaf,
    effect: { action: 'override', status: 'ALLOW' },
    executeBy: time + execute * secondMs,
    failedGates: failedGates(matter),
    justification: opening.justification,
    nonce: encodeHex(randomBytes(32)),
    requesters: [...new Set([matter.caller.owner, by.owner, matter.intent.actor.id])],
    roles: ['risk_lead', 'security_lead'],
    roster: { sha256: rosterDigest(roster), version: roster.version },
  }
}

const failedGates = ({ gates }: DecisionMatter): string[] =>
  gates.flatMap(({ name, passed }) => (passed ? [] : [name]))

/**
 * Opens a request to overrule a decision.
 * @throws {@link Failure} OVERRIDE_REFUSED, INPUT_NOT_FOUND, INPUT_ERASED, INPUT_INVALID, INPUT_TOO_LARGE
 */
export const openOverride = (
  room: Room,
  { caller }: Principal,
  opening: OverrideOpening,
): Promise<OverrideView> =>
  alone(room, opening.decision, async () => {
    const standing = await readCurrent(room, opening.decision)
    if (standing.requests.size >= limits.overrideRequests)
      throw refused(
        `As many asked to overrule this decision as may ask about any, have it decided anew: ${limits.overrideRequests}`,
      )
    const challenge = challengeOf(room, standing, opening, caller)
    const event = {
      challenge: formatChallenge(challenge),
      event: 'opened' as const,
      request: challenge.nonce,
    }
    await enterEvent(room, standing, event, caller)
  })

/**
 * Signs, rejects, revokes or executes the newest request about a decision. Who does it is who called; a signature speaks for itself.
 * @param perDay how many decisions of the tenant may be overruled within 24 hours
 * @throws {@link Failure} OVERRIDE_REFUSED, OVERRIDE_LIMIT, TENANT_CLOSED, INPUT_NOT_FOUND, INPUT_ERASED
 */
export const actOnOverride = (
  room: Room,
  { caller }: Principal,
  id: string,
  act: OverrideAct,
  perDay: number,
): Promise<OverrideView> =>
  alone(room, id, async () => {
    const standing = await readCurrent(room, id)
    const newest = [...standing.requests].at(-1)
    if (newest === undefined)
      throw new Failure('INPUT_NOT_FOUND', `Nobody has asked to overrule this decision: ${id}`)
    const [request, told] = newest
    const event = eventOfAct(act, request, told, standing.roster, caller)
    if (typeof event === 'string') throw refused(event)
    const same = sameAsRequester(event, told)
    if (same !== undefined) throw refused(same)
    await enterEvent(room, standing, event, caller, perDay)
  })

/** How it stands with the newest request about a decision. @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED */
export const readOverride = async (room: Room, id: string): Promise<OverrideView> =>
  viewOf(room, await readOverrides(room, id))
