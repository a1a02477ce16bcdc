// ML-DSA (FIPS 204), pure and hedged: two signatures of one message differ. Private keys are 32-byte seeds, never expanded ones.
import { ml_dsa44, ml_dsa65 } from '@noble/post-quantum/ml-dsa.js'
import { pkcs8PrefixOf, spkiPrefixOf } from './der.ts'
import { native, type NativeCrypto } from './native.ts'
import { importPublicKey, nativeSignature, type EngineShape } from './native-signature.ts'
import { portableSignature } from './portable-signature.ts'
import type { SignatureAlgorithm } from './signatures.ts'

const oid = (parameterSet: 0x11 | 0x12): Uint8Array =>
  Uint8Array.of(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x03, parameterSet) // 2.16.840.1.101.3.4.3

const shape = (
  name: 'ML-DSA-44' | 'ML-DSA-65',
  parameterSet: 0x11 | 0x12,
  publicKeyBytes: number,
  signatureBytes: number,
): EngineShape => ({
  name,
  seedBytes: 32,
  publicKeyBytes,
  signatureBytes,
  contextBytes: 255,
  spkiPrefix: spkiPrefixOf(oid(parameterSet), publicKeyBytes),
  seedImport: {
    raw: {
      asymmetricKeyType: name === 'ML-DSA-44' ? 'ml-dsa-44' : 'ml-dsa-65',
      format: 'raw-seed',
    },
    pkcs8Prefix: pkcs8PrefixOf(oid(parameterSet), 0x80, 32),
  },
  accepts: () => true,
})

const shape44 = shape('ML-DSA-44', 0x11, 1312, 2420)
const shape65 = shape('ML-DSA-65', 0x12, 1952, 3309)

/** Whether this node:crypto has ML-DSA with contexts: Node 24.6 has it without and ignores them silently; one that knows them refuses 256 bytes. */
function hasMlDsa(crypto: NativeCrypto): boolean {
  const empty = new Uint8Array(0)
  try {
    const key = importPublicKey(crypto, shape44.spkiPrefix, new Uint8Array(1312))
    if (crypto.verify(null, empty, { key, context: empty }, new Uint8Array(2420))) return false
    try {
      crypto.verify(null, empty, { key, context: new Uint8Array(256) }, new Uint8Array(2420))
      return false
    } catch {
      return true
    }
  } catch {
    return false
  }
}

const engine = native !== undefined && hasMlDsa(native) ? native : undefined

/** ML-DSA-44 by node:crypto, where it is. */
export const mlDsa44Native: SignatureAlgorithm | undefined =
  engine === undefined ? undefined : nativeSignature(engine, shape44)

/** ML-DSA-65 by node:crypto, where it is. */
export const mlDsa65Native: SignatureAlgorithm | undefined =
  engine === undefined ? undefined : nativeSignature(engine, shape65)

const portable = (shape: EngineShape, noble: typeof ml_dsa44): SignatureAlgorithm =>
  portableSignature(shape, {
    expand: (seed) => noble.keygen(seed),
    sign: (message, secretKey, context) => noble.sign(message, secretKey, { context }),
    verify: (publicKey, message, signature, context) =>
      noble.verify(signature, message, publicKey, { context }),
  })

/** ML-DSA-44 by noble. */
export const mlDsa44Portable: SignatureAlgorithm = portable(shape44, ml_dsa44)

/** ML-DSA-65 by noble. */
export const mlDsa65Portable: SignatureAlgorithm = portable(shape65, ml_dsa65)

/** ML-DSA-44. */
export const mlDsa44: SignatureAlgorithm = mlDsa44Native ?? mlDsa44Portable

/** ML-DSA-65. */
export const mlDsa65: SignatureAlgorithm = mlDsa65Native ?? mlDsa65Portable
