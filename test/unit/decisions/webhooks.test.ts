import { spawnSync } from 'node:child_process'
import { createHmac } from 'node:crypto'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { encodeBase64, encodeBase64Url } from '../../../src/base/base64.ts'
import { utf8 } from '../../../src/base/bytes.ts'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { randomBytes } from '../../../src/crypto/hash.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { retryDelayMs } from '../../../src/decisions/outbox.ts'
import type { DeliveryOutcome, OutgoingDelivery } from '../../../src/decisions/service.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import { unsealKeyring } from '../../../src/keyring/unseal.ts'
import { checkTenant, storeOf } from '../../support/fsck.ts'
import { recordTextOf } from '../../support/forge-policy.ts'
import { blockedRequest, foundRoster, requester, signing } from '../../support/leads.ts'
import { founder, foundTestService, requestOf, type TestService } from '../../support/service.ts'

const url = 'https://hooks.example.com/countersign?token=abc'

async function founded(): Promise<{ at: TestService; clock: { now: number } }> {
  const clock = { now: 1_790_000_000_000 }
  const at = await foundTestService({ clock: () => clock.now })
  await foundRoster(at)
  return { at, clock }
}

const add = async ({ service }: TestService, kinds?: string[], secret?: string) =>
  service.addWebhook(
    'default',
    {
      url,
      ...(kinds === undefined ? {} : { kinds }),
      ...(secret === undefined ? {} : { secret }),
    },
    founder,
  )

async function opened(at: TestService) {
  const { id } = await at.notarise(blockedRequest(1))
  return at.service.openOverride(requester, { decision: id, justification: 'Customer waits' })
}

const kindOf = ({ body }: OutgoingDelivery): unknown => (JSON.parse(body) as { type: string }).type

/** Whether a receiver that holds the secret believes a delivery: the whole of Standard Webhooks 1.0. */
function believes(secret: string, { body, headers }: OutgoingDelivery): boolean {
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64')
  const signed = `${headers['webhook-id'] ?? ''}.${headers['webhook-timestamp'] ?? ''}.${body}`
  const due = `v1,${createHmac('sha256', key).update(signed).digest('base64')}`
  return headers['webhook-signature'] === due
}

const failed: DeliveryOutcome = { gone: false, ok: false, said: 'HTTP 500' }
const done: DeliveryOutcome = { gone: false, ok: true, said: 'HTTP 200' }

async function take({ service }: TestService): Promise<OutgoingDelivery> {
  const [delivery, more] = await service.takeDeliveries(9)
  if (delivery === undefined || more !== undefined) throw new Error('Not exactly one delivery')
  return delivery
}

