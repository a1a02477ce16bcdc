// A signing key at rest: its seed sealed to the master public key by HPKE (RFC 9180, base mode). Making one needs no private key, which also means
// that it proves nothing about who made it: only the manifest does.
import { z } from 'zod'
import { canonicalBytes } from '../base/canonical-json.ts'
import { equalBytes, utf8 } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { openBase, sealBase } from '../crypto/hpke.ts'
import { labels } from '../crypto/labels.ts'
import { Secret } from '../crypto/secret.ts'
import { xWing } from '../crypto/x-wing.ts'
import { headerBytes, headerSchema, nameOf, publicKeyOf, type Header } from './header.ts'
import { purposes, type SigningPurpose } from './purposes.ts'
import { bytesField, encodeBytes, hashOf, parseRecord, refusal } from './record.ts'

const info = utf8(labels.signingKey)

/** The header of a key that signs. */
export type SigningHeader = Header & { readonly purpose: SigningPurpose }

const schema = z
  .strictObject({
    v: z.literal(1),
    header: headerSchema.refine(
      (header): header is SigningHeader => header.purpose !== 'master',
      'Signing key expected',
    ),
    enc: bytesField(xWing.ciphertextBytes).nullable(),
    ciphertext: bytesField(64 + 16, 16).nullable(),
  })
  .refine(({ enc, ciphertext }) => (enc === null) === (ciphertext === null), 'Half a sealed key')

/** A sealed signing key; both byte strings are null when it was destroyed. */
export type SealedKey = Readonly<z.infer<typeof schema>>

/** The canonical bytes of a sealed signing key. */
export const formatSealedKey = ({ v, header, enc, ciphertext }: SealedKey): Uint8Array =>
  canonicalBytes({
    v,
    header,
    ...(enc === null || ciphertext === null
      ? { enc, ciphertext }
      : encodeBytes({ enc, ciphertext })),
  })

/** What is left of a key whose private half is deleted: its header. */
export const destroySealedKey = ({ v, header }: SealedKey): SealedKey => ({
  v,
  header,
  enc: null,
  ciphertext: null,
})

/**
 * The sealed signing key of its exact bytes.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export const parseSealedKey = (bytes: Uint8Array): SealedKey =>
  parseRecord(schema, bytes, 'Sealed key')

/** Seals the seed of a signing key to a master public key. */
export function sealSigningKey(
  header: SigningHeader,
  seed: Secret,
  masterPublicKey: Uint8Array,
): SealedKey {
  invariant(header.sealedTo === hashOf(masterPublicKey), 'Header names another master key')
  const { enc, ciphertext } = seed.use((bytes) =>
    sealBase(masterPublicKey, info, headerBytes(header), bytes),
  )
  return { v: 1, header, enc, ciphertext }
}

/**
 * The seed of a signing key.
 * @throws {@link Failure} OPEN_FAILED when it is not sealed to this master key under this header, KEY_STORE_REFUSED when the seed is not that of
 * the header's public key
 */
export function openSigningKey({ header, enc, ciphertext }: SealedKey, masterSeed: Secret): Secret {
  const { publicKey, seedBytes } = purposes[header.purpose]
  if (enc === null || ciphertext === null) throw refusal(`Key was destroyed: ${nameOf(header)}`)
  const seed = masterSeed.use(
    (bytes) => new Secret(openBase(bytes, enc, info, headerBytes(header), ciphertext)),
  )
  if (seed.length === seedBytes && equalBytes(seed.use(publicKey), publicKeyOf(header))) return seed
  seed.wipe()
  throw refusal(`Public key is not that of the sealed seed: ${nameOf(header)}`)
}
