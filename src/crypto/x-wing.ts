// X-Wing (draft-connolly-cfrg-xwing-kem): ML-KEM-768 and X25519, and who would learn the secret must break both. A private key is its 32-byte seed;
// storing it expanded would lose the binding properties. A ciphertext that was tampered with in its ML-KEM half gives another secret, not an
// error (FIPS 203 implicit rejection), so a wrong key shows only where the secret is used.
import { ml_kem768_x25519 as noble } from '@noble/post-quantum/hybrid.js'
import { concat } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { pkcs8PrefixOf, spkiPrefixOf } from './der.ts'
import { randomBytes } from './hash.ts'
import { native, plain, type KeyObject, type NativeCrypto } from './native.ts'
import {
  exportPublicKey,
  importPublicKey,
  importSeed,
  type SeedImport,
} from './native-signature.ts'

/** What encapsulation gives. */
export interface Encapsulation {
  /** 32 bytes; the caller wipes them. */
  readonly sharedSecret: Uint8Array
  /** 1120 bytes. */
  readonly ciphertext: Uint8Array
}

/** A key encapsulation mechanism. */
export interface Kem {
  readonly seedBytes: number
  readonly publicKeyBytes: number
  readonly ciphertextBytes: number
  readonly sharedSecretBytes: number
  /** @throws {@link Failure} BUG when the seed has another length */
  publicKey(seed: Uint8Array): Uint8Array
  /**
   * A fresh secret and its ciphertext; `eseed`, 64 bytes, takes the place of randomness in tests.
   * @throws {@link Failure} INPUT_INVALID when the public key is not one
   */
  encapsulate(publicKey: Uint8Array, eseed?: Uint8Array): Encapsulation
  /** @throws {@link Failure} OPEN_FAILED on anything wrong with the seed or the ciphertext */
  decapsulate(seed: Uint8Array, ciphertext: Uint8Array): Uint8Array
}

const lengths = {
  seedBytes: 32,
  publicKeyBytes: 1216,
  ciphertextBytes: 1120,
  sharedSecretBytes: 32,
} as const

const mlKemPublicKeyBytes = 1184
const mlKemCiphertextBytes = 1088
const mlKemSeedBytes = 64

/** A KEM whose functions see right lengths only and whose failures are told apart by nobody. */
function guarded(engine: Pick<Kem, 'publicKey' | 'encapsulate' | 'decapsulate'>): Kem {
  return {
    ...lengths,
    publicKey(seed) {
      invariant(seed.length === lengths.seedBytes, 'X-Wing seed has the wrong length')
      return engine.publicKey(seed)
    },
    encapsulate(publicKey, eseed) {
      invariant(eseed === undefined || eseed.length === 64, 'X-Wing eseed has the wrong length')
      try {
        if (publicKey.length === lengths.publicKeyBytes) return engine.encapsulate(publicKey, eseed)
      } catch {
        // Only the public key can be to blame, and a library's message must not carry key material.
      }
      throw new Failure('INPUT_INVALID', 'X-Wing public key is not valid')
    },
    decapsulate(seed, ciphertext) {
      try {
        if (seed.length === lengths.seedBytes && ciphertext.length === lengths.ciphertextBytes)
          return engine.decapsulate(seed, ciphertext)
      } catch {
        // Which half was wrong is nobody's business.
      }
      throw new Failure('OPEN_FAILED', 'Decapsulation failed')
    },
  }
}

/** X-Wing by noble. */
export const xWingPortable: Kem = guarded({
  publicKey: (seed) => noble.keygen(seed).publicKey,
  encapsulate(publicKey, eseed = randomBytes(64)) {
    const { sharedSecret, cipherText } = noble.encapsulate(publicKey, eseed)
    return { sharedSecret, ciphertext: cipherText }
  },
  decapsulate: (seed, ciphertext) => noble.decapsulate(ciphertext, seed),
})

const mlKemOid = Uint8Array.of(0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x04, 0x02) // 2.16.840.1.101.3.4.4.2
const x25519Oid = Uint8Array.of(0x2b, 0x65, 0x6e) // 1.3.101.110