describe('a webhook', () => {
  it('is told of each step of an override, signed so that its receiver believes it', async () => {
    const { at } = await founded()
    const { secret, webhook } = await add(at, ['override.*'])
    expect(webhook).toMatchObject({ kinds: ['override.*'], url })
    const { challenge, decision, request } = await opened(at)
    await at.service.actOnOverride(requester, decision, signing('ann', 'risk_lead', challenge))
    await at.service.actOnOverride(requester, decision, { act: 'revoke', reason: 'No need' })
    const deliveries = await at.service.takeDeliveries(9)
    expect(deliveries.map(kindOf)).toEqual([
      'override.opened',
      'override.signed',
      'override.revoked',
    ])
    const [first] = deliveries
    if (first === undefined || secret === null) throw new Error('Nothing was told')
    expect(first.url).toBe(url)
    expect(JSON.parse(first.body)).toEqual({
      data: { decision, request },
      id: first.headers['webhook-id'],
      instance: at.service.instance.id,
      links: {
        dossier: `/v1/decisions/${decision}/dossier`,
        override: `/v1/overrides/${decision}`,
      },
      tenant: 'default',
      timestamp: new Date(1_790_000_000_000).toISOString(),
      type: 'override.opened',
    })
    // What people wrote is not told to others.
    expect(deliveries.map(({ body }) => body).join()).not.toMatch(/Customer waits|No need/)
    for (const delivery of deliveries) {
      expect(believes(secret, delivery)).toBe(true)
      expect(believes(secret, { ...delivery, body: `${delivery.body} ` })).toBe(false)
      for (const name of ['webhook-id', 'webhook-timestamp'])
        expect(
          believes(secret, { ...delivery, headers: { ...delivery.headers, [name]: '1' } }),
        ).toBe(false)
    }
    const other = await add(at)
    expect(believes(other.secret ?? '', first)).toBe(false)
  })

  it('is told of policies and of what is held for a reviewer', async () => {
    const { at } = await founded()
    await add(at)
    const policy = await at.service.registerPolicy('default', recordTextOf('1'), founder)
    const { id } = await at.notarise(requestOf(1, { status: 'ESCALATE' }))
    const told = (await at.service.takeDeliveries(9)).map(
      ({ body }) => JSON.parse(body) as { data: unknown; links: unknown; type: string },
    )
    expect(told).toMatchObject([
      {
        data: { policy: policy.sha256 },
        links: { policy: `/v1/policies/${policy.sha256}` },
        type: 'policy.registered',
      },
      {
        data: { decision: id, escalation: id },
        links: { escalation: `/v1/escalations/${id}` },
        type: 'escalation.opened',
      },
    ])
  })

  it('is signed by the secret that was given, which is not told back', async () => {
    const { at } = await founded()
    const secret = `whsec_${Buffer.alloc(24, 7).toString('base64')}`
    expect((await add(at, ['*'], secret)).secret).toBeNull()
    await opened(at)
    expect(believes(secret, await take(at))).toBe(true)
    expect(JSON.stringify(await at.service.listWebhooks('default'))).not.toContain('whsec_')
  })

  it('takes a secret of 24 to 64 bytes, and a URL that can be one', async () => {
    const { at } = await founded()
    const of = (bytes: number): string => `whsec_${Buffer.alloc(bytes).toString('base64')}`
    await add(at, ['*'], of(24))
    await add(at, ['*'], of(64))
    for (const secret of [of(23), of(65), of(32).slice(6), 'whsec_?', ''])
      await expect(add(at, ['*'], secret)).rejects.toMatchObject({
        code: 'INPUT_INVALID',
        field: '/secret',
      })
    for (const wrong of ['ftp://a.example', 'x', 'https://u:p@a.example', 'https://a.example/#x'])
      await expect(at.service.addWebhook('default', { url: wrong }, founder)).rejects.toMatchObject(
        { code: 'INPUT_INVALID', field: '/url' },
      )
  })

  it('is one of at most sixteen', async () => {
    const { at } = await founded()
    for (let n = 0; n < 16; n++) await add(at)
    await expect(add(at)).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
  })

  it('is one of at most sixteen, however many are made at once', async () => {
    const { at } = await founded()
    for (let n = 0; n < 13; n++) await add(at)
    const made = await Promise.allSettled(Array.from({ length: 6 }, () => add(at)))
    const refused = made.flatMap((one) =>
      one.status === 'rejected' ? [one.reason as unknown] : [],
    )
    expect(refused).toHaveLength(3)
    for (const failure of refused) expect(failure).toMatchObject({ code: 'INPUT_EXISTS' })
    expect((await at.service.listWebhooks('default')).webhooks).toHaveLength(16)
  })

  it('is told nothing after it was removed, nor what waited for it', async () => {
    const { at } = await founded()
    const { webhook } = await add(at)
    await opened(at)
    await at.service.removeWebhook('default', webhook.id, founder)
    await opened(at)
    expect(await at.service.takeDeliveries(9)).toEqual([])
    await expect(at.service.removeWebhook('default', webhook.id, founder)).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    })
  })

  it('can be tried out alone', async () => {
    const { at } = await founded()
    const { webhook } = await add(at, ['policy.*'])
    await add(at)
    await at.service.testWebhook('default', webhook.id, founder)
    const delivery = await take(at)
    expect(kindOf(delivery)).toBe('webhook.test')
    await expect(
      at.service.testWebhook('default', '01890a5d-ac96-774b-bcce-b302099a8057', founder),
    ).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
  })

  it('is tried out once at a time, and hinders nobody who administers meanwhile', async () => {
    const { at } = await founded()
    const { webhook } = await add(at)
    const test = () => at.service.testWebhook('default', webhook.id, founder)
    const many = Promise.allSettled(Array.from({ length: 32 }, test))
    const made = Array.from({ length: 32 }, () =>
      at.service.createApiKey('default', 'ann', ['decisions:read'], founder),
    )
    expect(new Set((await Promise.all(made)).map(({ apiKey }) => apiKey.id)).size).toBe(32)
    const refused = (await many).flatMap((one) =>
      one.status === 'rejected' ? [one.reason as unknown] : [],
    )
    expect(refused).toHaveLength(31)
    for (const failure of refused) expect(failure).toMatchObject({ code: 'LOG_BUSY' })
    expect(await test()).toMatchObject({ webhook: webhook.id })
    expect(await at.service.takeDeliveries(9)).toHaveLength(2)
  })

  it('keeps its secret when the master key is exchanged', async () => {
    const { at } = await founded()
    const { secret } = await add(at)
    await at.service.orderKeys('default', { order: 'rotate-master' }, founder)
    await opened(at)
    expect(believes(secret ?? '', await take(at))).toBe(true)
    const again = await at.reopen()
    await opened(again)
    expect(
      (await again.service.takeDeliveries(9)).map((one) => believes(secret ?? '', one)),
    ).toEqual([true, true])
  })

  it('stands in the log without its URL, and a check finds what the log does not tell', async () => {
    const { at } = await founded()
    const { webhook } = await add(at, ['override.*'])
    const dossier = Buffer.from(await at.service.exportDossier('default', 'admin'))
    const told = JSON.parse(dossier.toString()) as { entries: { payload: string }[] }
    const text = told.entries.map(({ payload }) => Buffer.from(payload, 'base64').toString()).join()
    expect(text).toContain('webhook.create')
    expect(text).not.toContain('token=abc')
    await at.service.close()
    const findings = async (): Promise<readonly string[]> =>
      (await checkTenant(at)).findings.map(({ what }) => what)
    expect(await findings()).toEqual([])
    const db = new Database(join(at.directory, 'data', 'countersign.db'))
    db.exec(
      `UPDATE webhooks SET body = CAST(replace(CAST(body AS TEXT), 'example.com', 'example.net') AS BLOB)`,
    )
    expect(await findings()).toEqual([`Webhook is not what the log says of it: ${webhook.id}`])
    db.exec('DELETE FROM webhooks')
    db.close()
    expect(await findings()).toEqual([`Webhook is missing: ${webhook.id}`])
  })

  it('is told nothing where its URL was changed in the database', async () => {
    const { at, clock } = await founded()
    await add(at)
    await opened(at)
    await at.service.close()
    const db = new Database(join(at.directory, 'data', 'countersign.db'))
    db.exec(
      `UPDATE webhooks SET body = CAST(replace(CAST(body AS TEXT), 'example.com', 'example.net') AS BLOB)`,
    )
    db.close()
    const again = await at.reopen()
    for (let n = 0; n < 10; n++) {
      expect(await again.service.takeDeliveries(9)).toEqual([])
      clock.now += 7 * 86_400_000
    }
    expect(await again.service.listWebhooks('default')).toMatchObject({
      dead: 1,
      deadDeliveries: [{ attempts: 10, last: 'OPEN_FAILED' }],
      waiting: 0,
    })
  })
})

