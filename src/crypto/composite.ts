// id-MLDSA65-Ed25519-SHA512 (draft-ietf-lamps-pq-composite-sigs): one key, one signature, two algorithms, and a forger must break both. The message
// is pre-hashed, so a signature verifies from SHA-512 of the message after the message itself was erased. It is not strongly unforgeable: of two
// signatures over one message and context the halves can be exchanged. So nothing may be identified by the bytes of a signature.
import { concat, utf8 } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { spkiPrefixOf } from './der.ts'
import { ed25519Native, ed25519Portable } from './ed25519.ts'
import { sha512 } from './hash.ts'
import { mlDsa65Native, mlDsa65Portable } from './ml-dsa.ts'
import type { Secret } from './secret.ts'
import type { SignatureAlgorithm, Signer } from './signatures.ts'

const prefix = utf8('CompositeAlgorithmSignatures2025')
const label = utf8('COMPSIG-MLDSA65-Ed25519-SHA512')
const oid = Uint8Array.of(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x06, 0x30) // 1.3.6.1.5.5.7.6.48

const seedHalf = 32
const digestBytes = 64
const noContext = new Uint8Array(0)

/** The composite algorithm; `digest` is SHA-512 of the message, 64 bytes. */
export interface CompositeAlgorithm extends SignatureAlgorithm {
  readonly name: 'id-MLDSA65-Ed25519-SHA512'
  signer(seed: Secret): CompositeSigner
  /** As `verify`, of a message of which only the digest is left. */
  verifyDigest(
    publicKey: Uint8Array,
    digest: Uint8Array,
    signature: Uint8Array,
    context?: Uint8Array,
  ): boolean
}

/** Holder of one composite key. Every signature is verified before it is given out, because a fault in signing can give the key away. */
export interface CompositeSigner extends Signer {
  /** @throws {@link Failure} BUG when the digest is not 64 bytes, or when the signature just made does not verify */
  signDigest(digest: Uint8Array, context?: Uint8Array): Uint8Array
  /** As {@link signDigest}, the post-quantum half off the event loop where the platform can. */
  signDigestAsync(digest: Uint8Array, context?: Uint8Array): Promise<Uint8Array>
}

/** M′ of §3.2: what both halves sign. */
const representative = (digest: Uint8Array, context: Uint8Array): Uint8Array =>
  concat(prefix, label, Uint8Array.of(context.length), context, digest)

class Composite implements CompositeSigner {
  readonly algorithm: CompositeAlgorithm
  readonly publicKey: Uint8Array
  readonly #mlDsa: Signer
  readonly #ed: Signer

  constructor(algorithm: CompositeAlgorithm, mlDsa: Signer, ed: Signer) {
    this.algorithm = algorithm
    this.publicKey = concat(mlDsa.publicKey, ed.publicKey)
    this.#mlDsa = mlDsa
    this.#ed = ed
  }

  sign(message: Uint8Array, context?: Uint8Array): Uint8Array {
    return this.signDigest(sha512(message), context)
  }

  async signAsync(message: Uint8Array, context?: Uint8Array): Promise<Uint8Array> {
    return this.signDigestAsync(sha512(message), context)
  }

  signDigest(digest: Uint8Array, context: Uint8Array = noContext): Uint8Array {
    const message = this.#message(digest, context)
    const mlDsa = this.#mlDsa.sign(message, label)
    const ed = this.#ed.sign(message)
    this.#check(
      this.#mlDsa.algorithm.verify(this.#mlDsa.publicKey, message, mlDsa, label),
      message,
      ed,
    )
    return concat(mlDsa, ed)
  }

  async signDigestAsync(digest: Uint8Array, context: Uint8Array = noContext): Promise<Uint8Array> {
    const message = this.#message(digest, context)
    // First, so that a throw here cannot leave the other half behind as a rejection that nobody awaits.
    const ed = this.#ed.sign(message)
    const mlDsa = await this.#mlDsa.signAsync(message, label)
    this.#check(
      await this.#mlDsa.algorithm.verifyAsync(this.#mlDsa.publicKey, message, mlDsa, label),
      message,
      ed,
    )
    return concat(mlDsa, ed)
  }

  close(): void {
    this.#mlDsa.close()
    this.#ed.close()
  }

  #message(digest: Uint8Array, context: Uint8Array): Uint8Array {
    invariant(digest.length === digestBytes, `Digest is not SHA-512: ${digest.length} bytes`)
    invariant(
      context.length <= this.algorithm.contextBytes,
      `${this.algorithm.name} does not take a context of this length: ${context.length}`,
    )
    return representative(digest, context)
  }

  #check(mlDsaGood: boolean, message: Uint8Array, ed: Uint8Array): void {
    invariant(mlDsaGood, 'ML-DSA-65 signature does not verify after signing')
    invariant(
      this.#ed.algorithm.verify(this.#ed.publicKey, message, ed),
      'Ed25519 signature does not verify after signing',
    )
  }
}

