// The command line with its real composition inside the test's own process: what a process would do, without starting one each time.
import { EventEmitter } from 'node:events'
import { PassThrough, Writable } from 'node:stream'
import type { Composition } from '../../src/cli/composition.ts'
import { runCli } from '../../src/cli/run.ts'
import { createComposition } from '../../src/compose.ts'
import type { Ran, Surroundings } from './cli.ts'

function collector(): { readonly stream: Writable; readonly text: () => string } {
  const chunks: Buffer[] = []
  const stream = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      // Whoever wrote may wipe what it wrote.
      chunks.push(Buffer.from(Uint8Array.from(chunk)))
      done()
    },
  })
  return { stream, text: () => Buffer.concat(chunks).toString('utf8') }
}

/**
 * Runs a command and gives what it left behind; for commands that end.
 * @param instead parts of the composition that are others
 */
export async function runHere(
  args: readonly string[],
  { cwd, env = {}, input = '' }: Surroundings,
  instead: Partial<Composition> = {},
): Promise<Ran> {
  const [out, err] = [collector(), collector()]
  const own = { ...env }
  const code = await runCli(
    args,
    {
      cwd,
      env: own,
      signals: new EventEmitter(),
      stderr: err.stream,
      stdin: new PassThrough().end(Buffer.from(input)),
      stdout: out.stream,
    },
    '0.0.0',
    () =>
      Promise.resolve({ ...createComposition({ cwd, env: own, version: '0.0.0' }), ...instead }),
  )
  return { code, stderr: err.text(), stdout: out.text() }
}
