import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  firstLineOf,
  outcomeOf,
  runCountersign,
  startCountersign,
  type Ran,
} from '../support/cli.ts'

const samples = readFileSync(resolve(import.meta.dirname, '../examples/decisions.ndjson'), 'utf8')

let cwd: string

beforeAll(async () => {
  cwd = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
  expect(await cs('init', '--origin', 'log.example')).toMatchObject({ code: 0 })
})

afterAll(() => {
  rmSync(cwd, { recursive: true, force: true })
})

const cs = (...args: string[]): Promise<Ran> => runCountersign(args, { cwd })
const csWith = (input: string, ...args: string[]): Promise<Ran> =>
  runCountersign(args, { cwd, input })

interface Answer {
  line: number
  id: string
  status: string
  index: number
  replayed: boolean
}

const answers = ({ stdout }: Ran): Answer[] =>
  stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Answer)

const decision = (n: number): string =>
  JSON.stringify({
    intent: { actor: { id: `bot-${n}` }, action: { type: 'pay' } },
    status: 'ALLOW',
    idempotencyKey: `key-${n}`,
  })

/** Waits until a started program has printed so many lines. */
function linesOf(child: ReturnType<typeof startCountersign>, count: number): Promise<void> {
  let seen = 0
  return new Promise((done) => {
    child.stdout?.on('data', (chunk: Buffer | string) => {
      seen += chunk.toString().split('\n').length - 1
      if (seen >= count) done()
    })
  })
}

