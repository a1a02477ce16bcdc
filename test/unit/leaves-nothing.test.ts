import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { createCertificate } from '../support/certificate.ts'
import { runHere } from '../support/cli-here.ts'
import { foundInstallation } from '../support/installation.ts'

function place(): string {
  const cwd = mkdtempSync(join(tmpdir(), 'countersign-nothing-'))
  onTestFinished(() => {
    rmSync(cwd, { force: true, recursive: true })
  })
  return cwd
}

describe('a command that is refused', () => {
  it('leaves nothing where pins were looked for in the wrong place', async () => {
    const { home, settings } = await foundInstallation()
    const { data, kekFile = '', keys } = settings
    writeFileSync(join(home, 'one.json'), '{}')
    const args = ['notarise', 'one.json', '--data', data, '--keys', keys]
    const env = { COUNTERSIGN_KEK_FILE: kekFile }
    const ran = await runHere([...args, '--pin', 'wrong'], { cwd: home, env })
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('Nothing was changed')
    expect(existsSync(join(home, 'wrong'))).toBe(false)
    // In the right place the same is refused for what it is.
    expect(await runHere(args, { cwd: home, env })).toMatchObject({ code: 2 })
  })

  it('leaves neither data nor keys where an origin cannot be taken', async () => {
    const cwd = place()
    const args = (origin: string) => ['init', '--origin', origin, '--data', 'd', '--keys', 'k']
    const ran = await runHere(args('https://log.example'), { cwd })
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain('without scheme')
    expect(readdirSync(cwd)).toEqual([])
    expect(await runHere(args('log.example'), { cwd })).toMatchObject({ code: 0 })
  })
})

describe('the key file of an installation', () => {
  const key = 'countersign.kek'

  it('is not made where an installation is that it would not open', async () => {
    const cwd = place()
    const init = (keys: string) => runHere(['init', '--data', 'd', '--keys', keys], { cwd })
    expect(await init('k')).toMatchObject({ code: 0 })
    const ran = await init('elsewhere')
    expect(ran).toMatchObject({ code: 1, stdout: '' })
    expect(ran.stderr).toContain('its key file is not in')
    expect(readdirSync(cwd).sort()).toEqual(['d', 'k'])
  })

  it('is named where the system refuses what comes after it', async () => {
    const cwd = place()
    writeFileSync(join(cwd, 'pins'), '')
    const init = (...more: readonly string[]) =>
      runHere(['init', '--data', 'd', '--keys', 'k', ...more], { cwd })
    const ran = await init('--pin', 'pins')
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain('ENOTDIR')
    expect(ran.stderr).toContain(`stays, for what was begun may need it: ${join(cwd, 'k', key)}`)
    expect(await init()).toMatchObject({ code: 0 })
  })

  it('stays where founding fails after it was made, and founding goes on with it', async () => {
    const cwd = place()
    for (const name of ['AWS_REGION', 'AWS_DEFAULT_REGION', 'AWS_PROFILE'])
      vi.stubEnv(name, undefined)
    vi.stubEnv('AWS_CONFIG_FILE', '/nonexistent')
    const init = (...more: readonly string[]) =>
      runHere(['init', '--data', 'd', '--keys', 'k', '--json', ...more], { cwd })
    const ran = await init('--pin', 's3://pins')
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain('The key file that was made stays')
    expect(ran.stderr).toContain(join('k', key))
    const made = readFileSync(join(cwd, 'k', key))
    const again = await init()
    expect(again).toMatchObject({ code: 0 })
    expect(JSON.parse(again.stdout)).toMatchObject({ kekFile: null, provider: 'environment' })
    expect(readFileSync(join(cwd, 'k', key))).toEqual(made)
  })
})

describe('a founding that was cut off before its trust root was written out', () => {
  /** Founds an installation, and does something to its trust root; gives what founding it again comes to. */
  async function again(change: (trustRoot: string, cwd: string) => unknown) {
    const cwd = place()
    const init = () => runHere(['init', '--data', 'd', '--keys', 'k', '--json'], { cwd })
    const first = JSON.parse((await init()).stdout) as Readonly<Record<string, string>>
    const { trustRootFile = '' } = first
    const whole = readFileSync(trustRootFile)
    await change(trustRootFile, cwd)
    const { code, stderr, stdout } = await init()
    return { code, first, left: () => readFileSync(trustRootFile).equals(whole), stderr, stdout }
  }

  it.each([
    [
      'nothing',
      (file: string) => {
        rmSync(file)
      },
    ],
    [
      'a part',
      (file: string) => {
        truncateSync(file, 100)
      },
    ],
  ])('ends by founding it again, where %s of it is there', async (_, change) => {
    const { code, first, left, stdout } = await again(change)
    expect(code).toBe(0)
    expect(JSON.parse(stdout)).toEqual({ ...first, kekFile: null })
    expect(left()).toBe(true)
  })

  it('was none where all of it is there', async () => {
    const { code, stderr } = await again(() => undefined)
    expect([code, stderr]).toEqual([1, expect.stringContaining('holds an instance already')])
  })

  it('was none where the log was written to since', async () => {
    const { code, stderr } = await again(async (file, cwd) => {
      rmSync(file)
      const flags = ['--data', 'd', '--keys', 'k', '--owner', 'ann', '--scope', 'decisions:read']
      expect(await runHere(['apikey', 'create', ...flags], { cwd })).toMatchObject({ code: 0 })
    })
    expect([code, stderr]).toEqual([1, expect.stringContaining('holds an instance already')])
  })
})

describe('a check of the configuration', () => {
  const check = async (files: Readonly<Record<string, string>>, ...flags: readonly string[]) => {
    const cwd = place()
    for (const [name, text] of Object.entries(files)) writeFileSync(join(cwd, name), text)
    return runHere(['config', 'check', ...flags], { cwd })
  }
  const tls = ['--tls-cert', 'cert', '--tls-key', 'key']

  it('takes a certificate with its key, and nothing else for one', async () => {
    const { cert, key } = createCertificate()
    expect(await check({ cert, key }, ...tls)).toMatchObject({ code: 0, stderr: '' })
    const none = await check({}, ...tls)
    expect(none).toMatchObject({ code: 2, stdout: '' })
    expect(none.stderr).toContain('TLS files cannot be read')
    for (const files of [
      { cert, key: createCertificate().key },
      { cert: 'none', key },
    ]) {
      const ran = await check(files, ...tls)
      expect(ran).toMatchObject({ code: 2, stdout: '' })
      expect(ran.stderr).toContain('TLS certificate and key do not fit')
    }
  })

  it('reads the witness policy', async () => {
    const flags = ['--witness-policy', 'policy']
    expect((await check({}, ...flags)).stderr).toContain('Witness policy cannot be read')
    expect(await check({ policy: 'nonsense\n' }, ...flags)).toMatchObject({ code: 2, stdout: '' })
  })
})
