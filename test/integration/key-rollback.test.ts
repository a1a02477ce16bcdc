import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { asFailure, type Failure, type FailureCode } from '../../src/base/failure.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import type { KeyOrder } from '../../src/wire/keys.ts'
import { runCountersign } from '../support/cli.ts'
import { editing, keepKeyRows, putKeyRows, type KeyRows } from '../support/key-load-rows.ts'
import { Providers, type Installed, type Told } from '../support/key-load-providers.ts'
import { principalOf, requestOf } from '../support/service.ts'

let providers: Providers
let count = 0

beforeAll(async () => {
  providers = await Providers.prepare()
})

afterEach(() => {
  providers.kms.heal()
  providers.hsm.clear()
  providers.hsm.beginLog()
})

afterAll(() => providers.close())

const failureOf = (promise: Promise<unknown>): Promise<Failure> =>
  promise.then(() => {
    throw new Error('Did not fail')
  }, asFailure)

const fresh = (): Installed => providers.directory(`installed-${count++}`)

const environment = (): Told => ({ kek: 'environment', ...providers.forEnvironment })
const everything = (kek: string): Told => ({
  kek,
  ...providers.forEnvironment,
  ...providers.forHsm,
  ...providers.forKms,
})

const notarise = (installed: Installed, told: Told, n: number): Promise<string> =>
  installed.opened(told, (service) =>
    service.notarise(principalOf('checkpoint'), requestOf(n), null),
  )

const keyIdOf = (installed: Installed, version: number): Promise<string> =>
  installed.opened(environment(), async (service) => {
    const { keys } = await service.keyStatus('default')
    const key = keys.find((one) => one.purpose === 'evidence' && one.version === version)
    if (key === undefined) throw new Error(`No evidence key: ${version}`)
    return key.keyId
  })

/** An installation with one order carried out since yesterday, when a decision was notarised. */
async function since(
  prepare: (installed: Installed) => Promise<KeyOrder>,
  told = environment(),
): Promise<{ today: Installed; yesterday: Installed; rows: KeyRows }> {
  const today = fresh()
  await today.found(environment())
  await notarise(today, environment(), 1)
  const order = await prepare(today)
  const rows = keepKeyRows(today.data)
  const yesterday = today.copyTo(`${today.directory}-yesterday`)
  await today.order(told, order)
  return { rows, today, yesterday }
}

const rotation = (): Promise<KeyOrder> => Promise.resolve({ order: 'rotate', purpose: 'evidence' })

async function retired(installed: Installed): Promise<string> {
  await installed.order(environment(), await rotation())
  return keyIdOf(installed, 1)
}

const orders: Readonly<Record<string, (installed: Installed) => Promise<KeyOrder>>> = {
  'rotate evidence': rotation,
  'rotate fast': () => Promise.resolve({ order: 'rotate', purpose: 'fast' }),
  'rotate log': () => Promise.resolve({ order: 'rotate', purpose: 'log' }),
  'rotate-master': () => Promise.resolve({ order: 'rotate-master' }),
  rewrap: () => Promise.resolve({ order: 'rewrap' }),
  migrate: () => Promise.resolve({ order: 'migrate', to: 'kms' }),
  destroy: async (installed) => ({ keyId: await retired(installed), order: 'destroy' }),
  revoke: async (installed) => ({ keyId: await retired(installed), order: 'revoke' }),
}

/** Whoever may open today's slots and yesterday's. */
const both = (): Told => ({ ...environment(), ...providers.forKms, kek: 'kms,environment' })

describe.each(Object.entries(orders))('after %s', (_, prepare) => {
  it('the key store of before is refused, whole and in parts, and so is the whole data directory', async () => {
    const { rows, today, yesterday } = await since(prepare, both())
    const now = keepKeyRows(today.data)
    const parts: Partial<KeyRows>[] = [
      rows,
      { manifests: rows.manifests },
      { keys: rows.keys, slots: rows.slots },
    ]
    for (const part of parts) {
      putKeyRows(today.data, { ...now, ...part })
      expect((await failureOf(today.start(both()))).code).toBe('KEY_STORE_REFUSED')
    }
    putKeyRows(today.data, now)
    await today.start(both())

    rmSync(today.data, { recursive: true })
    cpSync(yesterday.data, today.data, { recursive: true })
    const { code } = await failureOf(today.start(both()))
    expect(['KEY_STORE_REFUSED', 'LOG_ROLLBACK']).toContain(code)
    // With its own pin it is what it was.
    await yesterday.start(both())
  })
})

