import { describe, expect, it } from 'vitest'
import { u16 } from '../../../src/base/bytes.ts'
import { ProofReader } from '../../../src/log/proof-reader.ts'
import { leafHash } from '../../../src/merkle/hash.ts'
import { consistencyProof, inclusionProof, rootAt } from '../../../src/merkle/proof.ts'
import { TileTree } from '../../../src/merkle/tiles.ts'
import type { StoreReader } from '../../../src/store/store.ts'

// Two levels of tiles, and the beginning of a third.
const size = 65_800
const tiles = new Map<string, Uint8Array>()
const tree = new TileTree(0, (level, n) => tiles.get(`${level}/${n}`) ?? new Uint8Array(0))
for (let at = 0; at < size; at += 256)
  for (const { hashes, level, n } of tree.append(
    Array.from({ length: Math.min(256, size - at) }, (_, i) => leafHash(u16(at + i))),
  ))
    tiles.set(`${level}/${n}`, hashes)

const reader = (at: number, stored = tiles): [ProofReader, () => number] => {
  let reads = 0
  const store = {
    readTile(_tenant: string, level: number, n: number) {
      reads++
      return Promise.resolve(stored.get(`${level}/${n}`))
    },
  } as Partial<StoreReader> as StoreReader
  return [new ProofReader(store, 'any', at), () => reads]
}

const sizes = [1, 2, 3, 255, 256, 257, 511, 512, 513, 1000, 65_535, 65_536, 65_537, 65_799, size]
const places = (at: number): number[] =>
  [
    0,
    1,
    2,
    254,
    255,
    256,
    257,
    510,
    511,
    512,
    65_279,
    65_280,
    65_535,
    65_536,
    at - 2,
    at - 1,
  ].filter((index) => index >= 0 && index < at)

describe('proofs read from tiles', () => {
  it('are those of the tree, at any size that it had', async () => {
    for (const at of sizes) {
      const [proofs] = reader(at)
      expect(proofs.size).toBe(at)
      for (const index of places(at))
        expect([at, index, await proofs.prove(index)]).toEqual([
          at,
          index,
          inclusionProof(index, at, tree.node),
        ])
    }
  })

  it('show growth from any size, and its edge', async () => {
    for (const at of sizes) {
      const [proofs] = reader(at)
      for (const from of [0, ...places(at), at]) {
        expect([at, from, await proofs.proveGrowthFrom(from)]).toEqual([
          at,
          from,
          consistencyProof(from, at, tree.node),
        ])
        const edge = await proofs.frontierAt(from)
        expect([at, from, edge.root()]).toEqual([at, from, rootAt(from, tree.node)])
      }
    }
  })

  it('read a tile once for many leaves that lie together', async () => {
    const [proofs, reads] = reader(size)
    for (let index = 1000; index < 3000; index++) await proofs.prove(index)
    expect(reads()).toBeLessThan(20)
  })

  it('are refused of tiles that are missing or short', async () => {
    const corrupt = { code: 'STORE_CORRUPT' }
    const without = new Map(tiles)
    without.delete('0/3')
    await expect(reader(size, without)[0].prove(3 * 256)).rejects.toMatchObject(corrupt)
    expect(await reader(size, without)[0].prove(0)).toHaveLength(17)
    const short = new Map(tiles).set('0/3', tiles.get('0/3')?.subarray(0, 255 * 32) ?? u16(0))
    await expect(reader(size, short)[0].prove(3 * 256 + 254)).rejects.toMatchObject(corrupt)
    await expect(reader(size, new Map())[0].prove(0)).rejects.toMatchObject(corrupt)
  })
})
