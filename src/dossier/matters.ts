// What an entry of each kind says: the `matter` of its predicate, one schema a kind, frozen as v1. Kinds whose workflow is not built yet have no
// schema here; a verifier reports them inconclusive instead of calling valid what it did not understand.
import { z } from 'zod'
import { decodeBase64 } from '../base/base64.ts'
import { isUuid } from '../base/uuid.ts'
import { escalationEvents } from './escalation-events.ts'
import { controlSchema } from './control.ts'
import type { Kind } from './kinds.ts'
import { overrideEvents } from './override-events.ts'
import { policyEvents } from './policy-events.ts'
import { proposalEvents } from './proposal-events.ts'
import { endorsementSchema, mostEndorsements, rosterSchema } from './roster.ts'

const count = z.int().min(0)
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const uuid = z.string().refine(isUuid, 'UUID in lower case expected')
const name = z.string().min(1).max(256)
const shown = z.string().min(1).max(512)
const json = z.unknown()

/** Who called, as authenticated; never taken from the body. */
const caller = z.strictObject({
  type: z.enum(['apiKey', 'local']),
  /** Id of the API key; for `local` the edge that was used. */
  id: name,
  owner: name,
})

/** Whether a caller can stand in evidence. */
export const isCaller = (value: unknown): boolean => caller.safeParse(value).success

/** The five answers to an intent. */
export const statuses = ['ALLOW', 'BLOCK', 'ESCALATE', 'REVIEW_REQUIRED', 'ERROR'] as const

/** What somebody wants to do. */
export const intentSchema = z.strictObject({
  actor: z.looseObject({ id: name, type: name.optional() }),
  action: z.looseObject({ type: name }),
  resource: z.looseObject({}).optional(),
  context: z.looseObject({}).optional(),
  policyRefs: z.array(name).max(64).optional(),
})

/** A code of the registry and its text. */
export const reasonSchema = z.strictObject({
  code: z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/),
  text: z.string().max(2048).optional(),
})

/** What must be done with an allowed action. */
export const obligationSchema = z.looseObject({
  type: z.enum(['redact', 'transform_input', 'transform_output', 'route', 'sandbox', 'log_only']),
})

/** A policy that decided. */
export const policySchema = z.strictObject({
  id: name,
  version: name.optional(),
  sha256: hex32.optional(),
  /** Index of the `policy` entry in the log. */
  index: count.optional(),
  effect: name.optional(),
})

/** A quantitative gate that decided. */
export const gateSchema = z.strictObject({
  name,
  version: name.optional(),
  sha256: hex32.optional(),
  passed: z.boolean(),
  score: z.number().optional(),
  threshold: z.number().optional(),
  reason: z.string().max(2048).optional(),
})

/** References to what stands elsewhere. */
export const linksSchema = z.strictObject({
  correlationId: name.optional(),
  parents: z.array(uuid).max(64).optional(),
  // Whoever reads it may know more of URLs; what is a v1 link must not depend on that.
  url: z
    .string()
    .regex(/^https?:\/\/[\x21-\x7e]{1,2040}$/)
    .optional(),
})

const decision = z.strictObject({
  id: uuid,
  time: count,
  producer: z.strictObject({ name, version: name }),
  caller,
  source: z.enum(['evaluated', 'submitted']),
  intent: intentSchema,
  status: z.enum(statuses),
  reasons: z.array(reasonSchema).max(64),
  obligations: z.array(obligationSchema).max(64),
  confidence: z.number().min(0).max(1).nullable(),
  policies: z.array(policySchema).max(256),
  gates: z.array(gateSchema).max(64),
  trace: json,
  overridable: z.boolean(),
  maxUses: z.int().min(1).max(1_000_000).nullable(),
  mode: z.enum(['enforce', 'shadow']),
  idempotencyKey: z.string().nullable(),
  links: linksSchema,
})

const execution = z.strictObject({
  decision: uuid,
  phase: z.enum(['started', 'finished']),
  /** The how-manieth use this is, from 1. */
  use: z.int().min(1),
  caller,
  time: count,
  note: z.string().max(2048).nullable(),
})

/** Absent in what is not guarded, and in entries of before there was dual control. */
const control = controlSchema.optional()

const erasure = z.strictObject({
  stream: uuid,
  seqs: z.array(count).min(1).max(1024),
  reason: z.string().min(1).max(2048),
  control,
  by: caller,
  time: count,
})

