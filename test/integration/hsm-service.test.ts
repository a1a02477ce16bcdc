import { execFileSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  firstLineOf,
  outcomeOf,
  runCountersign,
  startCountersign,
  type Ran,
} from '../support/cli.ts'
import { buildProxy, type Proxy } from '../support/pkcs11-proxy.ts'
import { needSoftHsm } from '../support/softhsm.ts'

const project = resolve(import.meta.dirname, '../..')
const cwd = mkdtempSync(join(tmpdir(), 'countersign-hsm-service-'))
let env: Record<string, string>
let proxy: Proxy

beforeAll(() => {
  needSoftHsm()
  const printed = execFileSync('sh', [join(project, 'softhsm/init.sh'), join(cwd, 'hsm')], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  env = Object.fromEntries(
    [...printed.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, name = '', value = '']) => [
      name,
      value,
    ]),
  )
  proxy = buildProxy(cwd)
})

afterAll(() => {
  rmSync(cwd, { force: true, recursive: true })
})

const cs = (args: string, more: Record<string, string> = {}): Promise<Ran> =>
  runCountersign(args.split(' '), { cwd, env: { ...env, ...more } })

describe('SoftHSM under a service', () => {
  it('is prepared by one command, which run again changes nothing', () => {
    const again = execFileSync('sh', [join(project, 'softhsm/init.sh'), join(cwd, 'hsm')], {
      encoding: 'utf8',
    })
    for (const value of Object.values(env)) expect(again).toContain(value)
  })

  it('founds it, opens it after a restart, and what was notarised verifies without it', async () => {
    expect(await cs('init --kek hsm --origin log.example')).toMatchObject({ code: 0 })
    copyFileSync(join(project, 'test/examples/decisions.ndjson'), join(cwd, 'decisions.ndjson'))
    const { code, stdout } = await cs('notarise --kek hsm decisions.ndjson')
    expect(code).toBe(0)
    const [first = ''] = stdout.split('\n')
    const { id } = JSON.parse(first) as { id: string }
    expect(await cs(`dossier export ${id} -o a.json`)).toMatchObject({ code: 0 })
    expect(await cs('trust-root -o trust.json')).toMatchObject({ code: 0 })
    const alone = await runCountersign(['verify', 'a.json', '--trust', 'trust.json'], { cwd })
    expect(alone).toMatchObject({ code: 0 })
  })

  it('opens it in the thread of a server, and leaves no process behind', async () => {
    const child = startCountersign(['serve', '--kek', 'hsm', '--port', '0'], { cwd, env })
    const outcome = outcomeOf(child)
    const url = await firstLineOf(child)
    expect((await fetch(`${url}/readyz`)).status).toBe(200)
    child.kill('SIGTERM')
    expect((await outcome).code).toBe(0)
    expect(() => execFileSync('pgrep', ['-P', String(child.pid)])).toThrow()
  })

  it('refuses to start with a wrong PIN, names the provider, and logs in once', async () => {
    const pin = join(cwd, 'wrong-pin')
    writeFileSync(pin, '0000\n', { mode: 0o600 })
    proxy.beginLog()
    const wrong = { COUNTERSIGN_HSM_MODULE: proxy.module, COUNTERSIGN_HSM_PIN_FILE: pin }
    const ran = await cs('serve --kek hsm --port 0', wrong)
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(/hsm: HSM refused the PIN.*CKR_PIN_INCORRECT.*KEK_DENIED/s)
    expect(ran.stderr).not.toContain('0000')
    expect(proxy.calls('C_Login')).toBe(1)
  })

  it('refuses to start in less than 10 s while the token hangs, and takes no weaker provider', async () => {
    proxy.rule('C_Login', 'sleep', 30_000, 'always')
    const started = performance.now()
    const more = { COUNTERSIGN_HSM_MODULE: proxy.module, COUNTERSIGN_KEK: 'A'.repeat(43) }
    const ran = await cs('serve --port 0', more)
    proxy.clear()
    expect(ran.code).toBe(75)
    expect(ran.stderr).toContain('hsm: HSM is unavailable: no answer to open')
    expect(performance.now() - started).toBeLessThan(10_000)
  })

  it('never takes the key of another token', async () => {
    const other = execFileSync('sh', [join(project, 'softhsm/init.sh'), join(cwd, 'other')], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    const conf = /SOFTHSM2_CONF='(.*)'/.exec(other)?.[1] ?? ''
    const pin = /PIN_FILE='(.*)'/.exec(other)?.[1] ?? ''
    const ran = await cs('tenant create x --kek hsm', {
      COUNTERSIGN_HSM_PIN_FILE: pin,
      SOFTHSM2_CONF: conf,
    })
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(
      /hsm: this is the wrong KEK, the slot was made by hsm:.* and this is hsm:/,
    )
  })
})
