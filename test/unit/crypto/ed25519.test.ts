import { describe, expect, it } from 'vitest'
import { decodeHex, encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { ed25519Native, ed25519Portable } from '../../../src/crypto/ed25519.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { counting, present } from './engines.ts'

const hex = (text: string): Uint8Array => present(decodeHex(text))

const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n
const fieldOrder = 2n ** 255n - 19n

const littleEndian = (n: bigint): Uint8Array =>
  Uint8Array.from({ length: 32 }, (_, i) => Number((n >> BigInt(8 * i)) & 0xffn))
const numberOf = (bytes: Uint8Array): bigint =>
  bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)

// The eight points of small order, and every second encoding that decoders are known to take for one of them.
const smallOrder = [
  '0100000000000000000000000000000000000000000000000000000000000000',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  '0000000000000000000000000000000000000000000000000000000000000000',
  '0000000000000000000000000000000000000000000000000000000000000080',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
  '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
  'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa',
  '0100000000000000000000000000000000000000000000000000000000000080',
  'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
  'edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff',
].map(hex)

describe.each([
  ['node:crypto', present(ed25519Native)],
  ['noble', ed25519Portable],
])('Ed25519 by %s', (_, ed25519) => {
  it('gives the signature of RFC 8032 §7.1, test 3', () => {
    const seed = 'c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7'
    const signer = ed25519.signer(new Secret(hex(seed)))
    expect(encodeHex(signer.publicKey)).toBe(
      'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
    )
    expect(encodeHex(signer.sign(hex('af82')))).toBe(
      '6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac' +
        '18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a',
    )
  })

  it('refuses S + L, which is the same number modulo L', () => {
    const signer = ed25519.signer(new Secret(counting(32)))
    const message = utf8('malleable')
    const signature = signer.sign(message)
    expect(ed25519.verify(signer.publicKey, message, signature)).toBe(true)
    const other = signature.slice()
    other.set(littleEndian(numberOf(signature.subarray(32)) + groupOrder), 32)
    expect(ed25519.verify(signer.publicKey, message, other)).toBe(false)
  })

  it('refuses keys of small order under which one signature fits every message', () => {
    for (const key of smallOrder)
      for (const point of smallOrder) {
        const signature = new Uint8Array(64)
        signature.set(point)
        for (const text of ['', 'a', 'b', 'c', 'd', 'e', 'f', 'g'])
          expect(ed25519.verify(key, utf8(text), signature)).toBe(false)
      }
  })

  it('refuses a y beyond p in key and in R', () => {
    const signer = ed25519.signer(new Secret(counting(32)))
    const message = utf8('canonical')
    const signature = signer.sign(message)
    for (let n = fieldOrder; n < 2n ** 255n; n++) {
      const point = littleEndian(n)
      const other = signature.slice()
      other.set(point)
      expect(ed25519.verify(point, message, signature)).toBe(false)
      expect(ed25519.verify(signer.publicKey, message, other)).toBe(false)
    }
  })
})
