import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DecisionList, hashFilter, stepRows } from '../../../src/store/sqlite-decisions.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import {
  append,
  emptyHead,
  makeCommit,
  makeEntry,
  makeKeys,
  makeTenant,
} from '../../support/store-fixtures.ts'

let parent: string
let path: string

beforeEach(() => {
  parent = mkdtempSync(join(tmpdir(), 'countersign-sqlite-'))
  path = join(parent, 'new', 'data')
})
afterEach(() => {
  rmSync(parent, { recursive: true })
})

const file = () => join(path, 'countersign.db')
const openWriter = () => openSqliteStore({ path, mode: 'write', create: true })
const openReader = () => openSqliteStore({ path, mode: 'read' })

/** Runs statements on the file as somebody else would. */
function tamper(...statements: readonly string[]): void {
  mkdirSync(path, { recursive: true })
  const db = new Database(file())
  db.unsafeMode()
  for (const statement of statements) db.exec(statement)
  db.close()
}

describe('opening a data directory', () => {
  it('makes directory and files that nobody else may read', async () => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    const mode = (name: string) => statSync(join(path, name)).mode & 0o777
    expect(mode('.')).toBe(0o700)
    for (const name of ['', '-wal', '-shm']) expect(mode(`countersign.db${name}`)).toBe(0o600)
    expect(mode('writer.lock')).toBe(0o600)
    await store.close()
  })

  it('makes nothing unless it is told to', async () => {
    const message = expect.stringContaining('There is no Countersign database') as string
    for (const mode of ['write', 'read'] as const)
      await expect(openSqliteStore({ path, mode: mode as 'write' })).rejects.toMatchObject({
        code: 'CONFIG_INVALID',
        message,
      })
    expect(() => statSync(path)).toThrow('ENOENT')
  })

  it('writes through a WAL and marks the file as ours', async () => {
    await (await openWriter()).close()
    const db = new Database(file(), { readonly: true })
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(db.pragma('application_id', { simple: true })).toBe(0x4373674e)
    expect(db.pragma('user_version', { simple: true })).toBe(4)
    db.close()
  })

  it.each(['write', 'read'] as const)('refuses to %s a file that is no database', async (mode) => {
    mkdirSync(path, { recursive: true })
    writeFileSync(file(), 'This is a text of more than a hundred bytes. '.repeat(9))
    const opening = openSqliteStore({ path, mode: mode as 'write' })
    await expect(opening).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  it.each(['write', 'read'] as const)('refuses to %s the database of another', async (mode) => {
    tamper('CREATE TABLE theirs (x)')
    const opening = openSqliteStore({ path, mode: mode as 'write' })
    await expect(opening).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    const db = new Database(file(), { readonly: true })
    expect(db.pragma('journal_mode', { simple: true })).toBe('delete')
    db.close()
  })

  it.each(['write', 'read'] as const)('refuses to %s a database of later times', async (mode) => {
    await (await openWriter()).close()
    tamper('PRAGMA user_version = 5')
    const opening = openSqliteStore({ path, mode: mode as 'write' })
    await expect(opening).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('version 5 > 4') as string,
    })
  })

  it('brings a database of version 1 up to date, which a reader refuses until then', async () => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    const { checkpoint } = await append(store, 'acme', [{}], [], { keepCheckpoint: true })
    await store.close()
    tamper(
      'DROP TABLE standings',
      'DROP TABLE deliveries',
      'DROP TABLE webhooks',
      'DROP INDEX entries_override',
      'DROP INDEX kept_checkpoints_quorum',
      'ALTER TABLE kept_checkpoints DROP COLUMN quorum',
      'PRAGMA user_version = 1',
    )
    await expect(openReader()).rejects.toThrow('open it once for writing')
    const again = await openWriter()
    expect(await again.readKeptCheckpoint('acme', 1)).toEqual(checkpoint)
    expect(await again.readWitnessedCheckpoint('acme')).toBeUndefined()
    await again.keepCosigned('acme', checkpoint, true)
    expect(await again.readWitnessedCheckpoint('acme')).toEqual(checkpoint)
    expect(await again.listOverrides('acme', 9, 9)).toEqual([])
    await again.close()
  })

  const trigger = (name: string): string =>
    `CREATE TRIGGER ${name} AFTER INSERT ON entries BEGIN DELETE FROM api_keys; END`
  const unsafely = (sql: string): readonly string[] => ['PRAGMA writable_schema = ON', sql]
  it.each<[string, string, readonly string[]]>([
    ['with a trigger', 'hide', [trigger('hide')]],
    ['with a trigger of the name of a table', 'entries', [trigger('entries')]],
    [
      'with a trigger of the name of what SQLite makes itself',
      'sqlite_stat1',
      unsafely(
        `INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_stat1', 'entries', 0, '${trigger('sqlite_stat1')}')`,
      ),
    ],
    ['without an index', 'keys_one_active', ['DROP INDEX keys_one_active']],
    ['with an index more', 'actors', ['CREATE INDEX actors ON entries (actor)']],
    [
      'with a view in the place of a table',
      'standings',
      ['DROP TABLE standings', 'CREATE VIEW standings AS SELECT 1'],
    ],
    [
      'with a constraint that is bent',
      'entries',
      unsafely(
        "UPDATE sqlite_schema SET sql = replace(sql, 'UNIQUE (tenant, stream, seq)', 'UNIQUE (tenant, stream, idx)') WHERE name = 'entries'",
      ),
    ],
    ['that says it is older than it is', 'deliveries', ['PRAGMA user_version = 3']],
  ])('refuses to write a database %s', async (_, part, statements) => {
    await (await openWriter()).close()
    tamper(...statements)
    await expect(openWriter()).rejects.toMatchObject({
      code: 'STORE_CORRUPT',
      message: expect.stringMatching(`^Schema of the database was changed.*: "${part}`) as string,
    })
  })

  it.each([0, 1, 2, 3, -1, -4])(
    'never brings up to date again what only says that it is of version %i',
    async (version) => {
      const store = await openWriter()
      await store.createTenant(makeTenant('acme'), makeKeys())
      const { checkpoint } = await append(store, 'acme', [{}], [], { keepCheckpoint: true })
      await store.close()
      tamper(`PRAGMA user_version = ${version}`)
      await expect(openWriter()).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
        message: expect.stringMatching(/was changed, bring back one that nobody has/) as string,
      })
      await expect(openReader()).rejects.toMatchObject({
        code: version < 1 ? 'STORE_CORRUPT' : 'CONFIG_INVALID',
      })
      tamper('PRAGMA user_version = 4')
      const again = await openWriter()
      expect(await again.readKeptCheckpoint('acme', 1)).toEqual(checkpoint)
      await again.close()
    },
  )

  it('writes a database that SQLite was let analyze, or in which others keep a table', async () => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    await store.close()
    tamper(
      'ANALYZE',
      'CREATE TABLE _replica (id INTEGER PRIMARY KEY, name TEXT UNIQUE)',
      'CREATE INDEX _replica_name ON _replica (name)',
    )
    await (await openWriter()).close()
    tamper('CREATE TRIGGER t AFTER INSERT ON _replica BEGIN DELETE FROM api_keys; END')
    await expect(openWriter()).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
  })

  it('finishes a database whose making was cut off, which a reader refuses', async () => {
    mkdirSync(path, { recursive: true })
    writeFileSync(file(), '')
    await expect(openReader()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    await store.close()
  })

  it('gives the lock back when it fails', async () => {
    tamper('CREATE TABLE theirs (x)')
    await expect(openWriter()).rejects.toMatchObject({ code: 'CONFIG_INVALID' })
    rmSync(file())
    await (await openWriter()).close()
  })

  it('finds damage in the middle of the file as such', async () => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    await append(
      store,
      'acme',
      Array.from({ length: 50 }, () => ({})),
    )
    await store.close()
    const size = statSync(file()).size
    // Everything behind the schema, by a tool of its own: this process must not open the file.
    execFileSync('dd', [
      'if=/dev/urandom',
      `of=${file()}`,
      'bs=16384',
      'seek=1',
      `count=${size / 16_384 - 1}`,
      'conv=notrunc',
      'status=none',
    ])
    const reader = await openReader()
    await expect(reader.readEntries('acme', 0, 50)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    await reader.close()
  })
})

