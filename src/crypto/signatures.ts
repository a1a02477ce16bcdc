// Signature algorithms as entries of one table: everything the rest needs to know about an algorithm stands in its entry, and code receives the
// entry, never a name. Public keys, seeds and signatures are raw bytes of exactly the lengths given here. Which algorithm belongs to a key is said
// by the trust root, never by what is verified. Verifying is total: anything wrong is `false`.
import { composite, type CompositeAlgorithm } from './composite.ts'
import { ed25519 } from './ed25519.ts'
import { mlDsa44, mlDsa65 } from './ml-dsa.ts'
import type { Secret } from './secret.ts'

/** The name of an algorithm, as formats write it. */
export type SignatureName = 'Ed25519' | 'ML-DSA-44' | 'ML-DSA-65' | 'id-MLDSA65-Ed25519-SHA512'

/** What is fixed about an algorithm, whoever computes it. */
export interface SignatureShape {
  readonly name: SignatureName
  readonly seedBytes: number
  readonly publicKeyBytes: number
  readonly signatureBytes: number
  /** Longest context in bytes; 0 where the algorithm has none, and then a context is refused. */
  readonly contextBytes: number
  /** DER in front of a raw public key that makes it a SubjectPublicKeyInfo. */
  readonly spkiPrefix: Uint8Array
}

/** One signature algorithm. */
export interface SignatureAlgorithm extends SignatureShape {
  /**
   * The raw public key of a seed.
   * @throws {@link Failure} BUG when the seed has another length
   */
  publicKey(seed: Uint8Array): Uint8Array
  /**
   * A signer that has taken the key over; the seed may be wiped afterwards.
   * @throws {@link Failure} BUG when the seed has another length
   */
  signer(seed: Secret): Signer
  /** Whether the signature is good; false on anything wrong, also on wrong lengths. */
  verify(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context?: Uint8Array,
  ): boolean
  /** As {@link verify}, off the event loop where the platform can. */
  verifyAsync(
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context?: Uint8Array,
  ): Promise<boolean>
}

/** Holder of one private key. */
export interface Signer {
  readonly algorithm: SignatureAlgorithm
  /** Raw public key; not to be changed. */
  readonly publicKey: Uint8Array
  /** @throws {@link Failure} BUG after `close`, or when the algorithm does not take the context */
  sign(message: Uint8Array, context?: Uint8Array): Uint8Array
  /** As {@link sign}; what takes long runs off the event loop where the platform can. `message` may be changed once this has returned. */
  signAsync(message: Uint8Array, context?: Uint8Array): Promise<Uint8Array>
  /** Gives the private key up. */
  close(): void
}

/** Every signature algorithm by name. */
export const signatureAlgorithms: Readonly<
  Record<Exclude<SignatureName, CompositeAlgorithm['name']>, SignatureAlgorithm>
> &
  Readonly<Record<CompositeAlgorithm['name'], CompositeAlgorithm>> = Object.freeze({
  Ed25519: ed25519,
  'ML-DSA-44': mlDsa44,
  'ML-DSA-65': mlDsa65,
  'id-MLDSA65-Ed25519-SHA512': composite,
})

/** The algorithm of a name out of a file, or undefined when there is none such. */
export const findSignatureAlgorithm = (name: string): SignatureAlgorithm | undefined =>
  Object.hasOwn(signatureAlgorithms, name) ? signatureAlgorithms[name as SignatureName] : undefined
