import { concat } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import { signatureAlgorithms, type SignatureAlgorithm } from '../crypto/signatures.ts'
import type { Keypair, SignatureProvider } from './signature-provider.ts'

const { Ed25519: ed25519, 'ML-DSA-44': mlDsa } = signatureAlgorithms
const seedBytes = ed25519.seedBytes + mlDsa.seedBytes

/** The halves of a key or signature whose lengths add up. */
const halves = (bytes: Uint8Array, first: number): readonly [Uint8Array, Uint8Array] => [
  bytes.subarray(0, first),
  bytes.subarray(first),
]

function signBy(algorithm: SignatureAlgorithm, seed: Uint8Array, message: Uint8Array): Uint8Array {
  using secret = new Secret(seed.slice())
  const signer = algorithm.signer(secret)
  try {
    return signer.sign(message)
  } finally {
    signer.close()
  }
}

/**
 * Ed25519 and ML-DSA-44 side by side over the same message; both must verify. Public keys 32 + 1312 bytes, signatures 64 + 2420. Private keys are two
 * seeds, 32 + 32 bytes, where AEGIS keeps the expanded 2592: we keep no expanded key.
 */
export class HybridProvider implements SignatureProvider {
  readonly algorithmName = 'ed25519+ml-dsa-44'

  generateKeypair(): Keypair {
    const privateKey = randomBytes(seedBytes)
    const [edSeed, mlSeed] = halves(privateKey, ed25519.seedBytes)
    return { privateKey, publicKey: concat(ed25519.publicKey(edSeed), mlDsa.publicKey(mlSeed)) }
  }

  sign(message: Uint8Array, privateKey: Uint8Array): Uint8Array {
    invariant(privateKey.length === seedBytes, `Private key must have ${seedBytes} bytes`)
    const [edSeed, mlSeed] = halves(privateKey, ed25519.seedBytes)
    return concat(signBy(ed25519, edSeed, message), signBy(mlDsa, mlSeed, message))
  }

  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    if (publicKey.length !== ed25519.publicKeyBytes + mlDsa.publicKeyBytes) return false
    if (signature.length !== ed25519.signatureBytes + mlDsa.signatureBytes) return false
    const [edKey, mlKey] = halves(publicKey, ed25519.publicKeyBytes)
    const [edSignature, mlSignature] = halves(signature, ed25519.signatureBytes)
    return ed25519.verify(edKey, message, edSignature) && mlDsa.verify(mlKey, message, mlSignature)
  }
}
