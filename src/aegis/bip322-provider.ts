import { invariant } from '../base/failure.ts'
import { isXOnlyKey, schnorrPublicKey } from '../crypto/bip340.ts'
import {
  formatKeyPathSignature,
  keyPathAddressOf,
  signKeyPath,
  verifyBip322,
} from '../crypto/bip322.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { Keypair, SignatureProvider } from './signature-provider.ts'

const keyBytes = 32

/**
 * BIP-322 simple signatures by the key path of Taproot: 64 bytes of BIP-340, keys of 32 bytes x-only. The address is that of BIP-86 (`addressOf`), so that
 * a wallet which holds the key signs the same text; what it prints is the form of `formatSimple`.
 */
export class Bip322Provider implements SignatureProvider {
  readonly algorithmName = 'bip322-simple'

  generateKeypair(): Keypair {
    for (;;) {
      const privateKey = randomBytes(keyBytes)
      try {
        return { privateKey, publicKey: schnorrPublicKey(privateKey) }
      } catch {
        // Zero, or not below the order: one of 2^128.
      }
    }
  }

  sign(message: Uint8Array, privateKey: Uint8Array): Uint8Array {
    invariant(privateKey.length === keyBytes, `Private key must have ${keyBytes} bytes`)
    return signKeyPath(privateKey, message, randomBytes(32))
  }

  verify(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
    if (signature.length !== 64 || publicKey.length !== keyBytes || !isXOnlyKey(publicKey))
      return false
    const simple = formatKeyPathSignature(signature)
    return verifyBip322(keyPathAddressOf(publicKey), message, simple).verdict === 'valid'
  }

  /** The address of Bitcoin's main network for which a key signs. */
  addressOf(publicKey: Uint8Array): string {
    return keyPathAddressOf(publicKey)
  }

  /** A signature as wallets print it: `smp` and the witness in base64. */
  formatSimple(signature: Uint8Array): string {
    return formatKeyPathSignature(signature)
  }
}