describe('the command line as a process', () => {
  it('has made a data directory whose files are for their owner only', () => {
    for (const name of ['countersign-data', 'keys'])
      expect(statSync(join(cwd, name)).mode & 0o777).toBe(0o700)
    for (const name of ['countersign-data/countersign.db', 'keys/countersign.kek'])
      expect(statSync(join(cwd, name)).mode & 0o777).toBe(0o600)
  })

  it('refuses to make a second one in its place', async () => {
    expect(await cs('init')).toMatchObject({ code: 1, stdout: '' })
  })

  it('notarises a file, a pipe and one document, verifies, erases, verifies again', async () => {
    writeFileSync(join(cwd, 'decisions.ndjson'), samples)
    const first = await cs('notarise', 'decisions.ndjson')
    expect([first.code, first.stderr]).toEqual([0, ''])
    expect(answers(first).map(({ status }) => status)).toEqual(
      samples
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { status: string }).status),
    )
    const again = await csWith(samples, 'notarise', '-')
    expect(answers(again).every(({ replayed }) => replayed)).toBe(true)
    expect(answers(again).map(({ id }) => id)).toEqual(answers(first).map(({ id }) => id))
    const one = await csWith(JSON.stringify(JSON.parse(decision(0)), null, 2), 'notarise', '-')
    expect(answers(one)).toMatchObject([{ line: 1, status: 'ALLOW', replayed: false }])

    const [id = '', other = ''] = answers(first).map((answer) => answer.id)
    expect((await cs('dossier', 'export', id, '-o', 'a.json')).code).toBe(0)
    expect((await cs('dossier', 'export', other, '-o', 'b.json')).code).toBe(0)
    const root = await cs('trust-root', '-o', 'trust.json')
    const fingerprint = root.stdout.slice(0, 64)
    const trusting = ['--trust', 'trust.json', '--trust-sha256', fingerprint]
    const valid = await cs('verify', 'a.json', 'b.json', ...trusting)
    expect([valid.code, valid.stdout.match(/^valid /gm)]).toEqual([0, ['valid ', 'valid ']])

    const forged = readFileSync(join(cwd, 'a.json'), 'utf8').replace(/(?<="sig[a-z]*":".)./, 'x')
    writeFileSync(join(cwd, 'forged.json'), forged)
    expect((await cs('verify', 'forged.json', 'b.json', ...trusting)).code).toBe(3)
    expect((await cs('verify', 'a.json', 'nowhere.json', ...trusting)).code).toBe(2)

    expect((await cs('erase', id, '--reason', 'asked for')).code).toBe(0)
    expect((await cs('dossier', 'export', id, '-o', 'erased.json')).code).toBe(0)
    const erased = await cs('verify', 'erased.json', ...trusting)
    expect([erased.code, erased.stdout]).toEqual([4, expect.stringMatching(/^erased /)])
    expect(readFileSync(join(cwd, 'erased.json'), 'utf8')).not.toContain('treasury-bot')
  })

  it('verifies where there is no installation, and steps from one trust root to the next', async () => {
    expect((await cs('trust-root', '-o', 'one.json')).code).toBe(0)
    expect((await cs('trust-root', 'publish', '-o', 'two.json')).code).toBe(0)
    expect((await cs('dossier', 'export', 'trust', '-o', 'trust.dossier.json')).code).toBe(0)
    const elsewhere = mkdtempSync(join(tmpdir(), 'countersign-auditor-'))
    try {
      for (const name of ['one.json', 'two.json', 'trust.dossier.json'])
        copyFileSync(join(cwd, name), join(elsewhere, name))
      const step = [
        'trust-root',
        'update',
        'one.json',
        'two.json',
        '--dossier',
        'trust.dossier.json',
      ]
      const update = await runCountersign(step, { cwd: elsewhere })
      expect([update.code, update.stdout]).toEqual([0, expect.stringMatching(/^valid /)])
      const backwards = step.with(2, 'two.json').with(3, 'one.json')
      expect((await runCountersign(backwards, { cwd: elsewhere })).code).toBe(3)
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  it('says what is wrong where there is no installation, and makes nothing', async () => {
    const elsewhere = mkdtempSync(join(tmpdir(), 'countersign-nothing-'))
    try {
      for (const args of [['notarise', '-'], ['keys', 'status'], ['serve']]) {
        const { code, stderr, stdout } = await runCountersign(args, { cwd: elsewhere })
        expect([code, stdout, stderr]).toEqual([2, '', expect.stringContaining('CONFIG_INVALID')])
      }
    } finally {
      rmSync(elsewhere, { recursive: true })
    }
  })

  it('refuses to start with the wrong KEK, and says which provider and why', async () => {
    const kek = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
    for (const command of [
      ['notarise', '-'],
      ['serve', '--port', '0'],
    ]) {
      const ran = await runCountersign(command, { cwd, env: { COUNTERSIGN_KEK: kek } })
      expect([ran.code, ran.stdout]).toEqual([1, ''])
      expect(ran.stderr).toMatch(/environment: this is the wrong KEK.* \(OPEN_FAILED\)\n/)
      expect(ran.stderr).not.toContain(kek)
    }
  })

  it('falls back to no weaker provider when a stronger one is configured', async () => {
    const env = { COUNTERSIGN_KMS_KEY_ID: 'alias/countersign' }
    const ran = await runCountersign(['notarise', '-'], { cwd, env })
    expect([ran.code, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toMatch(/kms.*\(CONFIG_INVALID\)/)
  })

  it('is resumed after an interruption with exactly one decision a key', async () => {
    const count = 1000
    const input = Array.from({ length: count }, (_, n) => `${decision(1000 + n)}\n`).join('')
    writeFileSync(join(cwd, 'many.ndjson'), input)
    const child = startCountersign(['notarise', 'many.ndjson'], { cwd })
    const enough = linesOf(child, 100)
    const outcome = outcomeOf(child)
    await enough
    child.kill('SIGINT')
    const interrupted = await outcome
    const done = answers(interrupted)
    expect(interrupted.code).toBe(130)
    expect(interrupted.stderr).toContain(`${done.length} decisions notarised; interrupted`)
    expect(done.length).toBeLessThan(count)
    const resumed = await cs('notarise', 'many.ndjson')
    const all = answers(resumed)
    expect([resumed.code, all.length]).toEqual([0, count])
    // What was told as done before is what is told now, and nothing was done that was not told.
    expect(all.slice(0, done.length).map(({ id }) => id)).toEqual(done.map(({ id }) => id))
    expect(all.filter(({ replayed }) => replayed)).toHaveLength(done.length)
    expect(new Set(all.map(({ id }) => id)).size).toBe(count)
  })

  it('gives up no more than what is in flight when its reader goes away', async () => {
    const child = startCountersign(['notarise', 'many.ndjson'], { cwd })
    await firstLineOf(child)
    child.stdout?.destroy()
    const { code, stderr } = await outcomeOf(child)
    expect(code).toBe(141)
    expect(stderr).not.toContain('Error')
  })
})

describe('while a server runs', () => {
  let server: ReturnType<typeof startCountersign>
  let url: string

  beforeAll(async () => {
    server = startCountersign(['serve', '--port', '0'], { cwd })
    url = await firstLineOf(server)
  })

  afterAll(() => {
    server.kill('SIGKILL')
  })

  it('it can be asked over HTTP', async () => {
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+$/)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
  })

  it('what writes goes through it, and it stays the only one', async () => {
    const { code, stdout } = await csWith(decision(1), 'notarise', '-')
    expect([code, answers({ code, stderr: '', stdout })[0]?.status]).toEqual([0, 'ALLOW'])
    expect((await cs('tenant', 'create', 'another')).code).toBe(0)
    const second = await cs('serve', '--port', '0')
    expect([second.code, second.stdout]).toEqual([75, ''])
    expect(second.stderr).toContain('(STORE_LOCKED)\n  Stop the other process')
  })

  it('no passphrase is made or used beside it', async () => {
    const { code, stderr, stdout } = await cs('keys', 'break-glass')
    expect([code, stdout]).toEqual([75, ''])
    expect(stderr).toContain('stop the server first (STORE_LOCKED)')
  })

  it('a writer is refused where nobody answers for it, and told what to do', async () => {
    rmSync(join(cwd, 'countersign-data/countersign.sock'))
    for (const args of [
      ['notarise', '-'],
      ['tenant', 'create', 'third'],
    ]) {
      const { code, stderr, stdout } = await csWith(decision(1), ...args)
      expect([code, stdout]).toEqual([75, ''])
      expect(stderr).toContain('(STORE_LOCKED)\n  Stop the other process')
    }
  })

  it('readers read', async () => {
    expect((await cs('keys', 'status')).stdout).toMatch(/^evidence +v1 +active /m)
    expect((await cs('tenant', 'list')).stdout).toMatch(/^default /m)
    expect((await cs('trust-root', '-o', 'now.json')).code).toBe(0)
    expect((await cs('dossier', 'export', 'keys', '-o', 'keys.dossier.json')).code).toBe(0)
    expect((await cs('verify', 'keys.dossier.json', '--trust', 'now.json')).code).toBe(0)
  })

  it('SIGTERM ends it with exit code 0, and the writer’s place is free', async () => {
    const outcome = outcomeOf(server)
    server.kill('SIGTERM')
    expect((await outcome).code).toBe(0)
    expect((await csWith(decision(1), 'notarise', '-')).code).toBe(0)
  })
})

describe('a playground', () => {
  it('makes its own directory, says that it proves nothing, and cannot be opened again', async () => {
    const data = ['--data', 'playground', '--keys', 'playground-keys']
    const server = startCountersign(['serve', '--dev', '--port', '0', '--json', ...data], { cwd })
    const { devToken, url } = JSON.parse(await firstLineOf(server)) as {
      devToken: string
      url: string
    }
    const outcome = outcomeOf(server)
    const response = await fetch(`${url}/v1/decisions`, {
      method: 'POST',
      headers: { authorization: `Bearer ${devToken}`, 'content-type': 'application/json' },
      body: decision(1),
    })
    expect(response.status).toBe(201)
    const { dossierUrl } = (await response.json()) as { dossierUrl: string }
    const dossier = await fetch(url + dossierUrl, {
      headers: { authorization: `Bearer ${devToken}` },
    })
    writeFileSync(join(cwd, 'play.json'), Buffer.from(await dossier.arrayBuffer()))
    expect((await cs('trust-root', '-o', 'play-trust.json', '--data', 'playground')).code).toBe(0)
    const verified = await cs('verify', 'play.json', '--trust', 'play-trust.json')
    expect(verified.stderr).toContain('note: Development installation')
    server.kill('SIGTERM')
    expect((await outcome).code).toBe(0)
    const reopened = await cs('notarise', '-', '--dev', ...data)
    expect([reopened.code, reopened.stderr]).toEqual([2, expect.stringContaining('memory: ')])
  })
})

describe('the program', () => {
  it('loads no database, no key provider and no log to verify', () => {
    const watch = `
      import { registerHooks } from 'node:module'
      registerHooks({
        resolve(specifier, context, next) {
          const found = next(specifier, context)
          console.log(found.url)
          return found
        },
      })`
    const main = resolve(import.meta.dirname, '../../src/main.ts')
    const { stdout } = spawnSync(process.execPath, [
      ...['--import', `data:text/javascript,${encodeURIComponent(watch)}`],
      ...[main, 'verify', 'no.json', '--trust', 'no.json'],
    ])
    const loaded = stdout.toString()
    expect(loaded).toContain('/src/verify/verify-dossier.ts')
    expect(loaded).not.toMatch(
      /\/src\/(kek|store|keyring|log|decisions|api)\/|compose|better-sqlite3|pkcs11|aws-sdk|hono/,
    )
  })

  it('resolves names from where npm was called, when npm has gone to the package', async () => {
    const root = resolve(import.meta.dirname, '../..')
    const env = { INIT_CWD: cwd }
    const called = await runCountersign(['tenant', 'list'], { cwd: root, env })
    expect([called.code, called.stdout]).toEqual([0, expect.stringMatching(/^default /m)])
    // Anywhere else INIT_CWD is somebody else's.
    const nothing = mkdtempSync(join(tmpdir(), 'countersign-else-'))
    expect((await runCountersign(['tenant', 'list'], { cwd: nothing, env })).code).toBe(2)
    rmSync(nothing, { recursive: true })
  })
})
