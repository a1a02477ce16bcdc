// What can happen to a decision that is held for a reviewer, as its entries tell it: one escalation a decision, opened with it. In which order the steps
// may come, and by whom, is judged in `verify`.
import { z } from 'zod'
import { approverKeyKinds, type ApproverKeyKindName } from '../crypto/approver-keys.ts'
import { challengeLimits } from './challenge.ts'

const kindNames = Object.keys(approverKeyKinds) as readonly ApproverKeyKindName[]
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)

/** Bounds of an escalation. */
export const escalationLimits = Object.freeze({
  /** Between opening and deadline, in ms. */
  least: 1000,
  most: 7 * 86_400_000,
  /** Why it was decided so, in code points. */
  reason: 1024,
})

const answer = {
  person: z.string().min(1).max(256),
  reason: z.string().min(1).max(escalationLimits.reason),
  /** The roster by which the person may decide; null in a log that has none. */
  roster: z.strictObject({ version: z.int().min(1), sha256: hex32 }).nullable(),
  /** The person's own; null where the service says that the API key is the person's. */
  signature: z
    .strictObject({
      /** The text that the signer had before him. */
      challenge: z.string().max(challengeLimits.bytes),
      kind: z.enum(kindNames),
      key: z.string().min(1).max(8192),
      signature: z.string().min(1).max(16_384),
    })
    .nullable(),
}

/** The events of an escalation by name. */
export const escalationEvents = Object.freeze({
  opened: z.strictObject({
    event: z.literal('opened'),
    /** Hex leaf hash of the decision. */
    leaf: hex32,
    /** Hex digest of the decision's subject, which is that of its salted intent. */
    intent: hex32,
    /** The last moment of log time at which it may be decided, ms since 1970. */
    deadline: z.int().min(0).max(8_640_000_000_000_000),
  }),
  approved: z.strictObject({ event: z.literal('approved'), ...answer }),
  rejected: z.strictObject({ event: z.literal('rejected'), ...answer }),
  'timed-out': z.strictObject({ event: z.literal('timed-out') }),
})

/** Something that happens to an escalation. */
export type EscalationEvent = z.infer<(typeof escalationEvents)[keyof typeof escalationEvents]>
