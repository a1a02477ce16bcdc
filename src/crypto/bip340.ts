// BIP-340 Schnorr signatures over secp256k1, under a tag of ours: what is signed is the tagged hash of the text and never a bare digest, so that a
// signature made here means nothing to Bitcoin, and none of Bitcoin's anything here.
import { schnorr } from '@noble/curves/secp256k1.js'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { sha256 } from './hash.ts'

/** Lengths of BIP-340, in bytes. */
const bip340 = Object.freeze({ publicKeyBytes: 32, signatureBytes: 64, secretKeyBytes: 32 })

/** SHA-256(SHA-256(tag) ‖ SHA-256(tag) ‖ message), 32 bytes (BIP-340, tagged hashes). */
export function taggedHash(tag: string, message: Uint8Array): Uint8Array {
  const prefix = sha256(utf8(tag))
  return sha256(prefix, prefix, message)
}

/** Whether 32 bytes are the x coordinate of a point. */
export function isXOnlyKey(publicKey: Uint8Array): boolean {
  if (publicKey.length !== bip340.publicKeyBytes) return false
  try {
    schnorr.utils.lift_x(BigInt(`0x${encodeHex(publicKey)}`))
    return true
  } catch {
    return false
  }
}

/** Whether a signature over a message of any length is good; false on anything wrong. */
export function verifySchnorr(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== bip340.publicKeyBytes) return false
  if (signature.length !== bip340.signatureBytes) return false
  try {
    return schnorr.verify(signature, message, publicKey)
  } catch {
    return false
  }
}

/** The x-only public key of a secret key of 32 bytes. @throws when it is zero or not below the order */
export const schnorrPublicKey = (secretKey: Uint8Array): Uint8Array =>
  schnorr.getPublicKey(secretKey)

/**
 * Signs a message of any length.
 * @param auxiliary 32 random bytes, which make the nonce harder to learn by faults and side channels
 */
export const signSchnorr = (
  secretKey: Uint8Array,
  message: Uint8Array,
  auxiliary?: Uint8Array,
): Uint8Array => schnorr.sign(message, secretKey, auxiliary)
