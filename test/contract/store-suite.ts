import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type {
  DecisionQuery,
  IdempotencyRecord,
  Store,
  StoredApiKey,
  StoredKey,
  StoreReader,
} from '../../src/store/store.ts'
import {
  append,
  emptyHead,
  goodKeyid,
  keyidOf,
  makeCommit,
  makeEntry,
  makeKey,
  makeKeys,
  makeTenant,
  sha256,
} from '../support/store-fixtures.ts'
import type { EntryChange } from '../support/store-fixtures.ts'

/** A database of its own for one test. */
export interface StoreUnderTest {
  /** The one writer, open, on a database without instance and tenants. */
  readonly store: Store
  /** Closes the writer and opens another on the same database. */
  readonly reopen: () => Promise<Store>
  /** Tries to open another writer on the same database. */
  readonly openSecond: () => Promise<Store>
  /** Opens a reader of the same database. */
  readonly openReader: () => Promise<StoreReader>
  /** Closes what was opened and removes the database. */
  readonly dispose: () => Promise<void>
}

const instance = { id: '0189', origin: 'log.example', createdAt: 1_700_000_000_000, dev: true }

const idempotency = (stream: string, change: Partial<IdempotencyRecord> = {}) => ({
  type: 'idempotency' as const,
  record: {
    owner: 'ada',
    key: 'k1',
    stream,
    salt: sha256('s').slice(0, 16),
    fingerprint: sha256('f'),
    ...change,
  },
})

const apiKeyOf = (change: Partial<StoredApiKey> = {}): StoredApiKey => ({
  id: 'key-1',
  hash: sha256('token'),
  tenant: 'acme',
  owner: 'ada',
  scopes: ['decisions:write', 'log:read'],
  createdAt: 1_700_000_000_000,
  revokedAt: null,
  ...change,
})

const keyEffect = (keys: readonly StoredKey[]) => ({ type: 'keys' as const, keys: makeKeys(keys) })

const trustRootOf = (version: number) => ({
  version,
  sha256: keyidOf(`root ${version}`),
  file: utf8(`{"v":1,"version":${version}}`),
})

/** All that can be read of a tenant, to see that nothing of it has changed. */
const everything = async (store: StoreReader, tenant: string) => ({
  tenants: await store.listTenants(),
  entries: await store.readEntries(tenant, 0, 1000),
  decisions: await store.listDecisions(tenant, { limit: 1000 }),
  tiles: [await store.readTile(tenant, 0, 0), await store.readTile(tenant, 1, 0)],
  last: await store.readLastCheckpoint(tenant),
  kept: await store.readKeptCheckpoint(tenant),
  keys: await store.readKeys(tenant),
  idempotency: await store.readIdempotency(tenant, 'ada', 'k1'),
  apiKeys: await store.listApiKeys(tenant),
  trustRoot: await store.readTrustRoot(tenant),
})

