// What is asked and told of escalations: one shape for the HTTP edge, the command line and the service behind both. Who answers is never in it: that
// follows from the API key, or from a signature.
import { z } from 'zod'
import { escalationAnswers } from '../dossier/escalation-challenge.ts'
import { escalationEvents } from '../dossier/escalation-events.ts'

const { person, reason, signature } = escalationEvents.approved.shape
const { challenge, key, kind, signature: made } = signature.unwrap().shape
const answer = z.enum(escalationAnswers)

/** The states of an escalation. */
const states = ['pending', 'approved', 'rejected', 'timed-out'] as const

/** A reviewer's answer. */
export const escalationDecidingSchema = z
  .strictObject({
    answer,
    reason,
    /** A reviewer's own, of the text that `challenge` gives; without it the owner of the API key answers. */
    signature: z
      .strictObject({
        /** Whose it is; follows from the key where that is given. */
        person: person.optional(),
        kind: kind.optional(),
        key: key.optional(),
        signature: made,
        /** The text that was signed; the one that is due unless given. */
        challenge: challenge.optional(),
      })
      .refine((one) => one.person !== undefined || one.key !== undefined, {
        message: 'Person or key is wanted',
        path: ['key'],
      })
      .optional(),
  })
  .meta({ id: 'EscalationDeciding' })

/** A reviewer's answer. */
export type EscalationDeciding = z.infer<typeof escalationDecidingSchema>

/** What a text is asked for that a reviewer is to sign. */
export const escalationChallengeQuerySchema = z.strictObject({ answer, reason })

/** What a text is asked for that a reviewer is to sign. */
export type EscalationChallengeQuery = z.infer<typeof escalationChallengeQuerySchema>

/** The text that a reviewer signs. */
export const escalationChallengeSchema = z
  .strictObject({ challenge: z.string() })
  .meta({ id: 'EscalationChallenge' })

/** How it stands with the escalation of a decision. */
export const escalationViewSchema = z
  .strictObject({
    /** That of the decision. */
    id: z.string(),
    status: z.enum(states),
    actor: z.string(),
    action: z.string(),
    /** Hex digest of the decision's subject: of its salted intent. */
    intent: z.string(),
    /** Log times, ms since 1970. */
    openedAt: z.int(),
    deadline: z.int(),
    endedAt: z.int().nullable(),
    /** Null while nobody has answered. */
    person: z.string().nullable(),
    reason: z.string().nullable(),
    /** By whose word it was this person. */
    vouchedBy: z.enum(['signature', 'service']).nullable(),
    /** Whether two leads have overruled the decision meanwhile. */
    overruled: z.boolean(),
    /** Leaf index of its last step. */
    index: z.int(),
    dossierUrl: z.string(),
  })
  .meta({ id: 'Escalation' })

/** How it stands with the escalation of a decision. */
export type EscalationView = z.infer<typeof escalationViewSchema>

/** The longest that anybody is kept waiting, in seconds. */
export const mostWaitSeconds = 60

/** How long to wait for its end. */
export const escalationWaitSchema = z.strictObject({
  wait: z.int().min(0).max(mostWaitSeconds).exactOptional(),
})

/** Which escalations to list. */
export const escalationListQuerySchema = z.strictObject({
  status: z.enum(states).exactOptional(),
  cursor: z.string().min(1).max(256).exactOptional(),
  limit: z.int().min(1).max(200).exactOptional(),
})

/** Which escalations to list. */
export interface EscalationListRequest {
  readonly status?: EscalationView['status']
  readonly cursor?: string
  readonly limit: number
}

/** A page of a list: escalations by their decisions, newest first. */
export const escalationPageSchema = z
  .strictObject({
    escalations: z.array(
      z.strictObject({
        id: z.string(),
        /** Null when erased. */
        status: z.enum(states).nullable(),
        actor: z.string().nullable(),
        action: z.string().nullable(),
        deadline: z.int().nullable(),
        index: z.int(),
      }),
    ),
    /** Where the next page begins, or null. */
    cursor: z.string().nullable(),
  })
  .meta({ id: 'EscalationPage' })

/** A page of a list: escalations by their decisions, newest first. */
export type EscalationPage = z.infer<typeof escalationPageSchema>
