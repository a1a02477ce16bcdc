// Ed25519 and ML-DSA by noble, for where node:crypto is not. A signer holds the expanded private key, because expanding costs as much as signing.
import { invariant } from '../base/failure.ts'
import { fits, type EngineShape } from './native-signature.ts'
import { Secret } from './secret.ts'
import type { SignatureAlgorithm, Signer } from './signatures.ts'

/** The functions of a library that make an algorithm. */
interface SignatureFunctions {
  /** Key pair of a seed; `secretKey` is a fresh array, which the caller wipes. */
  readonly expand: (seed: Uint8Array) => KeyPair
  readonly sign: (message: Uint8Array, secretKey: Uint8Array, context: Uint8Array) => Uint8Array
  /** May throw on anything that is not a good signature. */
  readonly verify: (
    publicKey: Uint8Array,
    message: Uint8Array,
    signature: Uint8Array,
    context: Uint8Array,
  ) => boolean
}

interface KeyPair {
  readonly publicKey: Uint8Array
  readonly secretKey: Uint8Array
}

const noContext = new Uint8Array(0)

class PortableSigner implements Signer {
  readonly algorithm: SignatureAlgorithm
  readonly publicKey: Uint8Array
  readonly #sign: SignatureFunctions['sign']
  readonly #secretKey: Secret

  constructor(
    algorithm: SignatureAlgorithm,
    sign: SignatureFunctions['sign'],
    publicKey: Uint8Array,
    secretKey: Secret,
  ) {
    this.algorithm = algorithm
    this.#sign = sign
    this.publicKey = publicKey
    this.#secretKey = secretKey
  }

  sign(message: Uint8Array, context: Uint8Array = noContext): Uint8Array {
    invariant(
      context.length <= this.algorithm.contextBytes,
      `${this.algorithm.name} does not take a context of this length: ${context.length}`,
    )
    return this.#secretKey.use((secretKey) => this.#sign(message, secretKey, context))
  }

  async signAsync(message: Uint8Array, context?: Uint8Array): Promise<Uint8Array> {
    return Promise.resolve(this.sign(message, context))
  }

  close(): void {
    this.#secretKey.wipe()
  }
}

/** An algorithm by the functions of a library. */
export function portableSignature(
  shape: EngineShape,
  functions: SignatureFunctions,
): SignatureAlgorithm {
  const expand: SignatureFunctions['expand'] = (seed) => {
    invariant(seed.length === shape.seedBytes, `${shape.name} seed has the wrong length`)
    return functions.expand(seed)
  }
  const algorithm: SignatureAlgorithm = {
    ...shape,
    publicKey(seed) {
      const { publicKey, secretKey } = expand(seed)
      secretKey.fill(0)
      return publicKey
    },
    signer(seed) {
      const { publicKey, secretKey } = seed.use(expand)
      return new PortableSigner(algorithm, functions.sign, publicKey, new Secret(secretKey))
    },
    verify(publicKey, message, signature, context = noContext) {
      try {
        return (
          fits(shape, publicKey, signature, context) &&
          functions.verify(publicKey, message, signature, context)
        )
      } catch {
        return false
      }
    },
    verifyAsync: (...input) => Promise.resolve(algorithm.verify(...input)),
  }
  return algorithm
}
