import { describe, expect, it } from 'vitest'
import { decodeHex, encodeHex } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { xWingNative, xWingPortable } from '../../../src/crypto/x-wing.ts'
import { counting, expectFailure, flipped, present } from './engines.ts'

const hex = (text: string): Uint8Array => present(decodeHex(text))
const native = present(xWingNative)
const seed = counting(32)
const lowOrder = ['00', '01', 'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b8'].map(
  (head) => hex(head.padEnd(64, '0')),
)

describe.each([
  ['node:crypto', native, xWingPortable],
  ['noble', xWingPortable, native],
])('X-Wing by %s', (_, kem, other) => {
  const publicKey = kem.publicKey(seed)

  it("gives the draft's first vector", () => {
    const first = hex('7f9c2ba4e88f827d616045507605853ed73b8093f6efbc88eb1a6eacfa66ef26')
    const eseed = hex(
      '3cb1eea988004b93103cfb0aeefd2a686e01fa4a58e8a3639ca8a1e3f9ae57e2' +
        '35b8cc873c23dc62b8d260169afa2f75ab916a58d974918835d25e6a435085b2',
    )
    const secret = 'd2df0522128f09dd8e2c92b1e905c793d8f57a54c3da25861f10bf4ca613e384'
    const { sharedSecret, ciphertext } = kem.encapsulate(kem.publicKey(first), eseed)
    expect(encodeHex(sharedSecret)).toBe(secret)
    expect(encodeHex(sha256(ciphertext))).toBe(
      '17cd532d657e44c897ca6583e548a5424fc70bf54f99515a4d2bcf99e3469f33',
    )
    expect(encodeHex(kem.decapsulate(first, ciphertext))).toBe(secret)
  })

  it('decapsulates what either engine encapsulated', () => {
    expect(other.publicKey(seed)).toEqual(publicKey)
    for (const from of [kem, other]) {
      const { sharedSecret, ciphertext } = from.encapsulate(publicKey)
      expect(sharedSecret).toHaveLength(32)
      expect(ciphertext).toHaveLength(1120)
      expect(kem.decapsulate(seed, ciphertext)).toEqual(sharedSecret)
    }
  })

  it('gives another secret each time', () => {
    expect(kem.encapsulate(publicKey).sharedSecret).not.toEqual(
      kem.encapsulate(publicKey).sharedSecret,
    )
  })

  it('gives the same other secret as the other engine for a ciphertext or seed that was changed', () => {
    const { sharedSecret, ciphertext } = kem.encapsulate(publicKey)
    for (const at of [0, 500, 1087, 1088, 1119]) {
      const changed = flipped(ciphertext, at)
      const secret = kem.decapsulate(seed, changed)
      expect(secret).not.toEqual(sharedSecret)
      expect(other.decapsulate(seed, changed)).toEqual(secret)
    }
    expect(kem.decapsulate(flipped(seed, 0), ciphertext)).not.toEqual(sharedSecret)
  })

  it('takes the high bit of the X25519 half as the other engine does', () => {
    const { sharedSecret, ciphertext } = kem.encapsulate(publicKey)
    const changed = ciphertext.slice()
    changed[1119] = (changed[1119] ?? 0) ^ 0x80
    expect(kem.decapsulate(seed, changed)).toEqual(other.decapsulate(seed, changed))
    expect(kem.decapsulate(seed, changed)).not.toEqual(sharedSecret)
  })

  it('refuses lengths a byte short or long', () => {
    const { ciphertext } = kem.encapsulate(publicKey)
    for (const bad of [counting(0), ciphertext.subarray(1), Uint8Array.of(...ciphertext, 0)])
      expectFailure('OPEN_FAILED', () => kem.decapsulate(seed, bad))
    for (const bad of [counting(0), counting(31), counting(33), counting(64)]) {
      expectFailure('OPEN_FAILED', () => kem.decapsulate(bad, ciphertext))
      expectFailure('BUG', () => kem.publicKey(bad))
    }
    for (const bad of [counting(0), publicKey.subarray(1), Uint8Array.of(...publicKey, 0)])
      expectFailure('INPUT_INVALID', () => kem.encapsulate(bad))
    for (const bad of [counting(0), counting(63), counting(65)])
      expectFailure('BUG', () => kem.encapsulate(publicKey, bad))
  })

  it('refuses an X25519 half of small order', () => {
    const { ciphertext } = kem.encapsulate(publicKey)
    for (const point of lowOrder) {
      const badCiphertext = ciphertext.slice()
      badCiphertext.set(point, 1088)
      expectFailure('OPEN_FAILED', () => kem.decapsulate(seed, badCiphertext))
      const badKey = publicKey.slice()
      badKey.set(point, 1184)
      expectFailure('INPUT_INVALID', () => kem.encapsulate(badKey))
    }
  })

  it('refuses an ML-KEM half with a coefficient beyond q', () => {
    const bad = publicKey.slice()
    bad.fill(0xff, 0, 3)
    expectFailure('INPUT_INVALID', () => kem.encapsulate(bad))
  })

  it('leaves seed, eseed and public key as they were', () => {
    const given = [seed.slice(), publicKey.slice(), counting(64)] as const
    const { ciphertext } = kem.encapsulate(given[1], given[2])
    kem.decapsulate(given[0], ciphertext)
    kem.publicKey(given[0])
    expect(given).toEqual([seed, publicKey, counting(64)])
  })
})
