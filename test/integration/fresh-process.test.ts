import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { asFailure } from '../../src/base/failure.ts'
import { uuidv7 } from '../../src/base/uuid.ts'
import { randomBytes } from '../../src/crypto/hash.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { canaryEnvironment, openInFreshProcess, type CanaryTask } from '../../src/fresh-process.ts'
import { generateEnvironmentKek } from '../../src/kek/environment-key.ts'
import { createEnvironmentKek } from '../../src/kek/environment.ts'
import type { KekKind, KekProvider } from '../../src/kek/kek.ts'
import type { KekSettings } from '../../src/kek/kek-settings.ts'
import { createKmsKek } from '../../src/kek/kms.ts'
import { createKeyring } from '../../src/keyring/create.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { KmsDouble } from '../support/kms-double.ts'
import { makeToken, testPin } from '../support/softhsm.ts'

const closing = new AbortController().signal

let data: string
let kek: string

beforeEach(() => {
  data = mkdtempSync(join(tmpdir(), 'countersign-fresh-'))
  kek = generateEnvironmentKek()
  const path = data
  onTestFinished(() => {
    rmSync(path, { force: true, recursive: true })
  })
})

const secret = (text: string): Secret => new Secret(utf8(text))
const environment = (text = kek): KekProvider => createEnvironmentKek(secret(text))

interface Laid {
  readonly store: Store
  readonly masterPublicKey: Uint8Array
  readonly slots: readonly string[]
}

/** A data directory whose tenant has a slot for each provider; the writer stays open, as it does in a service. */
async function lay(providers: readonly KekProvider[], tenant = 'default'): Promise<Laid> {
  const store = await openSqliteStore({ create: true, mode: 'write', path: data })
  onTestFinished(() => store.close())
  const id = uuidv7(1, randomBytes(10))
  await store.createInstance({ createdAt: 1, dev: false, id, origin: 'log.example' })
  const { keyring, stored } = await createKeyring({
    clock: Date.now,
    instance: id,
    positions: { evidence: 0, fast: 0, log: 0 },
    providers,
    tenant,
  })
  const { masterPublicKey } = keyring
  keyring.close()
  const origin = `log.example/${tenant}`
  const row = { createdAt: 1, name: tenant, origin, profile: 'each', public: false } as const
  await store.createTenant(row, stored)
  return { masterPublicKey, slots: stored.slots.map((slot) => slot.id), store }
}

const open = (
  kind: KekKind,
  settings: KekSettings,
  change: Partial<CanaryTask> = {},
  timeoutMs?: number,
  signal = closing,
): Promise<string> =>
  openInFreshProcess(
    { data, kind, masterPublic: undefined, slot: undefined, tenant: 'default', ...change },
    settings,
    signal,
    timeoutMs,
  ).then(
    () => 'opened',
    (error: unknown) => {
      const { code, message } = asFailure(error)
      return `${code} ${message}`
    },
  )

const children = (): string =>
  spawnSync('pgrep', ['-f', '-P', String(process.pid), 'canary-child'], { encoding: 'utf8' }).stdout

describe('a master key opened in a fresh process', () => {
  it('opens by the environment, beside the writer, and leaves settings and data as they are', async () => {
    const { masterPublicKey } = await lay([environment()])
    const before = readFileSync(join(data, 'countersign.db'))
    const settings = { kek: secret(kek) }
    expect(await open('environment', settings)).toBe('opened')
    expect(await open('environment', settings, { masterPublic: masterPublicKey })).toBe('opened')
    expect(readFileSync(join(data, 'countersign.db')).equals(before)).toBe(true)
    expect(children()).toBe('')
  })

  it('does not open by another KEK, and tells nothing of either', async () => {
    await lay([environment()])
    const other = generateEnvironmentKek()
    const said = await open('environment', { kek: secret(other) })
    expect(said).toMatch(/^OPEN_FAILED .*environment: this is the wrong KEK/)
    for (const text of [kek, other]) expect(said).not.toContain(text)
  })

  it('says what the settings lack, and never takes another provider for the one it was asked for', async () => {
    await lay([environment()])
    const settings = { kek: secret(kek) }
    expect(await open('kms', settings)).toContain('CONFIG_INVALID')
    expect(await open('kms', { ...settings, kmsKeyId: 'alias/x' })).toBe(
      'KEY_STORE_REFUSED Master key has no such slot of kms',
    )
    expect(await open('memory', settings)).toMatch(/^CONFIG_INVALID .*memory: its key died/)
  })

  it('tries the one slot that is named, and no other', async () => {
    const other = generateEnvironmentKek()
    const { slots } = await lay([environment(), environment(other)])
    const [first = '', second = ''] = slots
    expect(await open('environment', { kek: secret(other) })).toBe('opened')
    expect(await open('environment', { kek: secret(other) }, { slot: second })).toBe('opened')
    expect(await open('environment', { kek: secret(other) }, { slot: first })).toContain(
      'OPEN_FAILED',
    )
    const none = uuidv7(1, randomBytes(10))
    expect(await open('environment', { kek: secret(kek) }, { slot: none })).toBe(
      `KEY_STORE_REFUSED Master key has no such slot of environment: ${none}`,
    )
  })

  it('is refused when it is another master key than demanded, or another tenant', async () => {
    const { masterPublicKey } = await lay([environment()])
    const masterPublic = masterPublicKey.slice()
    masterPublic[0] = (masterPublic[0] ?? 0) ^ 1
    const settings = { kek: secret(kek) }
    expect(await open('environment', settings, { masterPublic })).toContain('KEY_STORE_REFUSED')
    expect(await open('environment', settings, { tenant: 'other' })).toContain('INPUT_NOT_FOUND')
  })

  it('is refused where there is no database', async () => {
    expect(await open('environment', { kek: secret(kek) })).toContain('CONFIG_INVALID')
  })

  it('opens by a token, whose PIN goes over the channel', async () => {
    const token = makeToken()
    onTestFinished(() => {
      token.remove()
    })
    const provider = await token.provide('kek')
    await lay([provider])
    await provider.close()
    const { module, tokenLabel } = token.place()
    const place = { hsmKeyLabel: 'kek', hsmModule: module, hsmTokenLabel: tokenLabel }
    expect(await open('hsm', { ...place, hsmPin: secret(testPin) })).toBe('opened')
    expect(await open('hsm', { ...place, hsmPin: secret('0000') })).toMatch(/^KEK_DENIED .*PIN/)
  })
})

