import { Secret } from '../../src/crypto/secret.ts'
import { signatureAlgorithms, type Signer } from '../../src/crypto/signatures.ts'
import type { LogSigners } from '../../src/merkle/checkpoint.ts'

/** A signer whose seed is 32 equal bytes. */
export const fixedSigner = (name: 'Ed25519' | 'ML-DSA-44', byte: number): Signer =>
  signatureAlgorithms[name].signer(new Secret(new Uint8Array(32).fill(byte)))

/** The two keys of a test log. */
export const fixedLog = (byte: number): LogSigners => ({
  ed25519: fixedSigner('Ed25519', byte),
  mlDsa44: fixedSigner('ML-DSA-44', byte + 1),
})
