// The in-toto statement that an entry signs. Every predicate repeats its place in the log, so that a payload signed for one place proves nothing
// in another.
import { z } from 'zod'
import {
  CanonicalText,
  canonicalBytes,
  canonicalize,
  parseCanonical,
} from '../base/canonical-json.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { kinds, predicateTypeOf, type Kind } from './kinds.ts'

const statementType = 'https://in-toto.io/Statement/v1'
const hex32 = z.string().regex(/^[0-9a-f]{64}$/)

/** The place of an entry: which log, which stream, which step, after what. */
export interface Place {
  readonly instance: string
  readonly origin: string
  readonly tenant: string
  readonly kind: Kind
  readonly stream: string
  /** Step in the stream, from 0. */
  readonly seq: number
  /** Hex RFC 6962 leaf hash of the stream's previous leaf; null at seq 0. */
  readonly prev: string | null
}

const predicateSchema = z.strictObject({
  salt: z.string().regex(/^[0-9a-f]{32}$/),
  instance: z.string(),
  origin: z.string(),
  tenant: z.string(),
  kind: z.enum(kinds),
  stream: z.string(),
  seq: z.int().min(0),
  prev: hex32.nullable(),
  matter: z.looseObject({}),
})

const statementSchema = z.strictObject({
  _type: z.literal(statementType),
  predicate: predicateSchema,
  predicateType: z.string(),
  subject: z.tuple([
    z.strictObject({ name: z.string(), digest: z.strictObject({ sha256: hex32 }) }),
  ]),
})

/** A parsed statement. */
export type Statement = z.infer<typeof statementSchema>

/** What the subject's digest covers: the salted intent of a decision, the salted matter of anything else. */
function subjectDigest(kind: Kind, salt: string, intentOrMatter: unknown): string {
  const name = kind === 'decision' ? 'intent' : 'matter'
  return encodeHex(sha256(utf8(canonicalize({ [name]: intentOrMatter, salt }))))
}

/**
 * The canonical bytes of a statement, which are its DSSE payload.
 * @param salt 16 random bytes: without them the digests of small intents could be guessed after erasure
 * @throws {@link Failure} INPUT_INVALID when the matter has no canonical form
 */
export function formatStatement(
  place: Place,
  salt: Uint8Array,
  matter: Readonly<Record<string, unknown>>,
): Uint8Array {
  const saltHex = encodeHex(salt)
  let subject: string
  let written: Readonly<Record<string, unknown>> = matter
  if (place.kind === 'decision') {
    // The intent stands in the digest and in the statement: it is canonicalised once and spliced.
    const intent = new CanonicalText(canonicalize(matter['intent']))
    subject = subjectDigest('decision', saltHex, intent)
    written = { ...matter, intent }
  } else subject = subjectDigest(place.kind, saltHex, matter)
  return canonicalBytes({
    _type: statementType,
    predicate: {
      instance: place.instance,
      kind: place.kind,
      matter: written,
      origin: place.origin,
      prev: place.prev,
      salt: saltHex,
      seq: place.seq,
      stream: place.stream,
      tenant: place.tenant,
    },
    predicateType: predicateTypeOf(place.kind),
    subject: [{ digest: { sha256: subject }, name: place.stream }],
  })
}

/** The statement of a payload, or the reason why it is none. Checks form and self-consistency, not the place. */
export function parseStatement(payload: Uint8Array): Statement | string {
  let value: unknown
  try {
    value = parseCanonical(payload)
  } catch (error) {
    return `Payload: ${asFailure(error).message}`
  }
  const parsed = statementSchema.safeParse(value)
  if (!parsed.success) return `Payload is not a v1 statement: ${firstIssue(parsed.error)}`
  const { predicate, predicateType, subject } = parsed.data
  if (predicateType !== predicateTypeOf(predicate.kind))
    return `Predicate type is not that of its kind: ${predicateType}`
  if (subject[0].name !== predicate.stream) return 'Subject is not the stream'
  const covered = predicate.kind === 'decision' ? predicate.matter['intent'] : predicate.matter
  if (covered === undefined) return 'Decision without an intent'
  if (subject[0].digest.sha256 !== subjectDigest(predicate.kind, predicate.salt, covered))
    return 'Subject digest does not match'
  return parsed.data
}

/** The first thing a schema objects to, with its path. */
export function firstIssue(error: z.ZodError): string {
  const issue = error.issues[0]
  return issue === undefined ? 'unknown' : `/${issue.path.join('/')} ${issue.message}`
}
