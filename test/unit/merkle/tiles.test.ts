import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { emptyRoot, leafHash } from '../../../src/merkle/hash.ts'
import { consistencyProof, inclusionProof, rootAt } from '../../../src/merkle/proof.ts'
import {
  entryBundle,
  parseEntryBundle,
  parseTilePath,
  tilePath,
  tileSizes,
  TileTree,
} from '../../../src/merkle/tiles.ts'
import { referenceRoot } from '../../support/merkle-reference.ts'
import { entriesBetween, entryAt, MemoryTiles } from '../../support/merkle-tiles.ts'

describe('a tile path', () => {
  it.each([
    ['0/000', 0, 0, 256],
    ['0/999', 0, 999, 256],
    ['0/x001/000', 0, 1000, 256],
    ['0/x001/067', 0, 1067, 256],
    ['0/x001/067.p/8', 0, 1067, 8],
    ['2/x001/x234/067', 2, 1_234_067, 256],
    ['63/000.p/1', 63, 0, 1],
    ['entries/000.p/255', 'entries', 0, 255],
    ['entries/x009/x007/x199/x254/x740/991', 'entries', Number.MAX_SAFE_INTEGER, 256],
  ] as const)('%s stands for level %s, tile %d, width %d', (path, level, n, width) => {
    expect(tilePath(level, n, width)).toBe(path)
    expect(parseTilePath(path)).toEqual({ level, n, width })
  })

  it.each([
    '',
    '0',
    '0/',
    '0/0',
    '0/00',
    '0/0000',
    '0/x000',
    '0/x000/001',
    '0/001/067',
    '0/x001/x067',
    '0/X001/067',
    '00/000',
    '64/000',
    '-1/000',
    '1.0/000',
    'data/000',
    'Entries/000',
    '0/000.p/0',
    '0/000.p/01',
    '0/000.p/256',
    '0/000.p/257',
    '0/000.p',
    '0/000.p/',
    '0/000.p/-1',
    '/0/000',
    'tile/0/000',
    '0/000/',
    '0/000\n',
    ' 0/000',
    '0/٠٠٠',
    '0/x009/x007/x199/x254/x740/992',
    '0/x001/x009/x007/x199/x254/x740/991',
  ])('%j is none', (path) => {
    expect(parseTilePath(path)).toBeUndefined()
  })
})

describe('the tiles of a tree', () => {
  const count = (size: number): string[] => {
    const rows = new Map<string, number>()
    for (const { level, width } of tileSizes(size)) {
      const row = width === 256 ? `${level} full` : `${level} .p/${width}`
      rows.set(row, (rows.get(row) ?? 0) + 1)
    }
    return [...rows].map(([row, n]) => `${n} × ${row}`)
  }

  it('are those of the standard’s examples', () => {
    expect(count(70_000)).toEqual([
      '273 × 0 full',
      '1 × 0 .p/112',
      '1 × 1 full',
      '1 × 1 .p/17',
      '1 × 2 .p/1',
    ])
    expect(count(256)).toEqual(['1 × 0 full', '1 × 1 .p/1'])
  })

  it('are none when it is empty, and never an empty one', () => {
    expect(count(0)).toEqual([])
    expect(count(1)).toEqual(['1 × 0 .p/1'])
    expect(count(255)).toEqual(['1 × 0 .p/255'])
    expect(count(65_536)).toEqual(['256 × 0 full', '1 × 1 full', '1 × 2 .p/1'])
  })

  it('are exactly what growing has stored', () => {
    const store = new MemoryTiles()
    store.grow(new TileTree(0, store.read), 1_000, 77)
    const wanted = [...tileSizes(1_000)].map(({ level, n, width }) => [
      tilePath(level, n, 256),
      32 * width,
    ])
    const stored = [...store.tiles].map(([path, hashes]) => [path, hashes.length])
    expect(stored.toSorted()).toEqual(wanted.toSorted())
  })
})