const mlKemSpki = spkiPrefixOf(mlKemOid, mlKemPublicKeyBytes)
const mlKemSeed: SeedImport = {
  raw: { asymmetricKeyType: 'ml-kem-768', format: 'raw-seed' },
  pkcs8Prefix: pkcs8PrefixOf(mlKemOid, 0x80, mlKemSeedBytes),
}
const x25519Spki = spkiPrefixOf(x25519Oid, 32)
const x25519Seed: SeedImport = {
  raw: { asymmetricKeyType: 'x25519', format: 'raw-private' },
  pkcs8Prefix: pkcs8PrefixOf(x25519Oid, 0x04, 32),
}

const xWingLabel = Uint8Array.of(0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c)

/** Both private halves of a seed (§5.2 expandDecapsulationKey). */
function expand(crypto: NativeCrypto, seed: Uint8Array): { mlKem: KeyObject; x25519: KeyObject } {
  const expanded = crypto.createHash('shake256', { outputLength: 96 }).update(seed).digest()
  try {
    return {
      mlKem: importSeed(crypto, mlKemSeed, expanded.subarray(0, mlKemSeedBytes)),
      x25519: importSeed(crypto, x25519Seed, expanded.subarray(mlKemSeedBytes)),
    }
  } finally {
    expanded.fill(0)
  }
}

/** The combiner (§5.3); wipes both secrets that go into it. */
function combine(
  crypto: NativeCrypto,
  mlKemSecret: Uint8Array,
  x25519Secret: Uint8Array,
  x25519Ciphertext: Uint8Array,
  x25519PublicKey: Uint8Array,
): Uint8Array {
  const hash = crypto.createHash('sha3-256').update(mlKemSecret).update(x25519Secret)
  mlKemSecret.fill(0)
  x25519Secret.fill(0)
  return plain(hash.update(x25519Ciphertext).update(x25519PublicKey).update(xWingLabel).digest())
}

const nativeXWing = (crypto: NativeCrypto): Kem =>
  guarded({
    publicKey(seed) {
      const { mlKem, x25519 } = expand(crypto, seed)
      return concat(
        exportPublicKey(crypto, mlKemSpki, mlKem),
        exportPublicKey(crypto, x25519Spki, x25519),
      )
    },

    encapsulate(publicKey, eseed) {
      // OpenSSL takes no randomness from outside.
      if (eseed !== undefined) return xWingPortable.encapsulate(publicKey, eseed)
      const mlKemKey = importPublicKey(
        crypto,
        mlKemSpki,
        publicKey.subarray(0, mlKemPublicKeyBytes),
      )
      const x25519Raw = publicKey.subarray(mlKemPublicKeyBytes)
      const x25519Key = importPublicKey(crypto, x25519Spki, x25519Raw)
      const { ciphertext, sharedKey } = crypto.encapsulate(mlKemKey)
      const ephemeral = crypto.generateKeyPairSync('x25519').privateKey
      const x25519Secret = crypto.diffieHellman({ privateKey: ephemeral, publicKey: x25519Key })
      const x25519Ciphertext = exportPublicKey(crypto, x25519Spki, ephemeral)
      return {
        sharedSecret: combine(crypto, sharedKey, x25519Secret, x25519Ciphertext, x25519Raw),
        ciphertext: concat(ciphertext, x25519Ciphertext),
      }
    },

    decapsulate(seed, ciphertext) {
      const { mlKem, x25519 } = expand(crypto, seed)
      const x25519Ciphertext = ciphertext.subarray(mlKemCiphertextBytes)
      const x25519Secret = crypto.diffieHellman({
        privateKey: x25519,
        publicKey: importPublicKey(crypto, x25519Spki, x25519Ciphertext),
      })
      const mlKemSecret = crypto.decapsulate(mlKem, ciphertext.subarray(0, mlKemCiphertextBytes))
      const x25519Public = exportPublicKey(crypto, x25519Spki, x25519)
      return combine(crypto, mlKemSecret, x25519Secret, x25519Ciphertext, x25519Public)
    },
  })

/** Whether this node:crypto has ML-KEM: Node 24.7 and later, linked with OpenSSL 3.5 or later. */
function hasMlKem(crypto: NativeCrypto): boolean {
  try {
    const key = importSeed(crypto, mlKemSeed, new Uint8Array(mlKemSeedBytes))
    return crypto.encapsulate(crypto.createPublicKey(key)).sharedKey.length === 32
  } catch {
    return false
  }
}

/** X-Wing by node:crypto, where it is. */
export const xWingNative: Kem | undefined =
  native !== undefined && hasMlKem(native) ? nativeXWing(native) : undefined

/** X-Wing. */
export const xWing: Kem = xWingNative ?? xWingPortable
