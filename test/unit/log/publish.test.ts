import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { asFailure, Failure } from '../../../src/base/failure.ts'
import { newTiles, publishLog, type PublishTarget } from '../../../src/log/publish.ts'
import { PublishDirectory } from '../../../src/log/publish-directory.ts'
import { parseEntryBundle, tilePath, tileSizes } from '../../../src/merkle/tiles.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { StoreReader } from '../../../src/store/store.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import {
  foundTestService,
  requestOf,
  temporaryDirectory,
  type TestService,
} from '../../support/service.ts'
import { referenceRoot } from '../../support/merkle-reference.ts'
import { encodeBase64 } from '../../../src/base/base64.ts'

const tenant = 'default'

const reading = (test: TestService): Promise<StoreReader> =>
  openSqliteStore({ mode: 'read', path: join(test.directory, 'data') })

async function publish(test: TestService, target: PublishTarget, signal?: AbortSignal) {
  const store = await reading(test)
  try {
    return await publishLog({
      progress: () => undefined,
      store,
      target,
      tenant,
      ...(signal === undefined ? {} : { signal }),
    })
  } finally {
    await store.close()
  }
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => asFailure(error).code,
  )

const fill = async (test: TestService, count: number): Promise<string> => {
  const answers = await Promise.all(
    Array.from({ length: count }, (_, n) => test.notarise(requestOf(n))),
  )
  return answers.at(-1)?.id ?? ''
}

/** Every file below a directory. */
const filesOf = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1))
    .sort()

/** That the published tree is whole: every tile of its checkpoint, and its root from the bundles alone. */
function expectWhole(directory: string): number {
  const [, sizeLine = '', root = ''] = readFileSync(join(directory, 'checkpoint'), 'utf8').split(
    '\n',
  )
  const size = Number(sizeLine)
  const entries: Uint8Array[] = []
  for (const { level, n, width } of tileSizes(size)) {
    const hashes = readFileSync(join(directory, 'tile', tilePath(level, n, width)))
    expect(hashes.length).toBe(32 * width)
    if (level !== 0) continue
    const bundle = readFileSync(join(directory, 'tile', tilePath('entries', n, width)))
    entries.push(...(parseEntryBundle(bundle) ?? []))
  }
  expect(encodeBase64(referenceRoot(entries))).toBe(root)
  return size
}

describe('the tiles that are new', () => {
  it('are all of a tree that grew from nothing, and none where it did not grow', () => {
    for (const size of [0, 1, 255, 256, 257, 65_535, 65_536, 70_000]) {
      const hashes = [...newTiles(0, size)].filter(({ level }) => level !== 'entries')
      expect(hashes.map(({ level, n, width }) => tilePath(level, n, width))).toEqual(
        [...tileSizes(size)].map(({ level, n, width }) => tilePath(level, n, width)),
      )
      expect([...newTiles(size, size)]).toEqual([])
    }
  })

  it('are those that the larger tree has and the smaller has not', () => {
    const names = (size: number): Set<string> =>
      new Set([...tileSizes(size)].map(({ level, n, width }) => tilePath(level, n, width)))
    for (const [from, size] of [
      [1, 2],
      [255, 256],
      [256, 257],
      [300, 700],
      [65_000, 66_000],
      [65_536, 65_537],
    ] as const) {
      const added = [...newTiles(from, size)]
        .filter(({ level }) => level !== 'entries')
        .map(({ level, n, width }) => tilePath(level, n, width))
      expect(added.sort()).toEqual([...names(size)].filter((name) => !names(from).has(name)).sort())
    }
  })
})

