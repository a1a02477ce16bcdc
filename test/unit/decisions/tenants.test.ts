import Database from 'better-sqlite3'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { randomBytes } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import { Keyring } from '../../../src/keyring/keyring.ts'
import { PinFile, type Pin } from '../../../src/log/pin.ts'
import type { Store } from '../../../src/store/store.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import { countUnwraps, layCopies } from '../../support/many-tenants.ts'
import { replacing } from '../../support/replacing.ts'
import {
  foundTestService,
  founder,
  principalOf,
  requestOf,
  type ServiceOptions,
  type TestService,
} from '../../support/service.ts'

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : String(error)),
  )

const numbered = (prefix: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}${i}`)

const principal = (tenant: string) => principalOf('checkpoint', 'alice', tenant)

const decide = (test: TestService, tenant: string, n = 1): Promise<unknown> =>
  test.notarise(requestOf(n), undefined, principal(tenant))

const openOf = async (test: TestService): Promise<string | undefined> =>
  (await test.service.health()).parts['tenants']

/** Founds `default` and other tenants. */
async function found(names: readonly string[], options: ServiceOptions = {}): Promise<TestService> {
  const test = await foundTestService(options)
  for (const name of names)
    await test.service.createTenant(name, { profile: 'checkpoint', public: false }, founder)
  return test
}

/** Edits the database of a service that is closed, by hand. */
function edit(test: TestService, sql: string): void {
  const db = new Database(join(test.directory, 'data', 'countersign.db'))
  const { changes } = db.prepare(sql).run()
  db.close()
  expect(changes, 'the attack changed something').toBeGreaterThan(0)
}

describe('a thousand tenants', () => {
  it('share one process: idle ones are not opened, fifty decide at the same time, and a restart finds all', async () => {
    const kek = encodeBase64Url(randomBytes(32))
    const { provider, unwraps } = countUnwraps(createEnvironmentKek(new Secret(utf8(kek))))
    const busy = numbered('busy-', process.env['FAULTS'] === 'all' ? 990 : 49)
    const test = await found(busy, { kek, providers: [provider] })
    await test.service.close()
    await layCopies(test.directory, 'default', numbered('idle-', 1000 - 1 - busy.length))

    const before = unwraps()
    const again = await test.reopen({ keepRooms: 0 })
    expect(unwraps() - before).toBe(0)
    expect(await again.service.listTenants()).toHaveLength(1000)
    expect(await openOf(again)).toBe('ok (0 open)')

    const deciders = ['default', ...busy.slice(0, 49)]
    const made = await Promise.all(
      deciders.flatMap((tenant) =>
        [1, 2, 3, 4].map((n) => again.notarise(requestOf(n), undefined, principal(tenant))),
      ),
    )
    expect(new Set(made.map(({ id }) => id)).size).toBe(200)
    expect(unwraps() - before).toBe(50)
    expect(await openOf(again)).toBe('ok (50 open)')

    const last = await again.reopen({ keepRooms: 0 })
    for (const [i, tenant] of deciders.entries()) {
      const { id } = made[4 * i] ?? { id: '' }
      const dossier = await last.service.exportDossier(tenant, id)
      const { verdict } = verifyDossier(dossier, await last.service.readTrustRoot(tenant))
      expect(verdict, tenant).toBe('valid')
    }
    // One of the copies is opened only when it is asked for, and refused by itself.
    expect(await codeOf(decide(last, 'idle-7'))).toBe('KEY_STORE_REFUSED')
    expect(await openOf(last)).toBe('1 refused (KEY_STORE_REFUSED), 50 open')
    expect(await codeOf(decide(last, 'busy-7'))).toBe('none')
  }, 300_000)
})

describe('what is opened at start', () => {
  it('are the tenants that were written to last, as many as are kept', async () => {
    const test = await found(['a', 'b', 'c'])
    await decide(test, 'b')
    await decide(test, 'default')
    const again = await test.reopen({ keepRooms: 2 })
    expect(await openOf(again)).toBe('ok (2 open)')
    // What one tenant's keys do is its own trouble, told at start where it is kept open.
    await again.service.close()
    edit(test, "UPDATE tenants SET manifest = x'7b7d' WHERE name = 'b'")
    const one = await test.reopen({ keepRooms: 2 })
    expect(await openOf(one)).toBe('1 refused (KEY_STORE_REFUSED), 1 open')
    expect(await codeOf(decide(one, 'default'))).toBe('none')
    expect(await codeOf(decide(one, 'b'))).toBe('KEY_STORE_REFUSED')
  })

  it('stop the service when not one of them opens', async () => {
    const test = await found(['a'])
    await test.service.close()
    edit(test, "UPDATE tenants SET manifest = x'7b7d'")
    expect(await codeOf(test.reopen({ keepRooms: 2 }))).toBe('KEY_STORE_REFUSED')
    expect(await codeOf(test.reopen({ keepRooms: 1 }))).toBe('KEY_STORE_REFUSED')
  })
})

describe('what is opened again after trouble', () => {
  it('is refused where it is one tenant’s own, and the others go on', async () => {
    let broken = false
    const wrapStore = (store: Store): Store =>
      replacing(store, {
        async commit(commit) {
          if (!broken) return store.commit(commit)
          broken = false
          throw new Failure('LOG_STATE_UNKNOWN', 'Injected')
        },
      })
    const test = await found(['a', 'b'], { wrapStore })
    edit(test, "UPDATE tenants SET manifest = x'7b7d' WHERE name = 'b'")
    broken = true
    expect(await codeOf(decide(test, 'a'))).toBe('LOG_STATE_UNKNOWN')
    await vi.waitFor(() => {
      expect(test.events).toContain('log.reopened')
    }, 10_000)
    expect(await codeOf(decide(test, 'a'))).toBe('none')
    expect(await codeOf(decide(test, 'b'))).toBe('KEY_STORE_REFUSED')
    expect(await openOf(test)).toBe('1 refused (KEY_STORE_REFUSED), 2 open')
    expect(test.events).toContain('tenant.refused')
  })
})

describe('a tenant that is not opened at start', () => {
  const rewrite = async (
    test: TestService,
    tenant: string,
    change: (pin: Pin) => Partial<Pin>,
  ): Promise<void> => {
    const file = new PinFile(join(test.directory, 'keys', `${tenant}.pin`))
    const pin = await file.read()
    if (pin === undefined) throw new Error('Tenant has no pin')
    await file.write({ ...pin, ...change(pin) })
    await file.close()
  }

  it.each([
    ['is behind its pin', ({ size }: Pin) => ({ size: size + 1 })],
    ['has another root', () => ({ root: randomBytes(32) })],
    [
      'had another root when it was pinned',
      ({ size }: Pin) => ({ root: randomBytes(32), size: size - 1 }),
    ],
    ['is pinned as another log', () => ({ origin: 'log.example/other' })],
  ])('keeps the service from starting when it %s', async (_, change) => {
    const test = await found(['a'])
    await test.service.close()
    await rewrite(test, 'a', change)
    expect(await codeOf(test.reopen({ keepRooms: 0 }))).toBe('LOG_ROLLBACK')
  })

  it('keeps the service from starting when its pin is gone', async () => {
    const test = await found(['a'])
    await test.service.close()
    const path = join(test.directory, 'keys', 'a.pin')
    rmSync(path)
    expect(await codeOf(test.reopen({ keepRooms: 0 }))).toBe('LOG_ROLLBACK')
    // Nothing is made where it was: the next start must not take an empty pin for a new one.
    expect(existsSync(path)).toBe(false)
  })

  it('may have grown beyond its pin', async () => {
    const test = await found(['a'])
    const before = (await test.service.listTenants()).find(({ name }) => name === 'a')
    const dossier = await test.service.exportDossier('a', 'trust')
    const { checkpoint } = JSON.parse(new TextDecoder().decode(dossier)) as { checkpoint: string }
    const root = Buffer.from(checkpoint.split('\n')[2] ?? '', 'base64')
    await decide(test, 'a')
    await test.service.close()
    await rewrite(test, 'a', () => ({ root, size: before?.size ?? 0 }))
    const again = await test.reopen({ keepRooms: 0 })
    expect(await codeOf(decide(again, 'a', 2))).toBe('none')
  })

  const reads: readonly (readonly [string, (test: TestService) => Promise<unknown>])[] = [
    ['listDecisions', ({ service }) => service.listDecisions('a', { limit: 1 })],
    ['exportDossier', ({ service }) => service.exportDossier('a', 'keys')],
    ['readTrustRoot', ({ service }) => service.readTrustRoot('a')],
    ['exportTrustProof', ({ service }) => service.exportTrustProof('a', 1)],
    ['readCheckpoint', ({ service }) => service.readCheckpoint('a')],
    ['readTile', ({ service }) => service.readTile('a', 'entries/000.p/1')],
    ['proveInclusion', ({ service }) => service.proveInclusion('a', { index: 0 })],
    ['proveConsistency', ({ service }) => service.proveConsistency('a', 1, 2)],
    ['exportTlogProof', ({ service }) => service.exportTlogProof('a', 0)],
    ['listApiKeys', ({ service }) => service.listApiKeys('a')],
    ['listKeys', ({ service }) => service.listKeys('a')],
    ['keyStatus', ({ service }) => service.keyStatus('a')],
  ]

  it('answers nothing, and is read by nobody, before its checks have passed', async () => {
    const test = await found(['a'])
    for (const [name, read] of reads)
      expect([name, await codeOf(read(test))]).toEqual([name, 'none'])
    await test.service.close()
    edit(test, "UPDATE tenants SET public = 1 WHERE name = 'a'")
    const again = await test.reopen({ keepRooms: 0 })
    for (const [name, read] of reads)
      expect([name, await codeOf(read(again))]).toEqual([name, 'STORE_CORRUPT'])
    expect(await codeOf(decide(again, 'a'))).toBe('STORE_CORRUPT')
    expect(await codeOf(decide(again, 'default'))).toBe('none')
    expect(again.events.filter((event) => event === 'tenant.refused').length).toBeGreaterThan(0)
  })

  it('is opened for the first who reads of it, and not for those who read after it was closed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    const kek = encodeBase64Url(randomBytes(32))
    const { provider, unwraps } = countUnwraps(createEnvironmentKek(new Secret(utf8(kek))))
    const time = { passed: 0 }
    const clock = (): number => Date.now() + time.passed
    const test = await found(['a'], { clock, kek, providers: [provider] })
    const again = await test.reopen({ keepRooms: 0 })
    const before = unwraps()
    await again.service.readTile('a', 'entries/000.p/1')
    expect(unwraps() - before).toBe(1)

    time.passed = 6 * 60_000
    vi.advanceTimersByTime(30_000)
    vi.useRealTimers()
    await vi.waitFor(async () => {
      expect(await openOf(again)).toBe('ok (0 open)')
    })
    await again.service.readTile('a', 'entries/000.p/1')
    expect(unwraps() - before).toBe(1)
    expect(await codeOf(decide(again, 'a'))).toBe('none')
    expect(unwraps() - before).toBe(2)
  })
})

describe('a tenant that could not be laid', () => {
  it('leaves no key open, and is founded when it is asked for again', async () => {
    let isFull = false
    const wrapStore = (store: Store): Store =>
      replacing(store, {
        createTenant: (...laid) =>
          isFull
            ? Promise.reject(new Failure('STORE_FULL', 'Injected'))
            : store.createTenant(...laid),
      })
    const { service } = await foundTestService({ wrapStore })
    const close = vi.spyOn(Keyring.prototype, 'close')
    const create = (): Promise<unknown> =>
      service.createTenant('second', { profile: 'each', public: false }, founder)
    isFull = true
    expect(await codeOf(create())).toBe('STORE_FULL')
    expect(close).toHaveBeenCalledTimes(1)
    isFull = false
    expect(await codeOf(create())).toBe('none')
    expect(close).toHaveBeenCalledTimes(1)
  })
})

describe('the administration of a tenant', () => {
  it('is read once, however much of it there is, and carried on from act to act', async () => {
    const reads: string[] = []
    const wrapStore = (store: Store): Store =>
      new Proxy(store, {
        get(target, name) {
          const value: unknown = Reflect.get(target, name)
          if (typeof value !== 'function') return value
          return (...args: readonly unknown[]): unknown => {
            if (name === 'readStream') reads.push(String(args[1]))
            return Reflect.apply(value, target, args)
          }
        },
      })
    const test = await foundTestService({ wrapStore })
    const { service } = test
    const make = (owner: string) => service.createApiKey('default', owner, ['log:read'], founder)
    const [first, second] = [await make('a'), await make('b')]
    expect(await codeOf(service.authenticate(first.token))).toBe('none')
    const third = await make('c')
    expect(await service.authenticate(third.token)).toMatchObject({ caller: { owner: 'c' } })
    await service.revokeApiKey('default', second.apiKey.id, founder)
    expect(await codeOf(service.authenticate(second.token))).toBe('AUTH_INVALID')
    expect(await codeOf(service.authenticate(first.token))).toBe('none')
    expect(reads.filter((stream) => stream === 'admin')).toHaveLength(1)

    // What the book says of a revoked key holds against the row, also while the service runs.
    edit(test, 'UPDATE api_keys SET revoked_at = NULL')
    expect(await codeOf(service.authenticate(second.token))).toBe('AUTH_INVALID')
    expect(await codeOf(service.authenticate(third.token))).toBe('none')
    // And the log says the same to whoever reads it anew.
    const again = await test.reopen()
    expect(await codeOf(again.service.authenticate(second.token))).toBe('AUTH_INVALID')
    expect(await codeOf(again.service.authenticate(third.token))).toBe('none')
  })
})
