// What is told of webhooks. What they are told is in `announcement`, signed as Standard Webhooks 1.0 has it.
import { z } from 'zod'

/** What can be announced: a family, a dot, and what happened in it. */
const announcementKinds = Object.freeze([
  'override.opened',
  'override.signed',
  'override.rejected',
  'override.revoked',
  'override.expired',
  'override.executed',
  'escalation.opened',
  'escalation.approved',
  'escalation.rejected',
  'escalation.timed-out',
  'action.opened',
  'action.signed',
  'action.rejected',
  'action.revoked',
  'action.expired',
  'action.executed',
  'policy.registered',
  'policy.activated',
  'policy.retired',
  'webhook.test',
] as const)

/** One of them. */
export type AnnouncementKind = (typeof announcementKinds)[number]

/** The bytes of a secret by which announcements are signed. */
export const webhookSecretBytes = Object.freeze({ least: 24, made: 32, most: 64 })

const families = [...new Set(announcementKinds.map((kind) => kind.replace(/\..*$/, '.*')))]

/** What a webhook may ask for: kinds, whole families (`override.*`), or everything (`*`). */
export const webhookKinds: readonly string[] = Object.freeze([
  '*',
  ...families,
  ...announcementKinds,
])

/** Bounds of webhooks. */
export const webhookLimits = Object.freeze({
  /** Webhooks of one tenant. */
  hooks: 16,
  /** UTF-16 code units. */
  url: 2048,
})

/** A webhook that is to be told. */
export const webhookRequestSchema = z
  .strictObject({
    /** With https; http and private addresses only where the server was told to allow them. */
    url: z.string().min(1).max(webhookLimits.url),
    /** Everything unless given. */
    kinds: z
      .array(z.string().refine((kind) => webhookKinds.includes(kind), 'Unknown kind of event'))
      .min(1)
      .max(webhookKinds.length)
      .optional(),
    /** `whsec_` and base64 of 24 to 64 bytes; made and told once unless given. */
    secret: z.string().max(128).optional(),
    description: z.string().max(256).optional(),
  })
  .meta({ id: 'WebhookRequest' })

/** A webhook that is to be told. */
export type WebhookRequest = z.infer<typeof webhookRequestSchema>

/** A webhook as version 1 keeps it: what its secret is sealed to, and the sealed secret. */
export const storedWebhookSchema = z.strictObject({
  v: z.literal(1),
  id: z.string(),
  url: z.string(),
  kinds: z.array(z.string()),
  description: z.string(),
  createdAt: z.int(),
  /** Base64. */
  sealed: z.string(),
})

/** A webhook without its secret. */
export const webhookSchema = z
  .strictObject({
    id: z.string(),
    url: z.string(),
    kinds: z.array(z.string()),
    description: z.string(),
    createdAt: z.int(),
  })
  .meta({ id: 'Webhook' })

/** A webhook without its secret. */
export type WebhookView = z.infer<typeof webhookSchema>

/** A new webhook, and its secret where it was made here: told once. */
export const webhookCreatedSchema = z
  .strictObject({ webhook: webhookSchema, secret: z.string().nullable() })
  .meta({ id: 'WebhookCreated' })

/** A new webhook, and its secret where it was made here. */
export type WebhookCreated = z.infer<typeof webhookCreatedSchema>

/** An announcement that waits to be sent, to try a webhook out. */
export const webhookTestedSchema = z
  .strictObject({ webhook: z.string(), index: z.int() })
  .meta({ id: 'WebhookTested' })

/** An announcement that was given up. */
export const deadDeliverySchema = z
  .strictObject({
    id: z.int(),
    webhook: z.string(),
    event: z.string(),
    kind: z.string(),
    attempts: z.int(),
    /** What became of the last attempt. */
    last: z.string().nullable(),
  })
  .meta({ id: 'DeadDelivery' })

/** All webhooks of a tenant, what waits for them, and what was given up. */
export const webhookListSchema = z
  .strictObject({
    webhooks: z.array(webhookSchema),
    waiting: z.int(),
    dead: z.int(),
    /** The first hundred. */
    deadDeliveries: z.array(deadDeliverySchema),
  })
  .meta({ id: 'WebhookList' })

/** All webhooks of a tenant, what waits for them, and what was given up. */
export type WebhookListView = z.infer<typeof webhookListSchema>
