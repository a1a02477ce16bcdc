import Database from 'better-sqlite3'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { rebuildTiles, type Rebuilt } from '../../../src/log/rebuild.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { foundTestService, requestOf, temporaryDirectory } from '../../support/service.ts'

const tenant = 'default'

/** A log of more than one full tile, closed; gives its directory. */
async function layLog(): Promise<string> {
  const directory = temporaryDirectory()
  const test = await foundTestService({ closeYourself: true, directory })
  await Promise.all(Array.from({ length: 300 }, (_, n) => test.notarise(requestOf(n))))
  await test.service.close()
  return join(directory, 'data')
}

function edit(path: string, sql: string): void {
  const db = new Database(join(path, 'countersign.db'))
  expect(db.prepare(sql).run().changes).toBeGreaterThan(0)
  db.close()
}

function tilesOf(path: string): unknown[] {
  const db = new Database(join(path, 'countersign.db'), { readonly: true })
  const rows = db.prepare('SELECT level, n, hex(hashes) FROM tiles ORDER BY level, n').raw().all()
  db.close()
  return rows
}

async function rebuild(
  path: string,
  signal?: AbortSignal,
  onProgress?: () => void,
): Promise<Rebuilt> {
  const store = await openSqliteStore({ mode: 'write', path })
  onTestFinished(() => store.close())
  const found = await store.readTenant(tenant)
  if (found === undefined) throw new Error('No tenant')
  const shown: number[] = []
  const rebuilt = await rebuildTiles({
    progress: (done, total) => {
      expect(total).toBe(2 * found.head.size)
      shown.push(done)
      onProgress?.()
    },
    store,
    tenant: found,
    ...(signal === undefined ? {} : { signal }),
  }).finally(() => store.close())
  expect(shown.at(-1)).toBe(2 * found.head.size)
  return rebuilt
}

describe('rebuilding tiles', () => {
  it('gives way to a signal that comes while it reads', async () => {
    const stop = new AbortController()
    const rebuilding = rebuild(await layLog(), stop.signal, () => {
      setImmediate(() => {
        stop.abort(new Error('Enough'))
      })
    })
    await expect(rebuilding).rejects.toThrow('Enough')
  })

  it('writes nothing where nothing is wrong', async () => {
    const path = await layLog()
    const before = tilesOf(path)
    expect(before.length).toBeGreaterThan(2)
    expect(await rebuild(path)).toEqual({ removed: 0, written: 0 })
    expect(tilesOf(path)).toEqual(before)
  })

  it.each([
    ['all tiles lost', 'DELETE FROM tiles', { removed: 0, written: 3 }],
    [
      'a full tile changed',
      'UPDATE tiles SET hashes = zeroblob(8192) WHERE level = 0 AND n = 0',
      { removed: 0, written: 1 },
    ],
    [
      'the edge cut',
      'UPDATE tiles SET hashes = substr(hashes, 1, 32) WHERE level = 0 AND n = 1',
      { removed: 0, written: 1 },
    ],
    ['the upper level gone', 'DELETE FROM tiles WHERE level = 1', { removed: 0, written: 1 }],
    [
      'a tile too many',
      'INSERT INTO tiles SELECT tenant, 2, 0, hashes FROM tiles WHERE level = 1',
      { removed: 1, written: 0 },
    ],
  ])('makes good %s', async (_, sql, expected) => {
    const path = await layLog()
    const before = tilesOf(path)
    edit(path, sql)
    expect(tilesOf(path)).not.toEqual(before)
    expect(await rebuild(path)).toEqual(expected)
    expect(tilesOf(path)).toEqual(before)
  })

  it.each([
    [
      'a leaf was changed',
      "UPDATE entries SET leaf = CAST(replace(leaf, '1', '2') AS BLOB) WHERE idx = 20",
    ],
    ['an entry is missing', 'DELETE FROM entries WHERE idx = 20'],
    ['the last checkpoint is of another root', 'UPDATE last_checkpoints SET root = zeroblob(32)'],
    ['the head is of another root', 'UPDATE tenants SET root = zeroblob(32)'],
  ])('touches nothing when %s', async (_, sql) => {
    const path = await layLog()
    edit(path, sql)
    edit(path, 'DELETE FROM tiles WHERE level = 1')
    const before = tilesOf(path)
    const store = await openSqliteStore({ mode: 'write', path })
    const found = await store.readTenant(tenant)
    if (found === undefined) throw new Error('No tenant')
    await expect(
      rebuildTiles({ progress: () => undefined, store, tenant: found }),
    ).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await store.close()
    expect(tilesOf(path)).toEqual(before)
  })

  it('can be interrupted', async () => {
    const path = await layLog()
    const reason = new Error('enough')
    await expect(rebuild(path, AbortSignal.abort(reason))).rejects.toBe(reason)
  })
})