const keyFields = z.strictObject({
  event: z.enum(['prepared', 'activated', 'retired', 'revoked', 'destroyed', 'slots']),
  purpose: z.enum(['master', 'evidence', 'fast', 'log', 'bundle']),
  version: z.int().min(1),
  keyId: uuid,
  algorithm: name,
  publicKey: z
    .string()
    .refine((text) => decodeBase64(text) !== undefined, 'Standard padded base64 expected'),
  /** SPKI digest for keys that sign entries, null for others. */
  keyid: hex32.nullable(),
  /** Verifier keys of a log key. */
  vkeys: z.array(z.string().min(1).max(8192)).max(8),
  /** Position from which the event counts; null is this entry's own. */
  from: count.nullable(),
  /** By whom the master key opens from here on; with the event `slots` only. */
  slots: z
    .array(z.strictObject({ id: uuid, provider: name, kekId: shown, mechanism: shown }))
    .min(1)
    .max(64)
    .optional(),
  reason: z.string().min(1).max(2048).optional(),
  control,
  by: caller.optional(),
  time: count,
})

const key = keyFields.refine(
  ({ event, slots }) => (event === 'slots') === (slots !== undefined),
  'Slots come with the event that tells of them, and with no other',
)

const trust = z.strictObject({
  version: z.int().min(1),
  sha256: hex32,
  previous: hex32.nullable(),
  time: count,
})

const admin = z.strictObject({
  action: z.string().regex(/^[a-z]+(\.[a-z]+)*$/),
  subject: name,
  detail: z.looseObject({}),
  control,
  by: caller,
  time: count,
})

const roster = z.strictObject({
  /** `recovery`: recovery keys ask for a version, which may come when their delay has passed. */
  event: z.enum(['version', 'recovery']),
  roster: rosterSchema,
  endorsements: z.array(endorsementSchema).min(1).max(mostEndorsements),
  by: caller,
  time: count,
})

const told = { by: caller, time: count }
const { executed, expired, opened, rejected, revoked, signed } = overrideEvents

const override = z.discriminatedUnion('event', [
  opened.extend(told),
  rejected.extend(told),
  revoked.extend(told),
  // Nobody lets a request expire: the log's own clock does.
  expired.extend({ ...told, by: z.null() }),
  executed.extend(told),
])

const approval = z.discriminatedUnion('event', [
  signed.extend(told),
  // It asks on behalf of an intent, which stands in the decision too.
  proposalEvents.proposed.extend({ ...told, intent: intentSchema }),
  proposalEvents.voted.extend(told),
  proposalEvents.withdrawn.extend(told),
  proposalEvents.closed.extend(told),
])

const escalation = z.discriminatedUnion('event', [
  // With its decision it is opened by the service alone, and nobody lets it time out.
  escalationEvents.opened.extend({ ...told, by: z.null() }),
  escalationEvents.approved.extend(told),
  escalationEvents.rejected.extend(told),
  escalationEvents['timed-out'].extend({ ...told, by: z.null() }),
])

const policy = z.discriminatedUnion('event', [
  policyEvents.registered.extend(told),
  policyEvents.activated.extend({ ...told, control }),
  policyEvents.retired.extend({ ...told, control }),
])

/** The schemas of the matters this version writes and understands. */
export const matters = Object.freeze({
  decision,
  execution,
  escalation,
  approval,
  override,
  erasure,
  roster,
  policy,
  key,
  trust,
  admin,
})

/** A kind whose matter this version understands. */
export type KnownKind = keyof typeof matters
/** The matter of a decision. */
export type DecisionMatter = z.infer<typeof decision>
/** The matter of an execution. */
export type ExecutionMatter = z.infer<typeof execution>
/** The matter of a signature of two leads, or of a step of a proposal. */
export type ApprovalMatter = z.infer<typeof approval>
/** The matter of an erasure. */
export type ErasureMatter = z.infer<typeof erasure>
/** The matter of a key event. */
export type KeyMatter = z.infer<typeof key>
/** The matter of a step of the roster. */
export type RosterMatter = z.infer<typeof roster>
/** The matter of a step of the policies. */
export type PolicyMatter = z.infer<typeof policy>
/** The matter of a trust root version. */
export type TrustMatter = z.infer<typeof trust>
/** The matter of an administrative act. */
export type AdminMatter = z.infer<typeof admin>
/** Who called, as authenticated. */
export type Caller = z.infer<typeof caller>

/** Whether this version understands the matter of a kind. */
export const isKnownKind = (kind: Kind): kind is Kind & KnownKind => kind in matters
