// Ed25519 (RFC 8032 §5.1) by one rule everywhere: exact lengths, S < L, canonical A and R, neither of small order, and the cofactorless equation
// [S]B = R + [k]A. Libraries differ on each of these points, and two verifiers that differ could give one dossier two verdicts; so what can be
// seen in the bytes is checked here, in front of both engines, and only the equation is left to them.
import { ed25519 as noble } from '@noble/curves/ed25519.js'
import { equalBytes } from '../base/bytes.ts'
import { pkcs8PrefixOf, spkiPrefixOf } from './der.ts'
import { sha512 } from './hash.ts'
import { native } from './native.ts'
import { nativeSignature, type EngineShape } from './native-signature.ts'
import { portableSignature } from './portable-signature.ts'
import type { SignatureAlgorithm } from './signatures.ts'

const oid = Uint8Array.of(0x2b, 0x65, 0x70) // 1.3.101.112

const { Point } = noble
const { Fp, Fn } = Point

/** Little-endian 32 bytes of p and of L. */
const fieldOrder = littleEndian(Fp.ORDER)
const groupOrder = littleEndian(Fn.ORDER)

/** The y coordinates of the eight points of small order: 0, 1, −1 and the two of order 8. */
const smallOrderYs: readonly Uint8Array[] = [
  0n,
  1n,
  Fp.ORDER - 1n,
  0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n,
  0x7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7n,
].map(littleEndian)

function littleEndian(n: bigint): Uint8Array {
  return Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))
}

/** Whether a little-endian number is below a bound of the same length. */
function isBelow(number: Uint8Array, bound: Uint8Array): boolean {
  for (let i = bound.length - 1; i >= 0; i--) {
    const difference = (number[i] ?? 0) - (bound[i] ?? 0)
    if (difference !== 0) return difference < 0
  }
  return false
}

/** Whether 32 bytes are no second encoding of a point, and no point of small order. Whether they lie on the curve is the engine's to see. */
function isStrict(point: Uint8Array): boolean {
  const y = point.slice()
  y[31] = (y[31] ?? 0) & 0x7f
  return isBelow(y, fieldOrder) && !smallOrderYs.some((small) => equalBytes(small, y))
}

const shape: EngineShape = {
  name: 'Ed25519',
  seedBytes: 32,
  publicKeyBytes: 32,
  signatureBytes: 64,
  contextBytes: 0,
  spkiPrefix: spkiPrefixOf(oid, 32),
  seedImport: {
    raw: { asymmetricKeyType: 'ed25519', format: 'raw-private' },
    pkcs8Prefix: pkcs8PrefixOf(oid, 0x04, 32),
  },
  accepts: (publicKey, signature) =>
    isBelow(signature.subarray(32), groupOrder) &&
    isStrict(publicKey) &&
    isStrict(signature.subarray(0, 32)),
}

/** noble's own `verify` is not used: even its strict mode takes points of small order and multiplies by the cofactor. */
function verifyEquation(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  const R = signature.subarray(0, 32)
  const A = Point.fromBytes(publicKey, false)
  const S = numberOf(signature.subarray(32))
  const k = Fn.create(numberOf(sha512(R, publicKey, message)))
  const expected = Point.BASE.multiplyUnsafe(S).subtract(A.multiplyUnsafe(k))
  return equalBytes(expected.toBytes(), R)
}

const numberOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)

/** Ed25519 by node:crypto, where it is. */
export const ed25519Native: SignatureAlgorithm | undefined =
  native === undefined ? undefined : nativeSignature(native, shape)

/** Ed25519 by noble. */
export const ed25519Portable: SignatureAlgorithm = portableSignature(shape, {
  expand: (seed) => ({ publicKey: noble.getPublicKey(seed), secretKey: seed.slice() }),
  sign: (message, secretKey) => noble.sign(message, secretKey),
  verify: verifyEquation,
})

/** Ed25519. */
export const ed25519: SignatureAlgorithm = ed25519Native ?? ed25519Portable
