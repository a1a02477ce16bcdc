import { EventEmitter } from 'node:events'
import { PassThrough, Readable, Writable } from 'node:stream'
import type { Command } from 'commander'
import type { Composition, ReadingService } from '../../../src/cli/composition.ts'
import { createProgram } from '../../../src/cli/program.ts'
import { runCli } from '../../../src/cli/run.ts'
import { Output } from '../../../src/cli/terminal.ts'
import { FakeService } from '../../support/fake-service.ts'

/** What a test may put around a command. */
export interface Around {
  readonly composition?: Partial<Composition>
  readonly service?: FakeService
  readonly input?: string | Uint8Array | Readable
  readonly cwd?: string
  readonly stdout?: Writable
  readonly signals?: EventEmitter
}

/** What a command left behind. */
export interface Ran {
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

const collector = (chunks: Uint8Array[]): Writable =>
  new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      // Whoever wrote may wipe what it wrote.
      chunks.push(Uint8Array.from(chunk))
      done()
    },
  })

const textOf = (chunks: readonly Uint8Array[]): string => Buffer.concat(chunks).toString('utf8')

/** Runs a command inside the test, by default on a fake service. */
export async function run(argv: readonly string[], around: Around = {}): Promise<Ran> {
  const { input = '', service = new FakeService() } = around
  const out: Uint8Array[] = []
  const err: Uint8Array[] = []
  const stdin =
    input instanceof Readable
      ? input
      : new PassThrough().end(typeof input === 'string' ? input : Buffer.from(input))
  const composition = {
    connectServer: () => Promise.resolve(undefined),
    keyHealth: () => Promise.resolve([]),
    openReading: () => Promise.resolve(service as ReadingService),
    openService: () => Promise.resolve(service),
    ...around.composition,
  } as Composition
  const code = await runCli(
    argv,
    {
      cwd: around.cwd ?? '/nowhere',
      env: {},
      signals: around.signals ?? new EventEmitter(),
      stderr: collector(err),
      stdin,
      stdout: around.stdout ?? collector(out),
    },
    '1.2.3',
    () => Promise.resolve(composition),
  )
  return { code, stderr: textOf(err), stdout: textOf(out) }
}

/** A stream whose reader went away after so many writes. */
export const closedPipe = (writes = 0): Writable => {
  let left = writes
  return new Writable({
    write(_chunk, _encoding, done) {
      done(left-- > 0 ? null : Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }))
    },
  })
}

const withAll = (command: Command): readonly Command[] => [
  command,
  ...command.commands.flatMap(withAll),
]

/** The program, and every command and group in it; nothing is run by them. */
export function listCommands(): readonly Command[] {
  const stream = new PassThrough()
  const stdin = new PassThrough()
  const context = {
    compose: () => Promise.reject(new Error('Nothing is run by this')),
    err: new Output(stream),
    io: { cwd: '/', env: {}, signals: new EventEmitter(), stderr: stream, stdin, stdout: stream },
    out: new Output(stream),
  }
  return withAll(createProgram(context, '0.0.0', { debug: false, exit: 0 }))
}
