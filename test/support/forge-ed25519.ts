// Ed25519 signatures on which verifiers differ. Whoever holds the key can make them; one verifier that took them would give a dossier two verdicts.
import { ed25519 } from '@noble/curves/ed25519.js'
import { concat, utf8 } from '../../src/base/bytes.ts'
import { sha512 } from '../../src/crypto/hash.ts'
import { signatureContext } from '../../src/crypto/labels.ts'
import type { Kind } from '../../src/dossier/kinds.ts'

const { Point } = ed25519
const { Fn } = Point
// A point of order 8.
const torsion = Point.fromHex('26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05')

const littleEndian = (n: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))
const numberOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)

/** The signature with S + L in place of S: the same equation, another text. */
export const withLargerS = (signature: Uint8Array): Uint8Array =>
  concat(signature.subarray(0, 32), littleEndian(numberOf(signature.subarray(32)) + Fn.ORDER))

/** The signature with a point of small order added to R. */
export const withTorsionedR = (signature: Uint8Array): Uint8Array =>
  concat(Point.fromBytes(signature.subarray(0, 32)).add(torsion).toBytes(), signature.subarray(32))

/** A signature made for its torsioned R: verifiers that multiply by the cofactor take it. */
export function signTorsioned(seed: Uint8Array, message: Uint8Array): Uint8Array {
  const { pointBytes, scalar } = ed25519.utils.getExtendedPublicKey(seed)
  const r = Fn.create(numberOf(sha512(seed, message)))
  const R = Point.BASE.multiply(r).add(torsion).toBytes()
  const k = Fn.create(numberOf(sha512(R, pointBytes, message)))
  return concat(R, littleEndian(Fn.add(r, Fn.mul(k, scalar))))
}

/** What both halves of a composite signature of an entry sign. */
export const compositeMessage = (kind: Kind, encoded: Uint8Array): Uint8Array => {
  const context = utf8(signatureContext(kind))
  return concat(
    utf8('CompositeAlgorithmSignatures2025COMPSIG-MLDSA65-Ed25519-SHA512'),
    Uint8Array.of(context.length),
    context,
    sha512(encoded),
  )
}

/** Whether a verifier that multiplies by the cofactor (ZIP 215) takes a signature. */
export const passesCofactored = (
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean => ed25519.verify(signature, message, publicKey, { zip215: true })
