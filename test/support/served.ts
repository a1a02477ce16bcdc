import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { foundService } from '../../src/open-service.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import { firstLineOf } from './cli.ts'
import { settingsOf, type Place } from './restart.ts'

const program = resolve(import.meta.dirname, '../../src/main.ts')

/** An installation in a directory of its own, for `serve`. */
export interface ServedPlace extends Place {
  readonly home: string
  readonly token: string
  /** Removes it. */
  remove(): void
}

/** Founds an installation with an API key that may submit decisions. */
export async function foundServed(): Promise<ServedPlace> {
  const home = mkdtempSync(join(tmpdir(), 'countersign-served-'))
  const keys = join(home, 'keys')
  const place: Place = { data: join(home, 'data'), kekFile: join(keys, 'countersign.kek'), keys }
  mkdirSync(keys, { mode: 0o700 })
  createKekFile(place.kekFile)
  const founding = { origin: 'log.example', profile: 'checkpoint', public: false } as const
  const { service } = await foundService(settingsOf(place), founding, () => undefined)
  const by = { id: 'cli', owner: 'founder', type: 'local' } as const
  const { token } = await service.createApiKey('default', 'client', ['decisions:submit'], by)
  await service.close()
  return {
    ...place,
    home,
    remove() {
      rmSync(home, { force: true, recursive: true })
    },
    token,
  }
}

/** How `serve` is started. */
export interface ServeOptions {
  /** What stands in front of the command. */
  readonly prefix?: readonly string[]
  readonly nodeFlags?: readonly string[]
  /** More flags of `serve`. */
  readonly serveFlags?: readonly string[]
}

/** A server that listens, in a process of its own. */
export interface Served {
  readonly child: ChildProcess
  readonly url: string
  /** Ends it by a signal and resolves when it is gone. */
  end(signal: 'SIGTERM' | 'SIGKILL'): Promise<void>
}

/** Starts `serve` and resolves when it listens. */
export async function startServed(
  { data, home, keys }: ServedPlace,
  { nodeFlags = [], prefix = [], serveFlags = [] }: ServeOptions = {},
): Promise<Served> {
  const serve = ['serve', '--port', '0', '--json', '--data', data, '--keys', keys, ...serveFlags]
  const [command = '', ...args] = [...prefix, process.execPath, ...nodeFlags, program, ...serve]
  const { NODE_COMPILE_CACHE = '', PATH = '' } = process.env
  const child = spawn(command, args, {
    cwd: home,
    env: { HOME: '/', NODE_COMPILE_CACHE, PATH },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = once(child, 'exit')
  const { url } = JSON.parse(await firstLineOf(child)) as { readonly url: string }
  return {
    child,
    async end(signal) {
      child.kill(signal)
      await ended
    },
    url,
  }
}

/**
 * Submits decisions from several sides at once, each as soon as its last was answered, until `enough` or until the server is gone; tells every answer that
 * arrived whole.
 */
export async function submitUntil(
  { url }: Pick<Served, 'url'>,
  token: string,
  lanes: number,
  enough: () => boolean,
  answered: (answer: Notarised) => void,
): Promise<void> {
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' }
  const lane = async (name: number): Promise<void> => {
    for (let n = 0; !enough(); n++) {
      const intent = { action: { type: 'load' }, actor: { id: `agent-${name}` }, context: { n } }
      const body = JSON.stringify({ intent, status: 'ALLOW' })
      let answer: Notarised
      try {
        const response = await fetch(`${url}/v1/decisions`, { body, headers, method: 'POST' })
        const text = await response.text()
        if (response.status !== 201) throw new Error(`Not notarised: ${response.status} ${text}`)
        answer = JSON.parse(text) as Notarised
      } catch (error) {
        // A connection that breaks is the end that is waited for.
        if (error instanceof TypeError) return
        throw error
      }
      answered(answer)
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, name) => lane(name)))
}
