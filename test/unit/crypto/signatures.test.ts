import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { composite } from '../../../src/crypto/composite.ts'
import { ed25519 } from '../../../src/crypto/ed25519.ts'
import { mlDsa44, mlDsa65 } from '../../../src/crypto/ml-dsa.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { findSignatureAlgorithm, signatureAlgorithms } from '../../../src/crypto/signatures.ts'
import { counting, expectFailure, flipped, places, signatureEngines } from './engines.ts'

const message = utf8('Pay 100 to Alice')
const context = utf8('countersign/decision/v1')

describe.each(signatureEngines)('$title', ({ algorithm, other }) => {
  const seed = counting(algorithm.seedBytes)
  const open = () => algorithm.signer(new Secret(seed.slice()))
  const takesContext = algorithm.contextBytes > 0
  const used = takesContext ? context : undefined
  const signer = open()
  const { publicKey } = signer
  const signature = signer.sign(message, used)
  const verify = (m: Uint8Array, s: Uint8Array, k = publicKey, c = used) =>
    algorithm.verify(k, m, s, c)

  it('verifies what it signed, and so does the other engine', () => {
    expect(verify(message, signature)).toBe(true)
    expect(other.verify(publicKey, message, signature, used)).toBe(true)
    expect(signature).toHaveLength(algorithm.signatureBytes)
  })

  it('gives the public key that the other engine gives', () => {
    expect(algorithm.publicKey(seed)).toEqual(publicKey)
    expect(other.publicKey(seed)).toEqual(publicKey)
    expect(publicKey).toHaveLength(algorithm.publicKeyBytes)
  })

  it('gives plain arrays, not Buffers, that share memory with nothing', () => {
    for (const bytes of [publicKey, signature]) {
      expect(bytes.constructor).toBe(Uint8Array)
      expect(bytes.buffer.byteLength).toBe(bytes.length)
    }
  })

  it('signs the empty message', () => {
    const empty = new Uint8Array(0)
    expect(verify(empty, open().sign(empty, used))).toBe(true)
    expect(verify(empty, signature)).toBe(false)
  })

  it('refuses a signature with one byte changed', () => {
    for (const at of places(signature))
      expect([at, verify(message, flipped(signature, at))]).toEqual([at, false])
  })

  it('refuses a message with one byte changed, cut off or added', () => {
    for (const at of places(message)) expect(verify(flipped(message, at), signature)).toBe(false)
    expect(verify(message.subarray(1), signature)).toBe(false)
    expect(verify(utf8('Pay 100 to Alice '), signature)).toBe(false)
  })

  it('refuses a public key with one byte changed, and another key', () => {
    for (const at of places(publicKey))
      expect([at, verify(message, signature, flipped(publicKey, at))]).toEqual([at, false])
    const stranger = algorithm.publicKey(counting(algorithm.seedBytes, 7))
    expect(verify(message, signature, stranger)).toBe(false)
  })

  it('refuses signatures and public keys that are a byte short or long, or empty', () => {
    const longer = (bytes: Uint8Array) => Uint8Array.of(...bytes, 0)
    const empty = new Uint8Array(0)
    for (const bad of [signature.subarray(1), signature.subarray(0, -1), longer(signature), empty])
      expect(verify(message, bad)).toBe(false)
    for (const bad of [publicKey.subarray(1), publicKey.subarray(0, -1), longer(publicKey), empty])
      expect(verify(message, signature, bad)).toBe(false)
  })

  it('refuses constant bytes of the right lengths without throwing', () => {
    for (const byte of [0, 1, 0x7f, 0x80, 0xff]) {
      const badKey = new Uint8Array(algorithm.publicKeyBytes).fill(byte)
      const badSignature = new Uint8Array(algorithm.signatureBytes).fill(byte)
      expect(verify(message, badSignature)).toBe(false)
      expect(verify(message, signature, badKey)).toBe(false)
      expect(verify(message, badSignature, badKey)).toBe(false)
    }
  })

  it('verifies off the event loop with the same verdicts', async () => {
    const verdict = (m: Uint8Array, s: Uint8Array, k = publicKey) =>
      algorithm.verifyAsync(k, m, s, used)
    expect(await verdict(message, signature)).toBe(true)
    expect(await verdict(message, flipped(signature, 0))).toBe(false)
    expect(await verdict(message, flipped(signature, -1))).toBe(false)
    expect(await verdict(flipped(message, 0), signature)).toBe(false)
    expect(await verdict(message, signature.subarray(1))).toBe(false)
    expect(await verdict(message, signature, flipped(publicKey, 0))).toBe(false)
    expect(await verdict(message, signature, publicKey.subarray(1))).toBe(false)
    expect(await algorithm.verifyAsync(publicKey, message, signature, utf8('other'))).toBe(false)
  })

  it('signs and verifies off the event loop what was given, even when it is overwritten meanwhile', async () => {
    const given = message.slice()
    const signing = signer.signAsync(given, used)
    given.fill(0)
    const made = await signing
    expect(verify(message, made)).toBe(true)

    given.set(message)
    const verifying = algorithm.verifyAsync(publicKey, given, made, used)
    given.fill(0)
    made.fill(0)
    expect(await verifying).toBe(true)
  })

  it('refuses another context, a missing and an added one', () => {
    const without = open().sign(message)
    expect(algorithm.verify(publicKey, message, without)).toBe(true)
    expect(algorithm.verify(publicKey, message, without, new Uint8Array(0))).toBe(true)
    expect(algorithm.verify(publicKey, message, without, context)).toBe(false)
    expect(algorithm.verify(publicKey, message, signature, flipped(context, 0))).toBe(false)
    if (takesContext) expect(algorithm.verify(publicKey, message, signature)).toBe(false)
  })

  it('takes the longest context and refuses one byte more', async () => {
    const longest = counting(algorithm.contextBytes)
    const beyond = counting(algorithm.contextBytes + 1)
    expect(algorithm.verify(publicKey, message, signer.sign(message, longest), longest)).toBe(true)
    expect(algorithm.verify(publicKey, message, signature, beyond)).toBe(false)
    expectFailure('BUG', () => signer.sign(message, beyond))
    await expect(signer.signAsync(message, beyond)).rejects.toMatchObject({ code: 'BUG' })
  })

  it('takes a seed of its length only', () => {
    for (const length of [0, algorithm.seedBytes - 1, algorithm.seedBytes + 1]) {
      expectFailure('BUG', () => algorithm.publicKey(counting(length)))
      expectFailure('BUG', () => algorithm.signer(new Secret(counting(length))))
    }
  })

  it('leaves the seed as it was', () => {
    const given = seed.slice()
    algorithm.publicKey(given)
    const secret = new Secret(given)
    algorithm.signer(secret)
    expect(secret.use((bytes) => bytes.slice())).toEqual(seed)
  })

  it('goes on signing after the seed was wiped, and stops when closed', async () => {
    const secret = new Secret(seed.slice())
    const own = algorithm.signer(secret)
    secret.wipe()
    expect(verify(message, own.sign(message, used))).toBe(true)
    expect(own.algorithm).toBe(algorithm)
    own.close()
    own.close()
    expectFailure('BUG', () => own.sign(message, used))
    await expect(own.signAsync(message, used)).rejects.toMatchObject({ code: 'BUG' })
  })
})

