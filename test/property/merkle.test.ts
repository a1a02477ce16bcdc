import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { equalBytes } from '../../src/base/bytes.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import {
  consistencyProof,
  inclusionProof,
  rootAt,
  verifyConsistency,
  verifyInclusion,
} from '../../src/merkle/proof.ts'
import {
  entryBundle,
  parseEntryBundle,
  parseTilePath,
  tilePath,
  TileTree,
} from '../../src/merkle/tiles.ts'
import { referencePath, referenceProof, referenceRoot } from '../support/merkle-reference.ts'
import { entriesBetween, entryAt, MemoryTiles } from '../support/merkle-tiles.ts'

const largest = 600
const store = new MemoryTiles()
const tree = store.grow(new TileTree(0, store.read), largest)
const entries = entriesBetween(0, largest)

const size = fc.integer({ min: 1, max: largest })
const leafOf = size.chain((n) => fc.record({ size: fc.constant(n), index: fc.nat(n - 1) }))
const growth = fc
  .tuple(size, size)
  .map(([a, b]) => ({ size1: Math.min(a, b), size2: Math.max(a, b) }))

/** One change to a proof; `at` and `bit` choose where. */
const change = fc.record({
  kind: fc.constantFrom('flip', 'drop', 'double', 'append', 'prepend', 'swap', 'cut'),
  at: fc.nat(),
  bit: fc.nat(255),
  stray: fc.uint8Array({ minLength: 32, maxLength: 32 }),
})

type Change = typeof change extends fc.Arbitrary<infer T> ? T : never

function mutate(proof: readonly Uint8Array[], { kind, at, bit, stray }: Change): Uint8Array[] {
  const i = proof.length === 0 ? 0 : at % proof.length
  const hash = proof[i] ?? stray
  switch (kind) {
    case 'flip':
      return proof.toSpliced(
        i,
        1,
        hash.map((byte, k) => (k === bit >> 3 ? byte ^ (1 << (bit & 7)) : byte)),
      )
    case 'drop':
      return proof.toSpliced(i, 1)
    case 'double':
      return proof.toSpliced(i, 0, hash)
    case 'append':
      return [...proof, stray]
    case 'prepend':
      return [stray, ...proof]
    case 'swap':
      return proof.toSpliced(i, 2, ...proof.slice(i, i + 2).reverse())
    case 'cut':
      return proof.toSpliced(i, 1, hash.subarray(0, bit % 32))
  }
}

const same = (a: readonly Uint8Array[], b: readonly Uint8Array[]): boolean =>
  a.length === b.length && a.every((hash, i) => equalBytes(hash, b[i] ?? new Uint8Array(0)))

describe('the tree', () => {
  it('has the roots of the definitions', () => {
    fc.assert(
      fc.property(size, (n) => {
        const root = referenceRoot(entries.slice(0, n))
        expect(rootAt(n, tree.node)).toEqual(root)
        expect(new TileTree(n, store.read).root()).toEqual(root)
      }),
      { numRuns: 40 },
    )
  })

  it('makes the proofs of the definitions, and they verify', () => {
    fc.assert(
      fc.property(leafOf, growth, (leaf, { size1, size2 }) => {
        const path = inclusionProof(leaf.index, leaf.size, tree.node)
        expect(path).toEqual(referencePath(leaf.index, entries.slice(0, leaf.size)))
        const root = rootAt(leaf.size, tree.node)
        const hash = leafHash(entryAt(leaf.index))
        expect(verifyInclusion(leaf.index, leaf.size, hash, path, root)).toBe(true)
        const proof = consistencyProof(size1, size2, tree.node)
        expect(proof).toEqual(referenceProof(size1, entries.slice(0, size2)))
        const [root1, root2] = [rootAt(size1, tree.node), rootAt(size2, tree.node)]
        expect(verifyConsistency(size1, size2, root1, root2, proof)).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('does not depend on how its leaves were batched', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 6 }), (batches) => {
        const own = new MemoryTiles()
        const grown = new TileTree(0, own.read)
        for (const batch of batches) own.grow(grown, grown.size + batch, batch)
        const whole = new MemoryTiles()
        whole.grow(new TileTree(0, whole.read), grown.size)
        expect(own.tiles).toEqual(whole.tiles)
      }),
      { numRuns: 25 },
    )
  })

  it('has the sizes where tiles fill, and proves their first, middle and last leaf', () => {
    const own = new MemoryTiles()
    const grown = new TileTree(0, own.read)
    for (const n of [0, 1, 255, 256, 257, 65_535, 65_536, 70_000]) {
      own.grow(grown, n)
      expect(grown.root()).toEqual(referenceRoot(entriesBetween(0, n)))
      for (const index of new Set([0, Math.floor(n / 2), n - 1])) {
        if (index < 0 || index >= n) continue
        const hash = leafHash(entryAt(index))
        const proof = inclusionProof(index, n, grown.node)
        expect(verifyInclusion(index, n, hash, proof, grown.root())).toBe(true)
      }
    }
  })
})

