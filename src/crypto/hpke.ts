// HPKE (RFC 9180) in base mode, one message per key, with KEM 0x647a (X-Wing, draft-ietf-hpke-pq) and KDF 0x0001 (HKDF-SHA256). Sealing needs only the
// public key. It authenticates no sender: whoever has the public key can seal, so what was opened must be listed elsewhere (DESIGN §2, manifest).
import { concat, u16, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { aes256Gcm, type Aead } from './aead.ts'
import { hmacSha256 } from './hash.ts'
import { xWing } from './x-wing.ts'

const kemId = 0x647a
const kdfId = 0x0001
const baseMode = Uint8Array.of(0)
const version = utf8('HPKE-v1')
const empty = new Uint8Array(0)

/** An HPKE message. */
export interface Sealed {
  /** Encapsulated key, 1120 bytes. */
  readonly enc: Uint8Array
  /** As long as the plaintext and 16 bytes more. */
  readonly ciphertext: Uint8Array
}

/** What the key schedule gives to the AEAD. */
interface Schedule {
  readonly key: Uint8Array
  readonly baseNonce: Uint8Array
}

const suiteId = (aead: Aead): Uint8Array =>
  concat(utf8('HPKE'), u16(kemId), u16(kdfId), u16(aead.hpkeId))

const labeledExtract = (
  suite: Uint8Array,
  salt: Uint8Array,
  label: string,
  ikm: Uint8Array,
): Uint8Array => hmacSha256(salt, version, suite, utf8(label), ikm)

/** LabeledExpand (§4) of at most 32 bytes, where HKDF-Expand is one HMAC. */
const labeledExpand = (
  suite: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array =>
  hmacSha256(prk, u16(length), version, suite, utf8(label), info, Uint8Array.of(1)).subarray(
    0,
    length,
  )

/** Key and nonce of a shared secret (§5.1, mode_base). */
export function keySchedule(aead: Aead, sharedSecret: Uint8Array, info: Uint8Array): Schedule {
  const suite = suiteId(aead)
  const context = concat(
    baseMode,
    labeledExtract(suite, empty, 'psk_id_hash', empty),
    labeledExtract(suite, empty, 'info_hash', info),
  )
  const secret = labeledExtract(suite, sharedSecret, 'secret', empty)
  const schedule = {
    key: labeledExpand(suite, secret, 'key', context, aead.keyBytes),
    baseNonce: labeledExpand(suite, secret, 'base_nonce', context, aead.nonceBytes),
  }
  secret.fill(0)
  return schedule
}

/** Runs `fn` under the key of a shared secret and wipes both. */
function withKey(
  aead: Aead,
  sharedSecret: Uint8Array,
  info: Uint8Array,
  fn: (schedule: Schedule) => Uint8Array,
): Uint8Array {
  const schedule = keySchedule(aead, sharedSecret, info)
  sharedSecret.fill(0)
  try {
    return fn(schedule)
  } finally {
    schedule.key.fill(0)
  }
}

/**
 * Seals a plaintext to a master public key; `eseed`, 64 bytes, takes the place of randomness in tests.
 * @throws {@link Failure} INPUT_INVALID when the public key is not one
 */
export function sealBase(
  publicKey: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  eseed?: Uint8Array,
  aead: Aead = aes256Gcm,
): Sealed {
  const { sharedSecret, ciphertext: enc } = xWing.encapsulate(publicKey, eseed)
  const ciphertext = withKey(aead, sharedSecret, info, ({ key, baseNonce }) =>
    aead.seal(key, baseNonce, aad, plaintext),
  )
  return { enc, ciphertext }
}

/**
 * The plaintext of a message to the key of a seed, in a buffer of its own that the caller wipes.
 * @throws {@link Failure} OPEN_FAILED on anything wrong
 */
export function openBase(
  seed: Uint8Array,
  enc: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
  aead: Aead = aes256Gcm,
): Uint8Array {
  if (ciphertext.length < aead.tagBytes) throw new Failure('OPEN_FAILED', 'Decryption failed')
  return withKey(aead, xWing.decapsulate(seed, enc), info, ({ key, baseNonce }) =>
    aead.open(key, baseNonce, aad, ciphertext),
  )
}
