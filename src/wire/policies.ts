// What is sent and answered about policies: registering, activating, retiring, reading.
import { z } from 'zod'
import { isUuid } from '../base/uuid.ts'
import { policyScopeSchema } from '../dossier/policy-events.ts'
import { dialects, type DialectName } from '../policy/dialect.ts'

// Not `z.uuid`: an action's id is of no version.
const actionId = z.string().refine(isUuid, 'Id of an action expected')
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const dialect = z.enum(Object.keys(dialects) as DialectName[])

/** A bundle that wants to be registered: as a JSON value, or as the text of its author, in which no number is ever rounded. */
export const policyRequestSchema = z
  .strictObject({
    bundle: z.looseObject({}).optional(),
    /** JSON or YAML. */
    source: z.string().min(1).max(1_048_576).optional(),
    /** Of a bundle that names none itself. */
    dialect: dialect.optional(),
  })
  .refine(({ bundle, source }) => (bundle === undefined) !== (source === undefined), {
    message: 'Either bundle or source expected',
  })
  .meta({ id: 'PolicyRequest' })

/** How a bundle is to decide. */
export const policyActivationSchema = z
  .strictObject({
    /** On which requests; everywhere when absent. */
    scope: policyScopeSchema.optional(),
    /** Said when it is older than one of its id that was active before. */
    rollback: z.boolean().optional(),
    /** The approved action that allows it, where that takes two keys. */
    action: actionId.optional(),
  })
  .meta({ id: 'PolicyActivation' })

/** How a bundle is to decide. */
export type PolicyActivation = z.infer<typeof policyActivationSchema>

/** Why a bundle is to decide no more. */
export const policyRetirementSchema = z
  .strictObject({ reason: z.string().min(1).max(2048), action: actionId.optional() })
  .meta({ id: 'PolicyRetirement' })

/** Why a bundle is to decide no more. */
export type PolicyRetirement = z.infer<typeof policyRetirementSchema>

/** A registered bundle and how it stands. */
export const policyViewSchema = z
  .strictObject({
    id: z.string(),
    version: z.string(),
    /** Of its record; by it decisions cite the bundle. */
    sha256: hex32,
    /** Of the entry that registered it. */
    index: z.int(),
    state: z.enum(['registered', 'active', 'replaced', 'retired']),
    /** ms since 1970, by the clock of the log. */
    since: z.int(),
    registeredAt: z.int(),
    /** Of its last activation, or null. */
    scope: policyScopeSchema.nullable(),
  })
  .meta({ id: 'PolicyView' })

/** A registered bundle and how it stands. */
export type PolicyView = z.infer<typeof policyViewSchema>

/** All bundles of a tenant, in the order of their registration. */
export const policyListSchema = z
  .strictObject({ policies: z.array(policyViewSchema) })
  .meta({ id: 'PolicyList' })

/** A bundle with what it says. */
export const policyRecordSchema = z
  .strictObject({
    policy: policyViewSchema,
    /** Dialect and bundle, canonical JSON of which `sha256` is the digest. */
    record: z.looseObject({}),
  })
  .meta({ id: 'PolicyRecord' })
