import { describe, expect, it } from 'vitest'
import { u16 } from '../../../src/base/bytes.ts'
import { Frontier } from '../../../src/merkle/frontier.ts'
import { leafHash } from '../../../src/merkle/hash.ts'
import { TileTree } from '../../../src/merkle/tiles.ts'
import { referenceRoot } from '../../support/merkle-reference.ts'

const leaves = Array.from({ length: 300 }, (_, i) => u16(i))

const grown = (from: Frontier, some: readonly Uint8Array[]): Frontier => {
  for (const leaf of some) from.append(leafHash(leaf))
  return from
}

describe('the growing edge of a tree', () => {
  it('gives the root of every size', () => {
    const frontier = Frontier.empty()
    for (const [size, leaf] of leaves.entries()) {
      expect(frontier.size).toBe(size)
      expect(frontier.root()).toEqual(referenceRoot(leaves.slice(0, size)))
      frontier.append(leafHash(leaf))
    }
  })

  it.each([0, 1, 2, 3, 7, 8, 255, 256, 257, 300])(
    'goes on from %i leaves without any of them',
    (size) => {
      const tree = new TileTree(0, () => new Uint8Array(0))
      tree.append(leaves.map(leafHash))
      const read = Frontier.read(size, tree.node)
      const again = Frontier.from(size, read.hashes())
      expect(read.root()).toEqual(referenceRoot(leaves.slice(0, size)))
      expect(again && grown(again, leaves.slice(size)).root()).toEqual(referenceRoot(leaves))
      expect(read.root(), 'what was read stays').toEqual(referenceRoot(leaves.slice(0, size)))
    },
  )

  it('takes only as many hashes as the size wants, of 32 bytes each', () => {
    const hash = new Uint8Array(32)
    expect(Frontier.from(3, [hash, hash])?.size).toBe(3)
    expect(Frontier.from(3, [hash])).toBeUndefined()
    expect(Frontier.from(3, [hash, hash, hash])).toBeUndefined()
    expect(Frontier.from(3, [hash, new Uint8Array(31)])).toBeUndefined()
    expect(Frontier.from(3, [hash, new Uint8Array(33)])).toBeUndefined()
    expect(Frontier.from(0, [hash])).toBeUndefined()
  })
})
