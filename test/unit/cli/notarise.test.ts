import { EventEmitter } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough, Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { limits } from '../../../src/base/limits.ts'
import type { Principal } from '../../../src/decisions/service.ts'
import { FakeService } from '../../support/fake-service.ts'
import { closedPipe, run, type Ran } from './harness.ts'

const decision = (n: number, more: object = {}): Record<string, unknown> => ({
  intent: { actor: { id: `a${n}` }, action: { type: 'pay' } },
  status: 'ALLOW',
  idempotencyKey: `k${n}`,
  ...more,
})
const line = (n: number, more: object = {}): string => `${JSON.stringify(decision(n, more))}\n`
const lines = (count: number): string => Array.from({ length: count }, (_, n) => line(n)).join('')

interface Printed {
  line: number
  id: string
  status: string
  index: number
  replayed: boolean
}

const printed = ({ stdout }: Ran): Printed[] =>
  stdout
    .split('\n')
    .filter((text) => text !== '')
    .map((text) => JSON.parse(text) as Printed)

const sent = (service: FakeService): Record<string, unknown>[] =>
  service.asked
    .filter(({ method }) => method === 'notarise')
    .map(({ args }) => JSON.parse(String(args[1])) as Record<string, unknown>)

const command = ['notarise', '-', '--tenant', 'acme']

const notarise = (
  input: string | Uint8Array | Readable,
  service = new FakeService(),
  ...flags: string[]
): Promise<Ran> => run([...command, ...flags], { input, service })

/** Stands between the command and the fake. */
type Notarise = FakeService['notarise']
const intercept = (service: FakeService, around: (next: Notarise) => Notarise): FakeService => {
  service.notarise = around(service.notarise.bind(service))
  return service
}

describe('the input of notarise', () => {
  it('is one decision a line', async () => {
    const ran = await notarise(lines(3))
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(printed(ran)).toMatchObject([
      { line: 1, status: 'ALLOW', index: 0, replayed: false },
      { line: 2, index: 1 },
      { line: 3, index: 2 },
    ])
  })

  it.each([
    ['on many lines', JSON.stringify(decision(1), null, 2)],
    ['on many lines, with a line feed at the end', `\n${JSON.stringify(decision(1), null, 2)}\n`],
    ['on one line', line(1)],
    ['on one line without a line feed', line(1).trim()],
    ['behind a byte order mark', `\ufeff${JSON.stringify(decision(1), null, 2)}`],
  ])('is one decision %s', async (_, input) => {
    const service = new FakeService()
    const ran = await notarise(input, service)
    expect([ran.code, printed(ran).length]).toEqual([0, 1])
    expect(sent(service)).toEqual([decision(1)])
  })

  it('may have blank lines and carriage returns', async () => {
    const ran = await notarise(`\n${line(1)}\r\n  \n${line(2).replace('\n', '\r\n')}\n\n`)
    expect(ran.code).toBe(0)
    expect(printed(ran).map((one) => one.line)).toEqual([2, 5])
  })

  it('may come in pieces that end anywhere', async () => {
    const bytes = Buffer.from(line(1, { trace: 'Zürich €' }) + line(2))
    const service = new FakeService()
    const pieces = Readable.from([...bytes].map((byte) => Buffer.of(byte)))
    expect((await notarise(pieces, service)).code).toBe(0)
    expect(sent(service)[0]).toMatchObject({ trace: 'Zürich €' })
  })

  it('may be a file relative to the working directory', async () => {
    const cwd = mkdtempSync(join(tmpdir(), 'countersign-cli-'))
    onTestFinished(() => {
      rmSync(cwd, { recursive: true })
    })
    writeFileSync(join(cwd, 'd.ndjson'), lines(2))
    const ran = await run(['notarise', 'd.ndjson', '--tenant', 'acme'], { cwd })
    expect([ran.code, printed(ran).length]).toEqual([0, 2])
    const missing = await run(['notarise', 'no.ndjson', '--tenant', 'acme'], { cwd })
    expect(missing).toMatchObject({ code: 2, stdout: '' })
    expect(missing.stderr).toContain('(ENOENT): no.ndjson')
  })

  it('is nothing, and nothing is done', async () => {
    expect(await notarise('')).toEqual({ code: 0, stderr: '', stdout: '' })
  })

  it('is notarised for the person at the command line, in the tenant named', async () => {
    const service = new FakeService()
    await notarise(line(1), service)
    const principal = service.asked.find(({ method }) => method === 'notarise')
      ?.args[0] as Principal
    expect(principal).toMatchObject({ tenant: 'acme', caller: { type: 'local' } })
    const unknown = await run(['notarise', '-'], { input: line(1), service })
    expect(unknown).toMatchObject({ code: 1, stdout: '' })
    expect(unknown.stderr).toContain('no such tenant: default')
  })
})