describe('an entry bundle', () => {
  const sizes = [0, 1, 255, 256, 65_535]
  const entries = sizes.map((size) => new Uint8Array(size).fill(size % 251))

  it('holds each entry behind its length', () => {
    expect(encodeHex(entryBundle([Uint8Array.of(0xaa, 0xbb), new Uint8Array(0)]))).toBe(
      '0002aabb0000',
    )
    expect(parseEntryBundle(entryBundle(entries))).toEqual(entries)
  })

  it('takes 256 entries and no more', () => {
    const full = Array.from({ length: 256 }, () => Uint8Array.of(1))
    expect(parseEntryBundle(entryBundle(full))).toEqual(full)
    expect(() => entryBundle([...full, Uint8Array.of(1)])).toThrow('Not a bundle: 257 entries')
    const bytes = entryBundle(full)
    expect(parseEntryBundle(Uint8Array.of(...bytes, 0, 0))).toBeUndefined()
  })

  it('takes an entry of 65,535 bytes and none of 65,536', () => {
    expect(entryBundle([new Uint8Array(65_535)]).length).toBe(65_537)
    expect(() => entryBundle([new Uint8Array(65_536)])).toThrow(
      expect.objectContaining({ code: 'INPUT_TOO_LARGE' }),
    )
  })

  it('is never empty', () => {
    expect(() => entryBundle([])).toThrow('Not a bundle: 0 entries')
    expect(parseEntryBundle(new Uint8Array(0))).toBeUndefined()
  })

  it('is refused when it is cut anywhere within an entry', () => {
    const bundle = entryBundle([Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)])
    const whole = [5, 9]
    for (let length = 0; length <= bundle.length; length++)
      expect(parseEntryBundle(bundle.slice(0, length)) !== undefined).toBe(whole.includes(length))
  })

  it('is read out of a larger buffer', () => {
    const bundle = entryBundle([Uint8Array.of(9)])
    const larger = Uint8Array.of(7, 7, ...bundle, 7)
    expect(parseEntryBundle(larger.subarray(2, -1))).toEqual([Uint8Array.of(9)])
  })
})

