import { beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { Effect } from '../../src/store/store.ts'
import { append } from '../support/store-fixtures.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises of webhooks and of what is on its way to them. */
export function webhookContract(db: StoreCase): void {
  const hook = (id: string, ...kinds: string[]): Effect => ({
    type: 'webhook',
    webhook: { body: utf8(`{"hook":"${id}"}`), id, kinds },
  })
  const said = (id: string, kind: string, time = 1000): Effect => ({
    announcement: { body: `{"id":"${id}"}`, id, kind, time },
    type: 'announce',
  })
  const enter = (...effects: Effect[]) => append(db.store, 'acme', [{}], effects)
  const due = async (now: number, limit = 99) =>
    (await db.store.listDue(now, limit)).map(({ event, hook: to }) => `${event} ${to}`)

  describe('a webhook', () => {
    beforeEach(async () => {
      await db.create()
      await db.create('other')
    })

    it('is kept, changed and removed with what is on its way to it', async () => {
      await enter(hook('h1', '*'), hook('h2', 'override.*'))
      await enter(said('e1', 'override.opened'))
      await enter(hook('h1', 'policy.*'))
      await db.reopen()
      expect(await db.store.listWebhooks('acme')).toEqual([
        { body: utf8('{"hook":"h1"}'), id: 'h1', kinds: ['policy.*'] },
        { body: utf8('{"hook":"h2"}'), id: 'h2', kinds: ['override.*'] },
      ])
      expect(await db.store.listWebhooks('other')).toEqual([])
      await enter({ id: 'h1', type: 'removeWebhook' })
      expect((await db.store.listWebhooks('acme')).map(({ id }) => id)).toEqual(['h2'])
      expect(await due(1000)).toEqual(['e1 h2'])
    })

    it('is told what it asked for: a kind, a family, or everything', async () => {
      await enter(hook('all', '*'), hook('family', 'override.*', '*'), hook('one', 'a.b'))
      await append(db.store, 'other', [{}], [hook('elsewhere', '*')])
      await enter(said('e1', 'override.opened'), said('e2', 'a.b'), said('e3', 'a.c'))
      expect((await due(1000)).sort()).toEqual(
        ['e1 all', 'e1 family', 'e2 all', 'e2 family', 'e2 one', 'e3 all', 'e3 family'].sort(),
      )
    })

    it('is told alone, whatever it asked for, where it is named', async () => {
      await enter(hook('h1', 'a.b'), hook('h2', '*'))
      const announcement = { body: '{}', id: 'e1', kind: 'webhook.test', time: 1000, to: 'h1' }
      await enter({ announcement, type: 'announce' })
      expect(await due(1000)).toEqual(['e1 h1'])
    })

    it('is told nothing of what was not committed', async () => {
      await enter(hook('h1', '*'))
      await db.refused(
        () => append(db.store, 'acme', [{ keyid: 'nobody' }], [said('e1', 'a.b')]),
        'LOG_KEY_STALE',
      )
      expect(await due(9999)).toEqual([])
    })

    it('never has the id of another tenant’s', async () => {
      await enter(hook('h1', '*'))
      await db.refused(() => append(db.store, 'other', [{}], [hook('h1', '*')]), 'STORE_FAILED')
      await append(db.store, 'other', [{}], [{ id: 'h1', type: 'removeWebhook' }])
      expect(await db.store.listWebhooks('acme')).toHaveLength(1)
    })
  })

  describe('a delivery', () => {
    beforeEach(async () => {
      await db.create()
      await enter(hook('h1', '*'))
      await enter(said('late', 'a.b', 2000), said('early', 'a.b', 1000))
    })

    it('is due from its time on, the longest due first', async () => {
      expect(await due(999)).toEqual([])
      expect(await due(1000)).toEqual(['early h1'])
      expect(await due(2000)).toEqual(['early h1', 'late h1'])
      expect(await due(2000, 1)).toEqual(['early h1'])
    })

    it('is passed over where its tenant is, before any are counted', async () => {
      await db.create('other')
      await append(db.store, 'other', [{}], [hook('h2', '*'), said('last', 'a.b', 3000)])
      const but = async (...tenants: string[]) =>
        (await db.store.listDue(3000, 1, tenants)).map(({ event }) => event)
      expect(await but('other')).toEqual(['early'])
      expect(await but('acme')).toEqual(['last'])
      expect(await but('acme', 'other')).toEqual([])
    })

    it('is tried again later, given up, or done, and all of that outlives a restart', async () => {
      const [early, late] = await db.store.listDue(2000, 2)
      expect(early).toMatchObject({ attempts: 0, dead: false, kind: 'a.b', last: null })
      const [one, two] = [early?.id ?? 0, late?.id ?? 0]
      await db.store.settleDelivery(one, { attempts: 1, dead: false, due: 3000, last: 'HTTP 500' })
      await db.reopen()
      expect(await due(2999)).toEqual(['late h1'])
      expect((await db.store.listDue(3000, 9))[1]).toMatchObject({ attempts: 1, last: 'HTTP 500' })
      await db.store.settleDelivery(one, { attempts: 2, dead: true, due: 3000, last: 'HTTP 500' })
      expect(await db.store.countDeliveries()).toEqual({ dead: 1, waiting: 1 })
      expect(await db.store.countDeliveries('acme')).toEqual({ dead: 1, waiting: 1 })
      expect(await db.store.countDeliveries('nobody')).toEqual({ dead: 0, waiting: 0 })
      expect(await db.store.listDeadDeliveries('acme', 0, 9)).toMatchObject([
        { attempts: 2, dead: true, event: 'early' },
      ])
      expect(await db.store.listDeadDeliveries('acme', one, 9)).toEqual([])
      await db.store.settleDelivery(two, 'delivered')
      expect(await due(9999)).toEqual([])
      expect(await db.store.countDeliveries()).toEqual({ dead: 1, waiting: 0 })
    })

    it('that was given up is kept, the newest hundred of each webhook', async () => {
      await enter(...Array.from({ length: 101 }, (_, n) => said(`e${n}`, 'a.b', 3000)))
      const given = { attempts: 1, dead: true, due: 0, last: null }
      const waiting = await db.store.listDue(3000, 200)
      for (const { id } of waiting) await db.store.settleDelivery(id, given)
      expect(waiting).toHaveLength(103)
      expect(await db.store.countDeliveries()).toEqual({ dead: 100, waiting: 0 })
      const [first] = await db.store.listDeadDeliveries('acme', 0, 1)
      expect(first?.event).toBe('e1')
    })
  })
}
