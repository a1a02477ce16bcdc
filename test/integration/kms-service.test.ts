import { existsSync, mkdtempSync, readdirSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { asFailure, type Failure, type FailureCode } from '../../src/base/failure.ts'
import type { Initialised } from '../../src/cli/composition.ts'
import { createComposition } from '../../src/compose.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { runCountersign, type Ran } from '../support/cli.ts'
import { KmsDouble } from '../support/kms-double.ts'

let kms: KmsDouble
let arn: string
let cwd: string

beforeEach(async () => {
  kms = await KmsDouble.start()
  arn = kms.createKey()
  kms.setAlias('alias/countersign', arn)
  cwd = mkdtempSync(join(tmpdir(), 'countersign-kms-'))
  for (const [name, value] of Object.entries(kms.environment)) vi.stubEnv(name, value)
  onTestFinished(async () => {
    await kms.stop()
    await rm(cwd, { recursive: true, force: true })
  })
})

type Variables = Readonly<Record<string, string>>

const variables = { COUNTERSIGN_KMS_KEY_ID: 'alias/countersign' }

/** A KEK file that is configured too, and must not be taken for it. */
function temptation(): Variables {
  const path = join(cwd, 'kek')
  createKekFile(path)
  return { COUNTERSIGN_KEK_FILE: path }
}

const compose = (env: Variables) =>
  createComposition({ cwd, env: { ...variables, ...env }, version: '0.0.0-test' })

const init = (kek: string, env: Variables = {}): Promise<Initialised> =>
  compose(env).init({ kek, origin: 'log.example' })

const start = async (kek: string, env: Variables = {}): Promise<void> =>
  (await compose(env).openService({ kek })).close()

const failureOf = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(() => {
    throw new Error('Did not fail')
  }, asFailure)

const operations = (): string[] => kms.asked.map(({ operation }) => operation)

describe('the server with its master key in AWS KMS', () => {
  it('opens it once, in the thread that owns the keys, and is ready', async () => {
    await init('kms')
    kms.asked.length = 0
    const server = await compose({}).serve({ kek: 'kms', port: 0 })
    try {
      const ready = await fetch(`${server.url}/readyz`)
      expect([ready.status, operations()]).toEqual([200, ['Decrypt']])
    } finally {
      await server.close()
    }
  })
})

describe('the program with its master key in AWS KMS', () => {
  const decision = JSON.stringify({
    intent: { actor: { id: 'agent' }, action: { type: 'transfer', amount: 7 } },
    status: 'ALLOW',
  })
  const run = (args: readonly string[], input = ''): Promise<Ran> =>
    runCountersign(args, { cwd, env: { ...kms.environment, ...variables }, input })

  async function succeed(ran: Promise<Ran>): Promise<string> {
    const { code, stderr, stdout } = await ran
    expect(code, stderr).toBe(0)
    return stdout
  }

  it('notarises, starts again, and its dossiers verify where KMS is not', async () => {
    const made = JSON.parse(await succeed(run(['init', '--kek', 'kms', '--json']))) as Initialised
    expect(made).toMatchObject({ kekFile: null, provider: 'kms' })
    expect(existsSync(join(cwd, 'keys', 'countersign.kek'))).toBe(false)

    const ids: string[] = []
    while (ids.length < 2) {
      kms.asked.length = 0
      const answer = await succeed(run(['notarise', '-', '--kek', 'kms'], `${decision}\n`))
      ids.push((JSON.parse(answer) as { id: string }).id)
      // Once to open the master key, and never for a decision.
      expect(operations()).toEqual(['Decrypt'])
      expect(kms.asked[0]?.body['KeyId']).toBe(arn)
    }

    kms.asked.length = 0
    kms.setState(arn, 'Disabled')
    const [id = ''] = ids
    await succeed(run(['dossier', 'export', id, '-o', 'dossier.json']))
    await succeed(run(['verify', 'dossier.json', '--trust', made.trustRootFile]))
    expect(operations()).toEqual([])

    const refused = await run(['notarise', '-', '--kek', 'kms'], `${decision}\n`)
    expect([refused.code, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr).toContain('kms: AWS KMS has the key disabled')
    expect(refused.stderr).toContain(`${arn} (KEK_KEY_DISABLED)`)
  })
})

describe('starting on AWS KMS', () => {
  it('is refused with the reason, by name and by auto, and no KEK file takes its place', async () => {
    const env = temptation()
    await init('kms', env)
    const harms: readonly (readonly [FailureCode, () => void])[] = [
      ['KEK_KEY_DISABLED', kms.setState.bind(kms, arn, 'Disabled')],
      ['KEK_KEY_DISABLED', kms.setState.bind(kms, arn, 'PendingDeletion')],
      ['KEK_DENIED', kms.fail.bind(kms, { error: 'AccessDeniedException' })],
      ['KEK_UNAVAILABLE', kms.fail.bind(kms, { kind: 'reset' })],
      ['KEK_KEY_MISSING', kms.deleteKey.bind(kms, arn)],
    ]
    for (const [code, harm] of harms) {
      await start('kms', env)
      harm()
      for (const kek of ['kms', 'auto']) {
        const failure = await failureOf(start(kek, env))
        expect(failure.code).toBe(code)
        expect(failure.message).toMatch(
          /^Master key was not opened\. kms: AWS KMS .*: arn:aws:kms:/,
        )
      }
      kms.heal()
      if (code !== 'KEK_KEY_MISSING') kms.setState(arn, 'Enabled')
    }
  })

  it('needs no alias any more that names the key', async () => {
    await init('auto')
    kms.setAlias('alias/countersign', kms.createKey())
    await expect(start('auto')).resolves.toBeUndefined()
  })

  it('tells which key the slot wants when another is configured', async () => {
    await init('kms')
    const other = kms.createKey()
    const failure = await failureOf(start('kms', { COUNTERSIGN_KMS_KEY_ID: other }))
    expect(failure.code).toBe('OPEN_FAILED')
    expect(failure.message).toContain(`the slot was made by ${arn} and this is ${other}`)
  })

  it('falls over only to a provider that is named', async () => {
    const env = temptation()
    expect(await init('kms,environment', env)).toMatchObject({ provider: 'kms,environment' })
    kms.setState(arn, 'Disabled')
    for (const kek of ['kms', 'auto'])
      expect((await failureOf(start(kek, env))).code).toBe('KEK_KEY_DISABLED')
    await expect(start('kms,environment', env)).resolves.toBeUndefined()
    await expect(start('environment', env)).resolves.toBeUndefined()
  })
})

describe('founding on AWS KMS', () => {
  it('makes no other key when KMS refuses, and goes on where it stopped', async () => {
    const env = { ...temptation(), ...variables }
    kms.setState(arn, 'Disabled')
    const refused = await runCountersign(['init', '--kek', 'kms'], {
      cwd,
      env: { ...kms.environment, ...env },
    })
    expect([refused.code, refused.stdout]).toEqual([1, ''])
    expect(refused.stderr).toMatch(/AWS KMS has the key disabled .*\(KEK_KEY_DISABLED\)/)
    expect(existsSync(join(cwd, 'keys', 'countersign.kek'))).toBe(false)
    kms.setState(arn, 'Enabled')
    expect(await init('kms', env)).toMatchObject({ kekFile: null, provider: 'kms' })
  })

  it.each(['', 'my-key'])(
    'lays nothing and asks nothing when the key is named %j',
    async (COUNTERSIGN_KMS_KEY_ID) => {
      for (const kek of ['kms', 'auto']) {
        const failure = await failureOf(init(kek, { ...temptation(), COUNTERSIGN_KMS_KEY_ID }))
        expect(failure.code).toBe('CONFIG_INVALID')
        expect(failure.message).toContain('kms: COUNTERSIGN_KMS_KEY_ID is no key id')
        await rm(join(cwd, 'kek'))
      }
      expect([readdirSync(cwd), operations()]).toEqual([[], []])
    },
  )

  it('takes the key by the name that AEGIS gives the setting', async () => {
    const flags = { kek: 'auto', origin: 'log.example' }
    const env = { AEGIS_KMS_KEY_ID: arn }
    const composition = createComposition({ cwd, env, version: '0.0.0-test' })
    expect(await composition.init(flags)).toMatchObject({ provider: 'kms' })
  })
})
