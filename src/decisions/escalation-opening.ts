// A decision that is held for a reviewer opens its escalation itself: both are entries of one commit, so that none is held without a deadline.
import type { DecisionMatter } from '../dossier/matters.ts'
import type { Effect } from '../store/store.ts'
import { isHeld, type EscalationStatus } from '../verify/escalation-story.ts'
import { announce } from './announce.ts'
import type { Draft, Room } from './room.ts'
import { escalationStanding, stands } from './standing.ts'

/** How long a reviewer may take unless request or policy say, in seconds (DESIGN §6). */
const usualSeconds = 60
const secondMs = 1000

/** What becomes true with a step of an escalation. */
export const effectsOf = (
  room: Room,
  stream: string,
  state: EscalationStatus,
  deadline: number,
): readonly Effect[] => [
  stands(stream, escalationStanding(state, deadline)),
  announce(room, state === 'pending' ? 'escalation.opened' : `escalation.${state}`, {
    decision: stream,
    escalation: stream,
  }),
]

/**
 * What goes into the log together with a decision: nothing, or what opens its escalation.
 * @param onHeld told the deadline before that is durable
 */
export function openingOf(
  room: Room,
  matter: Pick<DecisionMatter, 'id' | 'mode' | 'status'>,
  withinSeconds = usualSeconds,
  onHeld: (deadline: number) => void = () => undefined,
): Pick<Draft, 'follow'> {
  if (!isHeld(matter)) return {}
  const { id } = matter
  return {
    follow: ({ leaf, subject, time }) => {
      const deadline = time + withinSeconds * secondMs
      onHeld(deadline)
      return {
        effects: effectsOf(room, id, 'pending', deadline),
        kind: 'escalation',
        matter: { by: null, deadline, event: 'opened', intent: subject, leaf, time },
        prev: leaf,
        seq: 1,
        stream: id,
      }
    },
  }
}
