// SubjectPublicKeyInfo (RFC 5280 §4.1) of our four algorithms. A key is named by the SHA-256 of these bytes, because they bind the algorithm too.
import { concat, encodeHex, equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { sha256 } from './hash.ts'
import { signatureAlgorithms, type SignatureAlgorithm } from './signatures.ts'

/** A public key and what it is a key of. */
export interface PublicKey {
  readonly algorithm: SignatureAlgorithm
  /** Raw bytes, `algorithm.publicKeyBytes` of them. */
  readonly publicKey: Uint8Array
}

/**
 * The SPKI DER of a raw public key.
 * @throws {@link Failure} INPUT_INVALID when the key has another length than its algorithm wants
 */
export function encodeSpki(algorithm: SignatureAlgorithm, publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== algorithm.publicKeyBytes)
    throw new Failure(
      'INPUT_INVALID',
      `${algorithm.name} public key has ${algorithm.publicKeyBytes} bytes, not ${publicKey.length}`,
    )
  return concat(algorithm.spkiPrefix, publicKey)
}

/** The public key of SPKI DER, or undefined when it is not exactly what {@link encodeSpki} gives. */
export function decodeSpki(der: Uint8Array): PublicKey | undefined {
  const algorithm = Object.values(signatureAlgorithms).find(
    ({ spkiPrefix, publicKeyBytes }) =>
      der.length === spkiPrefix.length + publicKeyBytes &&
      equalBytes(der.subarray(0, spkiPrefix.length), spkiPrefix),
  )
  return algorithm && { algorithm, publicKey: der.slice(algorithm.spkiPrefix.length) }
}

/**
 * The name of a public key: lower-case hex SHA-256 of its SPKI DER.
 * @throws {@link Failure} INPUT_INVALID as {@link encodeSpki}
 */
export const keyIdOf = (algorithm: SignatureAlgorithm, publicKey: Uint8Array): string =>
  encodeHex(sha256(encodeSpki(algorithm, publicKey)))
