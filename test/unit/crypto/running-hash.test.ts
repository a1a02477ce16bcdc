import { describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { portableRunningSha256, runningSha256 } from '../../../src/crypto/running-hash.ts'

describe.each([
  ['node:crypto', runningSha256],
  ['noble', portableRunningSha256],
])('a hash that is fed in pieces, by %s', (_name, create) => {
  it('is the hash of all of them', () => {
    for (const pieces of [[], [''], ['a'], ['ab', '', 'c'.repeat(200)]]) {
      const hash = create()
      for (const piece of pieces) hash.update(utf8(piece))
      expect(hash.digest()).toEqual(sha256(utf8(pieces.join(''))))
    }
  })
})
