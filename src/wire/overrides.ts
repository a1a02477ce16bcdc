// What is asked and told of overrides: one shape for the HTTP edge, the command line and the service behind both. Who asks is never in it.
import { z } from 'zod'
import { challengeLimits } from '../dossier/challenge.ts'
import { overrideEvents } from '../dossier/override-events.ts'
import { uuidSchema } from './uuid.ts'

const { key, kind, person, role, signature } = overrideEvents.signed.shape
const { reason } = overrideEvents.revoked.shape
const mostSeconds = 14 * 86_400

/** A decision that somebody wants to be overruled. */
export const overrideOpeningSchema = z
  .strictObject({
    decision: uuidSchema,
    justification: z.string().min(1).max(challengeLimits.justification),
    /** Until when both must have signed; an hour unless said. */
    approveWithinSeconds: z.int().min(1).max(mostSeconds).optional(),
    /** Until when it must have come to pass, from now as well; two hours unless said. */
    executeWithinSeconds: z.int().min(1).max(mostSeconds).optional(),
  })
  .meta({ id: 'OverrideOpening' })

/** A decision that somebody wants to be overruled. */
export type OverrideOpening = z.infer<typeof overrideOpeningSchema>

/** A lead's signature of the challenge; the person follows from the key, or the key is one of the person's. */
export const overrideSigningSchema = z
  .strictObject({
    role,
    person: person.optional(),
    kind: kind.optional(),
    key: key.optional(),
    signature,
    /** The text that was signed; the challenge as it stands unless given. */
    challenge: z.string().max(challengeLimits.bytes).optional(),
  })
  .refine((signing) => signing.person !== undefined || signing.key !== undefined, {
    message: 'Person or key is wanted',
    path: ['key'],
  })
  .meta({ id: 'OverrideSigning' })

/** Why a request is rejected or revoked. */
export const overrideReasonSchema = z.strictObject({ reason }).meta({ id: 'OverrideReason' })

/** Something that is done to the newest request about a decision. */
export const overrideActSchema = z.discriminatedUnion('act', [
  z.strictObject({ act: z.literal('sign'), signing: overrideSigningSchema }),
  z.strictObject({ act: z.literal('reject'), reason }),
  z.strictObject({ act: z.literal('revoke'), reason }),
  z.strictObject({ act: z.literal('execute') }),
])

/** Something that is done to the newest request about a decision. */
export type OverrideAct = z.infer<typeof overrideActSchema>

/** How it stands with the newest request about a decision. */
export const overrideViewSchema = z
  .strictObject({
    decision: z.string(),
    /** Nonce of the challenge. */
    request: z.string(),
    status: z.enum([
      'pending',
      'partial',
      'approved',
      'executed',
      'rejected',
      'revoked',
      'expired',
    ]),
    /** The text to be signed. */
    challenge: z.string(),
    signatures: z.array(z.strictObject({ person: z.string(), role: z.string() })),
    /** ms since 1970, judged by the log's clock. */
    approveBy: z.int(),
    executeBy: z.int(),
    /** Whether the roster has changed since, so that the request can only be revoked. */
    void: z.boolean(),
    /** Leaf index of its last step. */
    index: z.int(),
    dossierUrl: z.string(),
  })
  .meta({ id: 'Override' })

/** Which overrides to list. */
export const overrideListQuerySchema = z.strictObject({
  cursor: z.string().min(1).max(256).exactOptional(),
  limit: z.int().min(1).max(200).exactOptional(),
})

/** Which overrides to list. */
export interface OverrideListRequest {
  readonly cursor?: string
  readonly limit: number
}

/** A page of a list: decisions that somebody asked to overrule, by the last step, newest first. */
export const overridePageSchema = z
  .strictObject({
    overrides: z.array(
      z.strictObject({
        decision: z.string(),
        /** Of the newest request; null when erased. */
        status: overrideViewSchema.shape.status.nullable(),
        approveBy: z.int().nullable(),
        executeBy: z.int().nullable(),
        index: z.int(),
      }),
    ),
    /** Where the next page begins, or null. */
    cursor: z.string().nullable(),
    /** How many decisions were overruled within the last 24 hours, and how many may be. */
    today: z.strictObject({ overruled: z.int(), limit: z.int() }),
  })
  .meta({ id: 'OverridePage' })

/** A page of a list: decisions that somebody asked to overrule, by the last step, newest first. */
export type OverridePage = z.infer<typeof overridePageSchema>

/** How it stands with the newest request about a decision. */
export type OverrideView = z.infer<typeof overrideViewSchema>
