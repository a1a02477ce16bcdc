import { describe, expect, it } from 'vitest'
import { concat, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import {
  compositeNative,
  compositeOf,
  compositePortable,
  verifyComposite,
} from '../../../src/crypto/composite.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { sha256, sha512 } from '../../../src/crypto/hash.ts'
import { mlDsa65 } from '../../../src/crypto/ml-dsa.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import type { SignatureAlgorithm } from '../../../src/crypto/signatures.ts'
import { counting, expectFailure, flipped, present } from './engines.ts'

const message = utf8('Pay 100 to Alice')
const digest = sha512(message)
const context = utf8('countersign/decision/v1')
const seed = counting(64)

const mlDsaPart = (bytes: Uint8Array) => bytes.subarray(0, 3309)
const edPart = (bytes: Uint8Array) => bytes.subarray(3309)

describe.each([
  ['node:crypto', present(compositeNative)],
  ['noble', compositePortable],
])('the composite by %s', (_, algorithm) => {
  const signer = algorithm.signer(new Secret(seed.slice()))
  const { publicKey } = signer
  const signature = signer.signDigest(digest, context)

  it('pins the public key of a seed', () => {
    expect(encodeHex(sha256(algorithm.publicKey(seed)))).toBe(
      'f5c64072749870718394df9a06a384e58e3adf6e6ae897fb1cc5da9c4d3867a0',
    )
  })

  it('signs the digest as it signs the message', async () => {
    expect(algorithm.verify(publicKey, message, signature, context)).toBe(true)
    const fromMessage = signer.sign(message, context)
    expect(algorithm.verifyDigest(publicKey, digest, fromMessage, context)).toBe(true)
    const later = await signer.signDigestAsync(digest, context)
    expect(verifyComposite(publicKey, digest, later, context)).toBe(true)
  })

  it('refuses a digest that is changed or not of 64 bytes', async () => {
    expect(algorithm.verifyDigest(publicKey, flipped(digest, 63), signature, context)).toBe(false)
    for (const length of [0, 32, 63, 65]) {
      const bad = counting(length)
      expect(algorithm.verifyDigest(publicKey, bad, signature, context)).toBe(false)
      expectFailure('BUG', () => signer.signDigest(bad, context))
      await expect(signer.signDigestAsync(bad)).rejects.toMatchObject({ code: 'BUG' })
    }
  })

  it('does not take a message for its digest', () => {
    const signed = signer.sign(digest, context)
    expect(algorithm.verifyDigest(publicKey, digest, signed, context)).toBe(false)
  })

  it('refuses halves of signatures over different messages, contexts and keys', () => {
    const others = [
      signer.sign(utf8('Pay 900 to Alice'), context),
      signer.sign(message, utf8('countersign/override/v1')),
      algorithm.signer(new Secret(counting(64, 1))).sign(message, context),
    ]
    for (const other of others) {
      const first = concat(mlDsaPart(signature), edPart(other))
      const second = concat(mlDsaPart(other), edPart(signature))
      expect(algorithm.verify(publicKey, message, first, context)).toBe(false)
      expect(algorithm.verify(publicKey, message, second, context)).toBe(false)
    }
  })

  // The scheme is not strongly unforgeable. Written down here, so that nobody takes the bytes of a signature for an identity.
  it('accepts exchanged halves of two signatures over the same message and context', () => {
    const again = signer.sign(message, context)
    expect(again).not.toEqual(signature)
    const mixed = concat(mlDsaPart(signature), edPart(again))
    expect(algorithm.verify(publicKey, message, mixed, context)).toBe(true)
  })

  it('refuses halves that are good by themselves but not under the composite', () => {
    using mlDsaSeed = new Secret(seed.slice(0, 32))
    using edSeed = new Secret(seed.slice(32))
    const bare = concat(
      mlDsa65.signer(mlDsaSeed).sign(message, context),
      ed25519.signer(edSeed).sign(message),
    )
    expect(algorithm.verify(publicKey, message, bare, context)).toBe(false)
  })

  it('wants both halves: one good half carries nothing', () => {
    const zeroEd = concat(mlDsaPart(signature), new Uint8Array(64))
    const zeroMlDsa = concat(new Uint8Array(3309), edPart(signature))
    expect(algorithm.verify(publicKey, message, zeroEd, context)).toBe(false)
    expect(algorithm.verify(publicKey, message, zeroMlDsa, context)).toBe(false)
  })
})

describe('a composite signer whose part is faulty', () => {
  /** The algorithm with one bit of each signature wrong, as a fault in memory would make it. */
  const faulty = (algorithm: SignatureAlgorithm): SignatureAlgorithm => ({
    ...algorithm,
    signer(secret) {
      const good = algorithm.signer(secret)
      return {
        algorithm,
        publicKey: good.publicKey,
        sign: (...input) => flipped(good.sign(...input), 40),
        signAsync: async (...input) => flipped(await good.signAsync(...input), 40),
        close() {
          good.close()
        },
      }
    },
  })

  it.each([
    ['ML-DSA-65', compositeOf(faulty(mlDsa65), ed25519)],
    ['Ed25519', compositeOf(mlDsa65, faulty(ed25519))],
  ])('gives no signature out when %s is wrong', async (_, algorithm) => {
    const signer = algorithm.signer(new Secret(seed.slice()))
    expectFailure('BUG', () => signer.signDigest(digest, context))
    expectFailure('BUG', () => signer.sign(message))
    await expect(signer.signDigestAsync(digest)).rejects.toMatchObject({ code: 'BUG' })
    await expect(signer.signAsync(message)).rejects.toMatchObject({ code: 'BUG' })
  })
})
