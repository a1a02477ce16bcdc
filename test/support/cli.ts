import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { resolve } from 'node:path'

/** What a command left behind. */
export interface Ran {
  /** Exit code, or null when a signal ended it. */
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Where a command runs. */
export interface Surroundings {
  readonly cwd: string
  /** Variables besides those that any program needs. */
  readonly env?: Readonly<Record<string, string>>
  /** Standard input; empty unless given. */
  readonly input?: string | Uint8Array
}

const main = resolve(import.meta.dirname, '../../src/main.ts')

/** Starts the program as a process of its own, with pipes, in an environment that holds nothing of the caller's. */
export function startCountersign(
  args: readonly string[],
  { cwd, env = {} }: Surroundings,
): ChildProcess {
  const { HOME = '/', NODE_COMPILE_CACHE = '', PATH = '' } = process.env
  return spawn(process.execPath, [main, ...args], {
    cwd,
    env: { HOME, NODE_COMPILE_CACHE, PATH, ...env },
    stdio: ['pipe', 'pipe', 'pipe'],
  })
}

/** What a started program leaves behind when it ends. */
export async function outcomeOf(child: ChildProcess): Promise<Ran> {
  const read = { stderr: '', stdout: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name]?.setEncoding('utf8').on('data', (chunk: string) => {
      read[name] += chunk
    })
  await once(child, 'close')
  return { code: child.exitCode, ...read }
}

/** Runs the program as a process and gives what it left behind. */
export function runCountersign(args: readonly string[], surroundings: Surroundings): Promise<Ran> {
  const child = startCountersign(args, surroundings)
  // A program that does not read its input closes it.
  child.stdin?.on('error', () => undefined)
  child.stdin?.end(surroundings.input ?? '')
  return outcomeOf(child)
}

/** The first whole line that a started program prints; the rest keeps flowing. */
export async function firstLineOf(child: ChildProcess): Promise<string> {
  let text = ''
  return new Promise((done, fail) => {
    child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk
      const end = text.indexOf('\n')
      if (end >= 0) done(text.slice(0, end))
    })
    child.once('close', () => {
      fail(new Error('Program ended before it printed a line'))
    })
  })
}
