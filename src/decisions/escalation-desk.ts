// Deciding escalations. Everything about one stands in the decision's own stream. Whatever happens is judged twice by the same rules as verifiers use:
// before it is signed, and by the log with the very leaf time that it gets, so that between an answer and the deadline the log's clock decides. That time
// has run out is told to nobody before it is an entry: a clock that is set back afterwards revives nothing.
import { encodeBase64 } from '../base/base64.ts'
import { utf8 } from '../base/bytes.ts'
import { asFailure, Failure } from '../base/failure.ts'
import { approverKeyKinds } from '../crypto/approver-keys.ts'
import { formatEscalationChallenge } from '../dossier/escalation-challenge.ts'
import type { EscalationEvent } from '../dossier/escalation-events.ts'
import type { Caller, DecisionMatter } from '../dossier/matters.ts'
import { rosterDigest, type Roster } from '../dossier/roster.ts'
import type { TrustedRoster } from '../dossier/trust-root.ts'
import type { StoredEntry } from '../store/store.ts'
import {
  advanceEscalation,
  answerEscalation,
  type Escalation,
  type EscalationScene,
  type HeldDecision,
} from '../verify/escalation-story.ts'
import { floorGate } from '../verify/override-story.ts'
import { heldDecision, overruledBefore, tellEscalation } from '../verify/judge-escalation.ts'
import type { JudgedEntry } from '../verify/verify-entry.ts'
import type {
  EscalationChallengeQuery,
  EscalationDeciding,
  EscalationView,
} from '../wire/escalations.ts'
import { expectOwnKey } from './api-keys.ts'
import { effectsOf } from './escalation-opening.ts'
import { decisionOf, follow, nextPlace, readDecisionStream } from './follow-up.ts'
import { dossierUrl } from './reply.ts'
import { sameAsAsker } from './namesakes.ts'
import { judgedOf } from './override-reading.ts'
import { expectNotClosed, enterNow, type Draft, type Room } from './room.ts'
import { placeOf, readRosterStory } from './roster-story.ts'
import type { Principal } from './service.ts'

const refused = (why: string): Failure => new Failure('ESCALATION_REFUSED', why)

const logTime = ({ clock, log }: Room): number => Math.max(clock(), log.head.time)

/** How it stands with the escalation of a decision. */
interface Standing {
  readonly entries: readonly StoredEntry[]
  readonly judged: readonly JudgedEntry[]
  readonly held: HeldDecision
  readonly escalation: Escalation
  /** The roster that counts now; undefined while there is none. */
  readonly roster: Roster | undefined
}

/** @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED, STORE_CORRUPT */
function standingOf(
  room: Room,
  entries: readonly StoredEntry[],
  rosters: readonly TrustedRoster[],
): Standing {
  const [first] = entries
  const id = first?.stream ?? ''
  if (first === undefined) throw new Failure('INPUT_NOT_FOUND', `No such decision: ${id}`)
  const matter = decisionOf(first)
  const judged = entries.map(judgedOf)
  const { root, size } = room.log.head
  const ground = {
    ...placeOf(room),
    asOf: { root: encodeBase64(root), size },
    rosters: [...rosters],
  }
  const { escalation, whole } = tellEscalation(ground, judged, matter)
  const held = heldDecision(judged[0], matter)
  if (!whole || held === undefined)
    throw new Failure('STORE_CORRUPT', `Escalation may not have come to this: ${id}`)
  if (escalation === undefined)
    throw new Failure('INPUT_NOT_FOUND', `Decision was not held for a reviewer: ${id}`)
  return { entries, escalation, held, judged, roster: rosters.at(-1)?.roster }
}

async function readStanding(
  room: Room,
  id: string,
  rosters?: readonly TrustedRoster[],
): Promise<Standing> {
  const entries = await readDecisionStream(room, id)
  return standingOf(room, entries, rosters ?? (await readRosterStory(room)).versions)
}

/** What an event is judged by when it happens at a time. */
const sceneOf = (
  room: Room,
  { entries, held, judged, roster }: Standing,
  by: Caller | null,
  time: number,
): EscalationScene => ({
  byApiKey: by?.type === 'apiKey',
  decision: held,
  overruled: overruledBefore(judged, entries.length),
  owner: by?.owner ?? null,
  place: placeOf(room),
  roster: roster && { roster, sha256: rosterDigest(roster) },
  step: entries.length,
  time,
})