describe('the URL of a webhook', () => {
  // By a program of its own: to open and close the database in this process would drop the locks on it.
  const inTheClear = ({ directory }: TestService): string =>
    spawnSync('grep', ['-rlF', 'token=abc', join(directory, 'data')]).stdout.toString()

  it('stands nowhere in the data directory, and is shown to whoever manages it', async () => {
    const { at } = await founded()
    const { webhook } = await add(at)
    await opened(at)
    expect(inTheClear(at)).toBe('')
    expect(webhook.url).toBe(url)
    expect((await at.service.listWebhooks('default')).webhooks).toEqual([webhook])
    expect((await take(at)).url).toBe(url)
    await at.service.close()
    expect(inTheClear(at)).toBe('')
    const again = await at.reopen()
    expect((await take(again)).url).toBe(url)
    expect(await again.service.removeWebhook('default', webhook.id, founder)).toEqual(webhook)
  })

  it('of version 1 is believed as ever, and is sealed with the next master key', async () => {
    const kek = encodeBase64Url(randomBytes(32))
    const at = await foundTestService({ kek })
    await foundRoster(at)
    const { webhook } = await add(at)
    const { instance } = at.service
    await at.service.close()
    const secret = new Uint8Array(32).fill(7)
    const old = { ...webhook, v: 1 as const }
    const sealed = await storeOf(at, async (store) => {
      const stored = await store.readKeys('default')
      if (stored === undefined) throw new Error('No keys')
      const keyring = await unsealKeyring({
        instance: instance.id,
        providers: [createEnvironmentKek(new Secret(utf8(kek)))],
        stored,
        tenant: 'default',
      })
      const context = { ...old, instance: instance.id, sealed: '', tenant: 'default' }
      const bytes = keyring.sealSecret(new Secret(secret.slice()), canonicalBytes(context))
      keyring.close()
      return encodeBase64(bytes)
    })
    const db = new Database(join(at.directory, 'data', 'countersign.db'))
    db.prepare('UPDATE webhooks SET body = ?').run(canonicalBytes({ ...old, sealed }))
    db.close()
    expect((await checkTenant(at)).findings).toEqual([])
    expect(inTheClear(at)).toContain('countersign.db')
    const again = await at.reopen()
    expect((await again.service.listWebhooks('default')).webhooks).toEqual([webhook])
    await opened(again)
    const before = await take(again)
    expect([before.url, believes(encodeBase64(secret), before)]).toEqual([url, true])
    await again.service.settleDelivery(before.id, done)
    await again.service.orderKeys('default', { order: 'rotate-master' }, founder)
    await again.service.testWebhook('default', webhook.id, founder)
    const after = await take(again)
    expect([after.url, believes(encodeBase64(secret), after)]).toEqual([url, true])
    await again.service.close()
    expect(inTheClear(again)).toBe('')
    expect((await checkTenant(again)).findings).toEqual([])
  })

  it.each(['host', 'urlSha256', 'description', 'createdAt'])(
    'opens no more where its %s was changed, and the list says so',
    async (name) => {
      const { at } = await founded()
      await add(at)
      await opened(at)
      await at.service.close()
      const db = new Database(join(at.directory, 'data', 'countersign.db'))
      const body = db.prepare<[], Buffer>('SELECT body FROM webhooks').pluck().get()
      const record = JSON.parse(String(body)) as Record<string, unknown>
      const value = name === 'createdAt' ? 1 : 'changed.example'
      db.prepare('UPDATE webhooks SET body = ?').run(canonicalBytes({ ...record, [name]: value }))
      db.close()
      const { service } = await at.reopen()
      expect(await service.takeDeliveries(9)).toEqual([])
      const [listed] = (await service.listWebhooks('default')).webhooks
      expect(listed?.url).toMatch(/\(changed in the database, opens no more\)$/)
    },
  )
})

