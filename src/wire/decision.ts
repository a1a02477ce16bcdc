// The HTTP contract, shared by server and client: what is sent and what comes back, as schemas. Nothing here decides or verifies.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseStrictJson } from '../base/strict-json.ts'
import { escalationLimits } from '../dossier/escalation-events.ts'
import {
  gateSchema,
  intentSchema,
  linksSchema,
  obligationSchema,
  policySchema,
  reasonSchema,
  statuses,
} from '../dossier/matters.ts'
import { obligationTypes } from '../policy/obligations.ts'
import { overrideViewSchema } from './overrides.ts'

/** What an API key may be allowed to do. */
export const scopes = Object.freeze([
  'decisions:submit',
  'decisions:evaluate',
  'decisions:read',
  'decisions:claim',
  'decisions:erase',
  'log:read',
  'apikeys:manage',
  'keys:manage',
  'overrides:request',
  'overrides:sign',
  'escalations:decide',
  'roster:manage',
  'actions:request',
  'actions:sign',
  'policies:manage',
  'webhooks:manage',
] as const)

/** One of the scopes. */
export type Scope = (typeof scopes)[number]

/** Name of a request that is sent at most once: visible ASCII, because it travels in the header `Idempotency-Key` too. */
export const idempotencyKeySchema = z
  .string()
  .regex(/^[\x21-\x7e]{1,255}$/, '1 to 255 visible ASCII characters expected')

/** A finished decision that wants to be notarised. */
export const decisionRequestSchema = z
  .strictObject({
    intent: intentSchema,
    status: z.enum(statuses),
    reasons: z.array(reasonSchema).max(64).optional(),
    obligations: z.array(obligationSchema).max(64).optional(),
    confidence: z.number().min(0).max(1).optional(),
    // The index of a policy entry is for the log to say, not for the caller.
    policies: z
      .array(policySchema.omit({ index: true }))
      .max(256)
      .optional(),
    gates: z.array(gateSchema).max(64).optional(),
    trace: z.unknown().optional(),
    overridable: z.boolean().optional(),
    maxUses: z.int().min(1).max(limits.executions).optional(),
    mode: z.enum(['enforce', 'shadow']).optional(),
    idempotencyKey: idempotencyKeySchema.optional(),
    links: linksSchema.optional(),
    /** How long a reviewer may take where it is held for one, 60 unless said. No part of what an idempotency key stands for. */
    decideWithinSeconds: z
      .int()
      .min(escalationLimits.least / 1000)
      .max(escalationLimits.most / 1000)
      .optional(),
  })
  .meta({ id: 'DecisionRequest' })

/** A finished decision that wants to be notarised. */
export type DecisionRequest = z.infer<typeof decisionRequestSchema>

/** An intent that is to be decided on by the policies of the tenant. */
export const evaluationRequestSchema = z
  .strictObject({
    intent: intentSchema,
    /** `shadow` decides and logs, and never blocks; `dry_run` decides and leaves no trace. */
    mode: z.enum(['enforce', 'shadow', 'dry_run']).optional(),
    maxUses: z.int().min(1).max(limits.executions).optional(),
    /** Obligations that whoever asks can carry out; all unless said. */
    supports: z.array(z.enum(obligationTypes)).max(obligationTypes.length).optional(),
    idempotencyKey: idempotencyKeySchema.optional(),
    links: linksSchema.optional(),
    decideWithinSeconds: decisionRequestSchema.shape.decideWithinSeconds,
  })
  .meta({ id: 'EvaluationRequest' })

/** An intent that is to be decided on. */
export type EvaluationRequest = z.infer<typeof evaluationRequestSchema>

/** A decision to notarise, or an intent to decide on, which is what has no status. */
export const decisionBodySchema = z
  .union([decisionRequestSchema, evaluationRequestSchema])
  .meta({ id: 'DecisionBody' })

/** Whether a decision was made by whoever sends it. */
export const isFinished = (
  request: DecisionRequest | EvaluationRequest,
): request is DecisionRequest => 'status' in request

const base64 = z.string().meta({ description: 'Standard padded base64' })

/** A DSSE envelope with one signature. */
export const envelopeSchema = z
  .strictObject({
    payload: base64,
    payloadType: z.literal('application/vnd.in-toto+json'),
    signatures: z.tuple([z.strictObject({ keyid: z.string(), sig: base64 })]),
  })
  .meta({ id: 'Envelope', description: 'DSSE envelope of an in-toto statement' })