describe('the lock of the writer', () => {
  it('is refused at once to a second one, whose message names the directory', async () => {
    const store = await openWriter()
    const before = performance.now()
    await expect(openWriter()).rejects.toMatchObject({
      code: 'STORE_LOCKED',
      message: expect.stringContaining(path) as string,
    })
    expect(performance.now() - before).toBeLessThan(1000)
    await store.createTenant(makeTenant('acme'), makeKeys())
    await store.close()
  })

  it('survives the refusal of a second one in the same process', async () => {
    const store = await openWriter()
    await expect(openWriter()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    // POSIX drops all locks of a process on a file when any descriptor of it is closed: only another process can tell.
    const program = `
      import { openSqliteStore } from ${JSON.stringify(resolve('src/store/sqlite.ts'))}
      await openSqliteStore({ path: ${JSON.stringify(path)}, mode: 'write' }).then(() => console.log('OPEN'), (e) => console.log(e.code))`
    const output = execFileSync(process.execPath, ['--input-type=module', '-e', program])
    expect(output.toString().trim()).toBe('STORE_LOCKED')
    await store.close()
  })

  it('is held by another process until that is killed', async () => {
    const child = spawn(
      process.execPath,
      [resolve('test/support/store-process.ts'), 'hold', path],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    await once(child.stdout, 'data')
    await expect(openWriter()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
    const reader = await openReader()
    expect((await reader.readTenant('acme'))?.head.size).toBe(1)
    child.kill('SIGKILL')
    await once(child, 'exit')
    const store = await openWriter()
    expect((await store.readTenant('acme'))?.head.size).toBe(1)
    await store.close()
    await reader.close()
  })
})

describe('a list', () => {
  const names = Array.from({ length: 1025 }, (_, i) => `actor ${i}`)
  const twin = (name: string, i: number) =>
    names.slice(0, i).find((other) => hashFilter(other) === hashFilter(name))
  const one = names.find(twin) ?? ''
  const other = twin(one, names.indexOf(one)) ?? ''
  const by = (actor: string) => ({ filter: { status: 'ALLOW', actor, action: 'pay' } })

  it('tells two actors apart whose hashes are the same', async () => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    await append(store, 'acme', [one, other, one].map(by))
    const listed = async (actor: string) =>
      (await store.listDecisions('acme', { actor, limit: 9 })).map(({ index }) => index)
    expect(await listed(one)).toEqual([2, 0])
    expect(await listed(other)).toEqual([1])
    await store.close()
  })

  it('reads in one step as many rows as it may, whose names may all have the same hash', async () => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    await append(store, 'acme', [by(other), ...Array.from({ length: stepRows }, () => by(one))])
    const db = new Database(file(), { readonly: true })
    const { step } = new DecisionList(db).scan(1, stepRows + 1, { actor: other, limit: 9 })
    expect(step(2, stepRows + 1, 9)).toEqual({ low: 2, rows: [] })
    expect(step(0, stepRows + 1, 9)).toEqual({ low: 1, rows: [] })
    expect(step(0, stepRows, 9)).toMatchObject({ low: 0, rows: [{ index: 0 }] })
    db.close()
    const listed = await store.listDecisions('acme', { actor: other, limit: 9 })
    expect(listed.map(({ index }) => index)).toEqual([0])
    await store.close()
  })
})

describe('a commit that cannot be meant', () => {
  it.each([
    { what: 'a gap before its entries', entries: [makeEntry(1)] },
    { what: 'a gap between its entries', entries: [makeEntry(0), makeEntry(2)] },
    { what: 'another size than its entries make', entries: [makeEntry(0)], size: 2 },
  ])('is refused as a bug: $what', async ({ entries, size }) => {
    const store = await openWriter()
    await store.createTenant(makeTenant('acme'), makeKeys())
    const commit = makeCommit('acme', emptyHead, entries)
    const head = { ...commit.head, size: size ?? commit.head.size }
    await expect(store.commit({ ...commit, head })).rejects.toMatchObject({ code: 'BUG' })
    expect((await store.readTenant('acme'))?.head).toEqual(emptyHead)
    await store.close()
  })
})