/** What every adapter of the port promises. */
export function storeContract(name: string, open: () => Promise<StoreUnderTest>): void {
  describe(`the store on ${name}`, () => {
    let database: StoreUnderTest
    let store: Store

    beforeEach(async () => {
      database = await open()
      store = database.store
    })
    afterEach(() => database.dispose())

    const create = (tenant = 'acme', keys?: readonly StoredKey[]) =>
      store.createTenant(makeTenant(tenant), makeKeys(keys))

    /** Expects the commit to be refused with the code and to have left no trace, now or after opening again. */
    async function refused(commit: () => Promise<unknown>, code: string): Promise<void> {
      const before = await everything(store, 'acme')
      await expect(commit()).rejects.toMatchObject({ name: 'Failure', code })
      expect(await everything(store, 'acme')).toEqual(before)
      store = await database.reopen()
      expect(await everything(store, 'acme')).toEqual(before)
    }

    describe('instance and tenants', () => {
      it('has no instance before one is created, and then exactly that', async () => {
        expect(await store.readInstance()).toBeUndefined()
        await store.createInstance(instance)
        store = await database.reopen()
        expect(await store.readInstance()).toEqual(instance)
      })

      it('refuses a second instance and keeps the first', async () => {
        await store.createInstance(instance)
        const other = { ...instance, id: 'other' }
        await expect(store.createInstance(other)).rejects.toMatchObject({ code: 'INPUT_EXISTS' })
        expect(await store.readInstance()).toEqual(instance)
      })

      it('makes a tenant with an empty log and its keys in their order', async () => {
        await create()
        expect(await store.readTenant('acme')).toEqual({ ...makeTenant('acme'), head: emptyHead })
        expect(await store.readKeys('acme')).toEqual(makeKeys())
        expect(await store.readLastCheckpoint('acme')).toBeUndefined()
        expect(await store.readKeptCheckpoint('acme')).toBeUndefined()
        expect(await store.readEntries('acme', 0, 10)).toEqual([])
      })

      it('keeps every field of a tenant', async () => {
        const tenant = { ...makeTenant('acme'), profile: 'each' as const, public: true }
        await store.createTenant(tenant, makeKeys())
        store = await database.reopen()
        expect(await store.readTenant('acme')).toEqual({ ...tenant, head: emptyHead })
      })

      it('lists tenants by name', async () => {
        for (const tenant of ['zeta', 'acme', 'mid']) await create(tenant)
        const names = (await store.listTenants()).map((tenant) => tenant.name)
        expect(names).toEqual(['acme', 'mid', 'zeta'])
      })

      it('refuses a tenant whose name or origin is taken and keeps the first', async () => {
        await create()
        const before = await everything(store, 'acme')
        const sameName = { ...makeTenant('acme'), origin: 'log.example/other' }
        const sameOrigin = { ...makeTenant('other'), origin: 'log.example/acme' }
        for (const tenant of [sameName, sameOrigin])
          await expect(store.createTenant(tenant, makeKeys([]))).rejects.toMatchObject({
            code: 'INPUT_EXISTS',
          })
        expect(await everything(store, 'acme')).toEqual(before)
      })

      it('refuses a tenant with two active keys of one purpose and makes nothing of it', async () => {
        const keys = [makeKey(), makeKey({ keyId: 'second', keyid: keyidOf('second') })]
        await expect(create('acme', keys)).rejects.toMatchObject({ code: 'STORE_FAILED' })
        expect(await store.listTenants()).toEqual([])
        await create()
      })

      it('answers for an unknown tenant with nothing', async () => {
        expect(await store.readTenant('nobody')).toBeUndefined()
        expect(await store.readEntry('nobody', 0)).toBeUndefined()
        expect(await store.readEntries('nobody', 0, 1)).toEqual([])
        expect(await store.readLeaves('nobody', 0, 1)).toEqual([])
        expect(await store.readStream('nobody', 's')).toEqual([])
        expect(await store.readStreamHead('nobody', 's')).toBeUndefined()
        expect(await store.listDecisions('nobody', { limit: 1 })).toEqual([])
        expect(await store.readTile('nobody', 0, 0)).toBeUndefined()
        expect(await store.readLastCheckpoint('nobody')).toBeUndefined()
        expect(await store.readKeptCheckpoint('nobody')).toBeUndefined()
        expect(await store.readKeys('nobody')).toBeUndefined()
        expect(await store.readIdempotency('nobody', 'ada', 'k1')).toBeUndefined()
        expect(await store.readApiKey('nobody')).toBeUndefined()
        expect(await store.listApiKeys('nobody')).toEqual([])
        expect(await store.readTrustRoot('nobody')).toBeUndefined()
        await expect(append(store, 'nobody', [{}])).rejects.toMatchObject({
          code: 'INPUT_NOT_FOUND',
        })
      })
    })

    describe('a commit', () => {
      beforeEach(() => create())

      it('gives back every byte of what it was told, before and after opening again', async () => {
        const commit = await append(store, 'acme', [
          {},
          { stream: 'ключ-é', payload: utf8('{"text":"é – 🔑"}'), filter: null, kind: 'admin' },
          { payload: new Uint8Array(262_144).fill(0xab), signature: sha256('x') },
        ])
        const kept = commit.entries.map((entry) => ({ ...entry, filter: undefined }))
        const check = async () => {
          expect(await store.readEntries('acme', 0, 3)).toEqual(kept)
          expect(await store.readEntry('acme', 1)).toEqual(kept[1])
          expect((await store.readTenant('acme'))?.head).toEqual(commit.head)
          expect(await store.readTile('acme', 0, 0)).toEqual(commit.tiles[0]?.hashes)
          expect(await store.readLastCheckpoint('acme')).toEqual(commit.checkpoint)
        }
        await check()
        store = await database.reopen()
        await check()
      })

      it('is seen by a reader as soon as it resolves', async () => {
        const reader = await database.openReader()
        for (let i = 0; i < 3; i++) {
          await append(store, 'acme', [{}])
          expect((await reader.readTenant('acme'))?.head.size).toBe(i + 1)
          expect(await everything(reader, 'acme')).toEqual(await everything(store, 'acme'))
        }
        await reader.close()
      })

      it('does not depend on what the caller does with its arrays later, nor the reverse', async () => {
        const payload = utf8('{"a":1}')
        await append(store, 'acme', [{ payload }])
        payload.fill(0)
        const read = await store.readEntry('acme', 0)
        expect(read?.payload).toEqual(utf8('{"a":1}'))
        read?.payload?.fill(0)
        expect((await store.readEntry('acme', 0))?.payload).toEqual(utf8('{"a":1}'))
      })

      it('gives plain arrays that share no memory with anything else', async () => {
        await append(store, 'acme', [{ payload: new Uint8Array(0) }])
        const entry = await store.readEntry('acme', 0)
        for (const bytes of [entry?.payload, entry?.leaf, entry?.leafHash, entry?.signature]) {
          expect(bytes?.constructor).toBe(Uint8Array)
          expect(bytes?.buffer.byteLength).toBe(bytes?.length)
        }
      })

      it('reads ranges from the start, inclusive, to the end, exclusive', async () => {
        const { entries } = await append(store, 'acme', [{}, {}, {}, {}])
        const indexes = async (start: number, end: number) =>
          (await store.readEntries('acme', start, end)).map(({ index }) => index)
        expect(await indexes(1, 3)).toEqual([1, 2])
        expect(await indexes(2, 9)).toEqual([2, 3])
        expect(await indexes(2, 2)).toEqual([])
        expect(await store.readLeaves('acme', 1, 3)).toEqual(
          entries.slice(1, 3).map(({ leaf }) => leaf),
        )
        expect(await store.readEntry('acme', 4)).toBeUndefined()
      })

      it('reads a stream by seq, and its head', async () => {
        await append(store, 'acme', [{ stream: 's' }, { stream: 'other' }])
        const { entries } = await append(store, 'acme', [
          { stream: 's', seq: 1, kind: 'execution', filter: null },
        ])
        expect((await store.readStream('acme', 's')).map(({ seq, index }) => [seq, index])).toEqual(
          [
            [0, 0],
            [1, 2],
          ],
        )
        const leafHash = entries[0]?.leafHash
        expect(await store.readStreamHead('acme', 's')).toEqual({ seq: 1, leafHash })
        expect(await store.readStreamHead('acme', 'none')).toBeUndefined()
      })

      it('may hold no entry at all', async () => {
        await append(store, 'acme', [{}])
        await append(store, 'acme', [], [{ type: 'apiKey', apiKey: apiKeyOf() }])
        expect((await store.readTenant('acme'))?.head.size).toBe(1)
        expect(await store.readApiKey('key-1')).toEqual(apiKeyOf())
      })

      it('replaces a tile that has grown and keeps its neighbours', async () => {
        const tile = (level: number, n: number, fill: number) => ({
          level,
          n,
          hashes: new Uint8Array(32 * fill).fill(fill),
        })
        await append(store, 'acme', [{}], [], { tiles: [tile(0, 0, 1), tile(0, 1, 2)] })
        await append(store, 'acme', [{}], [], { tiles: [tile(0, 1, 3), tile(1, 0, 4)] })
        expect(await store.readTile('acme', 0, 0)).toEqual(tile(0, 0, 1).hashes)
        expect(await store.readTile('acme', 0, 1)).toEqual(tile(0, 1, 3).hashes)
        expect(await store.readTile('acme', 1, 0)).toEqual(tile(1, 0, 4).hashes)
        expect(await store.readTile('acme', 1, 1)).toBeUndefined()
      })

      it('replaces the last checkpoint and keeps those it is told to keep', async () => {
        await append(store, 'acme', [{}])
        expect(await store.readKeptCheckpoint('acme')).toBeUndefined()
        const second = await append(store, 'acme', [{}], [], { keepCheckpoint: true })
        const third = await append(store, 'acme', [{}])
        expect(await store.readLastCheckpoint('acme')).toEqual(third.checkpoint)
        expect(await store.readKeptCheckpoint('acme')).toEqual(second.checkpoint)
        const fourth = await append(store, 'acme', [{}], [], { keepCheckpoint: true })
        expect(await store.readKeptCheckpoint('acme')).toEqual(fourth.checkpoint)
      })

      it('keeps the newer of two checkpoints of one size', async () => {
        await append(store, 'acme', [{}], [], { keepCheckpoint: true })
        const again = await append(store, 'acme', [], [], { keepCheckpoint: true })
        expect(await store.readKeptCheckpoint('acme')).toEqual(again.checkpoint)
      })

      it('leaves the log of another tenant alone', async () => {
        await create('other')
        await append(store, 'other', [{ stream: 's' }], [idempotency('s')])
        const before = await everything(store, 'other')
        await append(store, 'acme', [{ stream: 's' }], [idempotency('s')])
        const { tenants } = await everything(store, 'other')
        expect(await everything(store, 'other')).toEqual({ ...before, tenants })
        expect(await store.readTenant('other')).toEqual(before.tenants[1])
      })

      it('is refused whole when the size is another', async () => {
        await append(store, 'acme', [{}])
        await refused(
          () => store.commit(makeCommit('acme', emptyHead, [makeEntry(0, { stream: 'new' })])),
          'LOG_CONFLICT',
        )
      })

      it('is refused whole when the root is another', async () => {
        const { head } = await append(store, 'acme', [{}])
        const wrong = { ...head, root: sha256('another') }
        await refused(() => store.commit(makeCommit('acme', wrong, [makeEntry(1)])), 'LOG_CONFLICT')
      })

      it('is refused whole when the place in a stream is taken', async () => {
        await append(store, 'acme', [{ stream: 's' }])
        const apiKey = { type: 'apiKey' as const, apiKey: apiKeyOf() }
        await refused(
          () => append(store, 'acme', [{}, { stream: 's' }], [apiKey], { keepCheckpoint: true }),
          'LOG_CONFLICT',
        )
        await append(store, 'acme', [{ stream: 's', seq: 1 }])
      })

      it('is refused whole when two of its entries claim one place', async () => {
        await refused(
          () => append(store, 'acme', [{ stream: 's' }, { stream: 's' }]),
          'LOG_CONFLICT',
        )
      })

      it('wins over its rivals exactly once', async () => {
        const rivals = Array.from({ length: 8 }, (_, i) =>
          store.commit(makeCommit('acme', emptyHead, [makeEntry(0, { stream: `rival-${i}` })])),
        )
        const results = await Promise.allSettled(rivals)
        expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
        for (const result of results)
          if (result.status === 'rejected')
            expect(result.reason).toMatchObject({ code: 'LOG_CONFLICT' })
        expect((await store.readTenant('acme'))?.head.size).toBe(1)
      })
    })

    describe('the keys that count', () => {
      const at = (index: number, keys: Partial<StoredKey>) => async () => {
        await create('acme', [makeKey({ from: 0 })])
        const changes = Array.from({ length: index }, (): EntryChange => ({}))
        await append(store, 'acme', changes, [keyEffect([makeKey(keys)])])
      }
      const stale = (changes: readonly EntryChange[] = [{}]) =>
        refused(() => append(store, 'acme', changes), 'LOG_KEY_STALE')

      it.each([
        { bound: 'its first index', keys: { from: 4 }, good: 4, bad: 3 },
        { bound: 'the index behind its last', keys: { to: 4 }, good: 3, bad: 4 },
        { bound: 'the index of its revocation', keys: { revokedAt: 4 }, good: 3, bad: 4 },
      ])('count on the right side of $bound only', async ({ keys, good, bad }) => {
        await at(good, keys)()
        await append(store, 'acme', [{}])
        await database.dispose()
        database = await open()
        store = database.store
        await at(bad, keys)()
        await stale()
      })

      it.each(['pending', 'retired', 'revoked', 'destroyed'] as const)(
        'are not those that are %s',
        async (state) => {
          await at(2, { state })()
          await stale()
        },
      )

      it('are not those without a first index', async () => {
        await at(2, { from: null })()
        await stale()
      })

      it('are not unknown ones nor those of another tenant', async () => {
        await create('acme', [makeKey()])
        await create('other', [makeKey({ keyid: keyidOf('other') })])
        await stale([{ keyid: keyidOf('unknown') }])
        await stale([{ keyid: keyidOf('other') }])
        await append(store, 'other', [{ keyid: keyidOf('other') }])
      })

      it('are checked for every entry of a commit', async () => {
        await at(2, { to: 4 })()
        await stale([{}, {}, {}])
        await stale([{}, { keyid: keyidOf('unknown') }])
        await append(store, 'acme', [{}, {}])
      })

      it('are those before the commit that replaces them', async () => {
        await create('acme', [makeKey()])
        const next = makeKey({ keyId: 'next', keyid: keyidOf('next'), version: 2, from: 1 })
        const retired = makeKey({ state: 'retired', to: 1 })
        await refused(
          () => append(store, 'acme', [{ keyid: keyidOf('next') }], [keyEffect([retired, next])]),
          'LOG_KEY_STALE',
        )
        await append(store, 'acme', [{}], [keyEffect([retired, next])])
        await stale([{ keyid: goodKeyid }])
        await append(store, 'acme', [{ keyid: keyidOf('next') }])
      })
    })

    describe('an effect', () => {
      beforeEach(() => create())

      it('remembers an idempotency key of one owner', async () => {
        const { record } = idempotency('s')
        await append(store, 'acme', [{ stream: 's' }], [idempotency('s')])
        store = await database.reopen()
        expect(await store.readIdempotency('acme', 'ada', 'k1')).toEqual(record)
        expect(await store.readIdempotency('acme', 'bob', 'k1')).toBeUndefined()
        expect(await store.readIdempotency('acme', 'ada', 'k2')).toBeUndefined()
        await append(store, 'acme', [{ stream: 't' }], [idempotency('t', { owner: 'bob' })])
        expect((await store.readIdempotency('acme', 'bob', 'k1'))?.stream).toBe('t')
      })

      it('refuses the whole commit when the idempotency key is taken', async () => {
        await append(store, 'acme', [{ stream: 's' }], [idempotency('s')])
        await refused(() => append(store, 'acme', [{}], [idempotency('t')]), 'LOG_CONFLICT')
      })

      it('adds an API key, changes it, and lists those of a tenant', async () => {
        const second = apiKeyOf({ id: 'key-2', createdAt: 1_700_000_000_001 })
        await append(
          store,
          'acme',
          [{}],
          [
            { type: 'apiKey', apiKey: second },
            { type: 'apiKey', apiKey: apiKeyOf() },
          ],
        )
        expect(await store.listApiKeys('acme')).toEqual([apiKeyOf(), second])
        const revoked = apiKeyOf({ revokedAt: 1_700_000_000_500 })
        await append(store, 'acme', [{}], [{ type: 'apiKey', apiKey: revoked }])
        store = await database.reopen()
        expect(await store.readApiKey('key-1')).toEqual(revoked)
        expect(await store.listApiKeys('acme')).toEqual([revoked, second])
        expect(await store.readApiKey('key-3')).toBeUndefined()
      })

      it('never gives the id of one tenant’s API key to another', async () => {
        await create('other')
        await append(store, 'acme', [{}], [{ type: 'apiKey', apiKey: apiKeyOf() }])
        const stolen = apiKeyOf({ tenant: 'other', hash: sha256('stolen') })
        const effect = { type: 'apiKey' as const, apiKey: stolen }
        await refused(() => append(store, 'other', [{}], [effect]), 'STORE_FAILED')
        await refused(() => append(store, 'acme', [{}], [effect]), 'BUG')
        expect(await store.listApiKeys('other')).toEqual([])
      })

      it('replaces all key material of the tenant', async () => {
        const { slots } = makeKeys()
        const keys = {
          slots: slots.slice(1),
          keys: [
            makeKey({ state: 'retired', to: 1, body: utf8('{"sealed":"again"}') }),
            makeKey({ keyId: 'next', keyid: keyidOf('next'), version: 2, from: 1, revokedAt: 9 }),
          ],
          manifest: utf8('{"epoch":2}'),
        }
        await append(store, 'acme', [{}], [{ type: 'keys', keys }])
        store = await database.reopen()
        expect(await store.readKeys('acme')).toEqual(keys)
      })

      it('refuses the whole commit when two keys of one purpose are active', async () => {
        const keys = [makeKey(), makeKey({ keyId: 'next', keyid: keyidOf('next') })]
        await refused(() => append(store, 'acme', [{}], [keyEffect(keys)]), 'STORE_FAILED')
      })

      it('adds a version of the trust root', async () => {
        expect(await store.readTrustRoot('acme')).toBeUndefined()
        for (const version of [1, 2])
          await append(
            store,
            'acme',
            [{}],
            [{ type: 'trustRoot', trustRoot: trustRootOf(version) }],
          )
        store = await database.reopen()
        expect(await store.readTrustRoot('acme')).toEqual(trustRootOf(2))
        expect(await store.readTrustRoot('acme', 1)).toEqual(trustRootOf(1))
        expect(await store.readTrustRoot('acme', 3)).toBeUndefined()
      })

      it('refuses the whole commit when the version of the trust root is taken', async () => {
        const effect = { type: 'trustRoot' as const, trustRoot: trustRootOf(1) }
        await append(store, 'acme', [{}], [effect])
        const other = { ...effect, trustRoot: { ...effect.trustRoot, file: utf8('{}') } }
        await refused(() => append(store, 'acme', [{}], [other]), 'LOG_CONFLICT')
      })
    })

    describe('erasure', () => {
      const erase = (stream: string, ...seqs: number[]) => ({
        type: 'erase' as const,
        stream,
        seqs,
      })
      const erasure = { stream: 's', seq: 2, kind: 'erasure', filter: null } as const

      beforeEach(async () => {
        await create()
        const filter = { status: 'ALLOW', actor: 'Жанна', action: 'pay' }
        await append(
          store,
          'acme',
          [{ stream: 's', filter }, { stream: 's', seq: 1, kind: 'execution', filter: null }, {}],
          [idempotency('s'), idempotency('stream-2', { key: 'k2' })],
        )
      })

      it('takes the payloads it names and leaves everything the log proves', async () => {
        const before = await store.readEntries('acme', 0, 3)
        await append(store, 'acme', [erasure], [erase('s', 0, 1)])
        store = await database.reopen()
        const after = await store.readEntries('acme', 0, 3)
        expect(after.map(({ payload }) => payload === null)).toEqual([true, true, false])
        expect(after.map((entry) => ({ ...entry, payload: null }))).toEqual(
          before.map((entry) => ({ ...entry, payload: null })),
        )
        expect(
          (await store.readStream('acme', 's')).map(({ payload }) => payload === null),
        ).toEqual([true, true, false])
        expect(await store.readLeaves('acme', 0, 3)).toEqual(before.map(({ leaf }) => leaf))
      })

      it('takes no payload it does not name', async () => {
        await append(store, 'acme', [erasure], [erase('s', 1)])
        const payloads = (await store.readStream('acme', 's')).map(
          ({ payload }) => payload === null,
        )
        expect(payloads).toEqual([false, true, false])
        expect(await store.listDecisions('acme', { actor: 'Жанна', limit: 9 })).toHaveLength(1)
      })

      it('takes what a decision can be found by, but not the decision', async () => {
        await append(store, 'acme', [erasure], [erase('s', 0)])
        for (const query of [{ actor: 'Жанна' }, { action: 'pay' }, { status: 'ALLOW' }]) {
          const rows = await store.listDecisions('acme', { ...query, limit: 9 })
          expect(rows.filter(({ stream }) => stream === 's')).toEqual([])
        }
        const rows = await store.listDecisions('acme', { limit: 9 })
        expect(rows.map(({ index, filter }) => [index, filter === null])).toEqual([
          [2, false],
          [0, true],
        ])
      })

      it('takes salt and fingerprint of the idempotency key, which stays taken', async () => {
        await append(store, 'acme', [erasure], [erase('s', 0)])
        expect(await store.readIdempotency('acme', 'ada', 'k1')).toEqual({
          owner: 'ada',
          key: 'k1',
          stream: 's',
          salt: new Uint8Array(16),
          fingerprint: null,
        })
        expect((await store.readIdempotency('acme', 'ada', 'k2'))?.fingerprint).toEqual(sha256('f'))
        await refused(() => append(store, 'acme', [{}], [idempotency('s')]), 'LOG_CONFLICT')
      })

      it('can name what is erased already', async () => {
        await append(store, 'acme', [erasure], [erase('s', 0)])
        await append(store, 'acme', [{ ...erasure, seq: 3 }], [erase('s', 0, 1)])
        expect((await store.readEntry('acme', 0))?.payload).toBeNull()
      })

      it('refuses the whole commit when it names what never was', async () => {
        await refused(() => append(store, 'acme', [erasure], [erase('s', 0, 7)]), 'BUG')
        await refused(() => append(store, 'acme', [erasure], [erase('none', 0)]), 'BUG')
      })

      it('does not happen when its commit is refused', async () => {
        await refused(
          () => append(store, 'acme', [{ ...erasure, seq: 1 }], [erase('s', 0)]),
          'LOG_CONFLICT',
        )
      })

      it('leaves the stream of that name of another tenant', async () => {
        await create('other')
        await append(store, 'other', [{ stream: 's' }], [idempotency('s')])
        await append(store, 'acme', [erasure], [erase('s', 0)])
        expect((await store.readEntry('other', 0))?.payload).not.toBeNull()
        expect((await store.readIdempotency('other', 'ada', 'k1'))?.fingerprint).not.toBeNull()
      })
    })

    describe('the list of decisions', () => {
      // Index 0 to 9; 3 and 7 are no decisions, times grow by 10 from 1000 and stand still at 5 and 6.
      const rows: readonly (EntryChange & { time: number })[] = [
        ['ALLOW', 'ann', 'pay', 1000],
        ['BLOCK', 'ann', 'pay', 1010],
        ['ALLOW', 'bob', 'pay', 1020],
        [null, '', '', 1030],
        ['ALLOW', 'ann', 'ship', 1040],
        ['ERROR', 'bob', 'ship', 1050],
        ['ALLOW', 'ann', 'pay', 1050],
        [null, '', '', 1070],
        ['BLOCK', 'bob', 'pay', 1080],
        ['ALLOW', 'ann', 'pay', 1090],
      ].map(([status, actor, action, time]) => ({
        time: Number(time),
        kind: status === null ? 'execution' : 'decision',
        filter:
          status === null
            ? null
            : { status: String(status), actor: String(actor), action: String(action) },
      }))

      const listed = async (query: Partial<DecisionQuery>) =>
        (await store.listDecisions('acme', { limit: 100, ...query })).map(({ index }) => index)

      beforeEach(async () => {
        await create()
        await create('other')
        await append(store, 'other', [{ filter: { status: 'ALLOW', actor: 'ann', action: 'pay' } }])
        await append(store, 'acme', rows)
      })

      it('gives decisions only, the newest first', async () => {
        expect(await listed({})).toEqual([9, 8, 6, 5, 4, 2, 1, 0])
        expect((await store.listDecisions('acme', { limit: 1 }))[0]).toEqual({
          stream: 'stream-9',
          index: 9,
          time: 1090,
          filter: { status: 'ALLOW', actor: 'ann', action: 'pay' },
        })
      })

      it.each<[Partial<DecisionQuery>, number[]]>([
        [{ status: 'ALLOW' }, [9, 6, 4, 2, 0]],
        [{ actor: 'bob' }, [8, 5, 2]],
        [{ action: 'ship' }, [5, 4]],
        [{ status: 'ALLOW', actor: 'ann' }, [9, 6, 4, 0]],
        [{ status: 'ALLOW', actor: 'ann', action: 'ship' }, [4]],
        [{ actor: 'nobody' }, []],
        [{ actor: '' }, []],
        [{ limit: 3 }, [9, 8, 6]],
        [{ limit: 0 }, []],
        [{ before: 9 }, [8, 6, 5, 4, 2, 1, 0]],
        [{ before: 8 }, [6, 5, 4, 2, 1, 0]],
        [{ before: 0 }, []],
        [{ before: 1000 }, [9, 8, 6, 5, 4, 2, 1, 0]],
        [{ before: 6, limit: 2, actor: 'ann' }, [4, 1]],
        [{ since: 1050 }, [9, 8, 6, 5]],
        [{ since: 1051 }, [9, 8]],
        [{ since: 1091 }, []],
        [{ until: 1050 }, [4, 2, 1, 0]],
        [{ until: 1051 }, [6, 5, 4, 2, 1, 0]],
        [{ until: 1000 }, []],
        [{ since: 1010, until: 1080, status: 'ALLOW', before: 6 }, [4, 2]],
        [{ since: 1080, until: 1010 }, []],
      ])('gives for %o the indexes %o', async (query, expected) => {
        expect(await listed(query)).toEqual(expected)
      })
    })

    describe('opening and closing', () => {
      it('admits one writer at a time and any number of readers', async () => {
        await create()
        await expect(database.openSecond()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
        const readers = [await database.openReader(), await database.openReader()]
        await expect(database.openSecond()).rejects.toMatchObject({ code: 'STORE_LOCKED' })
        await append(store, 'acme', [{}])
        for (const reader of readers) await reader.close()
        await store.close()
        const second = await database.openSecond()
        expect((await second.readTenant('acme'))?.head.size).toBe(1)
        await second.close()
      })

      it('can be read when nobody writes', async () => {
        await create()
        const { head } = await append(store, 'acme', [{}])
        await store.close()
        const reader = await database.openReader()
        expect((await reader.readTenant('acme'))?.head).toEqual(head)
        await reader.close()
      })

      it('refuses every call after it was closed, but not being closed again', async () => {
        await create()
        await store.close()
        await store.close()
        for (const call of [
          store.readInstance(),
          store.readEntries('acme', 0, 1),
          store.listDecisions('acme', { limit: 1 }),
          store.createInstance(instance),
          store.commit(makeCommit('acme', emptyHead, [makeEntry(0)])),
          store.probe(),
        ])
          await expect(call).rejects.toMatchObject({ name: 'Failure', code: 'STORE_FAILED' })
      })

      it('probes by a write that changes nothing of what it keeps', async () => {
        await create()
        await append(store, 'acme', [{}])
        const before = await everything(store, 'acme')
        await store.probe()
        await store.probe()
        expect(await everything(store, 'acme')).toEqual(before)
      })
    })
  })
}
