// What the HSM wraps is an inner key of 32 random bytes, used for one blob; under it lies the data key. So the context is bound also by mechanisms
// that know no associated data (RFC 5649, YubiHSM's CCM), two blobs of one data key differ, and neither HSM nor child ever sees a data key. Blob:
//
//   version (1) = 1 ‖ the HSM's own blob (40 by RFC 5649, 60 by AES-GCM, 62 by YubiHSM's CCM) ‖ commitment (32) ‖ AES-256-GCM of the data key (48)
//
// okm = HKDF-SHA-256(ikm inner key, no salt, info label ‖ 00 ‖ SHA-256(JCS {header, kekId, mechanism, purpose, slot}), 64): the key, used once and so
// with a zero nonce, and the commitment, compared before anything is decrypted.
import { canonicalBytes } from '../base/canonical-json.ts'
import { concat, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { openAesGcm, sealAesGcm } from '../crypto/aead.ts'
import { equalConstantTime, hkdfSha256, sha256 } from '../crypto/hash.ts'
import { labels } from '../crypto/labels.ts'
import { Secret } from '../crypto/secret.ts'
import { findHsmMechanism } from './hsm-mechanism.ts'
import type { KekContext, WrappedKey } from './kek.ts'

const version = 1
const commitmentBytes = 32
const sealedBytes = 32 + 16
const zeroNonce = new Uint8Array(12)
const none = new Uint8Array(0)

/** What a blob hangs on besides the inner key. */
export interface HsmBinding {
  readonly kekId: string
  readonly mechanism: string
  readonly context: KekContext
}

/** The parts of a blob. */
export interface HsmEnvelope {
  /** The inner key as the HSM wrapped it. */
  readonly wrapped: Uint8Array
  readonly commitment: Uint8Array
  readonly sealed: Uint8Array
}

/** Canonical JSON of what is bound; named one by one, as a member that the port does not know must not change it. */
const boundTo = ({ context: { header, purpose, slot }, kekId, mechanism }: HsmBinding) =>
  canonicalBytes({ header, kekId, mechanism, purpose, slot })

/** Associated data for mechanisms that take it: the context alone, for the mechanism is the HSM's own matter. */
export const associatedData = ({ header, purpose, slot }: KekContext): Uint8Array =>
  canonicalBytes({ header, purpose, slot })

function withKeys<T>(
  inner: Secret,
  binding: HsmBinding,
  fn: (key: Uint8Array, commitment: Uint8Array) => T,
): T {
  const info = concat(utf8(labels.hsmKek), Uint8Array.of(0), sha256(boundTo(binding)))
  const okm = inner.use((ikm) => hkdfSha256(ikm, none, info, 64))
  try {
    return fn(okm.subarray(0, 32), okm.subarray(32))
  } finally {
    okm.fill(0)
  }
}

/** The blob of a 32-byte data key under an inner key that wraps nothing else. */
export const sealEnvelope = (
  inner: Secret,
  wrapped: Uint8Array,
  binding: HsmBinding,
  dataKey: Secret,
): Uint8Array =>
  withKeys(inner, binding, (key, commitment) =>
    concat(
      Uint8Array.of(version),
      wrapped,
      commitment,
      dataKey.use((plaintext) => sealAesGcm(key, zeroNonce, none, plaintext)),
    ),
  )

/** The failure of everything that does not open. */
export const notOpened = (): Failure => new Failure('OPEN_FAILED', 'Wrapped key did not open')

/**
 * The parts of a blob of a known mechanism.
 * @throws {@link Failure} OPEN_FAILED
 */
export function parseEnvelope({ blob, mechanism }: Omit<WrappedKey, 'kekId'>): HsmEnvelope {
  const wrappedBytes = findHsmMechanism(mechanism)?.wrappedBytes ?? 0
  const length = 1 + wrappedBytes + commitmentBytes + sealedBytes
  if (wrappedBytes === 0 || blob.length !== length || blob[0] !== version) throw notOpened()
  return {
    wrapped: blob.subarray(1, 1 + wrappedBytes),
    commitment: blob.subarray(1 + wrappedBytes, -sealedBytes),
    sealed: blob.subarray(-sealedBytes),
  }
}

/**
 * The data key.
 * @throws {@link Failure} OPEN_FAILED on anything wrong
 */
export const openEnvelope = (
  inner: Secret,
  { commitment, sealed }: HsmEnvelope,
  binding: HsmBinding,
): Secret =>
  withKeys(inner, binding, (key, expected) => {
    if (!equalConstantTime(expected, commitment)) throw notOpened()
    return new Secret(openAesGcm(key, zeroNonce, none, sealed))
  })
