// Small secrets of others that lie beside the keys, such as those of webhooks: sealed under a key that only a holder of the master key can make, each
// under a key of its own, bound to what it belongs to. They guard no evidence.
import { concat, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { openAesGcm, sealAesGcm } from '../crypto/aead.ts'
import { hkdfSha256, randomBytes, sha256 } from '../crypto/hash.ts'
import { labels } from '../crypto/labels.ts'
import { Secret } from '../crypto/secret.ts'

const saltBytes = 32
// The key is used once.
const zeroNonce = new Uint8Array(12)

const keyOf = (holder: Secret, salt: Uint8Array, context: Uint8Array): Secret =>
  holder.use((ikm) => {
    const info = concat(utf8(labels.webhook), Uint8Array.of(0), sha256(context))
    return new Secret(hkdfSha256(ikm, salt, info, 32))
  })

/** Salt (32 bytes), ciphertext and tag (16 bytes). */
export function sealBeside(holder: Secret, secret: Secret, context: Uint8Array): Uint8Array {
  const salt = randomBytes(saltBytes)
  using key = keyOf(holder, salt, context)
  return concat(
    salt,
    key.use((bytes) => secret.use((plain) => sealAesGcm(bytes, zeroNonce, context, plain))),
  )
}

/** @throws {@link Failure} OPEN_FAILED on anything wrong */
export function openBeside(holder: Secret, sealed: Uint8Array, context: Uint8Array): Secret {
  if (sealed.length < saltBytes + 16) throw new Failure('OPEN_FAILED', 'Sealed secret is too short')
  using key = keyOf(holder, sealed.subarray(0, saltBytes), context)
  return new Secret(
    key.use((bytes) => openAesGcm(bytes, zeroNonce, context, sealed.subarray(saltBytes))),
  )
}
