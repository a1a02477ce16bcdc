import { describe, expect, it } from 'vitest'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { counting, signatureEngines } from './engines.ts'

const pins: Readonly<Record<string, string>> = {
  'ML-DSA-44': '9f107644c1084526af3bc8098680b05499a2325a644e388fb4f970e058d19d46',
  'ML-DSA-65': 'd666806e11cee19a7c989f7445f90dd419cf4d2d51db8c0fdb4c0f0a542238c9',
}

describe.each(signatureEngines.filter(({ algorithm }) => algorithm.name in pins))(
  '$title',
  ({ algorithm }) => {
    it('pins the public key of a seed', () => {
      expect(encodeHex(sha256(algorithm.publicKey(counting(32))))).toBe(pins[algorithm.name])
    })

    it('hedges: two signatures of one message differ', () => {
      const signer = algorithm.signer(new Secret(counting(32)))
      expect(signer.sign(utf8('m'))).not.toEqual(signer.sign(utf8('m')))
    })
  },
)
