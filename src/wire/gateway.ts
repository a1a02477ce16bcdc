// The route of PROVENANCE clients: what they send and what they understand. Whatever they are to obey is a 200; the verdict they suggest is read and
// decides nothing.
import { z } from 'zod'
import { idempotencyKeySchema } from './decision.ts'

const name = z.string().min(1).max(256)

/** What a client asks before an action. */
export const gatewayRequestSchema = z
  .strictObject({
    session_id: name,
    agent_id: name,
    action: name,
    /** The client's own guess, which nobody follows. */
    decision: z.string().max(64).nullish(),
    parameters: z.record(z.string(), z.unknown()).nullish(),
    tenant_policy_id: name.nullish(),
    idempotency_key: idempotencyKeySchema.nullish(),
    escalation_id: name.nullish(),
    actor_human_id: name.nullish(),
  })
  .meta({ id: 'GatewayRequest' })

/** What a client asks before an action. */
export type GatewayRequest = z.infer<typeof gatewayRequestSchema>

/** What a client is told. */
export const gatewayAnswerSchema = z
  .strictObject({
    /** Id of the decision; null where none was made. */
    event_id: z.string().nullable(),
    decision: z.enum(['ALLOW', 'BLOCK']),
    reason: z.string(),
    /** The decision's own id where it was held for a reviewer. */
    escalation_id: z.string().nullable(),
    /** Who answered the escalation. */
    actor_human_id: z.string().nullable(),
  })
  .meta({ id: 'GatewayAnswer' })

/** What a client is told. */
export type GatewayAnswer = z.infer<typeof gatewayAnswerSchema>