describe('a fresh process and AWS KMS', () => {
  let kms: KmsDouble
  let settings: KekSettings

  beforeEach(async () => {
    kms = await KmsDouble.start()
    onTestFinished(() => kms.stop())
    for (const [name, value] of Object.entries(kms.environment)) vi.stubEnv(name, value)
    settings = { kmsKeyId: kms.createKey() }
    const provider = createKmsKek({ keyId: settings.kmsKeyId ?? '' })
    await lay([provider])
    await provider.close()
  })

  it('finds its credentials, and opens', async () => {
    kms.asked.length = 0
    expect(await open('kms', settings)).toBe('opened')
    expect(kms.asked.map(({ operation }) => operation)).toEqual(['Decrypt'])
  })

  it('says what KMS said', async () => {
    kms.setState(settings.kmsKeyId ?? '', 'Disabled')
    expect(await open('kms', settings)).toContain('KEK_KEY_DISABLED')
  })

  it('is killed when it takes too long', async () => {
    kms.fail({ kind: 'hang' })
    const started = performance.now()
    expect(await open('kms', settings, {}, 1500)).toBe(
      'KEK_UNAVAILABLE Slot was not tried in a fresh process: no answer in 1500 ms',
    )
    expect(performance.now() - started).toBeLessThan(3000)
    await vi.waitFor(() => {
      expect(children()).toBe('')
    })
  })

  it('is killed when the service closes, and none is started afterwards', async () => {
    kms.fail({ kind: 'hang' })
    vi.stubEnv('COUNTERSIGN_KEK', kek)
    onTestFinished(() => void vi.stubEnv('COUNTERSIGN_KEK', undefined))
    const abort = new AbortController()
    const opening = open('kms', settings, {}, undefined, abort.signal)
    await vi.waitFor(() => {
      expect(kms.asked.at(-1)?.operation).toBe('Decrypt')
    })
    const pid = children().trim()
    // The environment of a process can be read by whoever may debug it, its arguments by anybody.
    expect(readFileSync(`/proc/${pid}/environ`, 'utf8')).not.toContain('COUNTERSIGN')
    abort.abort()
    expect(await opening).toContain('KEK_UNAVAILABLE')
    expect(await open('kms', settings, {}, undefined, abort.signal)).toContain('service is closing')
    await vi.waitFor(() => {
      expect(children()).toBe('')
    })
  })
})

it('gives a fresh process the variables of AWS only where KMS is asked, and no secret of ours', () => {
  const parent = {
    AWS_SECRET_ACCESS_KEY: 'secret',
    COUNTERSIGN_HSM_PIN: '1234',
    COUNTERSIGN_KEK: 'secret',
    NODE_OPTIONS: '--inspect',
    PATH: '/bin',
    SOFTHSM2_CONF: '/etc/softhsm2.conf',
  }
  const names = (kind: KekKind): string[] => Object.keys(canaryEnvironment(kind, parent)).sort()
  expect(names('kms')).toEqual(['AWS_SECRET_ACCESS_KEY', 'PATH', 'SOFTHSM2_CONF'])
  for (const kind of ['hsm', 'environment', 'memory'] as const)
    expect(names(kind)).toEqual(['PATH', 'SOFTHSM2_CONF'])
})
