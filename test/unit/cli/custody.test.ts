import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, type Writable } from 'node:stream'
import { describe, expect, it, onTestFinished } from 'vitest'
import { utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import type { Composition, RecoveredTenant } from '../../../src/cli/composition.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { closedPipe, run, type Around, type Ran } from './harness.ts'

const text = '01234-56789-ABCDE-FGHJK-MNPQR-STVW0'

describe('keys break-glass', () => {
  const breakGlass = async (
    argv: readonly string[] = [],
    stdout?: Writable,
  ): Promise<Ran & { made: Secret }> => {
    const made = new Secret(utf8(text))
    const ran = await run(['keys', 'break-glass', ...argv], {
      composition: {
        makeBreakGlass: () => Promise.resolve({ passphrase: made, tenants: ['default', 'two'] }),
      },
      ...(stdout === undefined ? {} : { stdout }),
    })
    return { ...ran, made }
  }

  it('prints the passphrase alone, what to do with it beside it, and forgets it', async () => {
    const { code, made, stderr, stdout } = await breakGlass()
    expect([code, stdout]).toEqual([0, `${text}\n`])
    expect(stderr).toMatch(/opens all 2 master keys .*\nWrite it on paper, twice.* in two places/)
    expect(stderr).toContain('countersign keys recover\n')
    expect(stderr).not.toContain(text)
    expect(() => {
      made.use(() => undefined)
    }).toThrow('wiped')
  })

  it('prints one object as JSON', async () => {
    const { stdout } = await breakGlass(['--json'])
    expect(JSON.parse(stdout)).toEqual({ passphrase: text, tenants: ['default', 'two'] })
  })

  it('says that it must be made again when nobody could read it', async () => {
    const { code, made, stderr } = await breakGlass([], closedPipe())
    expect(code).toBe(141)
    expect(stderr).toBe(
      'The passphrase could not be written, and nobody knows it now: run countersign keys break-glass again\n',
    )
    expect(() => {
      made.use(() => undefined)
    }).toThrow('wiped')
  })
})

describe('keys recover', () => {
  interface Seen {
    typed: string | undefined
    dropOthers: boolean | undefined
  }

  const done: RecoveredTenant = { index: 9, providers: ['environment'], tenant: 'default' }

  const recover = async (
    argv: readonly string[],
    around: Around = {},
    outcome: () => ReturnType<Composition['recover']> = () =>
      Promise.resolve({ kekFile: null, left: [], providers: ['kms', 'hsm'] }),
  ): Promise<Ran & Seen> => {
    const seen: Seen = { dropOthers: undefined, typed: undefined }
    const recoverWith: Composition['recover'] = async (_, passphrase, dropOthers, tell) => {
      seen.typed = passphrase.use((bytes) => Buffer.from(bytes).toString())
      seen.dropOthers = dropOthers
      await tell(done)
      return outcome()
    }
    const ran = await run(['keys', 'recover', ...argv], {
      ...around,
      composition: { recover: recoverWith },
    })
    return { ...ran, ...seen }
  }

  const fileOf = (content: string, mode = 0o600): string => {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-typed-'))
    onTestFinished(() => {
      rmSync(directory, { recursive: true })
    })
    const path = join(directory, 'passphrase')
    writeFileSync(path, content)
    chmodSync(path, mode)
    return path
  }

  it('takes the passphrase from a file or a pipe, and tells each tenant in a line', async () => {
    const byFile = await recover(['--passphrase-file', fileOf(`${text}\n`)])
    expect(byFile).toMatchObject({ code: 0, dropOthers: false, typed: text })
    expect(byFile.stdout).toBe('recovered  default  opened by environment  index 9\n')
    expect(byFile.stderr).toContain('from now on with --kek kms,hsm.')
    const byPipe = await recover(['--passphrase-file', '-', '--drop-others'], { input: text })
    expect(byPipe).toMatchObject({ code: 0, dropOthers: true, typed: text })
  })

  it.each(['\n', '\r\n'])(
    'takes the line of a pipe without its end %j, as of a file',
    async (end) => {
      const line = `${text}${end}`
      for (const [argv, input] of [
        [['--passphrase-file', '-'], line],
        [['--passphrase-file', fileOf(line)], ''],
      ] as const)
        expect(await recover(argv, { input })).toMatchObject({ code: 0, typed: text })
      // One end alone: a passphrase may itself end so.
      expect(await recover(['--passphrase-file', '-'], { input: `${line}\n` })).toMatchObject({
        typed: line,
      })
    },
  )

  it('names the KEK file that was made', async () => {
    const { stderr } = await recover(['--passphrase-file', '-'], { input: text }, () =>
      Promise.resolve({ kekFile: '/k/countersign.kek', left: [], providers: ['environment'] }),
    )
    expect(stderr).toContain('a new KEK file was made')
    expect(stderr).toContain('/k/countersign.kek')
  })

  it('names the tenants that are as they were, and does not end well', async () => {
    const { code, stderr, stdout } = await recover(
      ['--passphrase-file', '-'],
      { input: text },
      () =>
        Promise.resolve({
          kekFile: null,
          left: [{ code: 'INPUT_NOT_FOUND', tenant: 'new', why: 'no slot' }],
          providers: ['kms'],
        }),
    )
    expect([code, stdout]).toEqual([1, 'recovered  default  opened by environment  index 9\n'])
    expect(stderr).toContain('not recovered  new  no slot (INPUT_NOT_FOUND)\n')
    expect(stderr).toContain('from now on with --kek kms.')
  })

  it.each<[string, readonly string[], string]>([
    ['no file and no terminal', [], 'A file is wanted'],
    ['a file that is not there', ['--passphrase-file', '/nowhere/x'], 'ENOENT'],
    ['an argument too many', [text], 'too many arguments'],
  ])('ends with exit 2 for %s', async (_, argv, said) => {
    const { code, stderr, typed } = await recover(argv)
    expect([code, stderr, typed]).toEqual([2, expect.stringContaining(said), undefined])
  })

  it('ends with exit 2 for a file that others may read, and for more than a passphrase', async () => {
    const open = await recover(['--passphrase-file', fileOf(text, 0o644)])
    expect([open.code, open.stderr]).toEqual([2, expect.stringContaining('chmod 600')])
    const most = await recover(['--passphrase-file', '-'], { input: 'x'.repeat(256) })
    expect([most.code, most.typed]).toEqual([0, 'x'.repeat(256)])
    const more = await recover(['--passphrase-file', '-'], { input: 'x'.repeat(257) })
    expect([more.code, more.typed]).toEqual([2, undefined])
  })

  const terminal = (): PassThrough => Object.assign(new PassThrough(), { isTTY: true })

  it('asks at a terminal, and shows nothing of what is typed', async () => {
    const input = terminal()
    const ran = recover([], { input })
    setImmediate(() => input.write(`${text}\r`))
    const { code, stderr, stdout, typed } = await ran
    expect([code, typed]).toEqual([0, text])
    expect(stderr).toMatch(/^Break-glass passphrase \(not shown\): \n/)
    expect(stdout + stderr).not.toContain(text.slice(0, 5))
  })

  it.each([
    ['Ctrl-C', '\u0003', 130, 'Interrupted, and nothing is left of it'],
    ['Ctrl-D', '\u0004', 2, 'Nothing was typed'],
  ])('gives up when %s is typed', async (_, key, exit, said) => {
    const input = terminal()
    const ran = recover([], { input })
    setImmediate(() => input.write(key))
    const { code, stderr, typed } = await ran
    expect([code, stderr, typed]).toEqual([exit, expect.stringContaining(said), undefined])
  })

  it('that fails between two tenants says that it goes on', async () => {
    const { code, stderr } = await recover(['--passphrase-file', '-'], { input: text }, () =>
      Promise.reject(new Failure('KEK_UNAVAILABLE', 'No answer')),
    )
    expect(code).toBe(75)
    expect(stderr).toContain('run the same command again for the others')
  })
})

describe('keys offer', () => {
  const offer: Composition['offerKey'] = (_, tenant, purpose) =>
    Promise.resolve({
      file: '/k/i/acme.aa.offer.json',
      keyId: 'k1',
      purpose,
      sha256: 'aa',
      tenant,
      version: 2,
    })

  it('prints the SHA-256 alone, and how to go on beside it', async () => {
    const { code, stderr, stdout } = await run(['keys', 'offer', 'log'], {
      composition: { offerKey: offer },
    })
    expect([code, stdout]).toEqual([0, 'aa\n'])
    expect(stderr).toContain('log v2 (k1)')
    expect(stderr).toContain('countersign keys admit aa')
  })

  it('prints one object as JSON, of the tenant named', async () => {
    const { stdout } = await run(['keys', 'offer', 'fast', '--tenant', 'acme', '--json'], {
      composition: { offerKey: offer },
    })
    expect(JSON.parse(stdout)).toMatchObject({ purpose: 'fast', tenant: 'acme', version: 2 })
  })

  it('knows no other purposes', async () => {
    expect((await run(['keys', 'offer', 'master'])).code).toBe(2)
  })
})
