import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import Database from 'better-sqlite3'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import type { KekProvider } from '../../../src/kek/kek.ts'
import type { Store } from '../../../src/store/store.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import type { KeyOrder } from '../../../src/wire/keys.ts'
import { founder, foundTestService, requestOf, type TestService } from '../../support/service.ts'
import { replacing } from '../../support/replacing.ts'

const tenant = 'default'
const hourMs = 3_600_000

/** An environment provider that can be taken away, and counts what it is asked. */
function frail(): KekProvider & { away: boolean; asked: number } {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => 130 + i)
  const real = createEnvironmentKek(new Secret(utf8(encodeBase64Url(bytes))))
  const ask = <T>(work: () => Promise<T>): Promise<T> => {
    provider.asked++
    return provider.away
      ? Promise.reject(new Failure('KEK_UNAVAILABLE', 'Provider is away'))
      : work()
  }
  const provider = {
    asked: 0,
    away: false,
    close: () => Promise.resolve(),
    metadata: real.metadata,
    probe: () => ask(() => real.probe()),
    unwrap: (...args: Parameters<KekProvider['unwrap']>) => ask(() => real.unwrap(...args)),
    wrap: (...args: Parameters<KekProvider['wrap']>) => ask(() => real.wrap(...args)),
  }
  return provider
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : 'foreign'),
  )

async function verdictOf({ service }: TestService, stream: string): Promise<string> {
  const trust = await service.readTrustRoot(tenant)
  return verifyDossier(await service.exportDossier(tenant, stream), trust).verdict
}

describe('while the key provider is away', () => {
  it('decisions go on, readiness stays, and the status says what is wrong', async () => {
    const provider = frail()
    const test = await foundTestService({ providers: [provider] })
    provider.away = true
    await test.service.checkProviders()
    const { id } = await test.notarise(requestOf(1))
    expect(await verdictOf(test, id)).toBe('valid')
    const { parts, ready } = await test.service.health()
    expect(ready).toBe(true)
    expect(parts['keys']).toMatch(/^environment is failing \(KEK_UNAVAILABLE\) since 20/)
    const { next, providers } = await test.service.keyStatus(tenant)
    expect(providers).toMatchObject([{ code: 'KEK_UNAVAILABLE', state: 'failing' }])
    expect(next.join('\n')).toMatch(
      /environment is failing with KEK_UNAVAILABLE[^]*Signing ends on/,
    )
    provider.away = false
    await test.service.checkProviders()
    expect((await test.service.health()).parts['keys']).toBe('ok (environment)')
  })

  it('the status is told of a tenant whose keys do not open', async () => {
    const provider = frail()
    const test = await foundTestService({ providers: [provider] })
    provider.away = true
    const { service } = await test.reopen({ keepRooms: 0 })
    expect(await codeOf(service.readTrustRoot(tenant))).toBe('KEK_UNAVAILABLE')
    await service.checkProviders()
    const { keys, next, providers } = await service.keyStatus(tenant)
    expect([keys.length, providers]).toMatchObject([3, [{ state: 'failing' }]])
    expect(next[0]).toMatch(/^The keys do not open\. Master key was not opened\. environment: /)
  })

  it('signing ends when that lasts longer than it may, not a millisecond earlier, and begins again', async () => {
    let now = Date.now()
    const provider = frail()
    const test = await foundTestService({ clock: () => now, providers: [provider] })
    provider.away = true
    now += hourMs
    await test.service.checkProviders()
    expect(await codeOf(test.notarise(requestOf(1)))).toBe('none')
    now += 1
    expect(await codeOf(test.notarise(requestOf(2)))).toBe('KEK_UNAVAILABLE')
    expect(await test.service.health()).toMatchObject({ ready: false })
    // What is there can still be read.
    expect(await verdictOf(test, 'keys')).toBe('valid')
    provider.away = false
    await test.service.checkProviders()
    expect(await codeOf(test.notarise(requestOf(3)))).toBe('none')
    expect(await test.service.health()).toMatchObject({ ready: true })
  })

  it('asks it nothing for a decision', async () => {
    const provider = frail()
    const test = await foundTestService({ providers: [provider] })
    const before = provider.asked
    for (let n = 0; n < 20; n++) await test.notarise(requestOf(n))
    expect(provider.asked).toBe(before)
  })
})