/** A notarised entry with everything that proves it. */
export const notarisedSchema = z
  .strictObject({
    id: z.string(),
    status: z.enum(statuses),
    /** Leaf time, ms since 1970. */
    time: z.int(),
    index: z.int(),
    envelope: envelopeSchema.nullable(),
    leaf: base64,
    proof: z.array(base64),
    checkpoint: z.string(),
    dossierUrl: z.string(),
    /** Of a decision that was made here, and so are the next three. */
    mode: z.enum(['enforce', 'shadow']).optional(),
    /** Whether the caller may go on now: it is an ALLOW, or only a shadow. */
    proceed: z.boolean().optional(),
    reasons: z.array(reasonSchema).optional(),
    obligations: z.array(obligationSchema).optional(),
    replayed: z.boolean(),
  })
  .meta({ id: 'Notarised' })

/** A notarised entry with everything that proves it. */
export type Notarised = z.infer<typeof notarisedSchema>

/** What a decision would be; nothing of it is kept. */
export const dryRunSchema = z
  .strictObject({
    dryRun: z.literal(true),
    status: z.enum(statuses),
    reasons: z.array(reasonSchema),
    obligations: z.array(obligationSchema),
    confidence: z.number().nullable(),
    overridable: z.boolean(),
    policies: z.array(policySchema),
    gates: z.array(gateSchema),
    trace: z.unknown(),
  })
  .meta({ id: 'DryRun' })

/** What a decision would be. */
export type DryRun = z.infer<typeof dryRunSchema>

/** What was notarised, or would be. */
export const decisionAnswerSchema = z
  .union([notarisedSchema, dryRunSchema])
  .meta({ id: 'DecisionAnswer' })

/** Body of a claim. */
export const claimRequestSchema = z
  .strictObject({ note: z.string().max(512).optional() })
  .meta({ id: 'ClaimRequest' })

/** Body of a claim. */
export type ClaimRequest = z.infer<typeof claimRequestSchema>

/** The entry by which a decision was claimed. */
export const claimedSchema = z
  .strictObject({
    id: z.string(),
    /** The how-manieth use this is, from 1. */
    use: z.int(),
    maxUses: z.int().nullable(),
    index: z.int(),
    time: z.int(),
    envelope: envelopeSchema,
    leaf: base64,
    proof: z.array(base64),
    checkpoint: z.string(),
    dossierUrl: z.string(),
  })
  .meta({ id: 'Claimed' })

/** The entry by which a decision was claimed. */
export type Claimed = z.infer<typeof claimedSchema>

/** Body of an erasure. */
export const eraseRequestSchema = z
  .strictObject({ reason: z.string().min(1).max(2048) })
  .meta({ id: 'EraseRequest' })

/** The entry by which a decision's payloads were erased. */
export const erasedSchema = z
  .strictObject({ id: z.string(), index: z.int() })
  .meta({ id: 'Erased' })

/** What a decision is now, and by what; all null when erased. */
const inForce = {
  /** The status in force, which an override or an escalation may have made another. */
  inForce: z.string().nullable(),
  by: z.enum(['decision', 'override', 'escalation']).nullable(),
  /** State of the newest request to overrule it; null where there is none. */
  override: z.string().nullable(),
  /** State of its escalation; null where there is none. */
  escalation: z.string().nullable(),
}

/** What can be told of one decision. */
export const decisionViewSchema = z
  .strictObject({
    id: z.string(),
    /** As it was made; null when erased. */
    status: z.string().nullable(),
    ...inForce,
    erased: z.boolean(),
    index: z.int(),
    time: z.int(),
    executions: z.int(),
    dossierUrl: z.string(),
    /** What was signed, or null when erased. */
    decision: z.looseObject({}).nullable(),
  })
  .meta({ id: 'DecisionView' })

/** Which decisions to list. */
export const listQuerySchema = z.strictObject({
  /** As it was made. */
  status: z.enum(statuses).exactOptional(),
  /** As it is now, and by what. */
  inForce: z.enum(statuses).exactOptional(),
  by: z.enum(['decision', 'override', 'escalation']).exactOptional(),
  /** State of the newest request to overrule it, or `open`. */
  override: z.enum(['open', ...overrideViewSchema.shape.status.options]).exactOptional(),
  /** State of its escalation; `open` while it waits. */
  escalation: z.enum(['open', 'approved', 'rejected', 'timed-out']).exactOptional(),
  actor: z.string().min(1).max(256).exactOptional(),
  action: z.string().min(1).max(256).exactOptional(),
  /** Leaf time, ms since 1970, from which and before which. */
  since: z.int().min(0).exactOptional(),
  until: z.int().min(0).exactOptional(),
  cursor: z.string().min(1).max(256).exactOptional(),
  limit: z.int().min(1).max(200).exactOptional(),
})