type VerifyInput = Parameters<SignatureAlgorithm['verify']>

/** The composite of two implementations of its parts. */
export function compositeOf(mlDsa: SignatureAlgorithm, ed: SignatureAlgorithm): CompositeAlgorithm {
  const publicKeyBytes = mlDsa.publicKeyBytes + ed.publicKeyBytes
  const signatureBytes = mlDsa.signatureBytes + ed.signatureBytes

  /** What each half has to verify, or undefined when a length is wrong. */
  function split(
    publicKey: Uint8Array,
    digest: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array = noContext,
  ): { mlDsa: VerifyInput; ed: VerifyInput } | undefined {
    const fits =
      publicKey.length === publicKeyBytes &&
      digest.length === digestBytes &&
      signature.length === signatureBytes &&
      context.length <= algorithm.contextBytes
    if (!fits) return undefined
    const message = representative(digest, context)
    const [keySeam, signatureSeam] = [mlDsa.publicKeyBytes, mlDsa.signatureBytes]
    return {
      mlDsa: [publicKey.subarray(0, keySeam), message, signature.subarray(0, signatureSeam), label],
      ed: [publicKey.subarray(keySeam), message, signature.subarray(signatureSeam)],
    }
  }

  const algorithm: CompositeAlgorithm = {
    name: 'id-MLDSA65-Ed25519-SHA512',
    seedBytes: 2 * seedHalf,
    publicKeyBytes,
    signatureBytes,
    contextBytes: 255,
    spkiPrefix: spkiPrefixOf(oid, publicKeyBytes),

    publicKey(seed) {
      invariant(seed.length === 2 * seedHalf, 'Composite seed has the wrong length')
      return concat(
        mlDsa.publicKey(seed.subarray(0, seedHalf)),
        ed.publicKey(seed.subarray(seedHalf)),
      )
    },

    signer(seed) {
      invariant(seed.length === 2 * seedHalf, 'Composite seed has the wrong length')
      using mlDsaSeed = seed.part(0, seedHalf)
      using edSeed = seed.part(seedHalf)
      return new Composite(algorithm, mlDsa.signer(mlDsaSeed), ed.signer(edSeed))
    },

    verify: (publicKey, message, signature, context) =>
      algorithm.verifyDigest(publicKey, sha512(message), signature, context),

    verifyDigest(publicKey, digest, signature, context) {
      const halves = split(publicKey, digest, signature, context)
      return halves !== undefined && ed.verify(...halves.ed) && mlDsa.verify(...halves.mlDsa)
    },

    async verifyAsync(publicKey, message, signature, context) {
      const halves = split(publicKey, sha512(message), signature, context)
      return halves !== undefined && ed.verify(...halves.ed) && mlDsa.verifyAsync(...halves.mlDsa)
    },
  }
  return algorithm
}

/** The composite by node:crypto, where both halves are. */
export const compositeNative: CompositeAlgorithm | undefined =
  mlDsa65Native === undefined || ed25519Native === undefined
    ? undefined
    : compositeOf(mlDsa65Native, ed25519Native)

/** The composite by noble. */
export const compositePortable: CompositeAlgorithm = compositeOf(mlDsa65Portable, ed25519Portable)

/** The composite id-MLDSA65-Ed25519-SHA512. */
export const composite: CompositeAlgorithm = compositeNative ?? compositePortable

/** Whether a composite signature over a message with this SHA-512 is good; false on anything wrong. */
export const verifyComposite = (
  publicKey: Uint8Array,
  digest: Uint8Array,
  signature: Uint8Array,
  context?: Uint8Array,
): boolean => composite.verifyDigest(publicKey, digest, signature, context)
