import { Writable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { Failure, failureCodes, type FailureCode } from '../../../src/base/failure.ts'
import type { GlobalFlags, ReadingService } from '../../../src/cli/composition.ts'
import { FakeService } from '../../support/fake-service.ts'
import { closedPipe, run } from './harness.ts'

const failing = (
  error: unknown,
): { composition: { openReading: () => Promise<ReadingService> } } => ({
  composition: {
    openReading: () => Promise.reject(error instanceof Error ? error : new Error(String(error))),
  },
})

describe('the command line', () => {
  it('prints its help on standard error and exits 2 when nothing is asked of it', async () => {
    const { code, stderr, stdout } = await run([])
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).toContain('Usage: countersign')
  })

  it('prints help and version as data when they are asked for', async () => {
    expect(await run(['--version'])).toEqual({ code: 0, stdout: '1.2.3\n', stderr: '' })
    const { code, stderr, stdout } = await run(['verify', '--help'])
    expect([code, stderr]).toEqual([0, ''])
    expect(stdout).toContain('Usage: countersign verify')
  })

  it.each([
    [['frobnicate']],
    [['verify', '--frobnicate']],
    [['verify']],
    [['notarise']],
    [['notarise', 'a', 'b']],
    [['erase', 'id']],
    [['dossier']],
    [['serve', '--port', '65536']],
    [['serve', '--port', '1e3']],
    [['trust-root', '--version', '0']],
    [['init', '--profile', 'both']],
    [['apikey', 'create', '--owner', 'x']],
    [['apikey', 'create', '--owner', 'x', '--scope', 'everything']],
  ])('exits 2 for a mistake of usage: %j', async (argv) => {
    const { code, stderr, stdout } = await run(argv)
    expect([code, stdout]).toEqual([2, ''])
    expect(stderr).not.toBe('')
  })

  it('spells out what could move the cursor in the mistakes that it tells', async () => {
    for (const argv of [
      ['\x1b[2J'],
      ['tenant', 'list', '--\x1b[2J'],
      ['serve', '--port', '\x1b[2J'],
    ]) {
      const { code, stderr } = await run(argv)
      expect([code, stderr]).toEqual([2, expect.stringContaining(String.raw`\u001b[2J`)])
      expect(stderr).not.toContain('\x1b')
    }
  })

  it('takes options about the installation behind the command and in front of it', async () => {
    const seen: GlobalFlags[] = []
    const openReading = (flags: GlobalFlags): Promise<ReadingService> => {
      seen.push(flags)
      return Promise.resolve(new FakeService() as ReadingService)
    }
    const composition = { openReading }
    await run(['tenant', 'list', '--data', 'behind'], { composition })
    await run(['--data', 'front', 'tenant', 'list'], { composition })
    await run(['--data', 'front', 'tenant', 'list', '--data', 'behind'], { composition })
    expect(seen.map(({ data }) => data)).toEqual(['behind', 'front', 'behind'])
  })

  it('refuses what is not UTF-8, in whose place another text stands', async () => {
    // As Node gives the byte ff of an argument.
    const { code, stderr } = await run(['dossier', 'export', 'trust', '-o', 'out\ufffd'])
    expect([code, stderr]).toEqual([2, 'countersign: An argument is not UTF-8: out\ufffd\n'])
  })

  it('refuses an option that does not apply instead of ignoring it', async () => {
    const { code, stderr } = await run(['--data', 'x', 'verify', 'f', '--trust', 't'])
    expect([code, stderr]).toEqual([2, 'countersign: Option does not apply to verify: --data\n'])
    expect((await run(['--dev', 'config', 'schema'])).code).toBe(2)
  })
})

