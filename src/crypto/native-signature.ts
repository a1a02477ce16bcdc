// Ed25519 and ML-DSA by node:crypto. Raw keys get their DER prefix only after their length was checked, because OpenSSL ignores what follows.
// Seeds go in without DER where Node can: OpenSSL's decoder copies what it reads into blocks that it frees unwiped.
import { concat, viewAsBuffer } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { native, plain, type KeyObject, type NativeCrypto } from './native.ts'
import { privateCopy } from './private-bytes.ts'
import type { SignatureAlgorithm, SignatureShape, Signer } from './signatures.ts'

/** How node:crypto takes a seed. */
export interface SeedImport {
  /** What Node calls the algorithm, and this kind of private key without DER. */
  readonly raw: {
    readonly asymmetricKeyType: 'ed25519' | 'x25519' | 'ml-dsa-44' | 'ml-dsa-65' | 'ml-kem-768'
    readonly format: 'raw-private' | 'raw-seed'
  }
  /** DER in front of a seed that makes it a PKCS #8 private key (RFC 8410 §7, RFC 9881 §6). */
  readonly pkcs8Prefix: Uint8Array
}

/** What the engines need to know beyond the public shape. */
export interface EngineShape extends SignatureShape {
  readonly seedImport: SeedImport
  /** What must hold of the bytes, their lengths being right, before the equation is looked at. */
  accepts(publicKey: Uint8Array, signature: Uint8Array): boolean
}

const noContext = new Uint8Array(0)

/** Whether everything about the bytes is right but the signature's equation. */
export const fits = (
  shape: EngineShape,
  publicKey: Uint8Array,
  signature: Uint8Array,
  context: Uint8Array,
): boolean =>
  publicKey.length === shape.publicKeyBytes &&
  signature.length === shape.signatureBytes &&
  context.length <= shape.contextBytes &&
  shape.accepts(publicKey, signature)

/** Whether this node:crypto takes private keys without DER; those that do not know the format refuse it by its name. */
function takesRawKeys(crypto: NativeCrypto): boolean {
  const key = new Uint8Array(32) as Buffer
  try {
    crypto.createPrivateKey({ key, format: 'raw-private', asymmetricKeyType: 'ed25519' })
    return true
  } catch {
    return false
  }
}

const rawKeys = native !== undefined && takesRawKeys(native)

/** The KeyObject of a seed of checked length. */
export function importSeed(
  crypto: NativeCrypto,
  { raw, pkcs8Prefix }: SeedImport,
  seed: Uint8Array,
): KeyObject {
  if (rawKeys) return crypto.createPrivateKey({ key: seed as Buffer, ...raw })
  const der = privateCopy(pkcs8Prefix, seed)
  try {
    return crypto.createPrivateKey({ key: der as Buffer, format: 'der', type: 'pkcs8' })
  } finally {
    der.fill(0)
  }
}

/** The KeyObject of a raw public key of checked length. */
export const importPublicKey = (
  crypto: NativeCrypto,
  spkiPrefix: Uint8Array,
  publicKey: Uint8Array,
): KeyObject =>
  crypto.createPublicKey({
    key: concat(spkiPrefix, publicKey) as Buffer,
    format: 'der',
    type: 'spki',
  })

/** The raw public key of a private KeyObject. */
export const exportPublicKey = (
  crypto: NativeCrypto,
  spkiPrefix: Uint8Array,
  key: KeyObject,
): Uint8Array =>
  new Uint8Array(
    crypto.createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(spkiPrefix.length),
  )

/** Imported public keys, the least recently used going first: a dossier meets the same key in every entry, and importing costs a third of verifying. */
class PublicKeys {
  readonly #keys = new Map<string, KeyObject>()
  readonly #import: (publicKey: Uint8Array) => KeyObject

  constructor(importKey: (publicKey: Uint8Array) => KeyObject) {
    this.#import = importKey
  }

  get(publicKey: Uint8Array): KeyObject {
    const name = viewAsBuffer(publicKey).toString('latin1')
    const known = this.#keys.get(name)
    const key = known ?? this.#import(publicKey)
    if (known !== undefined) this.#keys.delete(name)
    this.#keys.set(name, key)
    if (this.#keys.size > 64) this.#keys.delete(this.#keys.keys().next().value ?? name)
    return key
  }
}

type KeyInput = KeyObject | { readonly key: KeyObject; readonly context: Uint8Array }

/** The key as sign and verify want it; without a context, which is the same as an empty one, the bare key is 12 µs faster. */
const inputOf = (key: KeyObject, context: Uint8Array): KeyInput =>
  context.length === 0 ? key : { key, context }

class NativeSigner implements Signer {
  readonly algorithm: SignatureAlgorithm
  readonly publicKey: Uint8Array
  readonly #crypto: NativeCrypto
  #key: KeyObject | undefined

  constructor(
    crypto: NativeCrypto,
    algorithm: SignatureAlgorithm,
    key: KeyObject,
    publicKey: Uint8Array,
  ) {
    this.#crypto = crypto
    this.algorithm = algorithm
    this.#key = key
    this.publicKey = publicKey
  }

  sign(message: Uint8Array, context: Uint8Array = noContext): Uint8Array {
    return plain(this.#crypto.sign(null, message, this.#input(context)))
  }

  async signAsync(message: Uint8Array, context: Uint8Array = noContext): Promise<Uint8Array> {
    const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>()
    this.#crypto.sign(null, message, this.#input(context), (error, signature) => {
      if (error === null) resolve(plain(signature))
      else reject(error)
    })
    return promise
  }

  close(): void {
    this.#key = undefined
  }

  #input(context: Uint8Array): KeyInput {
    invariant(this.#key !== undefined, 'Signer was used after it was closed')
    invariant(
      context.length <= this.algorithm.contextBytes,
      `${this.algorithm.name} does not take a context of this length: ${context.length}`,
    )
    return inputOf(this.#key, context)
  }
}

/** An algorithm by node:crypto. */
export function nativeSignature(crypto: NativeCrypto, shape: EngineShape): SignatureAlgorithm {
  const keys = new PublicKeys((raw) => importPublicKey(crypto, shape.spkiPrefix, raw))
  const importPrivate = (seed: Uint8Array): KeyObject => {
    invariant(seed.length === shape.seedBytes, `${shape.name} seed has the wrong length`)
    return importSeed(crypto, shape.seedImport, seed)
  }
  const algorithm: SignatureAlgorithm = {
    ...shape,
    publicKey: (seed) => exportPublicKey(crypto, shape.spkiPrefix, importPrivate(seed)),
    signer(seed) {
      const key = seed.use(importPrivate)
      return new NativeSigner(
        crypto,
        algorithm,
        key,
        exportPublicKey(crypto, shape.spkiPrefix, key),
      )
    },
    verify(publicKey, message, signature, context = noContext) {
      try {
        if (!fits(shape, publicKey, signature, context)) return false
        return crypto.verify(null, message, inputOf(keys.get(publicKey), context), signature)
      } catch {
        return false
      }
    },
    verifyAsync(publicKey, message, signature, context = noContext) {
      const { promise, resolve } = Promise.withResolvers<boolean>()
      try {
        if (!fits(shape, publicKey, signature, context)) resolve(false)
        else
          crypto.verify(
            null,
            message,
            inputOf(keys.get(publicKey), context),
            signature,
            (error, good) => {
              resolve(error === null && good)
            },
          )
      } catch {
        resolve(false)
      }
      return promise
    },
  }
  return algorithm
}
