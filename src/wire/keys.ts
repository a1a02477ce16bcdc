// What can be asked of the keys of a log, and what is told of them: one shape for the HTTP edge, the command line and the service behind both.
import { z } from 'zod'
import { uuidSchema } from './uuid.ts'

const count = z.int().min(0)

/** The providers that a master key can be moved to. */
export const migrationTargets = Object.freeze(['kms', 'hsm', 'environment'] as const)

/** Something that is to be done to the keys of a log. */
export const keyOrderSchema = z
  .discriminatedUnion('order', [
    /** A new key of a purpose takes the place of the active one; of `bundle` it may be the first. */
    z.strictObject({
      order: z.literal('rotate'),
      purpose: z.enum(['evidence', 'fast', 'log', 'bundle']),
    }),
    /** A new master key, to which every signing key is sealed again; a break-glass slot is lost by it, and only where that is said. */
    z.strictObject({
      order: z.literal('rotate-master'),
      dropBreakGlass: z.boolean().optional(),
    }),
    /** Every slot is made again under the present version of its provider's key. */
    z.strictObject({ order: z.literal('rewrap') }),
    /** The master key gets a slot of this provider; the others are dropped unless they are to be kept. */
    z.strictObject({
      order: z.literal('migrate'),
      to: z.enum(migrationTargets),
      keep: z.boolean().optional(),
    }),
    /** A key counts no more from a position on: its own entry's, or an earlier one. */
    z.strictObject({
      order: z.literal('revoke'),
      keyId: uuidSchema,
      from: count.optional(),
      reason: z.string().min(1).max(2048).optional(),
    }),
    /** The private half of a key that signs no more is deleted. */
    z.strictObject({ order: z.literal('destroy'), keyId: uuidSchema }),
    /** A key that was made while the master key was sealed is taken in, by the hex SHA-256 of its sealed record. */
    z.strictObject({ order: z.literal('admit'), fingerprint: z.string().regex(/^[0-9a-f]{64}$/) }),
  ])
  .meta({ id: 'KeyOrder' })

/** Something that is to be done to the keys of a log. */
export type KeyOrder = z.infer<typeof keyOrderSchema>

/** One entry of the log that an order made. */
const keyStepSchema = z.strictObject({
  /** As the entry says it: `prepared`, `activated`, … or `published` for a trust root. */
  event: z.string(),
  purpose: z.string(),
  version: z.int(),
  keyId: z.string(),
  index: count,
})

/** What became of an order. */
export const keyOrderDoneSchema = z
  .strictObject({
    tenant: z.string(),
    order: z.string(),
    steps: z.array(keyStepSchema),
    /** What whoever ordered it must know or do next, a sentence each. */
    notes: z.array(z.string()),
  })
  .meta({ id: 'KeyOrderDone' })

/** One entry of the log that an order made. */
export type KeyStep = z.infer<typeof keyStepSchema>
/** What became of an order. */
export type KeyOrderDone = z.infer<typeof keyOrderDoneSchema>

const position = count.nullable()

/** A key as it is told. */
export const keyViewSchema = z
  .strictObject({
    purpose: z.string(),
    version: z.int(),
    state: z.string(),
    algorithm: z.string(),
    keyId: z.string(),
    keyid: z.string().nullable(),
    from: position,
    to: position,
    revokedAt: position,
    createdAt: count,
    /** Time of the entry from which it counts, ms since 1970; null while there is none. */
    since: count.nullable(),
  })
  .meta({ id: 'Key' })

/** The master key as it is told: what the slots open, and what every signing key is sealed to. */
export const masterViewSchema = z
  .strictObject({
    keyId: z.string(),
    version: z.int(),
    algorithm: z.string(),
    createdAt: count,
  })
  .meta({ id: 'MasterKey' })

/** A slot of the master key as it is told: any one of them opens it. */
export const slotViewSchema = z
  .strictObject({
    id: z.string(),
    provider: z.string(),
    kekId: z.string(),
    mechanism: z.string(),
  })
  .meta({ id: 'Slot' })

/** How it stands with a key provider. */
export const kekHealthSchema = z
  .strictObject({
    provider: z.string(),
    kekId: z.string(),
    /** `tampered`: the provider works and a slot that it made does not open. */
    state: z.enum(['healthy', 'failing', 'tampered', 'unknown']),
    /** What it failed with, of the failure table; null when healthy or unknown. */
    code: z.string().nullable(),
    /** One sentence for people. */
    message: z.string(),
    /** When it was last asked, ms since 1970; null when never. */
    checkedAt: count.nullable(),
    /** Since when it is in this state. */
    since: count.nullable(),
  })
  .meta({ id: 'KekHealth' })

/** How it stands with the keys of a log. */
export const keyStatusSchema = z
  .strictObject({
    tenant: z.string(),
    master: masterViewSchema,
    keys: z.array(keyViewSchema),
    slots: z.array(slotViewSchema),
    providers: z.array(kekHealthSchema),
    /** What is unfinished or due, a sentence each. */
    next: z.array(z.string()),
  })
  .meta({ id: 'KeyStatus' })

/** A key as `keys status` and the trust root tell it. */
export type KeyView = z.infer<typeof keyViewSchema>
/** The master key as `keys status` tells it. */
export type MasterView = z.infer<typeof masterViewSchema>
/** A slot of the master key as `keys status` tells it. */
export type SlotView = z.infer<typeof slotViewSchema>
/** How it stands with a key provider. */
export type KekHealth = z.infer<typeof kekHealthSchema>
/** How it stands with the keys of a log. */
export type KeyStatus = z.infer<typeof keyStatusSchema>
