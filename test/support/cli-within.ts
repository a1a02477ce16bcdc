import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { Composition } from '../../src/cli/composition.ts'
import { runCli } from '../../src/cli/run.ts'
import { createComposition } from '../../src/compose.ts'
import type { Ran } from './cli.ts'

const version = '0.0.0-test'

const collector = (chunks: Uint8Array[]): Writable =>
  new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      chunks.push(Uint8Array.from(chunk))
      done()
    },
  })

/** Runs a command on a real installation without a process of its own, which would cost most of the time. */
export async function runWithin(
  args: readonly string[],
  cwd: string,
  instead: Partial<Composition> = {},
): Promise<Ran> {
  const [out, err]: [Uint8Array[], Uint8Array[]] = [[], []]
  const io = {
    cwd,
    env: {},
    signals: new EventEmitter(),
    stderr: collector(err),
    stdin: new PassThrough().end(),
    stdout: collector(out),
  }
  const code = await runCli(args, io, version, () =>
    Promise.resolve({ ...createComposition({ cwd, env: {}, version }), ...instead }),
  )
  const [stderr = '', stdout = ''] = [err, out].map((chunks) => Buffer.concat(chunks).toString())
  return { code, stderr, stdout }
}
