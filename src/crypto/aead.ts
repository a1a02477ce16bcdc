// AES-256-GCM (NIST SP 800-38D): 12-byte nonce, 16-byte tag behind the ciphertext. A key seals once or under fresh nonces; that is the caller's duty.
import { gcm } from '@noble/ciphers/aes.js'
import { concat } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { native, plain, type NativeCrypto } from './native.ts'
import { privateCopy } from './private-bytes.ts'

/** Authenticated encryption with additional data. */
export interface Aead {
  /** Identifier in HPKE (RFC 9180 §7.3). */
  readonly hpkeId: number
  readonly keyBytes: number
  readonly nonceBytes: number
  readonly tagBytes: number
  /**
   * Ciphertext and tag.
   * @throws {@link Failure} BUG when key or nonce have another length
   */
  seal(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Uint8Array
  /**
   * The plaintext, in a buffer of its own that the caller wipes.
   * @throws {@link Failure} OPEN_FAILED on anything wrong
   */
  open(key: Uint8Array, nonce: Uint8Array, aad: Uint8Array, ciphertext: Uint8Array): Uint8Array
}

const lengths = { hpkeId: 0x0002, keyBytes: 32, nonceBytes: 12, tagBytes: 16 } as const

function guarded(engine: Pick<Aead, 'seal' | 'open'>): Aead {
  const fits = (key: Uint8Array, nonce: Uint8Array): boolean =>
    key.length === lengths.keyBytes && nonce.length === lengths.nonceBytes
  return {
    ...lengths,
    seal(key, nonce, aad, plaintext) {
      invariant(fits(key, nonce), 'AES-256-GCM key or nonce has the wrong length')
      return engine.seal(key, nonce, aad, plaintext)
    },
    open(key, nonce, aad, ciphertext) {
      try {
        if (fits(key, nonce) && ciphertext.length >= lengths.tagBytes)
          return engine.open(key, nonce, aad, ciphertext)
      } catch {
        // The library's error would tell a wrong tag from a wrong length.
      }
      throw new Failure('OPEN_FAILED', 'Decryption failed')
    },
  }
}

const options = { authTagLength: lengths.tagBytes }

const nativeGcm = (crypto: NativeCrypto): Aead =>
  guarded({
    seal(key, nonce, aad, plaintext) {
      const cipher = crypto.createCipheriv('aes-256-gcm', key, nonce, options).setAAD(aad)
      return concat(cipher.update(plaintext), cipher.final(), cipher.getAuthTag())
    },
    open(key, nonce, aad, ciphertext) {
      const body = ciphertext.subarray(0, -lengths.tagBytes)
      const tag = ciphertext.subarray(-lengths.tagBytes)
      const decipher = crypto.createDecipheriv('aes-256-gcm', key, nonce, options)
      const plaintext = decipher.setAAD(aad).setAuthTag(tag).update(body)
      try {
        decipher.final()
        return privateCopy(plaintext)
      } finally {
        plaintext.fill(0)
      }
    },
  })

/** AES-256-GCM by node:crypto, where it is. */
export const aes256GcmNative: Aead | undefined =
  native === undefined ? undefined : nativeGcm(native)

/** AES-256-GCM by noble. */
export const aes256GcmPortable: Aead = guarded({
  seal: (key, nonce, aad, plaintext) => plain(gcm(key, nonce, aad).encrypt(plaintext)),
  open: (key, nonce, aad, ciphertext) => plain(gcm(key, nonce, aad).decrypt(ciphertext)),
})

/** AES-256-GCM. */
export const aes256Gcm: Aead = aes256GcmNative ?? aes256GcmPortable

/**
 * Ciphertext and tag of AES-256-GCM.
 * @throws {@link Failure} BUG when key or nonce have another length
 */
export const sealAesGcm = (
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array => aes256Gcm.seal(key, nonce, aad, plaintext)

/**
 * The plaintext of AES-256-GCM, in a buffer of its own that the caller wipes.
 * @throws {@link Failure} OPEN_FAILED on anything wrong
 */
export const openAesGcm = (
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  ciphertext: Uint8Array,
): Uint8Array => aes256Gcm.open(key, nonce, aad, ciphertext)
