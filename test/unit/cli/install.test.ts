import { EventEmitter } from 'node:events'
import { describe, expect, it, vi } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type { Initialised, InitFlags, RunningServer } from '../../../src/cli/composition.ts'
import { listenForInterrupt } from '../../../src/cli/interrupt.ts'
import { closedPipe, run, type Around, type Ran } from './harness.ts'

const made: Initialised = {
  instance: 'i',
  data: '/d',
  keys: '/k',
  provider: 'environment',
  kekFile: '/k/countersign.kek',
  tenant: 'default',
  origin: 'log.example/default',
  trustRootFile: '/k/i/default.trust-root.json',
  trustRootSha256: 'ab'.repeat(32),
}

describe('init', () => {
  const init = vi.fn<(flags: InitFlags) => Promise<Initialised>>(() => Promise.resolve(made))

  it('hands over what it was told and prints what was made', async () => {
    const flags = ['--origin', 'log.example', '--profile', 'checkpoint', '--public', '--dev']
    const { code, stderr, stdout } = await run(['init', ...flags], { composition: { init } })
    expect(code).toBe(0)
    expect(init).toHaveBeenLastCalledWith({
      origin: 'log.example',
      profile: 'checkpoint',
      public: true,
      dev: true,
    })
    expect(stdout).toContain(`its SHA-256   ${'ab'.repeat(32)}\n`)
    expect(stderr).toContain('Keep a copy of the KEK file')
  })

  it('prints the same as JSON, and nothing beside it', async () => {
    const { stderr, stdout } = await run(['init', '--json'], { composition: { init } })
    expect([JSON.parse(stdout), stderr]).toEqual([made, ''])
  })
})

interface Serving {
  readonly ran: Promise<Ran>
  readonly signals: EventEmitter
  readonly end: PromiseWithResolvers<undefined>
  readonly close: () => Promise<void>
}

const serving = (change: Partial<RunningServer> = {}, ...flags: string[]): Serving =>
  servingTo({}, change, ...flags)

function servingTo(
  around: Around,
  change: Partial<RunningServer> = {},
  ...flags: string[]
): Serving {
  const end = Promise.withResolvers<undefined>()
  const signals = new EventEmitter()
  const close = vi.fn(() => {
    end.resolve(undefined)
    return Promise.resolve()
  })
  const server = { url: 'http://127.0.0.1:1', devToken: null, ended: end.promise, close, ...change }
  const composition = { serve: () => Promise.resolve(server) }
  return { ran: run(['serve', ...flags], { ...around, composition, signals }), signals, end, close }
}

const listening = (signals: EventEmitter): Promise<void> =>
  vi.waitFor(() => {
    expect(signals.listenerCount('SIGTERM')).toBe(1)
  })

describe('serve', () => {
  it.each(['SIGTERM', 'SIGINT'])('prints its URL, drains at %s and exits 0', async (signal) => {
    const { close, ran, signals } = serving()
    await listening(signals)
    expect(close).not.toHaveBeenCalled()
    signals.emit(signal, signal)
    expect(await ran).toEqual({ code: 0, stdout: 'http://127.0.0.1:1\n', stderr: '' })
    expect(close).toHaveBeenCalledOnce()
  })

  it('prints its URL as JSON', async () => {
    const { end, ran, signals } = serving({}, '--json')
    await listening(signals)
    end.resolve(undefined)
    expect(JSON.parse((await ran).stdout)).toEqual({ url: 'http://127.0.0.1:1', devToken: null })
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ])('exits at once when a second signal insists: %s', async (signal, exit) => {
    const { ran, signals } = serving({ close: () => new Promise(() => undefined) })
    await listening(signals)
    signals.emit('SIGTERM', 'SIGTERM')
    await new Promise((done) => setTimeout(done, 320))
    signals.emit(signal, signal)
    expect((await ran).code).toBe(exit)
  })

  it('does not go on where nobody can be told its URL', async () => {
    const { close, ran } = servingTo({ stdout: closedPipe() })
    expect((await ran).code).toBe(141)
    expect(close).toHaveBeenCalledOnce()
  })

  it('says why when the service dies by itself', async () => {
    const ended = Promise.reject(new Failure('STORE_CORRUPT', 'Database is damaged'))
    const { code, stderr } = await serving({ ended }).ran
    expect(code).toBe(1)
    expect(stderr).toContain('Database is damaged (STORE_CORRUPT)')
  })

  it('keeps the token of a playground off standard output', async () => {
    const { end, ran, signals } = serving({ devToken: 'csk_dev' })
    await listening(signals)
    end.resolve(undefined)
    const { stderr, stdout } = await ran
    expect(stdout).toBe('http://127.0.0.1:1\n')
    expect(stderr).toContain('csk_dev')
  })
})

describe('a signal', () => {
  it('that comes twice at once is one wish: npm repeats what the terminal sent', async () => {
    let now = 0
    const signals = new EventEmitter()
    const interrupt = listenForInterrupt(signals, () => now)
    const insisted = vi.fn()
    void interrupt.insisted.then(insisted)
    for (const at of [0, 299]) {
      now = at
      signals.emit('SIGINT', 'SIGINT')
    }
    await Promise.resolve()
    expect([interrupt.received, interrupt.signal.aborted]).toEqual(['SIGINT', true])
    expect(insisted).not.toHaveBeenCalled()
    now = 300
    signals.emit('SIGTERM', 'SIGTERM')
    await Promise.resolve()
    expect(insisted).toHaveBeenCalledOnce()
    expect(interrupt.received).toBe('SIGINT')
    interrupt.stop()
    expect(signals.listenerCount('SIGINT') + signals.listenerCount('SIGTERM')).toBe(0)
  })
})

describe('config', () => {
  const composition = {
    configSchema: () => ({ title: 'schema' }),
    describeConfig: () =>
      Promise.resolve({
        'serve.port': { value: 8787, from: 'default' },
        masterPublic: { value: null, from: 'not set' },
      }),
  }

  it('says every setting with its value and where it comes from', async () => {
    const { stdout } = await run(['config', 'check'], { composition })
    expect(stdout).toBe('serve.port    8787  default\nmasterPublic  -     not set\n')
  })

  it('prints the schema of the file', async () => {
    const { stdout } = await run(['config', 'schema'], { composition })
    expect(JSON.parse(stdout)).toEqual({ title: 'schema' })
  })
})
