import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { concat, encodeHex } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { signatureAlgorithms } from '../../../src/crypto/signatures.ts'
import { decodeSpki, encodeSpki, keyIdOf } from '../../../src/crypto/spki.ts'
import { counting, expectFailure, flipped } from './engines.ts'

const algorithms = Object.values(signatureAlgorithms)

describe.each(algorithms)('SPKI of $name', (algorithm) => {
  const publicKey = algorithm.publicKey(counting(algorithm.seedBytes))
  const der = encodeSpki(algorithm, publicKey)

  it('decodes to what was encoded', () => {
    expect(decodeSpki(der)).toEqual({ algorithm, publicKey })
  })

  it('refuses a public key of another length', () => {
    for (const bad of [publicKey.subarray(1), concat(publicKey, counting(1)), new Uint8Array(0)]) {
      expectFailure('INPUT_INVALID', () => encodeSpki(algorithm, bad))
      expectFailure('INPUT_INVALID', () => keyIdOf(algorithm, bad))
    }
  })

  it('decodes nothing but exactly that', () => {
    for (let at = 0; at < algorithm.spkiPrefix.length; at++)
      expect(decodeSpki(flipped(der, at))).toBeUndefined()
    expect(decodeSpki(der.subarray(0, -1))).toBeUndefined()
    expect(decodeSpki(concat(der, counting(1)))).toBeUndefined()
    expect(decodeSpki(publicKey)).toBeUndefined()
    expect(decodeSpki(new Uint8Array(0))).toBeUndefined()
  })

  it('names a key by the SHA-256 of its SPKI', () => {
    expect(keyIdOf(algorithm, publicKey)).toBe(encodeHex(sha256(der)))
  })
})

describe('the DER prefixes', () => {
  it.each([
    ['Ed25519', 'ed25519'],
    ['ML-DSA-44', 'ml-dsa-44'],
    ['ML-DSA-65', 'ml-dsa-65'],
  ] as const)('of %s are those of OpenSSL', (name, type) => {
    const { publicKey } = generateKeyPairSync(type as 'ed25519')
    const der = new Uint8Array(publicKey.export({ format: 'der', type: 'spki' }))
    expect(decodeSpki(der)?.algorithm.name).toBe(name)
    const again = encodeSpki(signatureAlgorithms[name], decodeSpki(der)?.publicKey ?? der)
    expect(
      createPublicKey({ key: Buffer.from(again), format: 'der', type: 'spki' }).equals(publicKey),
    ).toBe(true)
  })

  it('of the composite are pinned', () => {
    expect(encodeHex(signatureAlgorithms['id-MLDSA65-Ed25519-SHA512'].spkiPrefix)).toBe(
      '308207d1300a06082b06010505070630038207c100',
    )
  })
})
