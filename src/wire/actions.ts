// What is asked and told of actions that take two keys: one shape for the HTTP edge, the command line and the service behind both. Who asks is never in it.
import { z } from 'zod'
import { keyOrderDoneSchema, migrationTargets } from './keys.ts'
import {
  overrideActSchema,
  overrideListQuerySchema,
  overrideOpeningSchema,
  overrideViewSchema,
} from './overrides.ts'
import { uuidSchema } from './uuid.ts'

const reason = z.string().min(1).max(2048)
const bundle = z.string().regex(/^[0-9a-f]{64}$/)

/** What is to be done, as far as whoever asks must say it; the service adds what it is now. */
export const wishSchema = z
  .discriminatedUnion('action', [
    z.strictObject({
      action: z.literal('keys.revoke'),
      key: uuidSchema,
      /** First position at which it counts no more; the entry's own unless given. */
      from: z.int().min(0).optional(),
      reason: reason.optional(),
    }),
    z.strictObject({ action: z.literal('keys.destroy'), key: uuidSchema }),
    z.strictObject({
      action: z.literal('keys.migrate'),
      to: z.enum(migrationTargets),
      keep: z.boolean().optional(),
    }),
    z.strictObject({
      action: z.literal('keys.rotate-master'),
      dropBreakGlass: z.boolean().optional(),
    }),
    z.strictObject({ action: z.literal('erase'), decision: uuidSchema, reason }),
    z.strictObject({ action: z.literal('tenant.close'), reason }),
    z.strictObject({ action: z.literal('control.none'), reason }),
    z.strictObject({
      action: z.literal('policy.activate'),
      bundle,
      scope: z.looseObject({}),
      /** That it goes back to a bundle older than one that was active. */
      rollback: z.boolean().optional(),
    }),
    z.strictObject({
      action: z.literal('policy.retire'),
      bundle,
      reason,
    }),
  ])
  .meta({ id: 'ActionWish' })

/** What is to be done, as far as whoever asks must say it. */
export type ActionWish = z.infer<typeof wishSchema>

const { approveWithinSeconds, executeWithinSeconds, justification } = overrideOpeningSchema.shape

/** An action that somebody wants two leads to sign. */
export const actionOpeningSchema = z
  .strictObject({ wish: wishSchema, justification, approveWithinSeconds, executeWithinSeconds })
  .meta({ id: 'ActionOpening' })

/** An action that somebody wants two leads to sign. */
export type ActionOpening = z.infer<typeof actionOpeningSchema>

/** Something that is done to an action. */
export const actionActSchema = overrideActSchema

/** Something that is done to an action. */
export type ActionAct = z.infer<typeof actionActSchema>

const { approveBy, challenge, executeBy, index, request, signatures, status } =
  overrideViewSchema.shape

/** How it stands with an action. */
export const actionViewSchema = z
  .strictObject({
    /** Id of the action; `action-` and this is its stream. */
    action: z.string(),
    /** What comes to pass, exactly. */
    effect: z.looseObject({ action: z.string() }),
    request,
    status,
    challenge,
    signatures,
    approveBy,
    executeBy,
    /** Whether the roster has changed since, so that the request can only be revoked. */
    void: z.boolean(),
    index,
    dossierUrl: z.string(),
    /** What came to pass, where this call has made it so. */
    done: z
      .strictObject({
        /** Leaf index of the entry that says so. */
        index: z.int().nullable(),
        keys: keyOrderDoneSchema.nullable(),
      })
      .nullable(),
  })
  .meta({ id: 'Action' })

/** How it stands with an action. */
export type ActionView = z.infer<typeof actionViewSchema>

/** Which actions to list. */
export const actionListQuerySchema = overrideListQuerySchema

/** A page of a list: actions by their last step, newest first. */
export const actionPageSchema = z
  .strictObject({
    actions: z.array(
      actionViewSchema.pick({
        action: true,
        approveBy: true,
        effect: true,
        executeBy: true,
        index: true,
        status: true,
      }),
    ),
    /** Where the next page begins, or null. */
    cursor: z.string().nullable(),
  })
  .meta({ id: 'ActionPage' })

/** A page of a list: actions by their last step, newest first. */
export type ActionPage = z.infer<typeof actionPageSchema>

/** Whether two leads are demanded. */
export const controlViewSchema = z
  .strictObject({
    /** `all` where two leads must sign what could undo evidence. */
    dualControl: z.enum(['all', 'none']),
    /** Leaf index from which on; null where they are not demanded. */
    from: z.int().nullable(),
    /** Version of the roster whose leads sign; null where there is none, so that nobody can. */
    roster: z.int().nullable(),
    /** How often the break-glass passphrase was made or used; no lead is asked then. */
    breakGlass: z.int(),
    /** Leaf index of the entry that closed the tenant; null while it is open. */
    closedAt: z.int().nullable(),
  })
  .meta({ id: 'DualControl' })

/** Whether two leads are demanded. */
export type ControlView = z.infer<typeof controlViewSchema>