describe('a changed proof', () => {
  it('never verifies as inclusion', () => {
    fc.assert(
      fc.property(leafOf, change, (leaf, how) => {
        const proof = inclusionProof(leaf.index, leaf.size, tree.node)
        const changed = mutate(proof, how)
        fc.pre(!same(proof, changed))
        const hash = leafHash(entryAt(leaf.index))
        const root = rootAt(leaf.size, tree.node)
        expect(verifyInclusion(leaf.index, leaf.size, hash, changed, root)).toBe(false)
        for (const index of [leaf.index - 1, leaf.index + 1])
          expect(verifyInclusion(index, leaf.size, hash, proof, root)).toBe(false)
      }),
      { numRuns: 400 },
    )
  })

  it('never verifies as consistency', () => {
    fc.assert(
      fc.property(growth, change, ({ size1, size2 }, how) => {
        const proof = consistencyProof(size1, size2, tree.node)
        const changed = mutate(proof, how)
        fc.pre(!same(proof, changed))
        const [root1, root2] = [rootAt(size1, tree.node), rootAt(size2, tree.node)]
        expect(verifyConsistency(size1, size2, root1, root2, changed)).toBe(false)
      }),
      { numRuns: 400 },
    )
  })

  it('never makes a verifier throw, whatever it is', () => {
    const number = fc.oneof(fc.nat(20), fc.double(), fc.maxSafeInteger())
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      fc.uint8Array({ minLength: 32, maxLength: 32 }),
    )
    fc.assert(
      fc.property(number, number, bytes, bytes, fc.array(bytes), (a, b, x, y, proof) => {
        fc.pre(!equalBytes(x, y))
        expect(verifyInclusion(a, b, x, proof, y)).toBe(false)
        expect(verifyConsistency(a, b, x, y, proof)).toBe(false)
      }),
    )
  })
})

describe('paths and bundles', () => {
  it('come back as they were', () => {
    const level = fc.oneof(fc.constant('entries' as const), fc.nat(63))
    fc.assert(
      fc.property(level, fc.maxSafeNat(), fc.integer({ min: 1, max: 256 }), (l, n, width) => {
        expect(parseTilePath(tilePath(l, n, width))).toEqual({ level: l, n, width })
      }),
    )
    const list = fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 256 })
    fc.assert(
      fc.property(list, (items) => {
        expect(parseEntryBundle(entryBundle(items))).toEqual(items)
      }),
      { numRuns: 30 },
    )
  })

  it('have one text each: what parses is what would be written', () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^(entries|[0-9]{1,2})(\/x?[0-9]{3}){1,3}(\.p\/[0-9]{1,3})?$/),
        (path) => {
          const tile = parseTilePath(path)
          if (tile !== undefined) expect(tilePath(tile.level, tile.n, tile.width)).toBe(path)
        },
      ),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const items = parseEntryBundle(bytes)
        if (items !== undefined) expect(entryBundle(items)).toEqual(bytes)
      }),
    )
  })
})