describe('publishing into a directory', () => {
  it('gives a tree that is whole at every time, and grows', async () => {
    const test = await foundTestService()
    const directory = temporaryDirectory()
    const target = new PublishDirectory(directory)
    await fill(test, 40)
    const first = await publish(test, target)
    expect(first).toMatchObject({ from: 0, size: expectWhole(directory) })
    expect(first.files).toBe(filesOf(directory).length - 1)
    const id = await fill(test, 300)
    const second = await publish(test, target)
    expect(second).toMatchObject({ from: first.size, size: expectWhole(directory) })
    expect(await publish(test, target)).toMatchObject({ files: 0, from: second.size })
    // Partial tiles of the older checkpoint stay, and no other file is left behind.
    expect(filesOf(directory).filter((name) => name.endsWith('.tmp'))).toEqual([])
    // What it says can be used to show that nothing of a decision is left out.
    const report = verifyDossier(
      await test.service.exportDossier(tenant, id),
      await test.service.readTrustRoot(tenant),
    )
    expect(report.verdict).toBe('valid')
  })

  it('goes on where it was cut off, at whatever file that was', async () => {
    const test = await foundTestService()
    const directory = temporaryDirectory()
    const inner = new PublishDirectory(directory)
    await fill(test, 10)
    await publish(test, inner)
    await fill(test, 280)
    let left = 0
    const cut: PublishTarget = {
      close: () => inner.close(),
      create: (path, bytes) => cutting(() => inner.create(path, bytes)),
      read: (path) => inner.read(path),
      replace: (path, bytes, before) => cutting(() => inner.replace(path, bytes, before)),
    }
    const cutting = (work: () => Promise<void>): Promise<void> =>
      left-- > 0 ? work() : Promise.reject(new Failure('STORE_FAILED', 'Cut'))
    let runs = 0
    for (let n = 0; ; n++, runs++) {
      left = n
      const code = await codeOf(publish(test, cut))
      expect(expectWhole(directory)).toBeGreaterThan(0)
      if (code === 'none') break
      expect(code).toBe('STORE_FAILED')
    }
    expect(runs).toBeGreaterThan(2)
  })

  it('never replaces a published file by other bytes', async () => {
    const test = await foundTestService()
    const directory = temporaryDirectory()
    const target = new PublishDirectory(directory)
    await fill(test, 300)
    await publish(test, target)
    rmSync(join(directory, 'checkpoint'))
    const tile = join(directory, 'tile', tilePath(0, 0, 256))
    const changed = readFileSync(tile)
    changed[7] = (changed[7] ?? 0) ^ 1
    writeFileSync(tile, changed)
    expect(await codeOf(publish(test, target))).toBe('LOG_ROLLBACK')
    expect(readFileSync(tile)).toEqual(changed)
    expect(filesOf(directory)).not.toContain('checkpoint')
  })

  it('refuses a place where another log is, or where this one is ahead, or what is no checkpoint', async () => {
    const test = await foundTestService()
    const other = await foundTestService()
    const directory = temporaryDirectory()
    const target = new PublishDirectory(directory)
    await fill(other, 3)
    await publish(other, target)
    // Both are called the same, and are not the same.
    await fill(test, 5)
    expect(await codeOf(publish(test, target))).toBe('LOG_ROLLBACK')
    await fill(other, 20)
    await publish(other, target)
    expect(await codeOf(publish(test, target))).toBe('LOG_ROLLBACK')
    for (const wrong of ['', 'nonsense\n', Uint8Array.of(0xff)]) {
      writeFileSync(join(directory, 'checkpoint'), wrong)
      expect(await codeOf(publish(test, target))).toBe('LOG_ROLLBACK')
    }
  })

  it('publishes a checkpoint again that witnesses have cosigned since, and never one with less', async () => {
    const test = await foundTestService()
    const directory = temporaryDirectory()
    const target = new PublishDirectory(directory)
    const at = (): string => readFileSync(join(directory, 'checkpoint'), 'utf8')
    await fill(test, 3)
    await publish(test, target)
    const bare = at()
    await test.service.close()
    const store = await openSqliteStore({ mode: 'write', path: join(test.directory, 'data') })
    const last = await store.readLastCheckpoint(tenant)
    if (last === undefined) throw new Error('No checkpoint')
    const note = `${last.note}— w.example AAAAAAAA\n`
    await store.keepCosigned(tenant, { ...last, note }, true)
    await store.close()
    expect(await publish(test, target)).toMatchObject({ files: 0 })
    expect(at()).toBe(note)
    const again = await openSqliteStore({ mode: 'write', path: join(test.directory, 'data') })
    await again.keepCosigned(tenant, last, false)
    await again.close()
    await publish(test, target)
    expect(at()).toBe(note)
    expect(bare).toBe(last.note)
  })

  it('says that a directory cannot be written', async () => {
    const test = await foundTestService()
    const directory = temporaryDirectory()
    writeFileSync(join(directory, 'tile'), 'not a directory')
    expect(await codeOf(publish(test, new PublishDirectory(directory)))).toBe('STORE_FAILED')
  })

  it('ends when it is told to', async () => {
    const test = await foundTestService()
    const target = new PublishDirectory(temporaryDirectory())
    await expect(publish(test, target, AbortSignal.abort(new Error('Enough')))).rejects.toThrow(
      'Enough',
    )
    expect(await target.read('checkpoint')).toBeUndefined()
  })
})
