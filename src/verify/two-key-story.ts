// The story of what takes two keys: what may happen to a request after what, and by whom. One function says for each event why it may not happen; the
// workflow asks it before it appends, and the verifier asks it again of what stands in a dossier, so that nobody has to believe that the workflow
// asked. Every reason is a guard of its own with a name, and each guard can be taken away alone, which is how the tests show that each is needed. What
// the request is about, an override or an action, brings guards of its own.
import { utf8 } from '../base/bytes.ts'
import { approverKeyKinds } from '../crypto/approver-keys.ts'
import {
  challengeDifference,
  leadRoles,
  parseChallenge,
  type Challenge,
} from '../dossier/challenge.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import type { Person, Roster, RosterPlace } from '../dossier/roster.ts'
import { keyProblem } from './judge-roster.ts'

/** A role of those that sign together. */
export type LeadRole = (typeof leadRoles)[number]

/** The states of a request, the last four final. */
export type RequestStatus =
  'pending' | 'partial' | 'approved' | 'executed' | 'rejected' | 'revoked' | 'expired'

/** Who has signed in which role. */
export interface LeadSignature {
  readonly person: string
  readonly role: LeadRole
}

/** A request as far as its story has come. */
export interface TwoKeyRequest {
  readonly challenge: Challenge
  /** The exact text that is signed. */
  readonly text: string
  readonly status: RequestStatus
  readonly signatures: readonly LeadSignature[]
}

/** What an event is judged by, whatever the request is about. */
export interface TwoKeyScene {
  readonly place: RosterPlace
  /** The roster that counts, and its hex digest. */
  readonly roster: Roster
  readonly rosterSha256: string
  /** Log time of the event, ms since 1970. */
  readonly time: number
  /** Owner of the API key by which it came, or of the command line; null when the log's own clock did it. */
  readonly owner: string | null
  /** Whether another request of the same stream is open, or has been executed. */
  readonly rivals: { readonly open: boolean; readonly executed: boolean }
}

/** Bounds of a request's deadlines, in ms from its opening. */
const deadlines = Object.freeze({ most: 14 * 86_400_000 })

interface Situation<E extends OverrideEvent['event'], S extends TwoKeyScene> {
  readonly event: Extract<OverrideEvent, { event: E }>
  readonly scene: S
  readonly before: TwoKeyRequest | undefined
  /** What the request is bound to: of an opening what it says, else what the opening said. */
  readonly challenge: Challenge
}

type Guard<E extends OverrideEvent['event'], S extends TwoKeyScene> = (
  situation: Situation<E, S>,
) => string | undefined

/** Guards by event and name. */
export type Guards<S extends TwoKeyScene> = {
  readonly [E in OverrideEvent['event']]: Readonly<Record<string, Guard<E, S>>>
}

/** Whether anything may still happen to a request. */
export const isOpen = <T extends Pick<TwoKeyRequest, 'status'>>(
  request: T | undefined,
): request is T =>
  request !== undefined && ['pending', 'partial', 'approved'].includes(request.status)

/** Why something may not be, unless it holds. */
export const unless = (holds: boolean, why: string): string | undefined => (holds ? undefined : why)

const personOf = ({ people }: Roster, id: string): Person | undefined =>
  people.find((person) => person.id === id)

const isLead = (person: Person | undefined): boolean =>
  person?.roles.some((role) => (leadRoles as readonly string[]).includes(role)) === true

const sameRoster = ({ roster: named }: Challenge, { roster, rosterSha256 }: TwoKeyScene): boolean =>
  named.version === roster.version && named.sha256 === rosterSha256

/** What every opening must pass. */
const opening: Guards<TwoKeyScene>['opened'] = {
  'request is new': ({ before }) => unless(before === undefined, 'Request was opened already'),
  'request is the nonce': ({ challenge: { nonce }, event }) =>
    unless(nonce === event.request, 'Request has another name than its challenge’s nonce'),
  'challenge is of this log': ({ challenge, scene: { place } }) => {
    const other = (['instance', 'tenant', 'origin'] as const).find(
      (name) => challenge[name] !== place[name],
    )
    return other && `Challenge is of another ${other}`
  },
  'roster is the one that counts': ({ challenge, scene }) =>
    unless(sameRoster(challenge, scene), 'Challenge names another roster than the one that counts'),
  'deadlines are ahead and near': ({ challenge: { approveBy, executeBy }, scene: { time } }) =>
    unless(
      approveBy > time && executeBy <= time + deadlines.most,
      'Deadlines must be ahead, and at most 14 days',
    ),
}