/** Which trust root to read. */
export const trustRootQuerySchema = z.strictObject({ version: z.int().min(1).exactOptional() })

/** One row of a list; what was erased is null. */
export const decisionRowSchema = z
  .strictObject({
    id: z.string(),
    index: z.int(),
    time: z.int(),
    status: z.string().nullable(),
    ...inForce,
    actor: z.string().nullable(),
    action: z.string().nullable(),
    erased: z.boolean(),
  })
  .meta({ id: 'DecisionRow' })

/** A page of a list, newest first. */
export const decisionPageSchema = z
  .strictObject({
    decisions: z.array(decisionRowSchema),
    /** Where the next page begins, or null. */
    cursor: z.string().nullable(),
  })
  .meta({ id: 'DecisionPage' })

/** A page of a list, newest first. */
export type DecisionPage = z.infer<typeof decisionPageSchema>

/** An API key without its secret. */
export const apiKeySchema = z
  .strictObject({
    id: z.string(),
    owner: z.string(),
    scopes: z.array(z.enum(scopes)),
    createdAt: z.int(),
    revokedAt: z.int().nullable(),
    /** What it is bound to, as it was asked for; both are left out where it is bound to nothing. */
    policies: z.array(z.string()).optional(),
    environment: z.string().nullable().optional(),
  })
  .meta({ id: 'ApiKey' })

/** An API key without its secret. */
export type ApiKeyView = z.infer<typeof apiKeySchema>

/** What a new API key is for. */
export const apiKeyRequestSchema = z
  .strictObject({
    owner: z.string().min(1).max(256),
    scopes: z.array(z.enum(scopes)).min(1),
    /** Policies that decide on all that is asked with it, beside those that decide anyhow: `id`, `id@version` or `sha256:DIGEST`. */
    policies: z.array(z.string().min(1).max(256)).max(64).optional(),
    /** Where it is used; stands over what requests say. */
    environment: z.string().min(1).max(256).optional(),
  })
  .meta({ id: 'ApiKeyRequest' })

/** A new API key and its token, which is told once. */
export const apiKeyCreatedSchema = z
  .strictObject({ apiKey: apiKeySchema, token: z.string() })
  .meta({ id: 'ApiKeyCreated' })

/** All API keys of a tenant. */
export const apiKeyListSchema = z
  .strictObject({ apiKeys: z.array(apiKeySchema) })
  .meta({ id: 'ApiKeyList' })

/** RFC 9457 problem details. */
export const problemSchema = z
  .strictObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string(),
    retryable: z.boolean(),
    field: z.string().optional(),
    requestId: z.string().optional(),
  })
  .meta({ id: 'Problem' })

/** RFC 9457 problem details. */
export type Problem = z.infer<typeof problemSchema>

// A stranger's names may be as long as the body; what names them need not be.
const maxFieldLength = 256
const maxMessageLength = 512

/**
 * A value that fits a schema.
 * @throws {@link Failure} INPUT_INVALID naming the field
 */
export function parseValue<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const issue = parsed.error.issues[0]
  const keys = issue?.code === 'unrecognized_keys' ? issue.keys.slice(0, 1) : []
  const path = `/${[...(issue?.path ?? []), ...keys].join('/')}`
  const field = path.slice(0, maxFieldLength)
  const message = `${field}: ${issue?.message ?? 'does not fit'}`.slice(0, maxMessageLength)
  throw new Failure('INPUT_INVALID', message, { field })
}

/**
 * A value that fits a schema, from JSON text of a stranger.
 * @throws {@link Failure} INPUT_MALFORMED, INPUT_INVALID naming the field
 */
export const parseBody = <T>(schema: z.ZodType<T>, text: string): T =>
  parseValue(schema, parseStrictJson(text))

/** The schemas of what comes most, compiled when the first comes: what fits is taken in a quarter of the time, and what does not goes the usual way. */
let compiled:
  | {
      readonly finished: typeof decisionRequestSchema
      readonly intent: typeof evaluationRequestSchema
    }
  | undefined

/** As {@link parseBody}, of a decision to notarise or an intent to decide on. */
export function parseDecisionRequest(text: string): DecisionRequest | EvaluationRequest {
  const value = parseStrictJson(text)
  compiled ??= {
    finished: z.compile(decisionRequestSchema),
    intent: z.compile(evaluationRequestSchema),
  }
  const isIntent = typeof value === 'object' && value !== null && !('status' in value)
  return isIntent ? parseValue(compiled.intent, value) : parseValue(compiled.finished, value)
}
