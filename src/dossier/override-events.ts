// What can happen to a request to overrule a decision, as its entries tell it. Each names the request by the nonce of its challenge. In which order they
// may come, and by whom, is judged in `verify`.
import { z } from 'zod'
import { approverKeyKinds, type ApproverKeyKindName } from '../crypto/approver-keys.ts'
import { challengeLimits, leadRoles } from './challenge.ts'

const kindNames = Object.keys(approverKeyKinds) as readonly ApproverKeyKindName[]
const name = z.string().min(1).max(256)
const request = z.string().regex(/^[0-9a-f]{64}$/)
const reason = z.string().min(1).max(2048)
const challenge = z.string().max(challengeLimits.bytes)

/** The events of a request by name. */
export const overrideEvents = Object.freeze({
  opened: z.strictObject({ event: z.literal('opened'), request, challenge }),
  signed: z.strictObject({
    event: z.literal('signed'),
    request,
    /** The text that the signer had before him. */
    challenge,
    person: name,
    role: z.enum(leadRoles),
    kind: z.enum(kindNames),
    key: z.string().min(1).max(8192),
    signature: z.string().min(1).max(16_384),
  }),
  rejected: z.strictObject({ event: z.literal('rejected'), request, person: name, reason }),
  revoked: z.strictObject({ event: z.literal('revoked'), request, reason }),
  expired: z.strictObject({ event: z.literal('expired'), request }),
  executed: z.strictObject({
    event: z.literal('executed'),
    request,
    /** What the decision is from here on. */
    status: z.literal('ALLOW'),
    maxUses: z.literal(1),
  }),
})

/** Something that happens to a request. */
export type OverrideEvent = z.infer<(typeof overrideEvents)[keyof typeof overrideEvents]>

/** Whether what is told happens to a request; steps of proposals are approvals too, and are none. */
export const isOverrideEvent = <T extends { readonly event: string }>(
  told: T,
): told is Extract<T, OverrideEvent> => Object.hasOwn(overrideEvents, told.event)