describe('a database edited while nobody looked', () => {
  it('is refused by the program too, which says what to do', async () => {
    const { rows, today } = await since(rotation)
    putKeyRows(today.data, rows)
    const args = ['serve', '--port', '0', '--data', today.data, '--keys', today.keys]
    const env = { COUNTERSIGN_KEK_FILE: providers.kekFile }
    const ran = await runCountersign(args, { cwd: providers.home, env })
    expect([ran.code, ran.stdout]).toEqual([1, ''])
    expect(ran.stderr).toMatch(/Key store is older than the pinned one: epoch \d+ < \d+/)
    expect(ran.stderr).toContain('KEY_STORE_REFUSED')
    expect(ran.stderr).toContain('Somebody changed the stored keys')
  })

  it('is a rollback when only decisions were taken back', async () => {
    const today = fresh()
    await today.found(environment())
    const yesterday = today.copyTo(`${today.directory}-yesterday`)
    await notarise(today, environment(), 1)
    rmSync(today.data, { recursive: true })
    cpSync(yesterday.data, today.data, { recursive: true })
    expect((await failureOf(today.start(environment()))).code).toBe('LOG_ROLLBACK')
  })

  it('is refused for a manifest with another tag', async () => {
    const { today } = await since(rotation)
    const text = editing(today.data, (db) =>
      db.prepare<[], Buffer>('SELECT manifest FROM tenants').pluck().get(),
    )?.toString()
    const forged = text?.replace(/"tag":"(.)/, (_, first) => `"tag":"${first === 'A' ? 'B' : 'A'}`)
    expect(forged).not.toBe(text)
    editing(today.data, (db) =>
      db.prepare('UPDATE tenants SET manifest = ?').run(Buffer.from(forged ?? '')),
    )
    const { code, message } = await failureOf(today.start(environment()))
    expect([code, message]).toEqual([
      'KEY_STORE_REFUSED',
      expect.stringContaining('its tag is wrong'),
    ])
  })

  it.each<[string, string, string]>([
    [
      'a key that signs from earlier on',
      'from_index = from_index - 1',
      "state = 'active' AND version = 2",
    ],
    ['a key that stopped later', 'to_index = to_index + 1', "state = 'retired'"],
    ['a revocation', 'revoked_at = 3', "state = 'retired'"],
    ['a key of another purpose', "purpose = 'fast'", "state = 'retired'"],
  ])('is refused for %s', async (_, change, which) => {
    const { today } = await since(rotation)
    const { changes } = editing(today.data, (db) =>
      db.prepare(`UPDATE keys SET ${change} WHERE ${which}`).run(),
    )
    expect(changes).toBe(1)
    expect((await failureOf(today.start(environment()))).code).toBe('KEY_STORE_REFUSED')
  })

  it('is refused for a key that stopped and is to sign again, as no index forbids it any more', async () => {
    const { today } = await since(rotation)
    editing(today.data, (db) => {
      db.exec('DROP INDEX keys_one_active')
      db.prepare("UPDATE keys SET state = 'active', to_index = NULL").run()
    })
    const { code, message } = await failureOf(today.start(environment()))
    expect([code, message]).toEqual(['STORE_CORRUPT', expect.stringContaining('keys_one_active')])
  })

  it('is refused when the record of a destroyed key is put back, or a row more', async () => {
    const { rows, today } = await since(orders['destroy'] ?? rotation)
    const now = keepKeyRows(today.data)
    const old = rows.keys.find(({ state }) => state === 'retired')
    const others = now.keys.filter(({ id }) => id !== old?.['id'])
    expect(others).toHaveLength(now.keys.length - 1)
    for (const back of [
      old,
      { ...old, state: 'destroyed' },
      { ...old, state: 'pending', from_index: null, to_index: null },
    ]) {
      putKeyRows(today.data, { keys: [...others, back ?? {}] })
      expect((await failureOf(today.start(environment()))).code).toBe('KEY_STORE_REFUSED')
    }
    putKeyRows(today.data, { keys: others })
    expect((await failureOf(today.start(environment()))).message).toContain(
      'Key is listed and missing',
    )
  })

  it('is refused when the slot of a provider that was left is put back', async () => {
    const { rows, today } = await since(orders['migrate'] ?? rotation, both())
    const now = keepKeyRows(today.data)
    const [old] = rows.slots
    const places: [object, object][] = [
      [
        { ...old, place: 0 },
        { ...now.slots[0], place: 1 },
      ],
      [
        { ...now.slots[0], place: 0 },
        { ...old, place: 1 },
      ],
    ]
    for (const slots of places) {
      putKeyRows(today.data, { slots: slots as KeyRows['slots'] })
      for (const told of [environment(), both()]) {
        const { code, message } = await failureOf(today.start(told))
        expect(code).toBe('KEY_STORE_REFUSED')
        expect(message).toContain('Slot was changed or is not listed')
      }
    }
  })
})

describe('a provider that fails', () => {
  let installed: Installed

  /** Nobody asks a provider that is not named, though its slot would open. */
  async function refused(told: Told, code: FailureCode, names: RegExp): Promise<string> {
    providers.kms.asked.length = 0
    providers.hsm.beginLog()
    const failure = await failureOf(installed.start(told))
    expect([failure.code, failure.message]).toEqual([code, expect.stringMatching(names)])
    return failure.message
  }

  const hsmCalls = (): number => providers.hsm.calls('C_GetSlotList')
  const wrongPin = 0xa0

  beforeAll(async () => {
    installed = providers.directory('three')
    await installed.found(everything('kms,hsm,environment'))
    for (const kek of ['kms', 'hsm', 'environment', 'auto']) await installed.start(everything(kek))
  })

  it.each(['auto', 'kms'])('leaves HSM and KEK file alone when it is KMS (%s)', async (kek) => {
    const faults: [FailureCode, () => void][] = [
      [
        'KEK_UNAVAILABLE',
        () => {
          providers.kms.fail({ kind: 'reset' })
        },
      ],
      [
        'KEK_DENIED',
        () => {
          providers.kms.fail({ error: 'AccessDeniedException' })
        },
      ],
      [
        'KEK_KEY_DISABLED',
        () => {
          providers.kms.setState(providers.kmsKey, 'Disabled')
        },
      ],
    ]
    for (const [code, fail] of faults) {
      fail()
      const message = await refused(everything(kek), code, /^Master key was not opened\. kms: /)
      expect(message).not.toMatch(/hsm|environment/)
      expect(hsmCalls()).toBe(0)
      expect(providers.kms.asked.length).toBeGreaterThan(0)
      providers.kms.heal()
      providers.kms.setState(providers.kmsKey, 'Enabled')
    }
  })

  it.each(['auto', 'hsm'])('leaves KMS and KEK file alone when it is the HSM (%s)', async (kek) => {
    const told: Told = { kek, ...providers.forEnvironment, ...providers.forHsm }
    // Where it is only named, KMS may be described too.
    for (const described of [told, ...(kek === 'hsm' ? [everything(kek)] : [])]) {
      providers.hsm.rule('C_Login', 'code', wrongPin, 'always')
      const message = await refused(described, 'KEK_DENIED', /^Master key was not opened\. hsm: /)
      expect(message).not.toMatch(/kms|environment/)
      expect(hsmCalls()).toBeGreaterThan(0)
      expect(providers.kms.asked).toEqual([])
    }
  })

  it.each(['auto', 'environment'])(
    'takes no memory key when the KEK file is another (%s)',
    async (kek) => {
      const other = join(providers.home, `other-${kek}`)
      createKekFile(other)
      for (const dev of [false, true]) {
        const message = await refused(
          { dev, kek, kekFile: other },
          'OPEN_FAILED',
          /^Master key was not opened\. environment: this is the wrong KEK, the slot was made by env-/,
        )
        expect(message).not.toMatch(/memory|kms|hsm/)
      }
      writeFileSync(other, 'x')
      await refused({ dev: true, kek, kekFile: other }, 'CONFIG_INVALID', /COUNTERSIGN_KEK_FILE/)
      expect([hsmCalls(), providers.kms.asked]).toEqual([0, []])
    },
  )

  it('asks the others when memory was named, or nothing but a playground was: nobody', async () => {
    for (const told of [
      everything('memory'),
      { dev: true, kek: 'memory' },
      { dev: true, kek: 'auto' },
    ]) {
      await refused(told, 'CONFIG_INVALID', /^Key provider cannot be used\. memory: .* not new$/)
      expect([hsmCalls(), providers.kms.asked]).toEqual([0, []])
    }
  })

  it('tells of every one that was named when all of them fail, and of no other', async () => {
    providers.kms.fail({ kind: 'reset' })
    providers.hsm.rule('C_Login', 'code', wrongPin, 'always')
    const message = await refused(everything('hsm,kms'), 'KEK_DENIED', /hsm: .*; kms: /)
    expect(message).not.toContain('environment')
  })

  it('is fallen over from in the order that was named', async () => {
    providers.kms.fail({ error: 'AccessDeniedException' })
    await installed.start(everything('kms,environment'))
    await installed.start(everything('environment,kms'))
    expect(hsmCalls()).toBe(0)
  })
})