/** The entry that an event is. @throws {@link Failure} ESCALATION_REFUSED with the reason why it may not happen */
function draftOf(room: Room, standing: Standing, event: EscalationEvent, by: Caller | null): Draft {
  const refuseAt = (time: number): Failure | undefined => {
    const next = advanceEscalation(standing.escalation, event, sceneOf(room, standing, by, time))
    return typeof next === 'string' ? refused(next) : undefined
  }
  const time = logTime(room)
  const refusal = refuseAt(time)
  if (refusal !== undefined) throw refusal
  const { event: name } = event
  const { deadline } = standing.escalation
  return {
    effects: effectsOf(
      room,
      standing.held.matter.id,
      name === 'opened' ? 'pending' : name,
      deadline,
    ),
    kind: 'escalation',
    ...nextPlace(standing.entries),
    matter: { ...event, by, time },
    refuseAt,
  }
}

const isOverdue = ({ escalation }: Standing, time: number): boolean =>
  escalation.status === 'pending' && time > escalation.deadline

const mostTries = 3

/**
 * Tells the log that the time of an escalation has run out, where it has; whoever has told so before is believed.
 * @throws {@link Failure} INPUT_NOT_FOUND, and as the log's append
 */
export async function timeOutEscalation(room: Room, id: string): Promise<void> {
  for (let tries = 1; ; tries++)
    try {
      await follow(room, id, (entries) => {
        // While it is open nobody has answered, and no roster is asked about.
        if (entries.filter(({ kind }) => kind === 'escalation').length !== 1)
          throw refused('Escalation is not open')
        return draftOf(room, standingOf(room, entries, []), { event: 'timed-out' }, null)
      })
      return
    } catch (error) {
      const { code } = asFailure(error)
      if (code === 'ESCALATION_REFUSED' || code === 'INPUT_ERASED') return
      // Something else was said in the stream meanwhile.
      if (code !== 'LOG_CONFLICT' || tries === mostTries) throw error
    }
}

function viewOf({ entries, escalation, held, judged }: Standing): EscalationView {
  const { answered, deadline, status } = escalation
  const steps = judged.filter(({ leaf }) => leaf.kind === 'escalation')
  const last = steps.at(-1)
  const { action, actor } = held.matter.intent
  return {
    action: action.type,
    actor: actor.id,
    deadline,
    dossierUrl: dossierUrl(held.matter.id),
    endedAt: status === 'pending' ? null : (last?.leaf.time ?? null),
    id: held.matter.id,
    index: last?.index ?? 0,
    intent: held.intent,
    openedAt: held.time,
    overruled: overruledBefore(judged, entries.length),
    person: answered?.person ?? null,
    reason: answered?.reason ?? null,
    status,
    vouchedBy: answered?.vouchedBy ?? null,
  }
}

/**
 * How it stands with the escalation of a decision; where its time has run out, that is an entry before anybody is told.
 * @param timeOut tells the log
 * @param rosters of the room, where they were read already
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED, and as the log's append
 */
export async function readEscalation(
  room: Room,
  id: string,
  timeOut: (id: string) => Promise<void>,
  rosters?: readonly TrustedRoster[],
): Promise<EscalationView> {
  const standing = await readStanding(room, id, rosters)
  if (!isOverdue(standing, logTime(room))) return viewOf(standing)
  await timeOut(id)
  return viewOf(await readStanding(room, id))
}

type Signing = NonNullable<EscalationDeciding['signature']>
type Answer = Pick<EscalationDeciding, 'answer' | 'reason'>

/** The text that says an answer about a decision as it stands. */
function textOf(room: Room, { escalation, held, roster }: Standing, said: Answer): string {
  if (roster === undefined)
    throw refused('There is no roster whose keys could sign: answer by an API key')
  const { action, actor } = held.matter.intent
  return formatEscalationChallenge({
    action: action.type,
    actor: actor.id,
    answer: said.answer,
    deadline: escalation.deadline,
    decision: held.matter.id,
    intent: held.intent,
    leaf: held.leaf,
    place: placeOf(room),
    reason: said.reason,
    roster: { sha256: rosterDigest(roster), version: roster.version },
  })
}

/** The text that a reviewer signs. @throws {@link Failure} ESCALATION_REFUSED, INPUT_NOT_FOUND, INPUT_ERASED, INPUT_TOO_LARGE */
export async function challengeEscalation(
  room: Room,
  id: string,
  said: EscalationChallengeQuery,
): Promise<{ readonly challenge: string }> {
  const standing = await readStanding(room, id)
  if (standing.escalation.status !== 'pending') throw refused('Escalation is not open')
  return { challenge: textOf(room, standing, said) }
}