/** Changes what the environment's slot of a tenant wraps, as an editor of the database would. */
function changeSlot({ directory }: TestService, name: string): void {
  const db = new Database(join(directory, 'data', 'countersign.db'))
  const which = `tenant = (SELECT id FROM tenants WHERE name = ?) AND CAST(body AS TEXT) LIKE '%"provider":"environment"%'`
  const body = db.prepare(`SELECT body FROM slots WHERE ${which}`).pluck().get(name) as Buffer
  const text = body.toString('latin1')
  const at = text.indexOf('"wrapped":"') + 20
  const changed = `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`
  db.prepare(`UPDATE slots SET body = ? WHERE ${which}`).run(Buffer.from(changed, 'latin1'), name)
  db.close()
}

describe('a slot that was changed in the database', () => {
  it('is told from an outage', async () => {
    const provider = frail()
    const test = await foundTestService({ providers: [provider] })
    changeSlot(test, tenant)
    await test.service.checkProviders()
    const { next, providers } = await test.service.keyStatus(tenant)
    expect(providers).toMatchObject([{ code: 'OPEN_FAILED', state: 'tampered' }])
    expect(next.join()).toMatch(
      /The slot of environment was changed\. .* before the server is stopped: countersign keys rewrap/,
    )
    expect(test.events).toContain('slot.refused')
    expect(await codeOf(test.notarise(requestOf(1)))).toBe('none')
    await test.service.orderKeys(tenant, { order: 'rewrap' }, founder)
    await test.service.checkProviders()
    expect((await test.service.keyStatus(tenant)).providers).toMatchObject([{ state: 'healthy' }])
  })

  it('is not named to another tenant, whose signing goes on for ever', async () => {
    let now = Date.now()
    const provider = frail()
    const test = await foundTestService({ clock: () => now, providers: [provider] })
    await test.service.createTenant('other', { profile: 'checkpoint', public: false }, founder)
    changeSlot(test, 'other')
    now += 2 * hourMs
    await test.service.checkProviders()
    const { next, providers } = await test.service.keyStatus(tenant)
    expect(providers).toMatchObject([{ state: 'tampered' }])
    expect(next.join()).toMatch(/A slot of environment does not open, of another tenant/)
    expect(JSON.stringify([next, providers])).not.toContain('other"')
    expect(await codeOf(test.notarise(requestOf(1)))).toBe('none')
  })
})

/** The slots of a tenant as nobody can read them. */
function spoilSlot({ directory }: TestService, name: string): void {
  const db = new Database(join(directory, 'data', 'countersign.db'))
  const which = 'tenant = (SELECT id FROM tenants WHERE name = ?)'
  db.prepare(`UPDATE slots SET body = ? WHERE ${which}`).run(Buffer.from('{}'), name)
  db.close()
}

/** Another environment key that says it is an HSM. */
function token(): KekProvider {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => 170 + i)
  const real = createEnvironmentKek(new Secret(utf8(encodeBase64Url(bytes))))
  return {
    close: () => real.close(),
    metadata: { ...real.metadata, kind: 'hsm' },
    probe: () => real.probe(),
    unwrap: (...args) => real.unwrap(...args),
    wrap: (...args) => real.wrap(...args),
  }
}

