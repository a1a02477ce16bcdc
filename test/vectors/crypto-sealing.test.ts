import { expect, it } from 'vitest'
import { decodeHex, encodeHex } from '../../src/base/bytes.ts'
import { keySchedule, openBase, sealBase } from '../../src/crypto/hpke.ts'
import { xWingNative, xWingPortable } from '../../src/crypto/x-wing.ts'
import { describeVectors, readVectors } from '../support/vectors.ts'
import { chacha, expectFailure, flipped, present } from '../unit/crypto/engines.ts'

const hex = (text: string): Uint8Array => present(decodeHex(text))

const kems = [
  ['node:crypto', present(xWingNative)],
  ['noble', xWingPortable],
] as const

interface XWingCase {
  readonly seed: string
  readonly eseed: string
  readonly ss: string
  readonly sk: string
  readonly pk: string
  readonly ct: string
}

describeVectors('X-Wing', () => {
  const cases = readVectors('xwing.json') as XWingCase[]

  it.each(kems)('gives key, ciphertext and secret of every vector by %s', (_, kem) => {
    expect(cases.length).toBeGreaterThan(0)
    for (const { sk, pk, eseed, ct, ss } of cases) {
      expect(encodeHex(kem.publicKey(hex(sk)))).toBe(pk)
      const { sharedSecret, ciphertext } = kem.encapsulate(hex(pk), hex(eseed))
      expect(encodeHex(ciphertext)).toBe(ct)
      expect(encodeHex(sharedSecret)).toBe(ss)
      expect(encodeHex(kem.decapsulate(hex(sk), hex(ct)))).toBe(ss)
      expect(encodeHex(kem.decapsulate(hex(sk), flipped(hex(ct), 0)))).not.toBe(ss)
    }
  })
})

interface HpkeCase {
  readonly mode: number
  readonly kem_id: number
  readonly kdf_id: number
  readonly aead_id: number
  readonly info: string
  readonly ikmE: string
  readonly skRm: string
  readonly pkRm: string
  readonly enc: string
  readonly shared_secret: string
  readonly key: string
  readonly base_nonce: string
  readonly encryptions: readonly {
    readonly aad: string
    readonly ct: string
    readonly nonce: string
    readonly pt: string
  }[]
}

// The published vectors of this KEM use ChaCha20-Poly1305, so that the key schedule and the single-shot functions are run with it; the AEAD that we
// ship is checked by its own vectors and against another implementation.
describeVectors('HPKE with KEM 0x647a', () => {
  const cases = readVectors('hpke-pq-647a.json') as HpkeCase[]
  const ours = cases.filter(({ kdf_id }) => kdf_id === 0x0001)

  it.each(kems)('gives the encapsulation of every vector, whatever its KDF, by %s', (_, kem) => {
    expect(cases).toHaveLength(2)
    for (const { mode, kem_id, skRm, pkRm, ikmE, enc, shared_secret } of cases) {
      expect([mode, kem_id]).toEqual([0, 0x647a])
      expect(encodeHex(kem.publicKey(hex(skRm)))).toBe(pkRm)
      const { sharedSecret, ciphertext } = kem.encapsulate(hex(pkRm), hex(ikmE))
      expect(encodeHex(ciphertext)).toBe(enc)
      expect(encodeHex(sharedSecret)).toBe(shared_secret)
      expect(encodeHex(kem.decapsulate(hex(skRm), hex(enc)))).toBe(shared_secret)
    }
  })

  it('gives key, nonce and ciphertext of every vector with our KDF', () => {
    expect(ours).toHaveLength(1)
    for (const test of ours) {
      expect(test.aead_id).toBe(chacha.hpkeId)
      const info = hex(test.info)
      const { key, baseNonce } = keySchedule(chacha, hex(test.shared_secret), info)
      expect(encodeHex(key)).toBe(test.key)
      expect(encodeHex(baseNonce)).toBe(test.base_nonce)

      const first = present(test.encryptions[0])
      const [aad, plaintext] = [hex(first.aad), hex(first.pt)]
      const sealed = sealBase(hex(test.pkRm), info, aad, plaintext, hex(test.ikmE), chacha)
      expect(encodeHex(sealed.enc)).toBe(test.enc)
      expect(encodeHex(sealed.ciphertext)).toBe(first.ct)
      const opened = openBase(hex(test.skRm), hex(test.enc), info, aad, hex(first.ct), chacha)
      expect(encodeHex(opened)).toBe(first.pt)
      expect(() =>
        openBase(hex(test.skRm), hex(test.enc), aad, aad, hex(first.ct), chacha),
      ).toThrow('invalid tag')
    }
  })

  it('gives one ciphertext for each nonce of the sequence', () => {
    for (const { key, encryptions } of ours) {
      expect(encryptions.length).toBeGreaterThan(1)
      for (const { nonce, aad, pt, ct } of encryptions)
        expect(encodeHex(chacha.seal(hex(key), hex(nonce), hex(aad), hex(pt)))).toBe(ct)
    }
  })

  it('does not open by our own AEAD what was sealed by another', () => {
    for (const { skRm, enc, info, encryptions } of ours) {
      const { aad, ct } = present(encryptions[0])
      expectFailure('OPEN_FAILED', () =>
        openBase(hex(skRm), hex(enc), hex(info), hex(aad), hex(ct)),
      )
    }
  })
})
