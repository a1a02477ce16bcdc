import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type {
  BackedUp,
  Composition,
  HeadStatement,
  Restored,
  RestoreRequest,
} from '../../../src/cli/composition.ts'
import { run } from './harness.ts'

const log = { origin: 'log.example/acme', size: 12_345, tenant: 'acme' }

const backedUp: BackedUp = {
  bytes: 1_048_576,
  createdAt: Date.UTC(2026, 10, 21),
  logs: [log],
  sha256: 'ab'.repeat(32),
  to: '/mnt/backup',
}

const restored: Restored = {
  archive: null,
  createdAt: Date.UTC(2026, 10, 21),
  data: '/var/data',
  instance: '01890a5d',
  logs: [{ ...log, known: true }],
  objections: [],
  successor: null,
}

describe('backup', () => {
  it('says where it is, of when, and what is in it', async () => {
    const composition = { backUp: () => Promise.resolve(backedUp) }
    expect(await run(['backup', '-o', '/mnt/backup'], { composition })).toEqual({
      code: 0,
      stderr: '',
      stdout: `backed up  /mnt/backup  2026-11-21T00:00:00.000Z  1,048,576 bytes  SHA-256 ${'ab'.repeat(32)}\nacme  log.example/acme  size 12,345\n`,
    })
    const { stdout } = await run(['backup', '-o', 'x', '--json'], { composition })
    expect(JSON.parse(stdout)).toEqual(backedUp)
  })

  it('wants to know where to, and exits from the failure', async () => {
    expect((await run(['backup'])).code).toBe(2)
    const composition = { backUp: () => Promise.reject(new Failure('STORE_FULL', 'Disk is full')) }
    expect((await run(['backup', '-o', 'x'], { composition })).code).toBe(75)
  })

  it('leaves nothing when a signal ends it, and says so', async () => {
    const signals = new EventEmitter()
    const composition: Partial<Composition> = {
      backUp(_, { signal }) {
        signals.emit('SIGTERM', 'SIGTERM')
        return Promise.reject(signal.reason as Error)
      },
    }
    const { code, stderr } = await run(['backup', '-o', 'x'], { composition, signals })
    expect(code).toBe(143)
    expect(stderr).toContain('run it again')
  })
})

describe('restore', () => {
  const asking = (
    outcome: Restored,
    asked: RestoreRequest[] = [],
  ): { composition: Partial<Composition> } => ({
    composition: {
      restore(_, request) {
        asked.push(request)
        return Promise.resolve(outcome)
      },
    },
  })

  it('hands over what was asked, and says what came back', async () => {
    const asked: RestoreRequest[] = []
    const argv = ['restore', 'b', '--published', 's3://x-y/z', 'www']
    const { code, stdout } = await run(argv, asking(restored, asked))
    expect(code).toBe(0)
    expect(stdout).toBe(
      'restored  /var/data  instance 01890a5d  backed up 2026-11-21T00:00:00.000Z\nacme  log.example/acme  size 12,345\n',
    )
    expect(asked).toMatchObject([
      {
        archive: false,
        backup: 'b',
        checkOnly: false,
        published: ['s3://x-y/z', 'www'],
        signatures: true,
      },
    ])
    const flags = ['--archive', '--no-signatures', '--witness', 'https://w.example']
    await run(['restore', 'b', ...flags], asking(restored, asked))
    expect(asked.at(-1)).toMatchObject({
      archive: true,
      published: [],
      signatures: false,
      witnesses: ['https://w.example'],
    })
  })

  it('says of which log nothing is known elsewhere', async () => {
    const unknown = { ...restored, logs: [{ ...log, known: false }] }
    const { code, stderr } = await run(['restore', 'b'], asking(unknown))
    expect(code).toBe(0)
    expect(stderr).toContain('newest state: log.example/acme')
  })

  it('only checks: exit 1 when more is known than the backup holds', async () => {
    const behind = { ...restored, objections: ['the pin knows log.example/acme at size 9'] }
    const { code, stderr, stdout } = await run(['restore', 'b', '--check'], asking(behind))
    expect(code).toBe(1)
    expect(stdout).toMatch(/^sound {2}instance/)
    expect(stderr).toBe('Newer: the pin knows log.example/acme at size 9\n')
    expect((await run(['restore', 'b', '--check'], asking(restored))).code).toBe(0)
  })

  it('says of a successor what is new, and where the old logs are read', async () => {
    const logs = [{ origin: 'log2.example/acme', tenant: 'acme' }]
    const successor = { instance: 'new', kekFile: '/keys/kek', logs, provider: 'environment' }
    const outcome = { ...restored, archive: '/var/data/archive', successor }
    const argv = ['restore', 'b', '--new-origin', 'log2.example']
    const { stderr, stdout } = await run(argv, asking(outcome))
    expect(stdout).toContain('archived  /var/data/archive')
    expect(stdout).toContain('founded  /var/data  instance new  key provider environment')
    expect(stdout).toContain('acme  log2.example/acme')
    for (const said of ['API keys are new', '/keys/kek', '--data /var/data/archive'])
      expect(stderr).toContain(said)
    expect(JSON.parse((await run([...argv, '--json'], asking(outcome))).stdout)).toEqual(outcome)
  })

  it.each([
    ['--archive', '--new-origin', 'x'],
    ['--archive', '--check'],
    ['--check', '--new-origin', 'x'],
  ])('takes no two ways at once: %s %s', async (...flags) => {
    expect((await run(['restore', 'b', ...flags], asking(restored))).code).toBe(2)
  })
})

describe('log repin', () => {
  it('hands over the files and says what is pinned now', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'countersign-repin-'))
    onTestFinished(() => {
      rmSync(cwd, { recursive: true })
    })
    writeFileSync(join(cwd, 'checkpoint'), 'note')
    const given: HeadStatement[] = []
    const done = { index: 12, origin: 'log.example/acme', size: 13, stated: 11, tenant: 'acme' }
    const composition: Partial<Composition> = {
      repin(_, statements) {
        given.push(...statements)
        return Promise.resolve([done])
      },
    }
    const argv = ['log', 'repin', '--checkpoint', 'checkpoint']
    const { code, stderr, stdout } = await run(argv, { composition, cwd })
    expect([code, stdout]).toEqual([
      0,
      'repinned  log.example/acme  known size 11  pinned size 13  told by entry 12\n',
    ])
    expect(stderr).toContain('later checkpoint')
    expect(given.map(({ bytes, name }) => [name, Buffer.from(bytes).toString()])).toEqual([
      ['checkpoint', 'note'],
    ])
    expect(JSON.parse((await run([...argv, '--json'], { composition, cwd })).stdout)).toEqual(done)
    expect((await run(['log', 'repin'])).code).toBe(2)
  })
})
