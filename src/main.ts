#!/usr/bin/env node
// The program. Nothing is imported before the version of Node is known to be good enough, so that an older one gives one line and no stack.
import type { Composition } from './cli/composition.ts'

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < 24 || (major === 24 && minor < 8)) {
  process.stderr.write(`countersign: Node.js 24.8 or newer is needed, this is ${process.version}\n`)
  process.exitCode = 2
} else await start()

async function start(): Promise<void> {
  const { availableParallelism } = await import('node:os')
  // Composite signatures are made on libuv's pool; its size is read when it is first used.
  process.env['UV_THREADPOOL_SIZE'] ??= String(availableParallelism())
  const { readFileSync } = await import('node:fs')
  const path = await import('node:path')
  const home = path.resolve(import.meta.dirname, '..')
  // Beside the code and never in a common place: whoever can write there could change the code as well. Threads and children read the variable.
  process.env['NODE_COMPILE_CACHE'] ??= path.join(home, 'node_modules', '.cache', 'countersign')
  const { enableCompileCache } = await import('node:module')
  enableCompileCache(process.env['NODE_COMPILE_CACHE'])
  const { withdrawSecrets } = await import('./config-secrets.ts')
  const { runCli } = await import('./cli/run.ts')

  const { version } = JSON.parse(readFileSync(path.resolve(home, 'package.json'), 'utf8')) as {
    version: string
  }
  const env = { ...process.env }
  withdrawSecrets(process.env)
  // npm runs scripts in the directory of the package; what the user typed is relative to where npm was called.
  const calledFrom = process.env['INIT_CWD']
  const cwd = calledFrom !== undefined && process.cwd() === home ? calledFrom : process.cwd()

  let composition: Promise<Composition> | undefined
  const compose = (): Promise<Composition> =>
    (composition ??= import('./compose.ts').then(({ createComposition }) =>
      createComposition({ cwd, env, version }),
    ))
  const { stderr, stdin, stdout } = process
  const io = { cwd, env: process.env, signals: process, stderr, stdin, stdout }
  process.exitCode = await runCli(process.argv.slice(2), io, version, compose)
  // After a signal nothing may hold the process; everything that was to be finished is.
  if (process.exitCode >= 128) process.exit()
}
