import * as panva from 'hpke'
import { describe, expect, it, vi } from 'vitest'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import type { Aead } from '../../../src/crypto/aead.ts'
import { openBase, sealBase } from '../../../src/crypto/hpke.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { xWing } from '../../../src/crypto/x-wing.ts'
import { chacha, counting, expectFailure, flipped } from './engines.ts'

const seed = counting(32)
const publicKey = xWing.publicKey(seed)
const info = utf8('countersign/sign-key/v1')
const aad = utf8('{"keyId":"k1"}')
const plaintext = counting(64, 9)

describe('HPKE in base mode', () => {
  const sealed = sealBase(publicKey, info, aad, plaintext)

  it('opens what was sealed', () => {
    expect(sealed.enc).toHaveLength(1120)
    expect(sealed.ciphertext).toHaveLength(80)
    const opened = openBase(seed, sealed.enc, info, aad, sealed.ciphertext)
    expect(opened).toEqual(plaintext)
    expect(opened.buffer.byteLength).toBe(64)
  })

  it('opens an empty plaintext under empty info and additional data', () => {
    const empty = new Uint8Array(0)
    const { enc, ciphertext } = sealBase(publicKey, empty, empty, empty)
    expect(openBase(seed, enc, empty, empty, ciphertext)).toEqual(empty)
  })

  it('pins a message sealed without randomness', () => {
    const { enc, ciphertext } = sealBase(publicKey, info, aad, plaintext, counting(64))
    expect(encodeHex(sha256(enc, ciphertext))).toBe(
      '35ed05aefea4e21e479b3aa88d02aa1f5a096d383b4098e4ae9fec74afcea5cd',
    )
  })

  it('refuses another info, additional data or key', () => {
    const { enc, ciphertext } = sealed
    const refused = (fn: () => unknown) => {
      expectFailure('OPEN_FAILED', fn)
    }
    refused(() => openBase(seed, enc, flipped(info, 0), aad, ciphertext))
    refused(() => openBase(seed, enc, info, flipped(aad, 0), ciphertext))
    refused(() => openBase(seed, enc, aad, info, ciphertext))
    refused(() => openBase(flipped(seed, 0), enc, info, aad, ciphertext))
    refused(() => openBase(seed.subarray(1), enc, info, aad, ciphertext))
  })

  it('refuses a changed byte and a wrong length of encapsulation and ciphertext', () => {
    const { enc, ciphertext } = sealed
    for (const at of [0, 600, 1087, 1088, 1119])
      expectFailure('OPEN_FAILED', () => openBase(seed, flipped(enc, at), info, aad, ciphertext))
    for (const at of [0, 40, 63, 64, 79])
      expectFailure('OPEN_FAILED', () => openBase(seed, enc, info, aad, flipped(ciphertext, at)))
    for (const bad of [enc.subarray(1), Uint8Array.of(...enc, 0), new Uint8Array(0)])
      expectFailure('OPEN_FAILED', () => openBase(seed, bad, info, aad, ciphertext))
    for (const bad of [ciphertext.subarray(1), Uint8Array.of(...ciphertext, 0), aad])
      expectFailure('OPEN_FAILED', () => openBase(seed, enc, info, aad, bad))
  })

  it('refuses a public key that is none, and leaves its inputs as they were', () => {
    expectFailure('INPUT_INVALID', () => sealBase(publicKey.subarray(1), info, aad, plaintext))
    expect(plaintext).toEqual(counting(64, 9))
    expect(seed).toEqual(counting(32))
  })

  it('does not open under another AEAD, whose name is part of the key schedule', () => {
    const disguised: Aead = { ...chacha, hpkeId: 0x0002 }
    const { enc, ciphertext } = sealBase(publicKey, info, aad, plaintext, undefined, chacha)
    expect(openBase(seed, enc, info, aad, ciphertext, chacha)).toEqual(plaintext)
    expect(() => openBase(seed, enc, info, aad, ciphertext, disguised)).toThrow('invalid tag')
  })
})

describe('HPKE against an independent implementation', () => {
  // It announces that it uses experimental parts of WebCrypto.
  const createSuite = () => {
    vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined)
    return new panva.CipherSuite(
      panva.KEM_MLKEM768_X25519,
      panva.KDF_HKDF_SHA256,
      panva.AEAD_AES_256_GCM,
    )
  }

  it('opens what the other sealed', async () => {
    const suite = createSuite()
    const key = await suite.DeserializePublicKey(publicKey)
    const { encapsulatedSecret, ciphertext } = await suite.Seal(key, plaintext, { info, aad })
    expect(openBase(seed, encapsulatedSecret, info, aad, ciphertext)).toEqual(plaintext)
    expectFailure('OPEN_FAILED', () => openBase(seed, encapsulatedSecret, aad, aad, ciphertext))
  })

  it('seals what the other opens', async () => {
    const suite = createSuite()
    const { enc, ciphertext } = sealBase(publicKey, info, aad, plaintext)
    const key = await suite.DeserializePrivateKey(seed)
    expect(new Uint8Array(await suite.Open(key, enc, ciphertext, { info, aad }))).toEqual(plaintext)
    await expect(suite.Open(key, enc, ciphertext, { info, aad: info })).rejects.toThrow()
  })
})
