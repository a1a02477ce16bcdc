import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, mkdtempSync, renameSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, expect, it, onTestFinished } from 'vitest'
import { firstLineOf, runCountersign, startCountersign } from '../support/cli.ts'
import { S3Double } from '../support/s3-double.ts'
import { requestOf } from '../support/service.ts'

// Programs as an operator runs them: pins and the published log in S3, the database on a disk that dies.

let s3: S3Double
let cwd: string
let env: Record<string, string>

beforeEach(async () => {
  s3 = await S3Double.start('pins', 'evidence')
  cwd = mkdtempSync(join(tmpdir(), 'countersign-guards-'))
  env = { ...s3.environment, COUNTERSIGN_PIN: 's3://pins/site', COUNTERSIGN_LOG_LEVEL: 'silent' }
  onTestFinished(async () => {
    await s3.stop()
    rmSync(cwd, { force: true, recursive: true })
  })
})

const run = (line: string, input = '') => runCountersign(line.split(' '), { cwd, env, input })

async function succeed(line: string, input = ''): Promise<string> {
  const { code, stderr, stdout } = await run(line, input)
  expect(code, `${line}: ${stderr}`).toBe(0)
  return stdout
}

interface Server {
  readonly child: ChildProcess
  readonly url: string
  post(n: number): Promise<Response>
}

async function serve(token: string, data = 'countersign-data', keys = 'keys'): Promise<Server> {
  const args = ['serve', '--port', '0', '--data', data, '--keys', keys]
  const child = startCountersign(args, { cwd, env })
  onTestFinished(() => {
    child.kill('SIGKILL')
  })
  const url = await firstLineOf(child)
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  return {
    child,
    post: (n) => fetch(`${url}/v1/decisions`, { body: requestOf(n), headers, method: 'POST' }),
    url,
  }
}

async function kill({ child }: Server): Promise<void> {
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function install(): Promise<string> {
  await succeed('init --origin log.example --profile checkpoint')
  expect([...s3.objects('pins').keys()]).toMatchObject([/^site\/[0-9a-f-]{36}\/default\.pin$/])
  return (await succeed('apikey create --owner bot --scope decisions:submit')).trim()
}

it('what S3 knows of a log keeps an older database from going on, and evidence outlives it', async () => {
  const token = await install()
  const server = await serve(token)
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => server.post(n)))
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]))
  const { id } = (await answers[0]?.json()) as { id: string }

  // Beside the server, while decisions go on.
  const burst = Promise.all(Array.from({ length: 60 }, (_, n) => server.post(n)))
  await succeed('backup -o early')
  await burst
  await server.post(0)
  const published = JSON.parse(await succeed('log publish --to s3://evidence/log --json')) as {
    size: number
  }
  expect(published.size).toBe(108)
  expect(s3.objects('evidence').has('log/checkpoint')).toBe(true)
  await server.post(1)
  await kill(server)
  rmSync(join(cwd, 'countersign-data'), { recursive: true })

  const behind = await run('restore early --no-signatures')
  expect([behind.code, behind.stderr]).toEqual([
    1,
    expect.stringMatching(/the pin knows log\.example\/default at size 109/) as string,
  ])
  const checked = await run('restore early --check --published s3://evidence/log')
  expect(checked.code).toBe(1)
  expect(checked.stderr).toContain('s3://evidence/log knows log.example/default')

  const made = JSON.parse(await succeed('restore early --new-origin log2.example --json')) as {
    archive: string
    successor: { logs: readonly { origin: string }[] }
  }
  expect(made.successor.logs).toMatchObject([{ origin: 'log2.example/default' }])
  await succeed(`trust-root --data ${made.archive} -o old-root.json`)
  await succeed(`dossier export ${id} --data ${made.archive} -o old.json`)
  await succeed('verify old.json --trust old-root.json')
  await succeed('notarise -', requestOf(1))
  const archive = await run(`notarise - --data ${made.archive}`, requestOf(1))
  expect([archive.code, archive.stderr]).toEqual([2, expect.stringContaining('archive') as string])
})

it('of two servers on copies of one log only the one that pinned goes on', async () => {
  const token = await install()
  for (const name of ['countersign-data', 'keys'])
    cpSync(join(cwd, name), join(cwd, `${name}-copy`), { recursive: true })
  const [first, second] = [
    await serve(token),
    await serve(token, 'countersign-data-copy', 'keys-copy'),
  ]
  expect((await first.post(1)).status).toBe(201)
  const refused = await second.post(2)
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([
    503,
    'LOG_STATE_UNKNOWN',
  ])
  expect((await fetch(`${second.url}/readyz`)).status).toBe(503)
  expect((await second.post(3)).status).toBe(503)
  expect((await first.post(4)).status).toBe(201)
  expect((await fetch(`${first.url}/readyz`)).status).toBe(200)
  for (const server of [first, second]) await kill(server)

  // The copy has signed what the pin does not know: it never goes on.
  renameSync(join(cwd, 'countersign-data-copy'), join(cwd, 'forked'))
  const forked = await run('notarise - --data forked', requestOf(1))
  expect([forked.code, forked.stderr]).toEqual([
    1,
    expect.stringMatching(/behind its pin|another root|has grown from a copy|fork/) as string,
  ])
})

it('a server goes on by itself when S3 was away, and acknowledged nothing meanwhile', async () => {
  const token = await install()
  const server = await serve(token)
  expect((await server.post(1)).status).toBe(201)
  s3.fail({ error: 'InternalError', status: 500 })
  expect((await server.post(2)).status).toBe(503)
  expect((await fetch(`${server.url}/readyz`)).status).toBe(503)
  s3.heal()
  for (let n = 0; (await fetch(`${server.url}/readyz`)).status !== 200; n++) {
    if (n === 300) throw new Error('Not ready again within 30 s')
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
  expect((await server.post(3)).status).toBe(201)
  await kill(server)
  // A lost pin, and what was handed out is stated in its place.
  const [key = ''] = s3.objects('pins').keys()
  s3.put('pins', key, undefined)
  const lost = await run('notarise -', requestOf(1))
  expect([lost.code, lost.stderr]).toEqual([1, expect.stringContaining('log repin') as string])
  await succeed('dossier export admin -o admin.json')
  await succeed('log repin --checkpoint admin.json')
  await succeed('notarise -', requestOf(1))
})
