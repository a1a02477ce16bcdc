import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../../src/base/base64.ts'
import { concat, encodeHex } from '../../../src/base/bytes.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import { emptyRoot, leafHash, nodeHash } from '../../../src/merkle/hash.ts'

describe('the hashes of RFC 6962', () => {
  it('give the root of the empty tree', () => {
    expect(encodeBase64(emptyRoot)).toBe('47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=')
  })

  it('give the hash of the empty leaf', () => {
    expect(encodeHex(leafHash(new Uint8Array(0)))).toBe(
      '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
    )
  })

  it('prefix a node with 01 and keep the order of its children', () => {
    const [left, right] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    expect(nodeHash(left, right)).toEqual(sha256(concat(Uint8Array.of(1), left, right)))
    expect(nodeHash(left, right)).not.toEqual(nodeHash(right, left))
  })

  it('never give a leaf the hash of a node', () => {
    const [left, right] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    expect(leafHash(concat(left, right))).not.toEqual(nodeHash(left, right))
  })

  it('do not change a hash given out before', () => {
    const [left, right] = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)]
    const first = nodeHash(left, right)
    const copy = first.slice()
    nodeHash(right, left)
    expect(first).toEqual(copy)
  })
})
