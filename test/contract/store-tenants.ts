import { describe, expect, it } from 'vitest'
import {
  append,
  emptyHead,
  keyidOf,
  makeCommit,
  makeEntry,
  makeKey,
  makeKeys,
  makeTenant,
} from '../support/store-fixtures.ts'
import { everything, instance } from './store-case.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises of instance, tenants, opening and closing. */
export function tenantContract(db: StoreCase): void {
  describe('instance and tenants', () => {
    it('has no instance before one is created, and then exactly that', async () => {
      expect(await db.store.readInstance()).toBeUndefined()
      await db.store.createInstance(instance)
      await db.reopen()
      expect(await db.store.readInstance()).toEqual(instance)
    })

    it('refuses a second instance and keeps the first', async () => {
      await db.store.createInstance(instance)
      const other = { ...instance, id: 'other' }
      await expect(db.store.createInstance(other)).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
      expect(await db.store.readInstance()).toEqual(instance)
    })

    it('makes a tenant with an empty log and its keys in their order', async () => {
      await db.create()
      expect(await db.store.readTenant('acme')).toEqual({ ...makeTenant('acme'), head: emptyHead })
      expect(await db.store.readKeys('acme')).toEqual(makeKeys())
      expect(await db.store.readLastCheckpoint('acme')).toBeUndefined()
      expect(await db.store.readKeptCheckpoint('acme')).toBeUndefined()
      expect(await db.store.readEntries('acme', 0, 10)).toEqual([])
    })

    it('keeps every field of a tenant', async () => {
      const tenant = { ...makeTenant('acme'), profile: 'each' as const, public: true }
      await db.store.createTenant(tenant, makeKeys())
      await db.reopen()
      expect(await db.store.readTenant('acme')).toEqual({ ...tenant, head: emptyHead })
    })

    it('lists tenants by name', async () => {
      for (const tenant of ['zeta', 'acme', 'mid']) await db.create(tenant)
      const names = (await db.store.listTenants()).map((tenant) => tenant.name)
      expect(names).toEqual(['acme', 'mid', 'zeta'])
    })

    it('refuses a tenant whose name or origin is taken and keeps the first', async () => {
      await db.create()
      const before = await everything(db.store, 'acme')
      const sameName = { ...makeTenant('acme'), origin: 'log.example/other' }
      const sameOrigin = { ...makeTenant('other'), origin: 'log.example/acme' }
      for (const tenant of [sameName, sameOrigin])
        await expect(db.store.createTenant(tenant, makeKeys([]))).rejects.toMatchObject({
          code: 'INPUT_EXISTS',
        })
      expect(await everything(db.store, 'acme')).toEqual(before)
    })

    it('refuses a tenant with two active keys of one purpose and makes nothing of it', async () => {
      const keys = [makeKey(), makeKey({ keyId: 'second', keyid: keyidOf('second') })]
      await expect(db.create('acme', keys)).rejects.toMatchObject({ code: 'STORE_FAILED' })
      expect(await db.store.listTenants()).toEqual([])
      await db.create()
    })

    it('never takes a tenant that came about for one that did not', async () => {
      const twice = [makeKey(), makeKey({ keyId: 'second', keyid: keyidOf('second') })]
      await expect(db.create('acme', twice)).rejects.toMatchObject({ code: 'STORE_FAILED' })
      const keys = makeKeys([makeKey({ keyid: keyidOf('other') })])
      await db.store.createTenant(makeTenant('other'), keys)
      expect(await db.store.readKeys('acme')).toBeUndefined()
      await expect(append(db.store, 'acme', [{}])).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      })
      await db.create()
      expect(await db.store.readKeys('other')).toEqual(keys)
      expect(await db.store.readKeys('acme')).toEqual(makeKeys())
    })

    it('answers for an unknown tenant with nothing', async () => {
      expect(await db.store.readTenant('nobody')).toBeUndefined()
      expect(await db.store.readEntry('nobody', 0)).toBeUndefined()
      expect(await db.store.readEntries('nobody', 0, 1)).toEqual([])
      expect(await db.store.readLeaves('nobody', 0, 1)).toEqual([])
      expect(await db.store.readStream('nobody', 's')).toEqual([])
      expect(await db.store.readStreamStart('nobody', 's')).toBeUndefined()
      expect(await db.store.readStreamHead('nobody', 's')).toBeUndefined()
      expect(await db.store.listDecisions('nobody', { limit: 1 })).toEqual([])
      expect(await db.store.readTile('nobody', 0, 0)).toBeUndefined()
      expect(await db.store.readLastCheckpoint('nobody')).toBeUndefined()
      expect(await db.store.readKeptCheckpoint('nobody')).toBeUndefined()
      expect(await db.store.readKeys('nobody')).toBeUndefined()
      expect(await db.store.readIdempotency('nobody', 'ada', 'k1')).toBeUndefined()
      expect(await db.store.readApiKey('nobody')).toBeUndefined()
      expect(await db.store.listApiKeys('nobody')).toEqual([])
      expect(await db.store.readTrustRoot('nobody')).toBeUndefined()
      await expect(append(db.store, 'nobody', [{}])).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      })
    })
  })

  describe('opening and closing', () => {
    it('admits one writer at a time and any number of readers', async () => {
      await db.create()
      await expect(db.openSecond()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      const readers = [await db.openReader(), await db.openReader()]
      await expect(db.openSecond()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
      await append(db.store, 'acme', [{}])
      for (const reader of readers) await reader.close()
      await db.store.close()
      const second = await db.openSecond()
      expect((await second.readTenant('acme'))?.head.size).toBe(1)
      await second.close()
    })

    it('can be read when nobody writes', async () => {
      await db.create()
      const { head } = await append(db.store, 'acme', [{}])
      await db.store.close()
      const reader = await db.openReader()
      expect((await reader.readTenant('acme'))?.head).toEqual(head)
      await reader.close()
    })

    it('refuses every call after it was closed, but not being closed again', async () => {
      await db.create()
      await db.store.close()
      await db.store.close()
      for (const call of [
        db.store.readInstance(),
        db.store.readEntries('acme', 0, 1),
        db.store.listDecisions('acme', { limit: 1 }),
        db.store.createInstance(instance),
        db.store.commit(makeCommit('acme', emptyHead, [makeEntry(0)])),
        db.store.probe(),
      ])
        await expect(call).rejects.toMatchObject({ name: 'Failure', code: 'STORE_FAILED' })
    })

    it('probes by a write that changes nothing of what it keeps', async () => {
      await db.create()
      await append(db.store, 'acme', [{}])
      const before = await everything(db.store, 'acme')
      await db.store.probe()
      await db.store.probe()
      expect(await everything(db.store, 'acme')).toEqual(before)
    })
  })
}