describe('a webhook whose row cannot be read', () => {
  it.each(['zeroblob(9)', "CAST('{}' AS BLOB)", "CAST('[' AS BLOB)"])(
    'is a damaged database, is told nothing and hinders nobody: %s',
    async (body) => {
      const { at, clock } = await founded()
      await add(at)
      await opened(at)
      await at.service.close()
      const db = new Database(join(at.directory, 'data', 'countersign.db'))
      db.exec(`UPDATE webhooks SET body = ${body}`)
      db.close()
      const { service } = await at.reopen()
      await expect(service.listWebhooks('default')).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
      await service.orderKeys('default', { order: 'rotate-master' }, founder)
      for (let n = 0; n < 10; n++) {
        expect(await service.takeDeliveries(9)).toEqual([])
        clock.now += 7 * 86_400_000
      }
      expect((await service.health()).parts).toMatchObject({ webhooks: '1 given up (0 waiting)' })
    },
  )
})

describe('a webhook whose kinds were changed in the database', () => {
  it.each(['garbage', "['override.*']", '{}', '"*"'])(
    'hinders no commit, is named with the way out, and can be taken away: %s',
    async (kinds) => {
      const { at, clock } = await founded()
      const { webhook } = await add(at, ['override.*'])
      await add(at, ['override.*'])
      await at.service.close()
      const db = new Database(join(at.directory, 'data', 'countersign.db'))
      db.prepare('UPDATE webhooks SET kinds = ? WHERE id = ?').run(kinds, webhook.id)
      db.close()
      const said = `Row of a webhook is damaged, countersign webhook remove takes it away: ${webhook.id}`
      const before = await checkTenant(at)
      expect(before.findings).toMatchObject([{ part: 'row', what: said }])
      const again = await at.reopen()
      const { service } = again
      const damaged = { code: 'STORE_CORRUPT', message: said }
      await opened(again)
      // The other one is told.
      await service.settleDelivery((await take(again)).id, done)
      await expect(service.listWebhooks('default')).rejects.toMatchObject(damaged)
      await expect(service.testWebhook('default', webhook.id, founder)).rejects.toMatchObject(
        damaged,
      )
      const { waiting } = await storeOf({ directory: at.directory }, (store) =>
        store.countDeliveries('default'),
      )
      // What is no JSON asks for everything, so that nothing is lost unseen.
      expect(waiting).toBe(kinds === '{}' ? 0 : 1)
      for (let n = 0; n < 10; n++) {
        expect(await service.takeDeliveries(9)).toEqual([])
        clock.now += 7 * 86_400_000
      }
      await service.removeWebhook('default', webhook.id, founder)
      expect((await service.listWebhooks('default')).webhooks).toHaveLength(1)
      await service.close()
      expect((await checkTenant(again)).findings).toEqual([])
    },
  )

  it('leaves what the log told of it when it is taken away', async () => {
    const { at } = await founded()
    const { webhook } = await add(at, ['override.*'])
    await at.service.close()
    const db = new Database(join(at.directory, 'data', 'countersign.db'))
    db.exec("UPDATE webhooks SET kinds = 'garbage'")
    db.close()
    const again = await at.reopen()
    expect(await again.service.removeWebhook('default', webhook.id, founder)).toEqual({
      createdAt: webhook.createdAt,
      description: '',
      id: webhook.id,
      kinds: [],
      url: '(damaged in the database)',
    })
    const details = await storeOf({ directory: at.directory }, async (store) =>
      (await store.readStream('default', 'admin')).flatMap(({ payload }) => {
        const statement = JSON.parse(Buffer.from(payload ?? []).toString()) as {
          predicate: { matter: { action: string; detail: unknown } }
        }
        const { action, detail } = statement.predicate.matter
        return action.startsWith('webhook.') ? [[action, detail]] : []
      }),
    )
    expect(details).toMatchObject([
      ['webhook.create', { host: 'hooks.example.com', kinds: ['override.*'] }],
      ['webhook.remove', { host: 'hooks.example.com', kinds: ['override.*'] }],
    ])
  })
})

