import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { append, makeKey, makeKeys, makeTenant } from '../../support/store-fixtures.ts'
import type { EntryChange } from '../../support/store-fixtures.ts'

let parent: string
let store: Store
const path = () => join(parent, 'data')

beforeEach(async () => {
  parent = mkdtempSync(join(tmpdir(), 'countersign-erasure-'))
  store = await openSqliteStore({ path: path(), mode: 'write', create: true })
})
afterEach(async () => {
  await store.close()
  rmSync(parent, { recursive: true })
})

/** The marks in the bytes of all files. Another process copies them, because this one would lose its locks. */
function marksInFiles(): ReadonlySet<string> {
  const copy = join(parent, 'copy')
  execFileSync('cp', ['-r', path(), copy])
  const names = readdirSync(copy)
  expect(names).toEqual(expect.arrayContaining(['countersign.db', 'countersign.db-wal']))
  const marks = names.flatMap(
    (name) => readFileSync(join(copy, name), 'latin1').match(/<[0-9a-f]+>/g) ?? [],
  )
  rmSync(copy, { recursive: true })
  return new Set(marks)
}

/** Different text of 16 or 32 characters for each number, the same in every run. */
const mark = (what: string, n: number, length = 16): string =>
  `<${createHash('sha256').update(`${what} ${n}`).digest('hex').slice(2, length)}>`

const marksOf = (n: number) => ({
  payload: mark('payload', n),
  actor: mark('actor', n),
  action: mark('action', n),
  salt: mark('salt', n),
  fingerprint: mark('fingerprint', n, 32),
})

/** A decision that carries its marks in all the places from which they must vanish. */
const marked = (n: number): EntryChange => ({
  stream: `stream-${n}`,
  // From a few bytes to several pages.
  payload: utf8('p'.repeat((n * 7919) % 20_000) + marksOf(n).payload + 'q'.repeat(n % 50)),
  filter: { status: 'ALLOW', actor: marksOf(n).actor, action: marksOf(n).action },
})

const remembered = (n: number) => ({
  type: 'idempotency' as const,
  record: {
    owner: 'ada',
    key: `key-${n}`,
    stream: `stream-${n}`,
    salt: utf8(marksOf(n).salt),
    fingerprint: utf8(marksOf(n).fingerprint),
  },
})

const found = (marks: ReadonlySet<string>, n: number): string[] =>
  Object.entries(marksOf(n)).flatMap(([what, text]) => (marks.has(text) ? [what] : []))

const erase = (tenant: string, n: number) =>
  append(
    store,
    tenant,
    [{ stream: `stream-${n}`, seq: 1, kind: 'erasure', filter: null }],
    [{ type: 'erase', stream: `stream-${n}`, seqs: [0] }],
  )

describe('erased bytes', () => {
  it('are in no file afterwards, though pages were split and logs interleave', async () => {
    const tenants = ['a', 'b', 'c'] as const
    for (const tenant of tenants) await store.createTenant(makeTenant(tenant), makeKeys())
    const tenantOf = (n: number) => tenants[Math.floor(n / 7) % 3] ?? 'a'
    const all = Array.from({ length: 210 }, (_, n) => n)
    for (let n = 0; n < 210; n += 7) {
      const batch = all.slice(n, n + 7)
      await append(store, tenantOf(n), batch.map(marked), batch.map(remembered))
    }
    const before = marksInFiles()
    for (const n of all) expect(found(before, n)).toEqual(Object.keys(marksOf(n)))

    const erased = all.filter((n) => mark('coin', n) < '<8')
    expect(erased.length).toBeGreaterThan(70)
    for (const n of erased) await erase(tenantOf(n), n)
    const after = marksInFiles()
    for (const n of all)
      expect(found(after, n)).toEqual(erased.includes(n) ? [] : Object.keys(marksOf(n)))
  })

  it('are overwritten where they lie, so that SQLite has no reason to move their row', async () => {
    await store.createTenant(makeTenant('a'), makeKeys())
    const change = { ...marked(1), filter: { status: 'ALLOW', actor: 'Жанна 🔑', action: '' } }
    await append(store, 'a', [change], [remembered(1)])
    const raw = new Database(join(path(), 'countersign.db'), { readonly: true })
    const read = (what: string): unknown =>
      raw.prepare(`SELECT ${what} FROM entries JOIN idempotency USING (stream) LIMIT 1`).raw().get()
    const texts = ['payload', 'status', 'actor', 'action', 'salt', 'fingerprint']
    const shapes = texts.map((name) => `octet_length(${name}), typeof(${name})`).join()
    const before = read(shapes)
    await erase('a', 1)
    expect(read(shapes)).toEqual(before)
    expect(read('status_hash, actor_hash, action_hash')).toEqual([-129, -129, -129])
    raw.close()
  })

  it('are gone at the latest with the next commit where a reader hindered it', async () => {
    await store.createTenant(makeTenant('a'), makeKeys())
    await append(store, 'a', [marked(1)], [remembered(1)])
    const reader = new Database(join(path(), 'countersign.db'), { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM entries').get()
    await erase('a', 1)
    expect((await store.readEntry('a', 0))?.payload).toBeNull()
    expect(found(marksInFiles(), 1)).not.toEqual([])
    reader.exec('COMMIT')
    await append(store, 'a', [{}])
    expect(found(marksInFiles(), 1)).toEqual([])
    reader.close()
  })

  it('are gone when the store is opened again after its process died in between', async () => {
    await store.createTenant(makeTenant('a'), makeKeys())
    await append(store, 'a', [marked(1)], [remembered(1)])
    const reader = new Database(join(path(), 'countersign.db'), { readonly: true })
    reader.exec('BEGIN')
    reader.prepare('SELECT count(*) FROM entries').get()
    await erase('a', 1)
    // The files as a killed process would have left them.
    const left = join(parent, 'left')
    execFileSync('cp', ['-r', path(), left])
    reader.close()
    await store.close()
    rmSync(path(), { recursive: true })
    execFileSync('mv', [left, path()])
    expect(found(marksInFiles(), 1)).not.toEqual([])
    store = await openSqliteStore({ path: path(), mode: 'write' })
    expect((await store.readEntry('a', 0))?.payload).toBeNull()
    expect(found(marksInFiles(), 1)).toEqual([])
  })

  it('include the sealed record of a key that was replaced', async () => {
    const body = utf8(`{"sealed":"${mark('sealed', 1)}"}`)
    await store.createTenant(makeTenant('a'), makeKeys([makeKey({ body })]))
    expect(marksInFiles().has(mark('sealed', 1))).toBe(true)
    await append(store, 'a', [{}], [{ type: 'keys', keys: makeKeys(), epoch: 2 }])
    expect(marksInFiles().has(mark('sealed', 1))).toBe(false)
  })
})
