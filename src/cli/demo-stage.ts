// The stage of the demonstration: a temporary directory, the program itself as child processes, and HTTP. What does not happen as it must ends
// the demonstration.
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { childEnvironment } from '../kek/child-environment.ts'
import type { Io } from './terminal.ts'

/** Something did not hold. */
export class DemoFailed extends Error {
  override readonly name = 'DemoFailed'
}

/** Ends the demonstration unless the condition holds. */
export function expectThat(condition: boolean, what: string): asserts condition {
  if (!condition) throw new DemoFailed(`This did not hold: ${what}`)
}

/** What a command left behind. */
export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** An HTTP answer. */
export interface Answered {
  readonly status: number
  readonly bytes: Uint8Array
  readonly json: () => Readonly<Record<string, unknown>>
}

const main = fileURLToPath(new URL(`../main${extname(import.meta.url)}`, import.meta.url))
const patienceMs = 15_000

/** Everything of a child's output stream. */
async function collect(stream: AsyncIterable<unknown>): Promise<string> {
  const chunks: Uint8Array[] = []
  for await (const chunk of stream) chunks.push(chunk as Uint8Array)
  return Buffer.concat(chunks).toString('utf8')
}

/** The first line of a stream that goes on. */
async function firstLine(stream: AsyncIterable<unknown>): Promise<string> {
  let text = ''
  for await (const chunk of stream) {
    text += Buffer.from(chunk as Uint8Array).toString('utf8')
    const end = text.indexOf('\n')
    if (end >= 0) return text.slice(0, end)
  }
  return text
}

/** Children, files and connections of one demonstration. */
export class Stage {
  readonly directory: string
  readonly #env: Record<string, string>
  #server: ChildProcess | undefined
  #url = ''
  #token = ''

  private constructor(directory: string, env: Io['env']) {
    this.directory = directory
    this.#env = childEnvironment(env)
  }

  static async set(env: Io['env']): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'countersign-demo-')), env)
  }

  #spawn(args: readonly string[], cwd = this.directory): ChildProcess {
    return spawn(process.execPath, [main, ...args], {
      cwd,
      env: this.#env,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
  }

  /** Runs a command to its end, by default in the temporary directory. */
  async run(args: readonly string[], cwd?: string): Promise<Ran> {
    const child = this.#spawn(args, cwd)
    const [stdout, stderr] = await Promise.all([
      collect(child.stdout as AsyncIterable<unknown>),
      collect(child.stderr as AsyncIterable<unknown>),
      once(child, 'close'),
    ])
    return { code: child.exitCode, stderr, stdout }
  }

  /** Runs a command that must succeed, and gives what it printed. */
  async succeed(args: readonly string[]): Promise<string> {
    const { code, stderr, stdout } = await this.run(args)
    expectThat(code === 0, `countersign ${args.join(' ')} exits 0\n${stderr}`)
    return stdout
  }

  /** Starts the service and gives its URL once it is ready. */
  async serve(token: string): Promise<string> {
    const child = this.#spawn(['serve', '--port', '0', '--json'])
    this.#server = child
    let log = ''
    child.stderr?.on('data', (chunk: Buffer) => {
      log = (log + chunk.toString('utf8')).slice(-4096)
    })
    const late = setTimeout(() => child.kill(), patienceMs)
    const line = await firstLine(child.stdout as AsyncIterable<unknown>)
    clearTimeout(late)
    expectThat(line !== '', `the service starts\n${log}`)
    this.#url = (JSON.parse(line) as { url: string }).url
    this.#token = token
    return this.#url
  }

  /** Asks the service; a body is sent as JSON. */
  async ask(method: 'GET' | 'POST', path: string, body?: string): Promise<Answered> {
    const response = await fetch(this.#url + path, {
      method,
      headers: {
        authorization: `Bearer ${this.#token}`,
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
      },
      signal: AbortSignal.timeout(patienceMs),
      ...(body === undefined ? {} : { body }),
    })
    const bytes = new Uint8Array(await response.arrayBuffer())
    const json = (): Readonly<Record<string, unknown>> =>
      JSON.parse(Buffer.from(bytes).toString('utf8')) as Readonly<Record<string, unknown>>
    return { bytes, json, status: response.status }
  }

  /** Lets the service end in good order; gives its exit code. */
  async stopServing(): Promise<number | null> {
    const child = this.#server
    this.#server = undefined
    if (child === undefined) return 0
    if (child.exitCode !== null) return child.exitCode
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    const late = setTimeout(() => child.kill('SIGKILL'), patienceMs)
    await ended
    clearTimeout(late)
    return child.exitCode
  }

  /** Leaves nothing behind. */
  async strike(): Promise<void> {
    await this.stopServing()
    await rm(this.directory, { force: true, recursive: true })
  }
}