/** Whose signature it is: of the keys that may be meant the one that made it, else the first, so that the refusal says why it is none. */
function signedBy(
  { people }: Roster,
  challenge: string,
  { key, kind, person, signature }: Signing,
): Pick<Extract<EscalationEvent, { event: 'approved' }>, 'person' | 'signature'> {
  const meant = people.flatMap(({ id, keys }) =>
    person !== undefined && id !== person
      ? []
      : keys
          .filter(
            (one) => (key === undefined || one.key === key) && (kind ?? one.kind) === one.kind,
          )
          .map((one) => ({ id, one })),
  )
  const text = utf8(challenge)
  const made =
    meant.find(
      ({ one }) => approverKeyKinds[one.kind].verify(one.key, text, signature).verdict === 'valid',
    ) ?? meant[0]
  if (made === undefined) throw refused('Key is not in the roster, or not one of this person')
  const { id, one } = made
  return { person: id, signature: { challenge, key: one.key, kind: one.kind, signature } }
}

function eventOf(
  room: Room,
  standing: Standing,
  { answer, reason, signature }: EscalationDeciding,
  { owner }: Caller,
): EscalationEvent {
  const { roster } = standing
  const named = roster && { sha256: rosterDigest(roster), version: roster.version }
  const said = {
    event: answer === 'approve' ? ('approved' as const) : ('rejected' as const),
    reason,
    roster: named ?? null,
  }
  if (signature === undefined) return { ...said, person: owner, signature: null }
  const challenge = signature.challenge ?? textOf(room, standing, { answer, reason })
  if (roster === undefined) throw refused('There is no roster whose keys could have signed')
  return { ...said, ...signedBy(roster, challenge, signature) }
}

/** Gates that have failed and that no reviewer alone may set aside: whoever submits a decision says himself who may, but for the floor. */
const binding = ({ gates, source }: DecisionMatter): readonly string[] =>
  gates.flatMap(({ name, passed }) =>
    passed || (source === 'submitted' && name !== floorGate) ? [] : [name],
  )

/**
 * What the service asks of an answer beyond what evidence does: nobody answers for himself in another spelling, and what takes both leads by its gates
 * (GATES.md, row 2) is not allowed by one reviewer.
 * @throws {@link Failure} ESCALATION_REFUSED
 */
export function expectFree(decision: DecisionMatter, event: EscalationEvent): void {
  if (event.event !== 'approved' && event.event !== 'rejected') return
  const { caller, intent } = decision
  const same = sameAsAsker(event.person, [caller.owner, intent.actor.id])
  if (same !== undefined) throw refused(same)
  const failed = binding(decision)
  if (event.event === 'approved' && failed.length > 0)
    throw refused(
      `Gates have failed, and no reviewer alone may allow it, ask both leads to overrule it: ${failed.join(', ')}`,
    )
}

/**
 * Answers an escalation. Who answers is who called, or who has signed. Meanwhile nothing else enters the log, so that the roster stays the one that
 * counts.
 * @throws {@link Failure} ESCALATION_REFUSED, TENANT_CLOSED, INPUT_NOT_FOUND, INPUT_ERASED, INPUT_TOO_LARGE
 */
export async function decideEscalation(
  room: Room,
  { caller }: Principal,
  id: string,
  deciding: EscalationDeciding,
): Promise<EscalationView> {
  return room.gate.alone(
    () => room.log.idle(),
    async () => {
      // Asked behind the gate: the tenant may have been closed while somebody waited before it.
      expectNotClosed(room)
      const standing = await readStanding(room, id)
      const { status } = standing.escalation
      if (status !== 'pending') throw refused(`Escalation is not open: ${status}`)
      if (isOverdue(standing, logTime(room))) {
        await enterNow(room, draftOf(room, standing, { event: 'timed-out' }, null))
        throw refused('Escalation is not open: timed-out')
      }
      const event = eventOf(room, standing, deciding, caller)
      const draft = draftOf(room, standing, event, caller)
      expectFree(standing.held.matter, event)
      if (standing.roster !== undefined && deciding.signature === undefined)
        await expectOwnKey(room, caller)
      const { appended } = await enterNow(room, draft)
      const { index, time } = appended
      const advanced = answerEscalation(standing.escalation, event)
      return { ...viewOf({ ...standing, escalation: advanced }), endedAt: time, index }
    },
  )
}
