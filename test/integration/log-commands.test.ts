import Database from 'better-sqlite3'
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { decodeBase64 } from '../../src/base/base64.ts'
import { encodeHex } from '../../src/base/bytes.ts'
import { leafHash } from '../../src/merkle/hash.ts'
import { parseTlogProof } from '../../src/merkle/tlog-proof.ts'
import { firstLineOf, outcomeOf, startCountersign, type Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'

// One installation for all: decisions, a public log, a static copy.
let cwd: string
const ids: string[] = []
let size = 0

const cs = (...args: string[]): Promise<Ran> => runHere(args, { cwd })

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-log-'))
  expect(
    await cs('init', '--origin', 'log.example', '--profile', 'checkpoint', '--public'),
  ).toMatchObject({ code: 0 })
  const lines = Array.from({ length: 300 }, (_, n) =>
    JSON.stringify({
      intent: { actor: { id: `bot-${n}` }, action: { type: 'pay' } },
      status: 'ALLOW',
      idempotencyKey: `k${n}`,
      maxUses: 2,
    }),
  )
  const { code, stdout } = await runHere(['notarise', '-'], { cwd, input: lines.join('\n') })
  expect(code).toBe(0)
  for (const line of stdout.trim().split('\n')) {
    const { id, index } = JSON.parse(line) as { id: string; index: number }
    ids.push(id)
    size = Math.max(size, index + 1)
  }
  expect(await cs('trust-root', '-o', 'trust.json')).toMatchObject({ code: 0 })
})

afterAll(() => {
  rmSync(cwd, { force: true, recursive: true })
})

/** A copy of the data directory with its database edited. */
function damaged(name: string, ...sql: string[]): string {
  cpSync(join(cwd, 'countersign-data'), join(cwd, name), { recursive: true })
  const db = new Database(join(cwd, name, 'countersign.db'))
  for (const statement of sql) expect(db.prepare(statement).run().changes).toBeGreaterThan(0)
  db.close()
  return name
}

interface Told {
  readonly tenant: string
  readonly size: number
  readonly count: number
  readonly firstIndex: number | null
  readonly findings: readonly {
    readonly part: string
    readonly index: number | null
    readonly what: string
  }[]
  readonly unchecked: readonly string[]
}

