import { cpSync, writeFileSync } from 'node:fs'
import { once } from 'node:events'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { verifyDossier, type Report } from '../../src/verify/index.ts'
import {
  firstLineOf,
  outcomeOf,
  runCountersign,
  startCountersign,
  type Ran,
} from '../support/cli.ts'
import { temporaryDirectory } from '../support/service.ts'

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  const end = Date.now() + 30_000
  while (Date.now() < end) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  throw new Error('Did not come true within 30 s')
}

/** A program that serves, until it is told to end. */
async function serving(cwd: string, ...args: string[]) {
  const child: ChildProcess = startCountersign([...args, '--json'], { cwd })
  child.stderr?.resume()
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const { url } = JSON.parse(await firstLineOf(child)) as { url: string }
  return {
    url,
    async end(): Promise<void> {
      const closed = once(child, 'close')
      child.kill('SIGTERM')
      await closed
    },
  }
}

/** What `countersign` does in a directory; its answer as JSON. */
const cs = (cwd: string, ...args: string[]): Promise<Ran> => runCountersign(args, { cwd })

async function said<T>(cwd: string, ...args: string[]): Promise<T> {
  const ran = await cs(cwd, ...args, '--json')
  if (ran.code !== 0) throw new Error(`${args.join(' ')}: ${ran.stderr}`)
  return JSON.parse(ran.stdout) as T
}

/** An installation with two witnesses that know its log. */
async function founded() {
  const cwd = temporaryDirectory()
  const { trustRootFile } = await said<{ trustRootFile: string }>(
    cwd,
    ...['init', '--origin', 'log.example', '--public', '--profile', 'checkpoint'],
  )
  const started = ['w1', 'w2'].map(async (name) => {
    const { vkeys } = await said<{ vkeys: string[] }>(
      cwd,
      ...['witness', 'init', `${name}.example`, '--state', name],
    )
    await said(cwd, 'witness', 'add-log', '--trust', trustRootFile, '--state', name)
    const witness = await serving(cwd, 'witness', 'serve', '--state', name, '--port', '0')
    return { line: `witness ${name} ${vkeys[1] ?? ''} ${witness.url}\n`, witness }
  })
  const [w1, w2] = await Promise.all(started)
  if (w1 === undefined || w2 === undefined) throw new Error('No witnesses')
  const lines = [w1.line, w2.line]
  writeFileSync(join(cwd, 'all.policy'), `${lines.join('')}group all all w1 w2\nquorum all\n`)
  writeFileSync(join(cwd, 'none.policy'), 'quorum none\n')
  return { cwd, w2: w2.witness }
}

const portOf = (url: string): string => new URL(url).port

/** Speaks to a server as a program would. */
function speaker(url: string, token: string) {
  const ask = (path: string, body?: unknown): Promise<Response> =>
    fetch(`${url}${path}`, {
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
      },
      ...(body === undefined ? {} : { body: JSON.stringify(body), method: 'POST' }),
    })
  return {
    async decide(n: number): Promise<string> {
      const intent = { action: { type: 'pay', n }, actor: { id: 'bot' } }
      const answer = await ask('/v1/decisions', { intent, status: 'ALLOW' })
      expect(answer.status).toBe(201)
      return ((await answer.json()) as { id: string }).id
    },
    async report(id: string): Promise<Report> {
      const [dossier, trust] = await Promise.all([
        ask(`/v1/decisions/${id}/dossier`).then((answer) => answer.bytes()),
        ask('/v1/trust-root').then((answer) => answer.bytes()),
      ])
      return verifyDossier(dossier, trust)
    },
    async ready(): Promise<{ ready: boolean; witnesses: string | undefined }> {
      const answer = (await (await ask('/readyz')).json()) as {
        ready: boolean
        parts: Record<string, string>
      }
      return { ready: answer.ready, witnesses: answer.parts['witnesses'] }
    },
  }
}

describe('a server with two witnesses and a monitor', () => {
  it('has its evidence cosigned, goes on without a witness, pays its debt, and is caught when it forks', async () => {
    const { cwd, w2 } = await founded()
    const serve = (where: string, policy: string) =>
      serving(where, 'serve', '--port', '0', '--witness-policy', policy)
    const server = await serve(cwd, 'all.policy')
    const { token } = await said<{ token: string }>(
      cwd,
      ...['apikey', 'create', '--owner', 'bot', '--scope'],
      ...['decisions:submit', 'decisions:read', 'log:read'],
    )
    const notary = speaker(server.url, token)

    // Both cosign what was decided.
    const first = await notary.decide(1)
    await until(async () => (await notary.report(first)).ok)
    expect(await notary.report(first)).toMatchObject({ assurance: 'witnessed(2)' })
    await cs(cwd, 'trust-root', '-o', 'trust.json')
    const watch = (url: string) =>
      cs(
        cwd,
        ...['monitor', `${url}/log/default`, '--trust', 'trust.json', '--state', 'seen.db'],
        ...['--once', '--json'],
      )
    const seen = await watch(server.url)
    expect(seen).toMatchObject({ code: 0 })
    expect(JSON.parse(seen.stdout)).toMatchObject({ outcome: 'verified', witnesses: 2 })

    // One goes away: decisions go on, and everybody can see what is owed.
    await w2.end()
    const second = await notary.decide(2)
    expect(await notary.report(second)).toMatchObject({ ok: false, verdict: 'unprovable' })
    await until(async () => (await notary.ready()).witnesses?.startsWith('quorum') ?? false)
    expect((await notary.ready()).ready).toBe(true)

    // It comes back, and the debt is paid.
    await serving(cwd, 'witness', 'serve', '--state', 'w2', '--port', portOf(w2.url))
    await until(async () => (await notary.report(second)).ok)
    await until(async () => (await notary.ready()).witnesses === 'ok (1 logs)')
    await server.end()

    // Somebody copies the machine, pin and all; both go on.
    const clone = temporaryDirectory()
    for (const what of ['countersign-data', 'keys', 'all.policy', 'none.policy'])
      cpSync(join(cwd, what), join(clone, what), { recursive: true })
    const honest = await serve(cwd, 'all.policy')
    const third = await speaker(honest.url, token).decide(3)
    await until(async () => (await speaker(honest.url, token).report(third)).ok)
    expect(await watch(honest.url)).toMatchObject({ code: 0 })
    await honest.end()

    // The copy cannot start before witnesses who have seen more.
    const refused = startCountersign(['serve', '--port', '0', '--witness-policy', 'all.policy'], {
      cwd: clone,
    })
    const { code, stderr } = await outcomeOf(refused)
    expect([code, stderr]).toEqual([1, expect.stringContaining('LOG_ROLLBACK')])

    // Without witnesses it can, and the monitor catches it with evidence that convinces anybody.
    const forked = await serve(clone, 'none.policy')
    for (let n = 0; n < 5; n++) await speaker(forked.url, token).decide(10 + n)
    const caught = await watch(forked.url)
    expect(caught.code).toBe(3)
    const { claim, file } = JSON.parse(caught.stdout) as { claim: string; file: string }
    expect(claim).toBe('fork')
    const judged = await cs(cwd, 'monitor', 'check', file, '--trust', 'trust.json')
    expect([judged.code, judged.stdout.split(' ')[0]]).toEqual([0, 'proved'])
  }, 120_000)
})
