// What can be done with two keys alone once a log is under dual control: each effect by its name, with everything that decides what it does, so that
// who signs knows what he signs, and nothing else can be done by his signature.
import { z } from 'zod'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { isUuid } from '../base/uuid.ts'
import { sha256 } from '../crypto/hash.ts'
import { firstIssue } from './statement.ts'

const uuid = z.string().refine(isUuid, 'UUID in lower case expected')
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const reason = z.string().min(1).max(2048)

/** A signing key, by its id and as people call it. */
const keyFields = {
  key: uuid,
  purpose: z.enum(['evidence', 'fast', 'log', 'bundle']),
  version: z.int().min(1),
}

/** The effects by name. What they say of the present keeps an approval from being used in another one. */
const effectSchema = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('keys.revoke'),
    ...keyFields,
    /** First position at which it counts no more; null is the entry's own. */
    from: z.int().min(0).nullable(),
    reason: reason.nullable(),
  }),
  z.strictObject({ action: z.literal('keys.destroy'), ...keyFields }),
  z.strictObject({
    action: z.literal('keys.migrate'),
    to: z.enum(['kms', 'hsm', 'environment']),
    keep: z.boolean(),
    /** Version of the master key that is given slots. */
    master: z.int().min(1),
  }),
  z.strictObject({
    action: z.literal('keys.rotate-master'),
    dropBreakGlass: z.boolean(),
    /** Version of the master key that is replaced. */
    master: z.int().min(1),
  }),
  z.strictObject({ action: z.literal('erase'), decision: uuid, reason }),
  z.strictObject({ action: z.literal('tenant.close'), reason }),
  /** Ends dual control of the log. */
  z.strictObject({ action: z.literal('control.none'), reason }),
  z.strictObject({
    action: z.literal('policy.activate'),
    /** Hex SHA-256 of the bundle's bytes. */
    bundle: hex32,
    /** Where it is to decide, as the entry that activates it says it. */
    scope: z.looseObject({}),
    /** There where it goes back to a bundle older than one that was active. */
    rollback: z.literal(true).optional(),
  }),
  // What denied may allow once it is gone.
  z.strictObject({ action: z.literal('policy.retire'), bundle: hex32, reason }),
])

/** Something that takes two keys. */
export type ActionEffect = Readonly<z.infer<typeof effectSchema>>

/** The effect of parsed JSON, or why it is none that takes two keys. */
export function readEffect(value: unknown): ActionEffect | string {
  const parsed = effectSchema.safeParse(value)
  return parsed.success ? parsed.data : `Not an effect: ${firstIssue(parsed.error)}`
}

/** Whether two effects are the same in everything. */
export const isSameEffect = (a: ActionEffect, b: ActionEffect): boolean =>
  canonicalize(a) === canonicalize(b)

/** The member in which two effects differ first; undefined when they do not. */
export function effectDifference(a: ActionEffect, b: ActionEffect): string | undefined {
  const [ours, theirs] = [Object.entries(a), new Map(Object.entries(b))]
  const other = ours.find(
    ([name, value]) => !theirs.has(name) || canonicalize(value) !== canonicalize(theirs.get(name)),
  )
  return other?.[0] ?? (theirs.size === ours.length ? undefined : 'members')
}

/** The id of an action: a UUID of the first 16 bytes of its request's nonce (64 hex digits), so that a request has one stream only. */
export const actionIdOf = (nonce: string): string =>
  [
    nonce.slice(0, 8),
    nonce.slice(8, 12),
    nonce.slice(12, 16),
    nonce.slice(16, 20),
    nonce.slice(20, 32),
  ].join('-')

/** Hex SHA-256 of a request's text: by it an entry names what allowed it. */
export const challengeDigest = (text: string): string => encodeHex(sha256(utf8(text)))
