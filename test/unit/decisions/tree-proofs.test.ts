import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeBase64 } from '../../../src/base/base64.ts'
import { encodeHex } from '../../../src/base/bytes.ts'
import { leafHash } from '../../../src/merkle/hash.ts'
import { verifyConsistency, verifyInclusion } from '../../../src/merkle/proof.ts'
import { parseTlogProof } from '../../../src/merkle/tlog-proof.ts'
import { foundTestService, requestOf, type TestService } from '../../support/service.ts'

const tenant = 'default'
const bytes = (text: string): Uint8Array => decodeBase64(text) ?? new Uint8Array()

describe('proofs about the tree', () => {
  const directory = mkdtempSync(join(tmpdir(), 'countersign-proofs-'))
  let test: TestService
  let size = 0
  beforeAll(async () => {
    test = await foundTestService({ closeYourself: true, directory })
    await Promise.all(Array.from({ length: 290 }, (_, n) => test.notarise(requestOf(n))))
    size = (await test.notarise(requestOf(1000))).index + 1
  }, 30_000)
  afterAll(async () => {
    await test.service.close()
    rmSync(directory, { force: true, recursive: true })
  })

  it('show every leaf in the trees around the end of a tile, found by index or by hash', async () => {
    for (const treeSize of [1, 2, 255, 256, 257, size]) {
      for (const index of [0, 1, 100, 254, 255, 256, size - 1].filter((at) => at < treeSize)) {
        const proof = await test.service.proveInclusion(tenant, { index, size: treeSize })
        const leaf = leafHash(bytes(proof.leaf))
        const path = proof.inclusionPath.map(bytes)
        expect(verifyInclusion(index, treeSize, leaf, path, bytes(proof.rootHash))).toBe(true)
        expect(proof).toMatchObject({ leafIndex: index, treeSize })
        const byHash = { leafHash: encodeHex(leaf), size: treeSize }
        expect(await test.service.proveInclusion(tenant, byHash)).toEqual(proof)
      }
    }
  })

  it('show every tree as a prefix of a later one', async () => {
    const sizes = [0, 1, 2, 255, 256, 257, size]
    for (const first of sizes)
      for (const second of sizes.filter((later) => later >= first)) {
        const proof = await test.service.proveConsistency(tenant, first, second)
        const path = proof.consistencyPath.map(bytes)
        const [from, to] = [bytes(proof.firstRoot), bytes(proof.secondRoot)]
        expect(from).toHaveLength(32)
        expect(first === 0 || verifyConsistency(first, second, from, to, path)).toBe(true)
      }
  })

  it('name the checkpoint where there is one of that size', async () => {
    const newest = await test.service.proveInclusion(tenant, { index: 0 })
    expect(newest.treeSize).toBe(size)
    expect(newest.checkpoint).toMatch(new RegExp(`\\n${size}\\n`))
    const between = await test.service.proveInclusion(tenant, { index: 0, size: size - 1 })
    expect(between.checkpoint).toBeNull()
  })

  it('go into a file that holds the leaf', async () => {
    const proof = parseTlogProof(await test.service.exportTlogProof(tenant, 200))
    if (typeof proof === 'string') throw new Error(proof)
    const { leaf } = await test.service.proveInclusion(tenant, { index: 200 })
    expect(proof).toMatchObject({ extra: bytes(leaf), index: 200 })
  })

  it('are not made of what the log does not have', async () => {
    const { service } = test
    const missing = { code: 'INPUT_NOT_FOUND' }
    await expect(service.proveInclusion(tenant, { index: size })).rejects.toMatchObject(missing)
    await expect(
      service.proveInclusion(tenant, { index: 0, size: size + 1 }),
    ).rejects.toMatchObject(missing)
    await expect(service.proveInclusion(tenant, { index: 5, size: 5 })).rejects.toMatchObject(
      missing,
    )
    await expect(
      service.proveInclusion(tenant, { leafHash: '00'.repeat(32) }),
    ).rejects.toMatchObject(missing)
    await expect(service.exportTlogProof(tenant, size)).rejects.toMatchObject(missing)
    await expect(service.proveConsistency(tenant, 1, size + 1)).rejects.toMatchObject(missing)
    await expect(service.proveConsistency(tenant, 3, 2)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
      field: 'first',
    })
    await expect(service.proveInclusion('nobody', { index: 0 })).rejects.toMatchObject(missing)
  })

  it('do not find a leaf by its hash in a tree that had it not yet', async () => {
    const { leaf } = await test.service.proveInclusion(tenant, { index: 256 })
    const hash = encodeHex(leafHash(bytes(leaf)))
    await expect(
      test.service.proveInclusion(tenant, { leafHash: hash, size: 256 }),
    ).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
  })
})
