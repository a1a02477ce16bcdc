import { describe, expect, it } from 'vitest'
import { decodeHex, encodeHex } from '../../../src/base/bytes.ts'
import {
  aes256GcmNative,
  aes256GcmPortable,
  openAesGcm,
  sealAesGcm,
} from '../../../src/crypto/aead.ts'
import { counting, expectFailure, flipped, present } from './engines.ts'

const native = present(aes256GcmNative)
const hex = (text: string): Uint8Array => present(decodeHex(text))

const key = counting(32)
const nonce = counting(12, 100)
const aad = counting(20, 50)
const plaintext = counting(64, 3)

describe.each([
  ['node:crypto', native, aes256GcmPortable],
  ['noble', aes256GcmPortable, native],
])('AES-256-GCM by %s', (_, aead, other) => {
  const sealed = aead.seal(key, nonce, aad, plaintext)

  it('gives the ciphertext of the GCM specification, test case 16', () => {
    const given = aead.seal(
      hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
      hex('cafebabefacedbaddecaf888'),
      hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
      hex(
        'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72' +
          '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
      ),
    )
    expect(encodeHex(given)).toBe(
      '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa' +
        '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662' +
        '76fc6ece0f4e1768cddf8853bb2d551b',
    )
  })

  it('opens what either engine sealed', () => {
    expect(sealed).toHaveLength(plaintext.length + 16)
    expect(aead.open(key, nonce, aad, sealed)).toEqual(plaintext)
    expect(other.open(key, nonce, aad, sealed)).toEqual(plaintext)
    expect(aead.open(key, nonce, aad, sealed).buffer.byteLength).toBe(plaintext.length)
  })

  it('seals nothing, too, under no additional data', () => {
    const empty = new Uint8Array(0)
    const tag = aead.seal(key, nonce, empty, empty)
    expect(tag).toHaveLength(16)
    expect(aead.open(key, nonce, empty, tag)).toEqual(empty)
    expectFailure('OPEN_FAILED', () => aead.open(key, nonce, empty, flipped(tag, 0)))
  })

  it('refuses every changed byte of the ciphertext', () => {
    for (let at = 0; at < sealed.length; at++)
      expectFailure('OPEN_FAILED', () => aead.open(key, nonce, aad, flipped(sealed, at)))
  })

  it('refuses another key, nonce or additional data', () => {
    expectFailure('OPEN_FAILED', () => aead.open(flipped(key, 0), nonce, aad, sealed))
    expectFailure('OPEN_FAILED', () => aead.open(key, flipped(nonce, 0), aad, sealed))
    expectFailure('OPEN_FAILED', () => aead.open(key, nonce, flipped(aad, 0), sealed))
    expectFailure('OPEN_FAILED', () => aead.open(key, nonce, new Uint8Array(0), sealed))
  })

  it('refuses wrong lengths: of a stranger as OPEN_FAILED, of our own as BUG', () => {
    for (const bad of [sealed.subarray(1), sealed.subarray(0, -1), sealed.subarray(0, 15), aad])
      expectFailure('OPEN_FAILED', () => aead.open(key, nonce, aad, bad))
    for (const bad of [counting(31), counting(33), counting(16), counting(0)]) {
      expectFailure('OPEN_FAILED', () => aead.open(bad, nonce, aad, sealed))
      expectFailure('BUG', () => aead.seal(bad, nonce, aad, plaintext))
    }
    for (const bad of [counting(11), counting(13), counting(0)]) {
      expectFailure('OPEN_FAILED', () => aead.open(key, bad, aad, sealed))
      expectFailure('BUG', () => aead.seal(key, bad, aad, plaintext))
    }
  })
})

describe('the exported functions', () => {
  it('are those of the table', () => {
    const sealed = sealAesGcm(key, nonce, aad, plaintext)
    expect(sealed).toEqual(native.seal(key, nonce, aad, plaintext))
    expect(openAesGcm(key, nonce, aad, sealed)).toEqual(plaintext)
    expectFailure('OPEN_FAILED', () => openAesGcm(key, nonce, plaintext, sealed))
  })
})
