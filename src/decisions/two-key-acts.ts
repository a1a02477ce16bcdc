// What is done to a request that takes two keys, as the event that it is: the same for overrides and for actions.
import { utf8 } from '../base/bytes.ts'
import { approverKeyKinds } from '../crypto/approver-keys.ts'
import type { Caller } from '../dossier/matters.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import type { Roster } from '../dossier/roster.ts'
import type { TwoKeyRequest } from '../verify/two-key-story.ts'
import type { OverrideAct } from '../wire/overrides.ts'
import { sameAsAsker } from './namesakes.ts'

type Signing = Extract<OverrideAct, { act: 'sign' }>['signing']

/** Whether the deadline that an open request waits for has passed. */
export const isOverdue = ({ challenge, status }: TwoKeyRequest, time: number): boolean =>
  time > (status === 'approved' ? challenge.executeBy : challenge.approveBy)

/** The event that a signature is, or why it is nobody's: of the keys that may be meant the one that made it, else the first, so that the refusal says why it is none. */
function signedEvent(
  request: string,
  text: string,
  { people }: Roster,
  { challenge = text, key, kind, person, role, signature }: Signing,
): OverrideEvent | string {
  const meant = people.flatMap(({ id, keys }) =>
    person !== undefined && id !== person
      ? []
      : keys
          .filter(
            (one) => (key === undefined || one.key === key) && (kind ?? one.kind) === one.kind,
          )
          .map((one) => ({ id, one })),
  )
  const signed = utf8(challenge)
  const made =
    meant.find(
      ({ one }) =>
        approverKeyKinds[one.kind].verify(one.key, signed, signature).verdict === 'valid',
    ) ?? meant[0]
  if (made === undefined) return 'Key is not in the roster, or not one of this person'
  return {
    challenge,
    event: 'signed',
    key: made.one.key,
    kind: made.one.kind,
    person: made.id,
    request,
    role,
    signature,
  }
}

/** Why somebody may not sign who asked, in another spelling: the guards of evidence compare byte for byte. */
export const sameAsRequester = (
  event: OverrideEvent,
  { challenge: { requesters } }: TwoKeyRequest,
): string | undefined =>
  event.event !== 'signed' || requesters.includes(event.person)
    ? undefined
    : sameAsAsker(event.person, requesters)

/** The event that an act is, or why it is none. */
export function eventOfAct(
  act: OverrideAct,
  request: string,
  { text }: TwoKeyRequest,
  roster: Roster | undefined,
  { owner }: Caller,
): OverrideEvent | string {
  switch (act.act) {
    case 'sign':
      return roster === undefined
        ? 'There is no roster'
        : signedEvent(request, text, roster, act.signing)
    case 'reject':
      return { event: 'rejected', person: owner, reason: act.reason, request }
    case 'revoke':
      return { event: 'revoked', reason: act.reason, request }
    case 'execute':
      return { event: 'executed', maxUses: 1, request, status: 'ALLOW' }
  }
}
