// What happens to policies, as entries of the stream `policies`: a bundle is registered with everything it says, decides from its activation on, and is
// retired for ever. Versions never change: what is registered once stays what it was.
import { z } from 'zod'

const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const name = z.string().min(1).max(256)
const count = z.int().min(0)
const patterns = z.array(z.string().min(1).max(256)).min(1).max(64)

/** On which requests an active bundle decides, besides what it says itself; nothing is everywhere. */
export const policyScopeSchema = z.strictObject({
  actions: patterns.optional(),
  resources: patterns.optional(),
  environments: patterns.optional(),
  /** `referenced`: only where a request or an API key names it. */
  select: z.enum(['always', 'referenced']).optional(),
})

/** On which requests an active bundle decides. */
export type PolicyScope = z.infer<typeof policyScopeSchema>

/** The bundle of an event, by the hex SHA-256 of its record and the index of the entry that registered it. */
const which = { sha256: hex32, index: count }

/** The events by name, without who made them and when. */
export const policyEvents = Object.freeze({
  registered: z.strictObject({
    event: z.literal('registered'),
    id: name,
    version: name,
    sha256: hex32,
    /** Dialect and bundle, of whose canonical form `sha256` is the digest. */
    record: z.looseObject({ dialect: name, bundle: z.looseObject({}) }),
  }),
  activated: z.strictObject({
    event: z.literal('activated'),
    ...which,
    scope: policyScopeSchema,
    /** The bundle of the same id that decides no more; null where none did. */
    replaces: hex32.nullable(),
    /** Whether it is older than one of its id that was active before. */
    rollback: z.boolean(),
  }),
  retired: z.strictObject({
    event: z.literal('retired'),
    ...which,
    reason: z.string().min(1).max(2048),
  }),
})
