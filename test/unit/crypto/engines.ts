import { chacha20poly1305 } from '@noble/ciphers/chacha.js'
import { expect } from 'vitest'
import type { Aead } from '../../../src/crypto/aead.ts'
import { Failure } from '../../../src/base/failure.ts'
import { compositeNative, compositePortable } from '../../../src/crypto/composite.ts'
import { ed25519Native, ed25519Portable } from '../../../src/crypto/ed25519.ts'
import {
  mlDsa44Native,
  mlDsa44Portable,
  mlDsa65Native,
  mlDsa65Portable,
} from '../../../src/crypto/ml-dsa.ts'
import type { SignatureAlgorithm } from '../../../src/crypto/signatures.ts'

/** What the runtime of the tests must have; a missing native engine is a failure and no skipped test. */
export function present<T>(engine: T | undefined): T {
  if (engine === undefined) throw new Error('This Node has no native engine for the algorithm')
  return engine
}

/** An algorithm by one engine, and the same algorithm by the other. */
interface Engine {
  readonly title: string
  readonly algorithm: SignatureAlgorithm
  readonly other: SignatureAlgorithm
}

const pair = (native: SignatureAlgorithm | undefined, portable: SignatureAlgorithm): Engine[] => [
  { title: `${portable.name} by node:crypto`, algorithm: present(native), other: portable },
  { title: `${portable.name} by noble`, algorithm: portable, other: present(native) },
]

/** Every signature algorithm by every engine. */
export const signatureEngines: readonly Engine[] = [
  ...pair(ed25519Native, ed25519Portable),
  ...pair(mlDsa44Native, mlDsa44Portable),
  ...pair(mlDsa65Native, mlDsa65Portable),
  ...pair(compositeNative, compositePortable),
]

/** Bytes that count up from `start`, so that no two places hold the same. */
export const counting = (length: number, start = 0): Uint8Array =>
  Uint8Array.from({ length }, (_, i) => (start + i) & 0xff)

/** A copy with one bit of the byte at `at` changed; negative places count from the end. */
export function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = bytes.slice()
  const index = at < 0 ? copy.length + at : at
  copy[index] = (copy[index] ?? 0) ^ 0x04
  return copy
}

/** Places that a single changed byte is tried at: both ends, the middle, and around the seams of the composite. */
export const places = (bytes: Uint8Array): number[] =>
  [0, 1, 31, 32, bytes.length >> 1, 1951, 1952, 3308, 3309, bytes.length - 1].filter(
    (at) => at < bytes.length,
  )

/** Expects a {@link Failure} with this code. */
export function expectFailure(code: Failure['code'], fn: () => unknown): void {
  let thrown: unknown
  try {
    fn()
  } catch (error) {
    thrown = error
  }
  expect(thrown).toBeInstanceOf(Failure)
  expect((thrown as Failure).code).toBe(code)
}

/** ChaCha20-Poly1305, which the project itself does not use: the published HPKE vectors do. */
export const chacha: Aead = {
  hpkeId: 0x0003,
  keyBytes: 32,
  nonceBytes: 12,
  tagBytes: 16,
  seal: (key, nonce, aad, plaintext) => chacha20poly1305(key, nonce, aad).encrypt(plaintext),
  open: (key, nonce, aad, ciphertext) => chacha20poly1305(key, nonce, aad).decrypt(ciphertext),
}
