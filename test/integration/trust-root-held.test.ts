import Database from 'better-sqlite3'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fingerprint } from '../../src/dossier/trust-root.ts'
import type { Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'

// Whoever writes the database must not have us hand out a trust root of theirs.
let cwd: string
const cs = (...args: string[]): Promise<Ran> => runHere(args, { cwd })

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-roots-'))
  expect(await cs('init', '--origin', 'log.example')).toMatchObject({ code: 0 })
  const other = ['--data', 'other-data', '--keys', 'other-keys']
  expect(await cs('init', '--origin', 'log.example', ...other)).toMatchObject({ code: 0 })
  expect(await cs('trust-root', ...other, '-o', 'other.json')).toMatchObject({ code: 0 })
  cpSync(join(cwd, 'countersign-data'), join(cwd, 'yesterday'), { recursive: true })
  expect(await cs('keys', 'rotate', 'evidence')).toMatchObject({ code: 0 })
})

afterAll(() => {
  rmSync(cwd, { force: true, recursive: true })
})

/** What `trust-root` does on a copy of the data whose database was edited. */
async function after(edit: (db: Database.Database) => void, ...args: string[]): Promise<Ran> {
  const data = mkdtempSync(join(cwd, 'data-'))
  cpSync(join(cwd, 'countersign-data'), data, { recursive: true })
  const db = new Database(join(data, 'countersign.db'))
  edit(db)
  db.close()
  return cs('trust-root', '--data', data, '-o', join(data, 'told.json'), ...args)
}

describe('trust-root', () => {
  it('writes the newest, and an older one when asked', async () => {
    expect(await after(() => undefined)).toMatchObject({ code: 0 })
    expect(await after(() => undefined, '--version', '1')).toMatchObject({ code: 0 })
    expect(await after(() => undefined, '--version', '9')).toMatchObject({ code: 1 })
  })

  it.each<[string, (db: Database.Database) => void]>([
    [
      'another installation’s',
      (db) => {
        const file = readFileSync(join(cwd, 'other.json'))
        db.prepare('UPDATE trust_roots SET file = ?, sha256 = ? WHERE version = 2').run(
          file,
          fingerprint(file),
        )
      },
    ],
    ['a page of garbage', (db) => db.exec("UPDATE trust_roots SET file = x'7b7d'")],
    ['an older one as the newest', (db) => db.exec('DELETE FROM trust_roots WHERE version > 1')],
  ])('does not write %s', async (_, edit) => {
    const { code, stderr, stdout } = await after(edit)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toContain('STORE_CORRUPT')
  })

  it('does not write the one of a database that is older than its pin', async () => {
    const { code, stderr } = await cs('trust-root', '--data', 'yesterday', '-o', 'stale.json')
    expect(code).toBe(1)
    expect(stderr).toContain('LOG_ROLLBACK')
  })

  it('writes the one of a copy that has no pin beside it', async () => {
    const told = await cs(
      'trust-root',
      '--data',
      'yesterday',
      '--keys',
      'nowhere',
      '-o',
      'old.json',
    )
    expect(told).toMatchObject({ code: 0 })
  })
})