describe('log fsck', () => {
  it('says of a whole log that it is clean, and what it did not look at', async () => {
    const { code, stderr, stdout } = await cs('log', 'fsck')
    expect([code, stdout]).toEqual([
      0,
      expect.stringMatching(
        /^clean {2}default {2}log\.example\/default {2}\d+ entries, 300 decisions, 0 erased\n$/,
      ),
    ])
    expect(stderr).toMatch(/^not checked: Manifest of the key store/m)
    expect(stderr).toContain('newest trust root in the database itself')
    const all = await cs('log', 'fsck', '--trust', 'trust.json', '--unseal')
    expect([all.code, all.stderr]).toEqual([0, ''])
  })

  it('names what is wrong, for people and for machines, with exit code 3', async () => {
    const data = damaged(
      'leaf',
      "UPDATE entries SET payload = CAST(replace(payload, 'bot-7', 'bot-8') AS BLOB) WHERE idx = 20",
      'DELETE FROM tiles WHERE level = 1',
    )
    const told = await cs('log', 'fsck', '--data', data)
    expect(told.code).toBe(3)
    expect(told.stdout).toMatch(/^BAD {4}default .*findings, the first at index/)
    expect(told.stdout).toMatch(/^ {2}tile 0: Tile is missing: 1\/0$/m)
    const { code, stdout } = await cs(
      'log',
      'fsck',
      '--data',
      data,
      '--json',
      '--tenant',
      'default',
    )
    expect(code).toBe(3)
    const report = JSON.parse(stdout) as Told
    expect(report).toMatchObject({ size, tenant: 'default' })
    expect(report.findings.length).toBe(report.count)
  })

  it('finds a key store that its manifest does not vouch for only when it may unseal', async () => {
    const data = damaged(
      'manifest',
      `UPDATE tenants SET manifest = CAST(replace(manifest, '"tag":"', '"tag":"A') AS BLOB)`,
    )
    const shallow = await cs('log', 'fsck', '--data', data)
    const deep = await cs('log', 'fsck', '--data', data, '--unseal')
    expect(deep.code).toBe(3)
    expect(deep.stdout).toMatch(/tag|Manifest/)
    expect(shallow.stderr).toContain('not checked: Manifest')
  })

  it('finds a database that is older than its pin', async () => {
    const data = damaged(
      'old',
      `DELETE FROM entries WHERE idx = ${size - 1}`,
      'UPDATE tenants SET size = size - 1',
    )
    const { code, stdout } = await cs('log', 'fsck', '--data', data)
    expect(code).toBe(3)
    expect(stdout).toMatch(/pin \d+: Log has fewer entries/)
  })

  it('says of an archive, and of nothing else, that it may be behind', async () => {
    const place = join(cwd, 'archived')
    mkdirSync(place)
    const here = (...args: string[]): Promise<Ran> => runHere(args, { cwd: place })
    const request = JSON.stringify({
      intent: { actor: { id: 'x' }, action: { type: 'pay' } },
      status: 'ALLOW',
    })
    expect(await here('init', '--origin', 'other.example')).toMatchObject({ code: 0 })
    expect(await here('backup', '-o', 'copy')).toMatchObject({ code: 0 })
    await runHere(['notarise', '-'], { cwd: place, input: request })
    renameSync(join(place, 'countersign-data'), join(place, 'newer'))
    expect(await here('restore', 'copy', '--archive')).toMatchObject({ code: 0 })
    const { code, stderr, stdout } = await here('log', 'fsck')
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^clean /)])
    expect(stderr).toMatch(/^not checked: Rollback: this is an archive/m)
    rmSync(join(place, 'countersign-data', 'archive.json'))
    expect(await here('log', 'fsck')).toMatchObject({ code: 3 })
  })

  it('works beside a server that goes on, and finds nothing wrong with what is being written', async () => {
    const server = startCountersign(['serve', '--port', '0'], { cwd })
    const ended = outcomeOf(server)
    await firstLineOf(server)
    const more = Array.from({ length: 150 }, (_, n) =>
      JSON.stringify({
        intent: { actor: { id: 'x' }, action: { type: 'pay' } },
        status: 'BLOCK',
        idempotencyKey: `more-${n}`,
      }),
    )
    const notarising = runHere(['notarise', '-'], { cwd, input: more.join('\n') })
    const checks = await Promise.all([cs('log', 'fsck'), cs('log', 'fsck', '--json')])
    expect((await notarising).code).toBe(0)
    for (const { code, stdout } of checks) expect([code, stdout]).toEqual([0, expect.anything()])
    expect(await cs('log', 'rebuild')).toMatchObject({ code: 75 })
    server.kill('SIGTERM')
    expect((await ended).code).toBe(0)
    expect(await cs('log', 'fsck')).toMatchObject({ code: 0 })
  })

  it('is not sure of what an older trust root does not know, with exit code 4', async () => {
    const other = join(cwd, 'rotated')
    mkdirSync(other)
    const here = (...args: string[]): Promise<Ran> => runHere(args, { cwd: other })
    expect(await here('init', '--origin', 'other.example')).toMatchObject({ code: 0 })
    expect(await here('trust-root', '-o', 'old.json')).toMatchObject({ code: 0 })
    for (const purpose of ['evidence', 'log'])
      expect(await here('keys', 'rotate', purpose)).toMatchObject({ code: 0 })
    expect(await here('log', 'fsck')).toMatchObject({ code: 0 })
    const { code, stderr, stdout } = await here('log', 'fsck', '--trust', 'old.json')
    expect([code, stdout]).toEqual([4, expect.stringMatching(/^unsure default /)])
    expect(stderr).toMatch(/^not checked: Trust root is older: /m)
  })

  it('refuses a tenant or a trust root that there is not', async () => {
    expect(await cs('log', 'fsck', '--tenant', 'nobody')).toMatchObject({ code: 1 })
    expect(await cs('log', 'fsck', '--trust', 'nothing.json')).toMatchObject({ code: 2 })
    writeFileSync(join(cwd, 'other.json'), '{}')
    expect(await cs('log', 'fsck', '--trust', 'other.json')).toMatchObject({ code: 2 })
  })
})

