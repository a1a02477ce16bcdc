import { beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { append, keyidOf, makeKey, makeKeys, sha256 } from '../support/store-fixtures.ts'
import { apiKeyOf, idempotency, keyEffect, trustRootOf } from './store-case.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises of effects, erasure among them. */
export function effectContract(db: StoreCase): void {
  describe('an effect', () => {
    beforeEach(() => db.create())

    it('remembers an idempotency key of one owner', async () => {
      const { record } = idempotency('s')
      await append(db.store, 'acme', [{ stream: 's' }], [idempotency('s')])
      await db.reopen()
      expect(await db.store.readIdempotency('acme', 'ada', 'k1')).toEqual(record)
      expect(await db.store.readIdempotency('acme', 'bob', 'k1')).toBeUndefined()
      expect(await db.store.readIdempotency('acme', 'ada', 'k2')).toBeUndefined()
      await append(db.store, 'acme', [{ stream: 't' }], [idempotency('t', { owner: 'bob' })])
      expect((await db.store.readIdempotency('acme', 'bob', 'k1'))?.stream).toBe('t')
    })

    it('refuses the whole commit when the idempotency key is taken', async () => {
      await append(db.store, 'acme', [{ stream: 's' }], [idempotency('s')])
      await db.refused(() => append(db.store, 'acme', [{}], [idempotency('t')]), 'LOG_CONFLICT')
    })

    it('adds an API key, changes it, and lists those of a tenant', async () => {
      const second = apiKeyOf({ id: 'key-2', createdAt: 1_700_000_000_001 })
      await append(
        db.store,
        'acme',
        [{}],
        [
          { type: 'apiKey', apiKey: second },
          { type: 'apiKey', apiKey: apiKeyOf() },
        ],
      )
      expect(await db.store.listApiKeys('acme')).toEqual([apiKeyOf(), second])
      const revoked = apiKeyOf({ revokedAt: 1_700_000_000_500 })
      await append(db.store, 'acme', [{}], [{ type: 'apiKey', apiKey: revoked }])
      await db.reopen()
      expect(await db.store.readApiKey('key-1')).toEqual(revoked)
      expect(await db.store.listApiKeys('acme')).toEqual([revoked, second])
      expect(await db.store.readApiKey('key-3')).toBeUndefined()
    })

    it('never gives the id of one tenant’s API key to another', async () => {
      await db.create('other')
      await append(db.store, 'acme', [{}], [{ type: 'apiKey', apiKey: apiKeyOf() }])
      const stolen = apiKeyOf({ tenant: 'other', hash: sha256('stolen') })
      const effect = { type: 'apiKey' as const, apiKey: stolen }
      await db.refused(() => append(db.store, 'other', [{}], [effect]), 'STORE_FAILED')
      await db.refused(() => append(db.store, 'acme', [{}], [effect]), 'BUG')
      expect(await db.store.listApiKeys('other')).toEqual([])
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
      await append(db.store, 'acme', [{}], [{ type: 'keys', keys, epoch: 2 }])
      await db.reopen()
      expect(await db.store.readKeys('acme')).toEqual(keys)
    })

    it('refuses the whole commit when two keys of one purpose are active', async () => {
      const keys = [makeKey(), makeKey({ keyId: 'next', keyid: keyidOf('next') })]
      await db.refused(() => append(db.store, 'acme', [{}], [keyEffect(keys)]), 'STORE_FAILED')
    })

    it('adds a version of the trust root', async () => {
      expect(await db.store.readTrustRoot('acme')).toBeUndefined()
      for (const version of [1, 2])
        await append(
          db.store,
          'acme',
          [{}],
          [{ type: 'trustRoot', trustRoot: trustRootOf(version) }],
        )
      await db.reopen()
      expect(await db.store.readTrustRoot('acme')).toEqual(trustRootOf(2))
      expect(await db.store.readTrustRoot('acme', 1)).toEqual(trustRootOf(1))
      expect(await db.store.readTrustRoot('acme', 3)).toBeUndefined()
    })

    it('refuses the whole commit when the version of the trust root is taken', async () => {
      const effect = { type: 'trustRoot' as const, trustRoot: trustRootOf(1) }
      await append(db.store, 'acme', [{}], [effect])
      const other = { ...effect, trustRoot: { ...effect.trustRoot, file: utf8('{}') } }
      await db.refused(() => append(db.store, 'acme', [{}], [other]), 'LOG_CONFLICT')
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
      await db.create()
      const filter = { status: 'ALLOW', actor: 'Жанна', action: 'pay' }
      await append(
        db.store,
        'acme',
        [{ stream: 's', filter }, { stream: 's', seq: 1, kind: 'execution', filter: null }, {}],
        [idempotency('s'), idempotency('stream-2', { key: 'k2' })],
      )
    })

    it('takes the payloads it names and leaves everything the log proves', async () => {
      const before = await db.store.readEntries('acme', 0, 3)
      await append(db.store, 'acme', [erasure], [erase('s', 0, 1)])
      await db.reopen()
      const after = await db.store.readEntries('acme', 0, 3)
      expect(after.map(({ payload }) => payload === null)).toEqual([true, true, false])
      expect(after.map((entry) => ({ ...entry, payload: null }))).toEqual(
        before.map((entry) => ({ ...entry, payload: null })),
      )
      expect(
        (await db.store.readStream('acme', 's')).map(({ payload }) => payload === null),
      ).toEqual([true, true, false])
      expect(await db.store.readLeaves('acme', 0, 3)).toEqual(before.map(({ leaf }) => leaf))
    })

    it('takes no payload it does not name', async () => {
      await append(db.store, 'acme', [erasure], [erase('s', 1)])
      const payloads = (await db.store.readStream('acme', 's')).map(
        ({ payload }) => payload === null,
      )
      expect(payloads).toEqual([false, true, false])
      expect(await db.store.listDecisions('acme', { actor: 'Жанна', limit: 9 })).toHaveLength(1)
    })

    it('takes what a decision can be found by, but not the decision', async () => {
      await append(db.store, 'acme', [erasure], [erase('s', 0)])
      for (const query of [{ actor: 'Жанна' }, { action: 'pay' }, { status: 'ALLOW' }]) {
        const rows = await db.store.listDecisions('acme', { ...query, limit: 9 })
        expect(rows.filter(({ stream }) => stream === 's')).toEqual([])
      }
      const rows = await db.store.listDecisions('acme', { limit: 9 })
      expect(rows.map(({ index, filter }) => [index, filter === null])).toEqual([
        [2, false],
        [0, true],
      ])
    })

    it('takes salt and fingerprint of the idempotency key, which stays taken', async () => {
      await append(db.store, 'acme', [erasure], [erase('s', 0)])
      expect(await db.store.readIdempotency('acme', 'ada', 'k1')).toEqual({
        owner: 'ada',
        key: 'k1',
        stream: 's',
        salt: new Uint8Array(16),
        fingerprint: null,
      })
      expect((await db.store.readIdempotency('acme', 'ada', 'k2'))?.fingerprint).toEqual(
        sha256('f'),
      )
      await db.refused(() => append(db.store, 'acme', [{}], [idempotency('s')]), 'LOG_CONFLICT')
    })

    it('can name what is erased already', async () => {
      await append(db.store, 'acme', [erasure], [erase('s', 0)])
      await append(db.store, 'acme', [{ ...erasure, seq: 3 }], [erase('s', 0, 1)])
      expect((await db.store.readEntry('acme', 0))?.payload).toBeNull()
    })

    it('refuses the whole commit when it names what never was', async () => {
      await db.refused(() => append(db.store, 'acme', [erasure], [erase('s', 0, 7)]), 'BUG')
      await db.refused(() => append(db.store, 'acme', [erasure], [erase('none', 0)]), 'BUG')
    })

    it('does not happen when its commit is refused', async () => {
      await db.refused(
        () => append(db.store, 'acme', [{ ...erasure, seq: 1 }], [erase('s', 0)]),
        'LOG_CONFLICT',
      )
    })

    it('leaves the stream of that name of another tenant', async () => {
      await db.create('other')
      await append(db.store, 'other', [{ stream: 's' }], [idempotency('s')])
      await append(db.store, 'acme', [erasure], [erase('s', 0)])
      expect((await db.store.readEntry('other', 0))?.payload).not.toBeNull()
      expect((await db.store.readIdempotency('other', 'ada', 'k1'))?.fingerprint).not.toBeNull()
    })
  })
}