describe('the table of signature algorithms', () => {
  it('holds each algorithm under its own name', () => {
    expect(Object.values(signatureAlgorithms)).toEqual([ed25519, mlDsa44, mlDsa65, composite])
    for (const [name, algorithm] of Object.entries(signatureAlgorithms))
      expect(algorithm.name).toBe(name)
    expect(Object.isFrozen(signatureAlgorithms)).toBe(true)
  })

  it('finds by exact name and nothing else', () => {
    expect(findSignatureAlgorithm('ML-DSA-44')).toBe(mlDsa44)
    for (const name of ['', 'ed25519', 'ML-DSA-87', 'toString', '__proto__', 'constructor'])
      expect(findSignatureAlgorithm(name)).toBeUndefined()
  })

  it('pins the lengths in bytes', () => {
    const lengths = Object.values(signatureAlgorithms).map((a) => [
      a.name,
      a.seedBytes,
      a.publicKeyBytes,
      a.signatureBytes,
      a.contextBytes,
    ])
    expect(lengths).toEqual([
      ['Ed25519', 32, 32, 64, 0],
      ['ML-DSA-44', 32, 1312, 2420, 255],
      ['ML-DSA-65', 32, 1952, 3309, 255],
      ['id-MLDSA65-Ed25519-SHA512', 64, 1984, 3373, 255],
    ])
  })

  it('goes on verifying with more keys than it remembers', () => {
    const keys = Array.from({ length: 70 }, (_, i) => {
      const signer = ed25519.signer(new Secret(counting(32, i)))
      return { publicKey: signer.publicKey, signature: signer.sign(message) }
    })
    for (const { publicKey, signature } of [...keys, ...keys])
      expect(ed25519.verify(publicKey, message, signature)).toBe(true)
    const [first, second] = keys
    expect(first && second && ed25519.verify(first.publicKey, message, second.signature)).toBe(
      false,
    )
  })
})