describe('a delivery', () => {
  it('is handed out once at a time, and again under the same id when it failed', async () => {
    const { at, clock } = await founded()
    const { secret } = await add(at)
    await opened(at)
    const first = await take(at)
    expect(await at.service.takeDeliveries(9)).toEqual([])
    await at.service.settleDelivery(first.id, failed)
    expect(await at.service.takeDeliveries(9)).toEqual([])
    clock.now += 6000
    const second = await take(at)
    expect(second.headers['webhook-id']).toBe(first.headers['webhook-id'])
    expect(second.headers['webhook-timestamp']).not.toBe(first.headers['webhook-timestamp'])
    expect(believes(secret ?? '', second)).toBe(true)
    await at.service.settleDelivery(second.id, done)
    clock.now += 86_400_000
    expect(await at.service.takeDeliveries(9)).toEqual([])
    expect(await at.service.listWebhooks('default')).toMatchObject({ dead: 0, waiting: 0 })
  })

  it('outlives a restart, also while it was on its way', async () => {
    const { at } = await founded()
    await add(at)
    await opened(at)
    const first = await take(at)
    const again = await at.reopen()
    expect((await take(again)).headers['webhook-id']).toBe(first.headers['webhook-id'])
  })

  it('is handed out again when nobody says what became of it', async () => {
    const { at, clock } = await founded()
    await add(at)
    await opened(at)
    await take(at)
    clock.now += 59_999
    expect(await at.service.takeDeliveries(9)).toEqual([])
    clock.now += 1
    await take(at)
  })

  it('of one tenant takes half of the hands, and never those that another tenant needs', async () => {
    const { at, clock } = await founded()
    const { service } = at
    await service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
    const { webhook: slow } = await add(at)
    const { webhook: other } = await service.addWebhook('second', { url }, founder)
    for (let n = 0; n < 20; n++) await service.testWebhook('default', slow.id, founder)
    clock.now += 1
    await service.testWebhook('second', other.id, founder)
    const tenantsOf = (deliveries: readonly OutgoingDelivery[]): unknown[] =>
      deliveries.map(({ body }) => (JSON.parse(body) as { tenant: string }).tenant)
    const first = await service.takeDeliveries(16)
    expect(tenantsOf(first)).toEqual(Array.from({ length: 8 }, () => 'default'))
    // What is due for longer is the slow one's still.
    expect(tenantsOf(await service.takeDeliveries(1))).toEqual(['second'])
    expect(await service.takeDeliveries(8)).toEqual([])
    await service.settleDelivery(first[0]?.id ?? 0, done)
    expect(tenantsOf(await service.takeDeliveries(8))).toEqual(['default'])
  })

  it('is given up after ten attempts, which health tells', async () => {
    const { at, clock } = await founded()
    await add(at)
    await opened(at)
    for (let n = 1; n <= 10; n++) {
      expect((await at.service.health()).parts['webhooks']).toBe('ok (1 waiting)')
      const { id } = await take(at)
      await at.service.settleDelivery(id, { ...failed, said: `HTTP 50${n % 10}` })
      clock.now += 7 * 86_400_000
    }
    expect((await at.service.health()).parts['webhooks']).toBe('1 given up (0 waiting)')
    expect(await at.service.takeDeliveries(9)).toEqual([])
    const { deadDeliveries } = await at.service.listWebhooks('default')
    expect(deadDeliveries).toMatchObject([
      { attempts: 10, kind: 'override.opened', last: 'HTTP 500' },
    ])
    expect(at.events).toContain('webhook.given-up')
  })

  it('is given up at once where the receiver is gone', async () => {
    const { at } = await founded()
    await add(at)
    await opened(at)
    const { id } = await take(at)
    await at.service.settleDelivery(id, { gone: true, ok: false, said: 'HTTP 410' })
    expect(await at.service.listWebhooks('default')).toMatchObject({ dead: 1, waiting: 0 })
    // Whoever is not told hinders nobody.
    expect((await at.service.health()).ready).toBe(true)
  })

  it('waits three times as long each time, by a fifth more or less', () => {
    expect([retryDelayMs(1, 0.5), retryDelayMs(2, 0.5), retryDelayMs(9, 0.5)]).toEqual([
      5000, 15_000, 32_805_000,
    ])
    expect([retryDelayMs(1, 0), retryDelayMs(1, 1)]).toEqual([4000, 6000])
  })
})