describe('log rebuild', () => {
  it('makes the tiles again and says how many', async () => {
    const data = damaged('tiles', 'DELETE FROM tiles')
    expect(await cs('log', 'fsck', '--data', data)).toMatchObject({ code: 3 })
    const { code, stdout } = await cs('log', 'rebuild', '--data', data, '--json')
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toMatchObject({ removed: 0, tenant: 'default', written: 3 })
    expect(await cs('log', 'fsck', '--data', data)).toMatchObject({ code: 0 })
    const again = await cs('log', 'rebuild', '--data', data)
    expect(again.stdout).toMatch(/^default {2}\d+ entries {2}0 tiles written, 0 removed\n$/)
  })

  it.each([
    ['lost', 'DELETE FROM tiles'],
    ['wrong', 'UPDATE tiles SET hashes = zeroblob(length(hashes))'],
    ['cut', 'UPDATE tiles SET hashes = substr(hashes, 1, 32)'],
    ['cut within a hash', 'UPDATE tiles SET hashes = substr(hashes, 1, length(hashes) - 1)'],
    ['emptied', "UPDATE tiles SET hashes = x''"],
  ])('is what a command names that meets tiles which are %s', async (name, sql) => {
    const data = damaged(`tiles ${name}`, sql)
    const request = JSON.stringify({
      intent: { actor: { id: 'x' }, action: { type: 'pay' } },
      status: 'ALLOW',
    })
    const { code, stderr } = await runHere(['notarise', '-', '--data', data], {
      cwd,
      input: request,
    })
    expect(code).toBe(1)
    expect(stderr.split('\n')[0]).toMatch(/countersign log rebuild makes .* \(STORE_CORRUPT\)$/)
    expect(await cs('log', 'rebuild', '--data', data)).toMatchObject({ code: 0 })
    expect(await cs('log', 'fsck', '--data', data)).toMatchObject({ code: 0 })
  })

  it('leaves a log alone whose leaves are not those that were signed', async () => {
    const data = damaged(
      'leaves',
      `UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE idx = 21) WHERE idx = 20`,
    )
    const { code, stderr } = await cs('log', 'rebuild', '--data', data)
    expect(code).toBe(1)
    expect(stderr).toContain('log fsck')
  })
})

describe('log proof and log consistency', () => {
  it('write a proof of a leaf by index, hash or id, which verifies offline', async () => {
    const [id = ''] = ids
    expect(await cs('log', 'proof', id, '-o', 'a.tlog-proof')).toMatchObject({ code: 0 })
    const proof = parseTlogProof(readFileSync(join(cwd, 'a.tlog-proof'), 'utf8'))
    if (typeof proof === 'string') throw new Error(proof)
    const hash = encodeHex(leafHash(proof.extra ?? new Uint8Array()))
    for (const name of [String(proof.index), hash])
      expect(parseTlogProof((await cs('log', 'proof', name)).stdout)).toEqual(proof)
    const verified = await cs('verify', 'a.tlog-proof', '--trust', 'trust.json')
    expect([verified.code, verified.stdout]).toEqual([
      0,
      expect.stringMatching(new RegExp(`^valid .*${id}`)),
    ])
    const text = readFileSync(join(cwd, 'a.tlog-proof'), 'utf8')
    writeFileSync(join(cwd, 'b.tlog-proof'), text.replace(/^index .*$/m, 'index 3'))
    const refused = await cs('verify', 'b.tlog-proof', '--trust', 'trust.json')
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining('proof.inclusion')])
  })

  it('refuse what is no leaf', async () => {
    expect(await cs('log', 'proof', '999999')).toMatchObject({ code: 1 })
    expect(await cs('log', 'proof', 'ab'.repeat(32))).toMatchObject({ code: 1 })
    expect(await cs('log', 'proof', 'x')).toMatchObject({ code: 2 })
    expect(await cs('log', 'consistency', '9', '3')).toMatchObject({ code: 2 })
    expect(await cs('log', 'consistency', '3', '999999')).toMatchObject({ code: 1 })
  })

  it('print how a tree grew', async () => {
    const { stdout } = await cs('log', 'consistency', '3', '256', '--json')
    const proof = JSON.parse(stdout) as { consistencyPath: string[]; firstRoot: string }
    expect(proof).toMatchObject({ firstSize: 3, secondSize: 256 })
    expect(proof.consistencyPath.every((text) => decodeBase64(text)?.length === 32)).toBe(true)
    const plain = await cs('log', 'consistency', '3', '256')
    expect(plain.stdout.split('\n')[0]).toBe(`3 ${proof.firstRoot}`)
  })
})

describe('verify --entries URL', () => {
  it('shows that nothing was left out by the log’s own leaves, fetched', async () => {
    const [id = ''] = ids
    const server = startCountersign(['serve', '--port', '0'], { cwd })
    const ended = outcomeOf(server)
    const url = (await firstLineOf(server)).match(/http:\S+/)?.[0] ?? ''
    expect(await cs('dossier', 'export', id, '-o', 'early.json')).toMatchObject({ code: 0 })
    const verify = (file: string): Promise<Ran> =>
      cs('verify', file, '--trust', 'trust.json', '--entries', `${url}/log/default/`)
    const whole = await verify('early.json')
    expect([whole.code, whole.stdout]).toEqual([
      0,
      expect.stringMatching(/complete as of size \d+/),
    ])
    const missing = await cs(
      'verify',
      'early.json',
      '--trust',
      'trust.json',
      '--entries',
      `${url}/log/nobody`,
    )
    expect(missing).toMatchObject({ code: 2 })
    server.kill('SIGTERM')
    await ended
    const gone = await verify('early.json')
    expect([gone.code, gone.stderr]).toEqual([2, expect.stringContaining('cannot be read')])
  })
})