const signing: Guards<TwoKeyScene>['signed'] = {
  'request is open for signatures': ({ before }) =>
    unless(
      before?.status === 'pending' || before?.status === 'partial',
      'Request is not open for signatures',
    ),
  'before approve-by': ({ challenge, scene: { time } }) =>
    unless(time <= challenge.approveBy, 'Approve-by has passed'),
  'roster has not changed': ({ challenge, scene }) =>
    unless(sameRoster(challenge, scene), 'Roster has changed since: a new request is needed'),
  'person holds the role': ({ event, scene: { roster } }) =>
    unless(
      personOf(roster, event.person)?.roles.includes(event.role) === true,
      `Nobody of this id in the roster holds the role ${event.role}`,
    ),
  'key is the person’s': ({ event, scene: { roster, time } }) => {
    const key = personOf(roster, event.person)?.keys.find(
      (one) => one.kind === event.kind && one.key === event.key,
    )
    return key === undefined ? 'Key is not one of this person' : keyProblem(key, time)
  },
  'role has not signed': ({ before, event }) =>
    unless(
      before?.signatures.some(({ role }) => role === event.role) !== true,
      `Role has signed already: ${event.role}`,
    ),
  'person has not signed': ({ before, event }) =>
    unless(
      before?.signatures.some(({ person }) => person === event.person) !== true,
      'One person signs once',
    ),
  'person did not ask': ({ challenge, event }) =>
    unless(!challenge.requesters.includes(event.person), 'Whoever asked may not sign'),
  'challenge is the one opened': ({ before, event }) => {
    const other = challengeDifference(before?.text ?? '', event.challenge)
    return other && `What was signed is another challenge, by its ${other}`
  },
  'signature is good': ({ event: { challenge, key, kind, person, signature } }) => {
    const judged = approverKeyKinds[kind].verify(key, utf8(challenge), signature)
    return judged.verdict === 'valid' ? undefined : `Signature of ${person}: ${judged.reason}`
  },
}

const rejecting: Guards<TwoKeyScene>['rejected'] = {
  'request is open': ({ before }) => unless(isOpen(before), 'Request is not open'),
  'rejected by a lead': ({ event, scene: { roster } }) =>
    unless(isLead(personOf(roster, event.person)), 'Only a lead may reject'),
  'rejected by the caller': ({ event, scene: { owner } }) =>
    unless(owner === event.person, 'Whoever rejects must be who is calling'),
}

const revoking: Guards<TwoKeyScene>['revoked'] = {
  'request is open': ({ before }) => unless(isOpen(before), 'Request is not open'),
  'revoked by who asked or a lead': ({ challenge, scene: { owner, roster } }) =>
    unless(
      owner !== null && (challenge.requesters.includes(owner) || isLead(personOf(roster, owner))),
      'Only who asked, or a lead, may revoke',
    ),
}

const expiring: Guards<TwoKeyScene>['expired'] = {
  'request is open': ({ before }) => unless(isOpen(before), 'Request is not open'),
  'a deadline has passed': ({ before, challenge, scene: { time } }) =>
    unless(
      time > (before?.status === 'approved' ? challenge.executeBy : challenge.approveBy),
      'No deadline has passed',
    ),
}

const executing: Guards<TwoKeyScene>['executed'] = {
  'both have signed': ({ before }) => {
    const status = before?.status ?? 'pending'
    if (status === 'approved') return undefined
    return status === 'pending' || status === 'partial'
      ? 'Request has not both signatures'
      : `Request is over: ${status}`
  },
  'before execute-by': ({ challenge, scene: { time } }) =>
    unless(time <= challenge.executeBy, 'Execute-by has passed'),
  'roster has not changed': ({ challenge, scene }) =>
    unless(sameRoster(challenge, scene), 'Roster has changed since: the signatures are void'),
}

/** The guards of all that takes two keys. */
export const twoKeyGuards: Guards<TwoKeyScene> = Object.freeze({
  executed: executing,
  expired: expiring,
  opened: opening,
  rejected: rejecting,
  revoked: revoking,
  signed: signing,
})

function happen(
  before: TwoKeyRequest | undefined,
  event: OverrideEvent,
  challenge: Challenge,
): TwoKeyRequest {
  if (event.event === 'opened')
    return { challenge, signatures: [], status: 'pending', text: event.challenge }
  const { signatures: earlier = [], text = '' } = before ?? {}
  if (event.event !== 'signed') return { challenge, signatures: earlier, status: event.event, text }
  const { person, role } = event
  const signatures = [...earlier, { person, role }]
  const status = signatures.length < leadRoles.length ? 'partial' : 'approved'
  return { challenge, signatures, status, text }
}

/** What an event makes of a request, or why it may not happen. */
export function advanceRequest<S extends TwoKeyScene>(
  before: TwoKeyRequest | undefined,
  event: OverrideEvent,
  scene: S,
  guards: Guards<S>,
): TwoKeyRequest | string {
  const challenge = event.event === 'opened' ? parseChallenge(event.challenge) : before?.challenge
  if (challenge === undefined) return 'There is no such request'
  if (typeof challenge === 'string') return challenge
  const applying = guards[event.event] as Readonly<Record<string, Guard<OverrideEvent['event'], S>>>
  for (const guard of Object.values(applying)) {
    const why = guard({ before, challenge, event, scene })
    if (why !== undefined) return why
  }
  return happen(before, event, challenge)
}
