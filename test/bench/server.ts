// The real thing under test: an installation made by the command line, served by `serve` as a process of its own, with its log in a file.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  closeSync,
  cpSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join, resolve } from 'node:path'
import { firstLineOf, runCountersign } from '../support/cli.ts'
import { bundleText } from './sample.ts'

const program = resolve(import.meta.dirname, '../../src/main.ts')

/** The profiles that are measured. */
export const profiles = ['checkpoint', 'each'] as const
/** One of them. */
export type Profile = (typeof profiles)[number]

/** Its names of a tenant are those of the profiles. */
export interface Installation {
  readonly data: string
  readonly keys: string
  readonly tokens: Readonly<Record<Profile, string>>
}

async function run(args: readonly string[], cwd: string): Promise<string> {
  const { code, stderr, stdout } = await runCountersign(args, { cwd })
  if (code !== 0) throw new Error(`countersign ${args.join(' ')}: ${stderr}`)
  return stdout.trim()
}

/** Makes an installation with a tenant of each profile and an API key for each. */
export async function install(directory: string): Promise<Installation> {
  const [data, keys] = [join(directory, 'data'), join(directory, 'keys')]
  const where = ['--data', data, '--keys', keys]
  const command = (...args: readonly string[]): Promise<string> => run([...args, ...where], keys)
  mkdirSync(keys, { recursive: true })
  await command('init')
  const bundle = join(directory, 'bundle.json')
  writeFileSync(bundle, bundleText)
  const tokens: Record<Profile, string> = { checkpoint: '', each: '' }
  for (const profile of profiles) {
    await command('tenant', 'create', profile, '--profile', profile)
    await command('policy', 'push', bundle, '--activate', '--tenant', profile)
    const scopes = ['decisions:submit', 'decisions:evaluate']
    const key = ['--owner', 'bench', '--tenant', profile, '--scope', ...scopes]
    tokens[profile] = await command('apikey', 'create', ...key)
  }
  return { data, keys, tokens }
}

/** Copies an installation that nobody serves to a directory, in place of what is there. */
export function copyInstallation(
  { data, keys, tokens }: Installation,
  directory: string,
): Installation {
  const copy = { data: join(directory, 'data'), keys: join(directory, 'keys'), tokens }
  rmSync(directory, { recursive: true, force: true })
  cpSync(data, copy.data, { recursive: true })
  cpSync(keys, copy.keys, { recursive: true })
  return copy
}

function residentMb(pid: number | undefined): number {
  const [, kb] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid ?? 0}/status`, 'utf8')) ?? []
  return Number(kb) / 1024
}

/** A server that listens. */
export interface Server {
  readonly port: number
  /** Memory that it has now, in MB. */
  residentMb(): number
  close(): Promise<void>
}

/** Starts `serve`; what it logs goes to a file as it would in production. `nodeFlags` stand in front of the program. */
export async function startServer(
  { data, keys }: Installation,
  log: string,
  nodeFlags: readonly string[],
): Promise<Server> {
  const fd = openSync(log, 'a')
  const args = [...nodeFlags, program, 'serve', '--port', '0', '--json', '--data', data]
  const child = spawn(process.execPath, [...args, '--keys', keys], {
    cwd: keys,
    // An outer configuration must not reach into the measurement.
    env: { HOME: '/', PATH: process.env['PATH'] },
    stdio: ['ignore', 'pipe', fd],
  })
  closeSync(fd)
  const ended = once(child, 'exit')
  // Whatever ends the measurement, the server does not outlive it.
  const end = (): void => {
    child.kill()
  }
  process.once('exit', end)
  const { url } = JSON.parse(await firstLineOf(child)) as { readonly url: string }
  return {
    port: Number(new URL(url).port),
    residentMb: () => residentMb(child.pid),
    async close() {
      child.kill('SIGTERM')
      await ended
      process.off('exit', end)
    },
  }
}
