// The story of an escalation: a decision is held, one reviewer answers before a deadline, or nobody does. One function says for each event why it may not
// happen; the workflow asks it before it appends, and the verifier asks it again of what stands in a dossier. Every reason is a guard of its own with a
// name, and each guard can be taken away alone, which is how the tests show that each is needed.
import { utf8 } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { approverKeyKinds } from '../crypto/approver-keys.ts'
import { leadRoles } from '../dossier/challenge.ts'
import {
  escalationChallengeDifference,
  formatEscalationChallenge,
  type EscalationAnswer,
} from '../dossier/escalation-challenge.ts'
import { escalationLimits, type EscalationEvent } from '../dossier/escalation-events.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import type { Person, Roster, RosterPlace } from '../dossier/roster.ts'
import { keyProblem } from './judge-roster.ts'

/** The states of an escalation, the last three final. */
export type EscalationStatus = 'pending' | 'approved' | 'rejected' | 'timed-out'

/** How an escalation was answered. */
export interface EscalationAnswered {
  readonly person: string
  readonly reason: string
  /** By whose word it was this person: a signature of a key of the roster, or the service that knew the API key. */
  readonly vouchedBy: 'signature' | 'service'
  /** Version of the roster by which the person may answer; null in a log that has none. */
  readonly roster: number | null
}

/** An escalation as far as its story has come. */
export interface Escalation {
  readonly status: EscalationStatus
  /** The last moment of log time at which it may be answered, ms since 1970. */
  readonly deadline: number
  /** Null while nobody has answered. */
  readonly answered: EscalationAnswered | null
}

/** The decision that is held, as its entry has it. */
export interface HeldDecision {
  readonly matter: DecisionMatter
  /** Hex leaf hash. */
  readonly leaf: string
  /** Hex digest of the statement's subject. */
  readonly intent: string
  /** Leaf time, ms since 1970. */
  readonly time: number
}

/** What an event is judged by. */
export interface EscalationScene {
  readonly place: RosterPlace
  /** Undefined when it was erased. */
  readonly decision: HeldDecision | undefined
  /** The roster that counts and its hex digest; undefined while there is none. */
  readonly roster: { readonly roster: Roster; readonly sha256: string } | undefined
  /** The step of the stream that the event takes. */
  readonly step: number
  /** Log time of the event, ms since 1970. */
  readonly time: number
  /** Owner of the API key by which it came, or of the command line; null when the service did it. */
  readonly owner: string | null
  /** Whether it came by an API key. */
  readonly byApiKey: boolean
  /** Whether two leads have made the decision an ALLOW before. */
  readonly overruled: boolean
}

type EventName = EscalationEvent['event']
type AnswerEvent = Extract<EscalationEvent, { event: 'approved' | 'rejected' }>

interface Situation<E extends EscalationEvent> {
  readonly event: E
  readonly scene: EscalationScene
  readonly before: Escalation | undefined
}

type Guard<E extends EscalationEvent> = (situation: Situation<E>) => string | undefined
type Guards = {
  readonly [E in EventName]: Readonly<Record<string, Guard<Extract<EscalationEvent, { event: E }>>>>
}

const unless = (holds: boolean, why: string): string | undefined => (holds ? undefined : why)

/** The statuses of a decision that is held. */
const heldStatuses: readonly string[] = ['ESCALATE', 'REVIEW_REQUIRED']

/** Whether a decision is held for a reviewer. */
export const isHeld = ({ mode, status }: Pick<DecisionMatter, 'mode' | 'status'>): boolean =>
  mode === 'enforce' && heldStatuses.includes(status)

const reviewingRoles: readonly string[] = ['reviewer', ...leadRoles]

const mayReview = (person: Person | undefined): boolean =>
  person?.roles.some((role) => reviewingRoles.includes(role)) === true

const personOf = (scene: EscalationScene, id: string): Person | undefined =>
  scene.roster?.roster.people.find((person) => person.id === id)

/** Owner of the API key that asked for the decision, and the actor. */
const askers = ({ matter }: HeldDecision): readonly string[] => [
  matter.caller.owner,
  matter.intent.actor.id,
]

const answerOf = ({ event }: AnswerEvent): EscalationAnswer =>
  event === 'approved' ? 'approve' : 'reject'

/** Why a text is not the one that says this answer about this decision. */
function otherText({ before, event, scene }: Situation<AnswerEvent>): string | undefined {
  const { decision, place } = scene
  const { reason, roster, signature } = event
  if (signature === null) return undefined
  if (decision === undefined || before === undefined || roster === null)
    return 'There is no text that could have been signed'
  const { action, actor } = decision.matter.intent
  try {
    const due = formatEscalationChallenge({
      action: action.type,
      actor: actor.id,
      answer: answerOf(event),
      deadline: before.deadline,
      decision: decision.matter.id,
      intent: decision.intent,
      leaf: decision.leaf,
      place,
      reason,
      roster,
    })
    const other = escalationChallengeDifference(due, signature.challenge)
    return other && `What was signed is another text, by its ${other}`
  } catch (error) {
    return asFailure(error).message
  }
}

