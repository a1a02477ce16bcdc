// The trust root, version 1: the public file by which anybody verifies. Keys count by position, never by date: an entry at index i under a key
// counts when from ≤ i < to and i < revokedAt; a checkpoint likewise by its tree size.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { isUuid } from '../base/uuid.ts'
import { sha256 } from '../crypto/hash.ts'
import { kinds } from './kinds.ts'
import { endorsementSchema, mostEndorsements, rosterSchema } from './roster.ts'
import { firstIssue } from './statement.ts'

const position = z.int().min(0)
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)
const root32 = z
  .string()
  .refine((text) => decodeBase64(text)?.length === 32, '32 bytes in base64 expected')
const treeHead = z.strictObject({ size: position, root: root32 })

/** How many keys and rosters a section may name; a log key has two verifier keys. */
export const trustedKeys = Object.freeze({ controls: 64, logKeys: 256, keys: 1024, rosters: 256 })

const logKey = z.strictObject({
  vkey: z.string().max(8192),
  /** Tree sizes from which and up to which (exclusive) its checkpoints count. */
  from: position,
  to: position.nullable(),
  revokedAt: position.nullable(),
  /** The last tree head it signed; set when it stops. */
  final: treeHead.nullable(),
})

const signingKey = z.strictObject({
  keyid: hex32,
  algorithm: z.enum(['id-MLDSA65-Ed25519-SHA512', 'Ed25519']),
  publicKey: z
    .string()
    .refine((text) => decodeBase64(text) !== undefined, 'Standard padded base64 expected'),
  kinds: z.array(z.enum(kinds)).min(1),
  profile: z.enum(['each', 'checkpoint']),
  from: position,
  to: position.nullable(),
  revokedAt: position.nullable(),
})

const rosterVersion = z.strictObject({
  /** Leaf index from which it counts: that of its entry. */
  from: position,
  /** Leaf time of its entry, ms since 1970. */
  time: position,
  /** Leaf time of the entry by which recovery keys asked for it; null where leads brought it. */
  askedAt: position.nullable(),
  roster: rosterSchema,
  endorsements: z.array(endorsementSchema).min(1).max(mostEndorsements),
})

const controlPeriod = z.strictObject({
  /** Leaf index of the entry that began it; it holds behind that. */
  from: position,
  /** Leaf index of the entry by which two leads ended it; null where it goes on. */
  to: position.nullable(),
})

const originSection = z.strictObject({
  origin: z.string().min(1).max(255),
  instance: z.string().refine(isUuid, 'UUID in lower case expected'),
  tenant: z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/),
  /** The tree head up to which this file knows every key. */
  asOf: treeHead,
  logKeys: z.array(logKey).min(1).max(trustedKeys.logKeys),
  keys: z.array(signingKey).min(1).max(trustedKeys.keys),
  /** Every version of the roster, the first first. */
  rosters: z.array(rosterVersion).max(trustedKeys.rosters),
  /** Witness, group and quorum lines of a C2SP tlog-policy. */
  witnesses: z.string().max(262_144),
  /** When the log was under dual control, the first time first; absent where it never was. */
  control: z.array(controlPeriod).min(1).max(trustedKeys.controls).optional(),
})

const schema = z.strictObject({
  v: z.literal(1),
  version: z.int().min(1),
  /** Hex SHA-256 of the version before; null at version 1. */
  previous: hex32.nullable(),
  dev: z.boolean(),
  origins: z.array(originSection).min(1).max(64),
})

/** A parsed trust root. */
export type TrustRoot = z.infer<typeof schema>
/** What a trust root says of one log. */
export type OriginSection = z.infer<typeof originSection>
/** A key that signs checkpoints. */
export type TrustedLogKey = z.infer<typeof logKey>
/** A key that signs entries. */
export type TrustedSigningKey = z.infer<typeof signingKey>
/** A version of the roster, and by what right it counts. */
export type TrustedRoster = z.infer<typeof rosterVersion>
/** A time under dual control. */
export type ControlPeriod = z.infer<typeof controlPeriod>
/** Size and root of a tree. */
export type TreeHead = z.infer<typeof treeHead>

/** The bytes of a trust root file. */
export const formatTrustRoot = (trustRoot: TrustRoot): Uint8Array => canonicalBytes(trustRoot)

/** The name of a trust root file: lower-case hex SHA-256 of its bytes. */
export const fingerprint = (file: Uint8Array): string => encodeHex(sha256(file))

/** The trust root of a file's bytes, or the reason why it is none. */
export function parseTrustRoot(file: Uint8Array): TrustRoot | string {
  if (file.length > limits.trustRootBytes)
    return `Trust root is larger than ${limits.trustRootBytes} bytes`
  try {
    const parsed = schema.safeParse(parseCanonical(file))
    if (!parsed.success) return `Not a v1 trust root: ${firstIssue(parsed.error)}`
    return inconsistency(parsed.data) ?? parsed.data
  } catch (error) {
    return `Trust root: ${asFailure(error).message}`
  }
}

function inconsistency(root: TrustRoot): string | undefined {
  if ((root.version === 1) !== (root.previous === null))
    return 'Trust root version 1 has no previous, every later one has'
  if (new Set(root.origins.map(({ origin }) => origin)).size !== root.origins.length)
    return 'Trust root names an origin twice'
  for (const { control, keys, logKeys, origin } of root.origins) {
    if (control?.some((period, i) => !mayFollow(period, control[i - 1])) === true)
      return `Trust root names times of dual control that do not follow each other: ${origin}`
    if (new Set(keys.map(({ keyid }) => keyid)).size !== keys.length)
      return `Trust root names a key twice: ${origin}`
    if (new Set(logKeys.map(({ vkey }) => vkey)).size !== logKeys.length)
      return `Trust root names a log key twice: ${origin}`
  }
  return undefined
}

/** Whether a time of dual control stands behind the one before, which has ended. */
const mayFollow = ({ from, to }: ControlPeriod, before: ControlPeriod | undefined): boolean =>
  (to === null || to > from) && (before === undefined || (before.to !== null && before.to < from))

/** How a position stands to a key's validity. */
export type Standing = 'valid' | 'early' | 'late' | 'revoked'

/** Whether a key counts at a position; `revoked` means it counted when the position was made. */
export function standingAt(
  key: { readonly from: number; readonly to: number | null; readonly revokedAt: number | null },
  at: number,
): Standing {
  if (at < key.from) return 'early'
  if (key.to !== null && at >= key.to) return 'late'
  return key.revokedAt !== null && at >= key.revokedAt ? 'revoked' : 'valid'
}