describe('a line that is refused', () => {
  it('is told with its number, and the rest goes on', async () => {
    const ran = await notarise(
      `${line(1)}{"nonsense\n${line(3)}${line(4, { status: 'MAYBE' })}${line(5)}`,
    )
    expect(ran.code).toBe(2)
    expect(printed(ran).map((one) => one.line)).toEqual([1, 3, 5])
    expect(ran.stderr).toContain('countersign: line 2: Unterminated string (INPUT_MALFORMED)\n')
    expect(ran.stderr).toMatch(/countersign: line 4: \/status: .* \(INPUT_INVALID\)\n/)
    expect(ran.stderr).toContain('3 decisions notarised; 2 lines refused')
  })

  it('is refused though it comes first', async () => {
    const ran = await notarise(`{"nonsense\n${line(2)}`)
    expect([ran.code, printed(ran).map((one) => one.line)]).toEqual([2, [2]])
    expect(ran.stderr).toContain('line 1: ')
  })

  it('is one mistake when it is one broken document', async () => {
    const ran = await notarise(JSON.stringify(decision(1), null, 2).replace('"ALLOW"', 'ALLOW'))
    expect([ran.code, ran.stderr.match(/line \d+:/g)]).toEqual([2, ['line 1:']])
  })

  it('may be as long as the limit and no longer', async () => {
    const padded = (length: number): string => {
      const short = line(1, { trace: '' }).trim()
      return line(1, { trace: 'x'.repeat(length - short.length) }).trim()
    }
    const longest = await notarise(`${padded(limits.bodyBytes)}\n${line(2)}`)
    expect([longest.code, printed(longest).map((one) => one.line)]).toEqual([0, [1, 2]])
    const ran = await notarise(`${padded(limits.bodyBytes + 1)}\n${line(2)}`)
    expect([ran.code, printed(ran).map((one) => one.line)]).toEqual([2, [2]])
    expect(ran.stderr).toContain('(INPUT_TOO_LARGE)')
  })

  it('is refused and not mended when it is not UTF-8', async () => {
    const service = new FakeService()
    const bad = Buffer.from(line(1, { trace: '\u00e9' }), 'latin1')
    const ran = await notarise(Buffer.concat([bad, Buffer.from(line(2))]), service)
    expect([ran.code, sent(service).length]).toEqual([2, 1])
    expect(ran.stderr).toContain('line 1: Line is not UTF-8 (INPUT_MALFORMED)')
  })

  it('is told so that it cannot play with the terminal', async () => {
    const ran = await notarise(line(1, { '\u001b[2J': 1 }))
    expect(ran.stderr).toContain('/\\u001b[2J')
  })

  it('ends everything with --fail-fast: nothing behind it is sent', async () => {
    const service = new FakeService()
    const ran = await notarise(`${lines(2)}{}\n${lines(5)}`, service, '--fail-fast')
    expect([ran.code, printed(ran).length, sent(service).length]).toEqual([2, 2, 2])
  })
})