const opening: Guards['opened'] = {
  'decision has one escalation': ({ before }) =>
    unless(before === undefined, 'Decision has an escalation already'),
  'decision is held': ({ scene: { decision } }) =>
    unless(
      decision !== undefined && isHeld(decision.matter),
      'Only a decision ESCALATE or REVIEW_REQUIRED, in mode enforce, is held for a reviewer',
    ),
  'opened with the decision': ({ scene: { decision, step, time } }) =>
    unless(
      step === 1 && time === decision?.time,
      'Escalation was not opened together with its decision',
    ),
  'names the decision': ({ event, scene: { decision } }) =>
    unless(event.leaf === decision?.leaf, 'Escalation is of another decision leaf'),
  'names the intent': ({ event, scene: { decision } }) =>
    unless(event.intent === decision?.intent, 'Escalation is of another intent'),
  'deadline is in bounds': ({ event: { deadline }, scene: { time } }) =>
    unless(
      deadline >= time + escalationLimits.least && deadline <= time + escalationLimits.most,
      'Deadline must be 1 second to 7 days ahead',
    ),
}

const answering: Readonly<Record<string, Guard<AnswerEvent>>> = {
  'escalation is open': ({ before }) =>
    unless(before?.status === 'pending', 'Escalation is not open'),
  'before the deadline': ({ before, scene: { time } }) =>
    unless(before === undefined || time <= before.deadline, 'Deadline has passed'),
  'decision is still there': ({ scene: { decision } }) =>
    unless(decision !== undefined, 'Content of the decision is gone'),
  'decision was not overruled': ({ scene: { overruled } }) =>
    unless(!overruled, 'Decision was overruled already'),
  'roster is the one that counts': ({ event: { roster }, scene }) =>
    unless(
      roster?.version === scene.roster?.roster.version && roster?.sha256 === scene.roster?.sha256,
      'Answer names another roster than the one that counts',
    ),
  'person did not ask': ({ event: { person }, scene: { decision } }) =>
    unless(
      decision === undefined || !askers(decision).includes(person),
      'Whoever asked for the decision, and the actor, may not review it',
    ),
  'person may review': ({ event: { person }, scene }) =>
    unless(
      scene.roster === undefined || mayReview(personOf(scene, person)),
      'Nobody of this id in the roster may review',
    ),
  'person is the caller, or has signed': ({ event: { person, signature }, scene: { owner } }) =>
    unless(
      signature !== null || owner === person,
      'Whoever answers must be who is calling, or have signed',
    ),
  'called by an API key, where there is a roster': ({ event: { signature }, scene }) =>
    unless(
      signature !== null || scene.byApiKey || scene.roster === undefined,
      'Where there is a roster, an answer comes by an API key or is signed: countersign escalation sign',
    ),
  'key is the person’s': ({ event: { person, signature }, scene }) => {
    if (signature === null) return undefined
    const key = personOf(scene, person)?.keys.find(
      (one) => one.kind === signature.kind && one.key === signature.key,
    )
    return key === undefined ? 'Key is not one of this person' : keyProblem(key, scene.time)
  },
  'text is the one of this answer': otherText,
  'signature is good': ({ event: { person, signature } }) => {
    if (signature === null) return undefined
    const { challenge, key, kind, signature: text } = signature
    const judged = approverKeyKinds[kind].verify(key, utf8(challenge), text)
    return judged.verdict === 'valid' ? undefined : `Signature of ${person}: ${judged.reason}`
  },
}

const timingOut: Guards['timed-out'] = {
  'escalation is open': ({ before }) =>
    unless(before?.status === 'pending', 'Escalation is not open'),
  'deadline has passed': ({ before, scene: { time } }) =>
    unless(before === undefined || time > before.deadline, 'Deadline has not passed'),
}

/** Every guard, by event and name. */
export const escalationGuards: Guards = Object.freeze({
  approved: answering,
  opened: opening,
  rejected: answering,
  'timed-out': timingOut,
})

/** What an event that may happen makes of an escalation. */
export function answerEscalation(
  before: Escalation | undefined,
  event: EscalationEvent,
): Escalation {
  if (event.event === 'opened')
    return { answered: null, deadline: event.deadline, status: 'pending' }
  const deadline = before?.deadline ?? 0
  if (event.event === 'timed-out') return { answered: null, deadline, status: event.event }
  const { person, reason, roster, signature } = event
  return {
    answered: {
      person,
      reason,
      roster: roster?.version ?? null,
      vouchedBy: signature === null ? 'service' : 'signature',
    },
    deadline,
    status: event.event,
  }
}

/**
 * What an event makes of an escalation, or why it may not happen.
 * @param guards all of them; a test takes one away
 */
export function advanceEscalation(
  before: Escalation | undefined,
  event: EscalationEvent,
  scene: EscalationScene,
  guards: Guards = escalationGuards,
): Escalation | string {
  const applying = guards[event.event] as Readonly<Record<string, Guard<EscalationEvent>>>
  for (const guard of Object.values(applying)) {
    const why = guard({ before, event, scene })
    if (why !== undefined) return why
  }
  return answerEscalation(before, event)
}