describe('the providers that are in use', () => {
  const rotate: KeyOrder = { order: 'rotate', purpose: 'fast' }
  const options = { profile: 'checkpoint', public: false } as const

  it('are told though a slot of another tenant cannot be read, whose trouble it is', async () => {
    const test = await foundTestService()
    await test.service.createTenant('other', options, founder)
    spoilSlot(test, 'other')
    const { steps } = await test.service.orderKeys(tenant, rotate, founder)
    expect(steps.map(({ event }) => event)).toContain('published')
    await test.service.createTenant('third', options, founder)
    const { providers, slots } = await test.service.keyStatus('third')
    expect(slots.map(({ provider }) => provider)).toEqual(['environment'])
    expect(providers.map(({ provider }) => provider)).toEqual(['environment'])
  })

  it('do not make an order fail that was carried out', async () => {
    let fails = false
    const test = await foundTestService({
      wrapStore: (store) =>
        replacing(store, {
          listTenants: () =>
            fails
              ? Promise.reject(new Failure('STORE_FAILED', 'Disk is away'))
              : store.listTenants(),
        }),
    })
    fails = true
    expect(await codeOf(test.service.orderKeys(tenant, rotate, founder))).toBe('none')
    expect(await codeOf(test.service.createTenant('other', options, founder))).toBe('STORE_FAILED')
    fails = false
    expect(await codeOf(test.service.createTenant('other', options, founder))).toBe('none')
  })

  it('are read once, also where an older reading fails after a newer one', async () => {
    let readings = 0
    let next: Promise<never> | undefined
    const test = await foundTestService({
      wrapStore: (store) =>
        replacing(store, {
          listTenants() {
            readings++
            const given = next ?? store.listTenants()
            next = undefined
            return given
          },
        }),
    })
    const { service } = test
    const hsm = token()
    const forget = () => service.putSlots(tenant, [hsm], (kind) => kind === 'hsm', founder)
    await forget()
    const late = Promise.withResolvers<never>()
    next = late.promise
    const first = codeOf(service.createTenant('first', options, founder))
    await expect.poll(() => next).toBeUndefined()
    await forget()
    await service.createTenant('second', options, founder)
    late.reject(new Failure('STORE_FAILED', 'Disk is away'))
    expect(await first).toBe('STORE_FAILED')
    readings = 0
    await service.createTenant('third', options, founder)
    expect(readings).toBe(0)
  })

  it('are not the only ones that this node was told to open by', async () => {
    const hsm = token()
    const env = frail()
    const founded = await foundTestService({ providers: [env] })
    const test = await founded.reopen({ providers: [env, hsm] })
    await test.service.orderKeys(tenant, rotate, founder)
    const { providers } = await test.service.keyStatus(tenant)
    expect(providers.map(({ provider }) => provider)).toEqual(['environment', 'hsm'])
    const byKey = { id: 'csk', owner: 'alice', type: 'apiKey' as const }
    const move = (to: 'hsm' | 'environment') =>
      codeOf(test.service.orderKeys(tenant, { order: 'migrate', to }, byKey))
    expect(await move('hsm')).toBe('none')
    // The last slot of the environment's is gone, and whoever runs the server was told to start it without.
    const left = (await test.service.keyStatus(tenant)).providers
    expect(left.map(({ provider }) => provider)).toEqual(['hsm'])
    expect(await move('environment')).toBe('INPUT_INVALID')
  })
})

describe('a tenant that is founded while the last other one moves to another provider', () => {
  const options = { profile: 'checkpoint', public: false } as const

  /** Lets a provider that is to wrap wait; `asked` resolves when it is, and nothing goes on before it may. */
  function holdUp(provider: KekProvider): { asked: Promise<unknown>; goOn: () => void } {
    const [asked, given] = [Promise.withResolvers<undefined>(), Promise.withResolvers<undefined>()]
    const wrap = provider.wrap.bind(provider)
    provider.wrap = async (...args) => {
      asked.resolve(undefined)
      await given.promise
      return wrap(...args)
    }
    const goOn = (): void => {
      given.resolve(undefined)
    }
    return { asked: asked.promise, goOn }
  }

  const kindsOf = async ({ service }: TestService, name: string) => {
    const { next, providers, slots } = await service.keyStatus(name)
    return {
      isClosed: next.join().includes('not by this node'),
      providers: providers.map(({ provider }) => provider),
      slots: slots.map(({ provider }) => provider),
    }
  }

  it('keeps the provider that its slots are being made by', async () => {
    const env = frail()
    const test = await foundTestService({ others: [token()], providers: [env] })
    const { service } = test
    const { asked, goOn } = holdUp(env)
    const founding = service.createTenant('other', options, founder)
    await asked
    const moving = service.orderKeys(tenant, { order: 'migrate', to: 'hsm' }, founder)
    await expect.poll(async () => (await kindsOf(test, tenant)).slots).toEqual(['hsm'])
    goOn()
    await Promise.all([founding, moving])
    const here = { isClosed: false, providers: ['environment', 'hsm'] }
    expect(await kindsOf(test, 'other')).toEqual({ ...here, slots: ['environment'] })
    // It can move too, and then the other is given up.
    await service.orderKeys('other', { order: 'migrate', to: 'hsm' }, founder)
    const gone = { isClosed: false, providers: ['hsm'], slots: ['hsm'] }
    expect(await kindsOf(test, 'other')).toEqual(gone)
  })

  it('gets no slot of the provider that is being given up', async () => {
    const hsm = token()
    const test = await foundTestService({ others: [hsm], providers: [frail()] })
    const { service } = test
    const { asked, goOn } = holdUp(hsm)
    const moving = service.orderKeys(tenant, { order: 'migrate', to: 'hsm' }, founder)
    await asked
    const founding = service.createTenant('other', options, founder)
    goOn()
    await Promise.all([founding, moving])
    expect(await kindsOf(test, 'other')).toEqual({
      isClosed: false,
      providers: ['hsm'],
      slots: ['hsm'],
    })
  })
})