describe('notarising', () => {
  it('prints in the order of the input, whichever answer comes first', async () => {
    const service = intercept(new FakeService(), (next) => async (...args) => {
      const answer = await next(...args)
      await sleep(args[1].includes('"a0"') ? 20 : 0)
      return answer
    })
    expect(printed(await notarise(lines(20), service)).map((one) => one.line)).toEqual(
      Array.from({ length: 20 }, (_, n) => n + 1),
    )
  })

  it('keeps 64 in flight and no more, and reads no further meanwhile', async () => {
    let inFlight = 0
    let most = 0
    let read = 0
    const service = intercept(new FakeService(), (next) => async (...args) => {
      most = Math.max(most, ++inFlight)
      expect(read - service.decisions.size).toBeLessThan(64 + 32)
      await sleep(1)
      inFlight--
      return next(...args)
    })
    const input = Readable.from(
      (function* () {
        for (; read < 1000; read++) yield Buffer.from(line(read))
      })(),
    )
    expect((await notarise(input, service)).code).toBe(0)
    expect([most, service.decisions.size]).toEqual([64, 1000])
  })

  it('tells answers as they come while the input is still open', async () => {
    const input = new PassThrough()
    const service = new FakeService()
    const out: string[] = []
    const stdout = new PassThrough().on('data', (chunk: Buffer) => out.push(chunk.toString()))
    const ran = run(command, { input, service, stdout })
    input.write(line(1))
    input.write(line(2))
    await vi.waitFor(() => {
      expect(out).toHaveLength(2)
    })
    input.end()
    expect((await ran).code).toBe(0)
  })

  it('prints replays like others, marked', async () => {
    const ran = await notarise(line(1) + line(1))
    expect(printed(ran).map(({ replayed }) => replayed)).toEqual([false, true])
    expect(new Set(printed(ran).map(({ id }) => id)).size).toBe(1)
  })

  it('makes a key out of the line with --auto-idempotency where there is none', async () => {
    const service = new FakeService()
    const bare = `${JSON.stringify({ ...decision(1), idempotencyKey: undefined })}\n`
    const ran = await notarise(bare + bare + line(2), service, '--auto-idempotency')
    expect(printed(ran).map(({ replayed }) => replayed)).toEqual([false, true, false])
    const keys = service.asked
      .filter(({ method }) => method === 'notarise')
      .map(({ args }) => args[2])
    expect(keys).toEqual([
      expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
      null,
    ])
    const without = await notarise(bare + bare)
    expect(printed(without).map(({ replayed }) => replayed)).toEqual([false, false])
  })

  it('prints the whole answer with --full', async () => {
    const [answer] = printed(await notarise(line(1), new FakeService(), '--full'))
    expect(answer).toMatchObject({ line: 1, checkpoint: '\u2014', proof: [], leaf: '' })
  })

  it('stops when the machinery breaks, tells how far it came, and exits as the failure says', async () => {
    const service = intercept(
      new FakeService(),
      (next) =>
        (...args) =>
          args[1].includes('"a3"')
            ? Promise.reject(new Failure('STORE_FULL', 'Disk is full'))
            : next(...args),
    )
    const input = Readable.from(
      (async function* () {
        for (let n = 0; n < 1000; n++) {
          await sleep(0)
          yield Buffer.from(line(n))
        }
      })(),
    )
    const ran = await notarise(input, service)
    expect(ran.code).toBe(75)
    expect(ran.stderr).toContain('Disk is full (STORE_FULL)')
    expect(ran.stderr).toContain(`${printed(ran).length} decisions notarised`)
    expect(sent(service).length).toBeLessThan(100)
  })

  it('stops when nobody reads the answers', async () => {
    const service = new FakeService()
    const input = Readable.from(
      (function* () {
        for (let n = 0; n < 1000; n++) yield Buffer.from(line(n))
      })(),
    )
    const { code } = await run(command, { input, service, stdout: closedPipe(2) })
    expect(code).toBe(141)
    expect(sent(service).length).toBeLessThan(200)
  })
})

describe('a signal while notarising', () => {
  it('lets what is in flight finish, tells how many were done, and exits by the signal', async () => {
    const signals = new EventEmitter()
    const input = new PassThrough()
    const gate = Promise.withResolvers<undefined>()
    const service = intercept(new FakeService(), (next) => async (...args) => {
      await gate.promise
      return next(...args)
    })
    const closed = vi.spyOn(service, 'close')
    const ran = run(command, { input, service, signals })
    input.write(lines(3))
    await sleep(20)
    signals.emit('SIGINT', 'SIGINT')
    expect(closed).not.toHaveBeenCalled()
    gate.resolve(undefined)
    const { code, stderr, stdout } = await ran
    expect([code, stdout.trim().split('\n').length]).toEqual([130, 3])
    expect(stderr).toContain('3 decisions notarised; interrupted')
    expect(closed).toHaveBeenCalledOnce()
    expect(signals.listenerCount('SIGINT')).toBe(0)
  })

  it('is answered by how to go on: not by all again where that would count twice', async () => {
    const interrupted = async (input: string, ...flags: string[]): Promise<string> => {
      const signals = new EventEmitter()
      const stdin = new PassThrough()
      const ran = run([...command, ...flags], { input: stdin, signals })
      stdin.write(input)
      await sleep(20)
      signals.emit('SIGINT', 'SIGINT')
      return (await ran).stderr
    }
    const keyless = `${line(1)}\n${line(2, { idempotencyKey: undefined })}${line(3)}`
    expect(await interrupted(lines(3))).toContain(
      'interrupted: run it again to resume, by idempotency keys\n',
    )
    expect(await interrupted(keyless, '--auto-idempotency')).toContain('run it again to resume')
    expect(await interrupted(keyless)).toContain(
      '3 decisions notarised; interrupted: go on behind line 4, for 1 had no idempotency key and would be notarised twice\n',
    )
  })

  it('ends it at once when it comes again', async () => {
    const signals = new EventEmitter()
    const service = intercept(new FakeService(), () => () => new Promise(() => undefined))
    const ran = run(command, { input: lines(3), service, signals })
    await sleep(20)
    signals.emit('SIGINT', 'SIGINT')
    await sleep(350)
    signals.emit('SIGINT', 'SIGINT')
    expect((await ran).code).toBe(130)
  })
})