describe('a failure', () => {
  it.each(Object.keys(failureCodes) as FailureCode[])(
    'exits as the table says: %s',
    async (failed) => {
      const failure = new Failure(failed, 'Something is wrong: 42')
      const { code, stderr, stdout } = await run(['keys', 'status'], failing(failure))
      expect([code, stdout]).toEqual([failureCodes[failed].exit, ''])
      expect(stderr).toMatch(/^countersign: .*Something is wrong: 42 \([A-Z_]+\)\n/)
      expect(stderr).toContain(`(${failed})`)
      expect(stderr).not.toContain('.ts')
    },
  )

  it('that nobody expected is a defect with an id and no stack, unless --debug is given', async () => {
    const error = new TypeError('secret detail')
    const plain = await run(['keys', 'status'], failing(error))
    expect(plain.code).toBe(70)
    expect(plain.stderr).toMatch(/Internal error [0-9a-f]{12}: Unexpected error \(BUG\)/)
    expect(plain.stderr).not.toContain('secret detail')
    const debugged = await run(['keys', 'status', '--debug'], failing(error))
    expect(debugged.stderr).toContain('secret detail')
    expect(debugged.stderr).toContain('run.test.ts')
    expect(debugged.stderr).toContain(plain.stderr.slice(0, 45))
  })

  it.each([
    ['EACCES', 2, 'CONFIG_INVALID'],
    ['EEXIST', 2, 'CONFIG_INVALID'],
    ['ENOTDIR', 2, 'CONFIG_INVALID'],
    ['EROFS', 2, 'CONFIG_INVALID'],
    ['ENOSPC', 75, 'STORE_FULL'],
    ['EIO', 75, 'STORE_FAILED'],
  ])('of the system about a path is no defect: %s', async (code, exit, name) => {
    const said = { code, path: '/some/where', syscall: 'mkdir' }
    const error = Object.assign(new Error('refused'), said)
    for (const thrown of [error, new Failure('BUG', 'Unexpected error', { cause: error })]) {
      const { code: ended, stderr } = await run(['tenant', 'list'], failing(thrown))
      expect(ended).toBe(exit)
      expect(stderr).toContain(
        `countersign: The system refuses mkdir (${code}): /some/where (${name})\n`,
      )
    }
  })

  it.each([
    ['names no path', { code: 'EACCES', syscall: 'connect' }],
    ['is of no known kind', { code: 'ESTRANGE', path: '/some/where', syscall: 'mkdir' }],
  ])('of the system that %s stays a defect', async (_, said) => {
    const { code, stderr } = await run(
      ['tenant', 'list'],
      failing(Object.assign(new Error('refused'), said)),
    )
    expect(code).toBe(70)
    expect(stderr).toContain('(BUG)')
  })

  it.each([
    ['ENOTDIR', 2, 'CONFIG_INVALID'],
    ['EACCES', 2, 'CONFIG_INVALID'],
    ['EIO', 75, 'STORE_FAILED'],
    ['ENOSPC', 75, 'STORE_FULL'],
  ])('of the store is what the system says of the path: %s', async (code, exit, name) => {
    const said = { code, path: '/some/where', syscall: 'open' }
    const cause = Object.assign(new Error('refused'), said)
    const ran = await run(
      ['tenant', 'list'],
      failing(new Failure('STORE_FAILED', 'Cannot open it', { cause })),
    )
    expect(ran.code).toBe(exit)
    expect(ran.stderr).toContain(`countersign: Cannot open it (${code}) (${name})\n`)
  })

  it('cannot move the cursor of a terminal', async () => {
    const failure = new Failure('INPUT_NOT_FOUND', 'No \x1b[2J\u202e\u0085such')
    const { stderr } = await run(['keys', 'status'], failing(failure))
    expect(stderr).toContain('No \\u001b[2J\\u202e\\u0085such (INPUT_NOT_FOUND)')
  })

  it('of the reader of standard output ends it quietly', async () => {
    for (const argv of [['tenant', 'list'], ['--help'], ['init', '--help'], ['--version']]) {
      const { code, stderr } = await run(argv, { stdout: closedPipe() })
      expect([code, stderr]).toEqual([141, ''])
    }
  })

  it('to write its output is told, of help as of data', async () => {
    for (const argv of [['tenant', 'list'], ['--help']]) {
      const full = new Writable({
        write(_chunk, _encoding, done) {
          done(Object.assign(new Error('write ENOSPC'), { code: 'ENOSPC' }))
        },
      })
      const { code, stderr } = await run(argv, { stdout: full })
      expect([code, stderr]).toEqual([
        75,
        expect.stringContaining('Output cannot be written (ENOSPC) (STORE_FULL)\n  Make room'),
      ])
    }
  })
})
