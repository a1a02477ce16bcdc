import { describe, expect, it } from 'vitest'
import { concat, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import {
  equalConstantTime,
  hkdfSha256,
  hmacSha256,
  nativeHashes,
  portableHashes,
  randomBytes,
  randomNonce,
  sha256,
  sha512,
} from '../../../src/crypto/hash.ts'
import { counting, flipped, present } from './engines.ts'

const native = present(nativeHashes)

describe.each([
  ['node:crypto', native],
  ['noble', portableHashes],
  [
    'the exported functions',
    { sha256, sha512, hmacSha256, hkdfSha256, equalConstantTime } satisfies typeof native,
  ],
])('hashing by %s', (_, engine) => {
  it('gives the known digests', () => {
    expect(encodeHex(engine.sha256(utf8('abc')))).toBe(
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    )
    expect(encodeHex(engine.sha256())).toBe(
      'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855',
    )
    expect(encodeHex(engine.sha512(utf8('abc')))).toBe(
      'ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a' +
        '2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f',
    )
  })

  it('gives the HMAC of RFC 4231, test case 2, in one part and in several', () => {
    const expected = '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'
    const key = utf8('Jefe')
    expect(encodeHex(engine.hmacSha256(key, utf8('what do ya want for nothing?')))).toBe(expected)
    const parts = [utf8('what do ya '), utf8('want for'), utf8(' nothing?')]
    expect(encodeHex(engine.hmacSha256(key, ...parts))).toBe(expected)
  })

  it('gives the HKDF of RFC 5869, test cases 1 and 3', () => {
    const ikm = new Uint8Array(22).fill(0x0b)
    const okm = engine.hkdfSha256(ikm, counting(13), counting(10, 0xf0), 42)
    expect(encodeHex(okm)).toBe(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    )
    const empty = new Uint8Array(0)
    expect(encodeHex(engine.hkdfSha256(ikm, empty, empty, 42))).toBe(
      '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
    )
  })

  it('hashes parts as their concatenation, and gives plain arrays', () => {
    const parts = [counting(5), counting(0), counting(200, 9)]
    for (const name of ['sha256', 'sha512'] as const) {
      const digest = engine[name](...parts)
      expect(digest).toEqual(native[name](concat(...parts)))
      expect(digest).toEqual(portableHashes[name](concat(...parts)))
      expect(digest.constructor).toBe(Uint8Array)
      expect(digest.buffer.byteLength).toBe(digest.length)
    }
  })

  it('compares by content, and never equal when lengths differ', () => {
    const bytes = counting(32)
    expect(engine.equalConstantTime(bytes, bytes.slice())).toBe(true)
    expect(engine.equalConstantTime(bytes, flipped(bytes, 0))).toBe(false)
    expect(engine.equalConstantTime(bytes, flipped(bytes, 31))).toBe(false)
    expect(engine.equalConstantTime(bytes, bytes.subarray(1))).toBe(false)
    expect(engine.equalConstantTime(bytes.subarray(0, 31), bytes)).toBe(false)
    expect(engine.equalConstantTime(new Uint8Array(0), new Uint8Array(0))).toBe(true)
  })
})

describe('both engines', () => {
  it('agree at every length around the blocks', () => {
    for (const length of [1, 55, 56, 63, 64, 65, 111, 112, 127, 128, 129, 1000]) {
      const bytes = counting(length, length)
      expect(native.sha256(bytes)).toEqual(portableHashes.sha256(bytes))
      expect(native.sha512(bytes)).toEqual(portableHashes.sha512(bytes))
      expect(native.hmacSha256(bytes, bytes)).toEqual(portableHashes.hmacSha256(bytes, bytes))
      expect(native.hkdfSha256(bytes, bytes, bytes, length)).toEqual(
        portableHashes.hkdfSha256(bytes, bytes, bytes, length),
      )
    }
  })
})

describe('random bytes', () => {
  it('have the length asked for, differ, and lie in a buffer of their own', () => {
    const bytes = randomBytes(32)
    expect(bytes).toHaveLength(32)
    expect(bytes.buffer.byteLength).toBe(32)
    expect(bytes).not.toEqual(randomBytes(32))
    expect(randomBytes(0)).toHaveLength(0)
  })
})

describe('random bytes for ids and salts', () => {
  it('are as many as asked for, at most 64, and never the same', () => {
    expect(randomNonce(0)).toHaveLength(0)
    const drawn = Array.from({ length: 2000 }, (_, i) => randomNonce(8 + (i % 57)))
    expect(drawn.map(({ length }) => length).slice(0, 58)).toEqual([
      ...Array.from({ length: 57 }, (_, i) => 8 + i),
      8,
    ])
    // Whichever way the stock is cut, no eight bytes come again, and none were left zero.
    const seen = drawn.map((bytes) => Buffer.from(bytes.subarray(0, 8)).toString('hex'))
    expect(new Set(seen).size).toBe(2000)
    expect(seen).not.toContain('0'.repeat(16))
    expect(() => randomNonce(65)).toThrow(/Longer than an id/)
  })

  it('belong to whoever drew them', () => {
    const first = randomNonce(16)
    const kept = first.slice()
    randomNonce(16).fill(0)
    expect(first).toEqual(kept)
    expect(first.buffer.byteLength).toBe(16)
  })
})