it('a provider that was given up is not remembered for a slot that it no more has', async () => {
  const env = frail()
  const test = await foundTestService({ others: [env], providers: [env, token()] })
  const { events, service } = test
  changeSlot(test, tenant)
  await service.checkProviders()
  expect(events).toContain('slot.refused')
  for (const to of ['hsm', 'environment'] as const)
    await service.orderKeys(tenant, { order: 'migrate', to }, founder)
  await service.checkProviders()
  expect((await service.health()).parts['keys']).toBe('ok (environment)')
  // That would be news of a slot of then.
  expect(events).not.toContain('slot.opens')
})

describe('orders', () => {
  it('of one log are carried out one after the other', async () => {
    const test = await foundTestService()
    const purposes = ['evidence', 'log', 'evidence', 'fast'] as const
    const done = await Promise.all(
      purposes.map((purpose) =>
        test.service.orderKeys(tenant, { order: 'rotate', purpose }, founder),
      ),
    )
    expect(done.map(({ steps }) => steps[0]?.event)).toEqual(purposes.map(() => 'prepared'))
    expect(await verdictOf(test, 'keys')).toBe('valid')
  })

  it.each([
    { order: 'nothing' },
    { order: 'rotate', purpose: 'master' },
    { order: 'admit', fingerprint: '../../etc/passwd' },
    { order: 'migrate', to: 'memory' },
    { order: 'migrate', to: 'passphrase' },
    { order: 'rewrap', more: 1 },
  ])('are refused when they are none: %o', async (order) => {
    const test = await foundTestService()
    const wrong = test.service.orderKeys(tenant, order as unknown as KeyOrder, founder)
    expect(await codeOf(wrong)).toBe('INPUT_INVALID')
  })

  it('end before the service does', async () => {
    const test = await foundTestService()
    const order = test.service.orderKeys(tenant, { order: 'rotate', purpose: 'log' }, founder)
    await test.service.close()
    expect(await codeOf(order)).toMatch(/^(none|LOG_CLOSED)$/)
    const again = await test.reopen()
    const { id } = await again.notarise(requestOf(1))
    expect(await verdictOf(again, id)).toBe('valid')
  })
})

describe('a commit of keys whose outcome is unknown', () => {
  const cases = ['persisted', 'not persisted'].flatMap((what) =>
    (['rotate', 'rewrap', 'rotate-master'] as const).flatMap((order) =>
      (order === 'rotate' ? [1, 2, 3] : [1]).map((commit) => ({ commit, order, what })),
    ),
  )

  it.each(cases)(
    '$what, at commit $commit of $order: is found out, and all goes on',
    async ({ commit: fatal, order, what }) => {
      let countdown = Infinity
      const wrapStore = (store: Store): Store =>
        replacing(store, {
          async commit(commit) {
            const strikes = --countdown === 0
            if (!strikes || what === 'persisted') await store.commit(commit)
            if (strikes) throw new Failure('LOG_STATE_UNKNOWN', 'Nobody knows')
          },
        })
      const test = await foundTestService({ wrapStore })
      const given: KeyOrder = order === 'rotate' ? { order, purpose: 'evidence' } : { order }
      countdown = fatal
      expect(await codeOf(test.service.orderKeys(tenant, given, founder))).toBe('LOG_STATE_UNKNOWN')
      await expect
        .poll(async () => (await test.service.health()).ready, { timeout: 5000 })
        .toBe(true)
      const { id } = await test.notarise(requestOf(1))
      await test.service.orderKeys(tenant, given, founder)
      for (const stream of [id, 'keys', 'trust'])
        expect([stream, await verdictOf(test, stream)]).toEqual([stream, 'valid'])
      await test.reopen()
    },
  )
})
