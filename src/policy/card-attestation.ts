// A buyer's Ed25519 attestation of a Decision Card (hash-attestation v2): the signature is over the hash of the card's canonical JSON and over what
// is said about it. A key comes from outside: the one that the attestation names is only compared with it.
import { z } from 'zod'
import { decodeBase64 } from '../base/base64.ts'
import { concat, encodeHex, utf8 } from '../base/bytes.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { ed25519 } from '../crypto/ed25519.ts'
import { sha256 } from '../crypto/hash.ts'
import { parseInstant } from './instant.ts'

const attestationSchema = z.strictObject({
  algorithm: z.literal('ed25519'),
  hash_profile: z.literal('jcs-rfc8785-v1'),
  signed_hash: z.string().regex(/^sha256:[0-9a-f]{64}$/),
  signature: z.string().length(88),
  key_url: z.string().min(1).max(512),
  signed_at: z.string().min(20).max(40),
})

/** The key that the operator has for a buyer. */
export interface BuyerKey {
  readonly buyer: string
  readonly keyUrl: string
  /** Raw Ed25519 key, 32 bytes. */
  readonly publicKey: Uint8Array
}

// The label of the foreign format, in front of what is signed.
const label = utf8('hash-attestation/v2\0')
/** How far the buyer's clock may be ahead. */
const toleranceMs = 300_000

/** The bytes that a buyer signs, of the attestation without its signature. */
export const attestedBytes = (fields: Readonly<Record<string, string>>): Uint8Array =>
  concat(label, canonicalBytes(fields))

function verify(card: unknown, attestation: unknown, key: BuyerKey, now: number): string | number {
  const parsed = attestationSchema.safeParse(attestation)
  if (!parsed.success) return 'Attestation is not of the form'
  const { signature, ...fields } = parsed.data
  if (fields.key_url !== key.keyUrl) return 'Attestation names another key'
  const signedAt = parseInstant(fields.signed_at)
  if (signedAt === undefined) return 'Attestation has no time'
  if (!(signedAt <= now + toleranceMs)) return 'Attestation is dated in the future'
  if (fields.signed_hash !== `sha256:${encodeHex(sha256(canonicalBytes(card)))}`)
    return 'Attestation is of another card'
  const bytes = decodeBase64(signature)
  if (bytes === undefined || !ed25519.verify(key.publicKey, attestedBytes(fields), bytes))
    return 'Signature of the attestation is not good'
  return signedAt
}

/** When the buyer signed this card (ms since 1970), or why nobody can say so; never throws, whatever is given. */
export function verifyAttestation(
  card: unknown,
  attestation: unknown,
  key: BuyerKey,
  now: number,
): number | string {
  try {
    return verify(card, attestation, key, now)
  } catch {
    return 'Card has no canonical form'
  }
}
