// The text that a reviewer signs who decides by a key of his own: built as the text of an override, with a first line of its own. What it binds is all
// known to whoever judges it, so it is made anew and compared, and never parsed.
import { Failure } from '../base/failure.ts'
import { asciiJson, challengeLimits } from './challenge.ts'
import type { RosterPlace } from './roster.ts'

/** The two answers to an escalation. */
export const escalationAnswers = Object.freeze(['approve', 'reject'] as const)

/** One of the two answers to an escalation. */
export type EscalationAnswer = (typeof escalationAnswers)[number]

/** What the text of a reviewer binds. */
export interface EscalationChallenge {
  readonly place: RosterPlace
  /** Id of the decision. */
  readonly decision: string
  /** Hex leaf hash of its entry. */
  readonly leaf: string
  /** Hex digest of its subject. */
  readonly intent: string
  readonly actor: string
  readonly action: string
  readonly answer: EscalationAnswer
  readonly reason: string
  readonly roster: { readonly version: number; readonly sha256: string }
  /** ms since 1970. */
  readonly deadline: number
}

/**
 * The text of a reviewer's answer: at most 4,096 bytes of ASCII, each line ended by a newline.
 * @throws {@link Failure} INPUT_TOO_LARGE
 */
export function formatEscalationChallenge(challenge: EscalationChallenge): string {
  const { action, actor, answer, deadline, decision, intent, leaf, place, reason, roster } =
    challenge
  const text = [
    'Countersign escalation v1',
    `Instance: ${place.instance}`,
    `Tenant: ${place.tenant}`,
    `Origin: ${place.origin}`,
    `Decision: ${decision}`,
    `Decision leaf: ${leaf}`,
    `Intent: ${intent}`,
    `Actor: ${asciiJson(actor)}`,
    `Action: ${asciiJson(action)}`,
    `Answer: ${answer}`,
    `Reason: ${asciiJson(reason)}`,
    `Roster: ${roster.version} ${roster.sha256}`,
    `Decide by: ${new Date(deadline).toISOString()}`,
    '',
  ].join('\n')
  if (text.length > challengeLimits.bytes)
    throw new Failure(
      'INPUT_TOO_LARGE',
      `Text to sign has more than ${challengeLimits.bytes} bytes, shorten the reason: ${text.length}`,
    )
  return text
}

/** The label of the first line in which a text is another than the one due; undefined when they are the same, byte for byte. */
export function escalationChallengeDifference(due: string, text: string): string | undefined {
  if (due === text) return undefined
  const [ours, theirs] = [due.split('\n'), text.split('\n')]
  const line = ours.find((one, i) => one !== theirs[i]) ?? ''
  const label = line.slice(0, Math.max(0, line.indexOf(': ')))
  return label !== '' && theirs[ours.indexOf(line)]?.startsWith(`${label}: `) === true
    ? label
    : 'form'
}
