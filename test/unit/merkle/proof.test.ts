import { describe, expect, it } from 'vitest'
import { emptyRoot, leafHash, nodeHash } from '../../../src/merkle/hash.ts'
import {
  consistencyProof,
  inclusionProof,
  rootAt,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/merkle/proof.ts'
import { TileTree } from '../../../src/merkle/tiles.ts'
import { entriesBetween, entryAt, MemoryTiles } from '../../support/merkle-tiles.ts'
import { referencePath, referenceProof, referenceRoot } from '../../support/merkle-reference.ts'

const largest = 9
const tree = new MemoryTiles().grow(new TileTree(0, () => new Uint8Array(0)), largest)
const roots = Array.from({ length: largest + 1 }, (_, size) => rootAt(size, tree.node))
const rootOf = (size: number): Uint8Array => roots[size] ?? emptyRoot
const entries = entriesBetween(0, largest)

const sizes = Array.from({ length: largest }, (_, i) => i + 1)
const inclusions = sizes.flatMap((size) =>
  Array.from({ length: size }, (_, index) => ({ index, size })),
)
const pairs = sizes.flatMap((size2) => sizes.map((size1) => ({ size1, size2 })))
const growths = pairs.filter(({ size1, size2 }) => size1 < size2)

/** Each proof that differs from a good one by one change. */
function mutations(proof: readonly Uint8Array[]): Uint8Array[][] {
  const stray = new Uint8Array(32).fill(7)
  const out: Uint8Array[][] = [
    [stray, ...proof],
    [...proof, stray],
    [...proof, rootOf(largest)],
    [...proof, new Uint8Array(0)],
  ]
  proof.forEach((hash, at) => {
    const flipped = hash.map((byte, i) => (i === at % 32 ? byte ^ 1 : byte))
    out.push(proof.toSpliced(at, 1, flipped))
    out.push(proof.toSpliced(at, 1, hash.subarray(1)))
    out.push(proof.toSpliced(at, 1))
    out.push(proof.toSpliced(at, 0, hash))
    const next = proof[at + 1]
    if (next !== undefined) out.push(proof.toSpliced(at, 2, next, hash))
  })
  return out
}

describe('roots and proofs', () => {
  it('are those of the definitions for every size up to 9', () => {
    for (const size of [0, ...sizes])
      expect(rootOf(size)).toEqual(referenceRoot(entries.slice(0, size)))
    for (const { index, size } of inclusions)
      expect(inclusionProof(index, size, tree.node)).toEqual(
        referencePath(index, entries.slice(0, size)),
      )
    for (const { size1, size2 } of growths)
      expect(consistencyProof(size1, size2, tree.node)).toEqual(
        referenceProof(size1, entries.slice(0, size2)),
      )
  })

  it('are refused as a bug where the leaf or the growth does not exist', () => {
    for (const index of [-1, 5, 0.5, Number.NaN])
      expect(() => inclusionProof(index, 5, tree.node)).toThrow('Leaf is not in the tree')
    expect(() => consistencyProof(6, 5, tree.node)).toThrow('Tree size must not shrink: 5 < 6')
    expect(() => rootAt(-1, tree.node)).toThrow('Not a tree size: -1')
  })

  it('are empty from size 0 and between equal sizes', () => {
    expect(consistencyProof(0, 5, tree.node)).toEqual([])
    expect(consistencyProof(5, 5, tree.node)).toEqual([])
  })
})

describe('verifyInclusion', () => {
  it('accepts every leaf of every size', () => {
    for (const { index, size } of inclusions) {
      const proof = inclusionProof(index, size, tree.node)
      expect(verifyInclusion(index, size, leafHash(entryAt(index)), proof, rootOf(size))).toBe(true)
    }
  })

  it('refuses every mutation of a proof', () => {
    for (const { index, size } of inclusions)
      for (const proof of mutations(inclusionProof(index, size, tree.node)))
        expect(verifyInclusion(index, size, leafHash(entryAt(index)), proof, rootOf(size))).toBe(
          false,
        )
  })

  it('refuses another index, another leaf and another root', () => {
    for (const { index, size } of inclusions) {
      const proof = inclusionProof(index, size, tree.node)
      const leaf = leafHash(entryAt(index))
      const root = rootOf(size)
      for (const other of [
        index - 1,
        index + 1,
        index + 0.5,
        Number.NaN,
        Infinity,
        index + 2 ** 53,
      ])
        expect(verifyInclusion(other, size, leaf, proof, root)).toBe(false)
      expect(verifyInclusion(index, size, leafHash(entryAt(index + 1)), proof, root)).toBe(false)
      expect(verifyInclusion(index, size, leaf, proof, rootOf(size - 1))).toBe(false)
      expect(verifyInclusion(index, size, leaf, proof, root.subarray(1))).toBe(false)
      expect(verifyInclusion(index, size, leaf.subarray(1), proof, root)).toBe(false)
    }
  })

  it('refuses a size whose path has another shape', () => {
    for (const { index, size } of inclusions) {
      const proof = inclusionProof(index, size, tree.node)
      const leaf = leafHash(entryAt(index))
      for (const other of [0, -1, index, Number.NaN, Infinity, 2 * size + 2])
        expect(verifyInclusion(index, other, leaf, proof, rootOf(size))).toBe(false)
      for (const other of [size - 1, size + 1])
        expect(verifyInclusion(index, other, leaf, proof, rootOf(other))).toBe(false)
    }
  })

  it('cannot tell sizes whose paths have one shape: root and size are signed together', () => {
    const proof = inclusionProof(0, 3, tree.node)
    expect(verifyInclusion(0, 4, leafHash(entryAt(0)), proof, rootOf(3))).toBe(true)
    expect(verifyInclusion(0, 5, leafHash(entryAt(0)), proof, rootOf(3))).toBe(false)
  })

  it('follows a path of 53 levels to the largest size', () => {
    const size = Number.MAX_SAFE_INTEGER
    const sibling = new Uint8Array(32).fill(9)
    const leaf = leafHash(entryAt(1))
    // The first leaf has only right siblings, and 2^53 - 1 leaves stand 53 levels high.
    const proof = Array.from({ length: 53 }, () => sibling)
    const root = proof.reduce((hash) => nodeHash(hash, sibling), leaf)
    expect(verifyInclusion(0, size, leaf, proof, root)).toBe(true)
    expect(verifyInclusion(0, size, leaf, proof.slice(1), root)).toBe(false)
    expect(verifyInclusion(0, size + 1, leaf, proof, root)).toBe(false)
    // The last leaf of an odd tree moves up without a sibling, here once.
    const left = Array.from({ length: 52 }, () => sibling)
    const lastRoot = left.reduce((hash) => nodeHash(sibling, hash), leaf)
    expect(verifyInclusion(size - 1, size, leaf, left, lastRoot)).toBe(true)
    expect(verifyInclusion(size - 1, size, leaf, [...left, sibling], lastRoot)).toBe(false)
    expect(verifyInclusion(size - 2, size, leaf, left, lastRoot)).toBe(false)
  })

  it('refuses a path that is longer than the tree is high, even where it hashes to the root', () => {
    const [leaf, stray] = [leafHash(entryAt(0)), leafHash(entryAt(1))]
    expect(verifyInclusion(0, 1, leaf, [stray], nodeHash(stray, leaf))).toBe(false)
    expect(verifyInclusion(0, 1, leaf, [stray], nodeHash(leaf, stray))).toBe(false)
    expect(verifyInclusion(0, 2, leaf, [stray], nodeHash(leaf, stray))).toBe(true)
  })

  it('refuses more than 63 hashes', () => {
    const proof = Array.from({ length: 64 }, () => emptyRoot)
    expect(verifyInclusion(0, Number.MAX_SAFE_INTEGER, emptyRoot, proof, emptyRoot)).toBe(false)
  })
})

describe('verifyConsistency', () => {
  it('accepts every growth', () => {
    for (const { size1, size2 } of growths) {
      const proof = consistencyProof(size1, size2, tree.node)
      expect(verifyConsistency(size1, size2, rootOf(size1), rootOf(size2), proof)).toBe(true)
    }
  })

  it('refuses every mutation of a proof', () => {
    for (const { size1, size2 } of growths)
      for (const proof of mutations(consistencyProof(size1, size2, tree.node)))
        expect(verifyConsistency(size1, size2, rootOf(size1), rootOf(size2), proof)).toBe(false)
  })

  it('refuses other sizes and other roots', () => {
    for (const { size1, size2 } of growths) {
      const proof = consistencyProof(size1, size2, tree.node)
      const [root1, root2] = [rootOf(size1), rootOf(size2)]
      expect(verifyConsistency(size1 - 1, size2, root1, root2, proof)).toBe(false)
      expect(verifyConsistency(size1 + 1, size2, root1, root2, proof)).toBe(false)
      expect(verifyConsistency(size2, size1, root1, root2, proof)).toBe(false)
      for (const other of [0, -1, 0.5, Number.NaN, Infinity, 2 ** 53])
        expect(verifyConsistency(other, size2, root1, root2, proof)).toBe(false)
      for (const other of [size1, 0, -1, Number.NaN, Infinity, 2 ** 53, 2 * size2 + 2])
        expect(verifyConsistency(size1, other, root1, root2, proof)).toBe(false)
      expect(verifyConsistency(size1, size2, root2, root1, proof)).toBe(false)
      expect(verifyConsistency(size1, size2, rootOf(size1 - 1), root2, proof)).toBe(false)
      expect(verifyConsistency(size1, size2, root1, rootOf(size2 - 1), proof)).toBe(false)
      expect(verifyConsistency(size1, size2, root1.subarray(1), root2, proof)).toBe(false)
    }
  })

  it('refuses a tree whose old leaves were changed', () => {
    const entries = entriesBetween(0, 8)
    const forged = entries.with(2, entryAt(99))
    const proof = referenceProof(5, forged)
    expect(
      verifyConsistency(5, 8, referenceRoot(entries.slice(0, 5)), referenceRoot(forged), proof),
    ).toBe(false)
    expect(
      verifyConsistency(5, 8, referenceRoot(forged.slice(0, 5)), referenceRoot(forged), proof),
    ).toBe(true)
  })

  it('refuses hashes of other lengths, also just after the whole ones', () => {
    const [root1, root2, [hash = emptyRoot]] = [
      rootOf(1),
      rootOf(2),
      consistencyProof(1, 2, tree.node),
    ]
    for (const wrong of [hash.subarray(0, 31), Uint8Array.of(...hash, 0), new Uint8Array(100)]) {
      expect(verifyConsistency(1, 2, root1, root2, [hash])).toBe(true)
      expect(verifyConsistency(1, 2, root1, root2, [wrong])).toBe(false)
      expect(verifyConsistency(1, 2, wrong, root2, [hash])).toBe(false)
      expect(verifyInclusion(0, 2, root1, [hash], root2)).toBe(true)
      expect(verifyInclusion(0, 2, root1, [wrong], root2)).toBe(false)
      expect(verifyInclusion(0, 2, wrong, [hash], root2)).toBe(false)
    }
  })

  it('wants equal roots and no proof between equal sizes', () => {
    expect(verifyConsistency(5, 5, rootOf(5), rootOf(5), [])).toBe(true)
    expect(verifyConsistency(5, 5, rootOf(5), rootOf(6), [])).toBe(false)
    expect(verifyConsistency(5, 5, rootOf(5), rootOf(5), [rootOf(5)])).toBe(false)
  })

  it('shows nothing from the empty tree', () => {
    expect(verifyConsistency(0, 5, emptyRoot, rootOf(5), [])).toBe(false)
    expect(verifyConsistency(0, 0, emptyRoot, emptyRoot, [])).toBe(false)
  })

  it('starts from root1 itself where size1 is a power of two', () => {
    for (const size1 of [1, 2, 4, 8]) {
      const proof = consistencyProof(size1, 9, tree.node)
      expect(verifyConsistency(size1, 9, rootOf(size1), rootOf(9), [rootOf(size1), ...proof])).toBe(
        false,
      )
    }
  })

  it('follows a path to the largest size', () => {
    const size = Number.MAX_SAFE_INTEGER
    const sibling = new Uint8Array(32).fill(9)
    const half = new Uint8Array(32).fill(8)
    const proof = [sibling]
    expect(verifyConsistency(2 ** 52, size, half, nodeHash(half, sibling), proof)).toBe(true)
    expect(verifyConsistency(2 ** 51, size, half, nodeHash(half, sibling), proof)).toBe(false)
    expect(verifyConsistency(2 ** 52 - 1, size, half, nodeHash(half, sibling), proof)).toBe(false)
  })
})