describe('a growing tree', () => {
  it('has the empty root at size 0', () => {
    const tree = new TileTree(0, () => new Uint8Array(0))
    expect(tree.root()).toEqual(emptyRoot)
    expect(tree.append([])).toEqual([])
    expect(tree.inclusionProofs(0)).toEqual([])
    expect(() => tree.inclusionProofs(1)).toThrow('Leaf is not in the tree: 1 of 0')
    expect(() => tree.node(0, 0)).toThrow('Node is not in the tree')
  })

  it('returns every tile that changed once, with all its hashes', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 250)
    const changed = tree.append(entriesBetween(250, 260).map(leafHash))
    expect(changed.map(({ level, n, hashes }) => [level, n, hashes.length / 32])).toEqual([
      [0, 0, 256],
      [1, 0, 1],
      [0, 1, 4],
    ])
    expect(changed[0]?.hashes.subarray(0, 32)).toEqual(leafHash(entryAt(0)))
    expect(changed[1]?.hashes).toEqual(referenceRoot(entriesBetween(0, 256)))
    expect(changed[2]?.hashes.subarray(96)).toEqual(leafHash(entryAt(259)))
  })

  it('does not return an empty tile where the last leaf fills one', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 255)
    const changed = tree.append([leafHash(entryAt(255))])
    expect(changed.map(({ level, n }) => [level, n])).toEqual([
      [0, 0],
      [1, 0],
    ])
  })

  it('proves the leaves of the last batch before anything is stored', () => {
    const store = new MemoryTiles()
    store.grow(new TileTree(0, store.read), 510)
    const tree = new TileTree(510, store.read)
    store.reads = 0
    tree.append(entriesBetween(510, 766).map(leafHash))
    const entries = entriesBetween(0, 766)
    expect(tree.root()).toEqual(referenceRoot(entries))
    expect(tree.inclusionProofs(510)).toHaveLength(256)
    expect(store.reads).toBe(0)
  })

  it('proves all leaves from one on as it proves each, and reads a hash once for all', () => {
    const store = new MemoryTiles()
    const tree = new TileTree(0, store.read)
    for (const [before, size] of [
      [0, 1],
      [1, 32],
      [32, 57],
      [57, 256],
      [256, 300],
      [300, 555],
    ] as const) {
      store.grow(tree, size)
      const proofs = tree.inclusionProofs(before)
      expect(proofs).toEqual(
        Array.from({ length: size - before }, (_, i) =>
          inclusionProof(before + i, size, tree.node),
        ),
      )
      const hashes = proofs.flat()
      const distinct = new Set(hashes.map(encodeHex))
      expect(new Set(hashes).size).toBe(distinct.size)
    }
    expect(tree.inclusionProofs(tree.size)).toEqual([])
    for (const first of [-1, tree.size + 1])
      expect(() => tree.inclusionProofs(first)).toThrow('Leaf is not in the tree')
  })

  it('opens again at any size with the same root, reading one tile a level', () => {
    const store = new MemoryTiles()
    const grown = store.grow(new TileTree(0, store.read), 66_000, 1000)
    for (const size of [1, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 66_000]) {
      store.reads = 0
      const opened = new TileTree(size, store.read)
      expect(store.reads).toBeLessThanOrEqual(3)
      expect(opened.root()).toEqual(rootAt(size, grown.node))
    }
  })

  it('grows after opening as if it had never been closed', () => {
    const store = new MemoryTiles()
    const through = new MemoryTiles()
    const whole = through.grow(new TileTree(0, through.read), 1_400, 100)
    for (let size = 0; size < 1_400; size += 100)
      store.grow(new TileTree(size, store.read), size + 100, 33)
    expect(store.tiles).toEqual(through.tiles)
    expect(new TileTree(1_400, store.read).root()).toEqual(whole.root())
  })

  it('proves at its own size what the plain functions prove, also after it grew', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 300)
    for (const size of [300, 301, 555]) {
      store.grow(tree, size)
      for (const index of [0, 255, 256, 299, size - 1])
        expect(tree.inclusionProofs(index)[0]).toEqual(inclusionProof(index, size, tree.node))
      expect(tree.root()).toEqual(rootAt(size, tree.node))
    }
  })

  it('serves old proofs with a bounded cache of tiles', () => {
    const store = new MemoryTiles()
    store.grow(new TileTree(0, store.read), 40 * 256 + 1)
    const tree = new TileTree(40 * 256 + 1, store.read)
    const walk = (): void => {
      for (let n = 0; n < 40; n++) expect(tree.node(0, n * 256)).toEqual(leafHash(entryAt(n * 256)))
    }
    store.reads = 0
    walk()
    expect(store.reads).toBe(40)
    tree.node(0, 39 * 256)
    expect(store.reads).toBe(40)
    walk()
    expect(store.reads).toBe(80)
  })

  it('refuses nodes that are not whole', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 300)
    expect(tree.node(0, 299)).toEqual(leafHash(entryAt(299)))
    for (const [level, index] of [
      [0, 300],
      [0, -1],
      [1, 150],
      [8, 1],
      [9, 0],
    ] as const)
      expect(() => tree.node(level, index)).toThrow('Node is not in the tree')
  })

  it('refuses a leaf hash of another length and is unchanged after that', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 3)
    const root = tree.root()
    expect(() => tree.append([leafHash(entryAt(3)), new Uint8Array(31)])).toThrow('32 bytes')
    expect(tree.size).toBe(3)
    expect(tree.root()).toEqual(root)
    expect(tree.append([leafHash(entryAt(3))])[0]?.hashes.length).toBe(4 * 32)
  })

  it('calls a store corrupt whose tile is too short, and takes one that is longer', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 300)
    const corrupt = expect.objectContaining({ code: 'STORE_CORRUPT' }) as unknown
    expect(() => new TileTree(301, store.read)).toThrow(corrupt)
    expect(new TileTree(299, store.read).root()).toEqual(rootAt(299, tree.node))
    store.tiles.set('0/000', new Uint8Array(8191))
    const opened = new TileTree(300, store.read)
    expect(() => opened.inclusionProofs(7)).toThrow(corrupt)
  })

  it('grows from its own size where the store is ahead of it', () => {
    const store = new MemoryTiles()
    store.grow(new TileTree(0, store.read), 300)
    const behind = new TileTree(298, store.read)
    behind.append([leafHash(entryAt(7))])
    expect(behind.root()).toEqual(referenceRoot([...entriesBetween(0, 298), entryAt(7)]))
  })

  it('gives out copies: writing to them changes no later answer', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 5)
    const root = tree.root().slice()
    tree.root().fill(0)
    tree.node(0, 3).fill(0)
    tree.append([])[0]?.hashes.fill(0)
    expect(tree.root()).toEqual(root)
    expect(tree.node(0, 3)).toEqual(leafHash(entryAt(3)))
  })

  it('does not overflow at the largest size', () => {
    const opened = new TileTree(2 ** 53 - 1, () => new Uint8Array(8192))
    expect(opened.root().length).toBe(32)
    expect(opened.inclusionProofs(2 ** 53 - 2).map((proof) => proof.length)).toEqual([52])
    expect(() => opened.append([emptyRoot])).toThrow('The tree is full')
    expect(() => new TileTree(2 ** 53, () => new Uint8Array(8192))).toThrow('Not a tree size')
  })

  it('makes consistency proofs between any two of its sizes', () => {
    const store = new MemoryTiles()
    const tree = store.grow(new TileTree(0, store.read), 700)
    expect(consistencyProof(256, 512, tree.node)).toEqual([referenceRoot(entriesBetween(256, 512))])
  })
})
