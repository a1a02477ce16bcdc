import { beforeEach, describe, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type { StoredKey } from '../../src/store/store.ts'
import {
  append,
  emptyHead,
  goodKeyid,
  keyidOf,
  makeCommit,
  makeEntry,
  makeKey,
  sha256,
} from '../support/store-fixtures.ts'
import type { EntryChange } from '../support/store-fixtures.ts'
import { apiKeyOf, everything, idempotency, keyEffect } from './store-case.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises of commits and of the keys that count in them. */
export function commitContract(db: StoreCase): void {
  describe('a commit', () => {
    beforeEach(() => db.create())

    it('gives back every byte of what it was told, before and after opening again', async () => {
      const commit = await append(db.store, 'acme', [
        {},
        { stream: 'ключ-é', payload: utf8('{"text":"é – 🔑"}'), filter: null, kind: 'admin' },
        { payload: new Uint8Array(262_144).fill(0xab), signature: sha256('x') },
      ])
      const kept = commit.entries.map((entry) => ({ ...entry, filter: undefined }))
      const check = async () => {
        expect(await db.store.readEntries('acme', 0, 3)).toEqual(kept)
        expect(await db.store.readEntry('acme', 1)).toEqual(kept[1])
        expect((await db.store.readTenant('acme'))?.head).toEqual(commit.head)
        expect(await db.store.readTile('acme', 0, 0)).toEqual(commit.tiles[0]?.hashes)
        expect(await db.store.readLastCheckpoint('acme')).toEqual(commit.checkpoint)
      }
      await check()
      await db.reopen()
      await check()
    })

    it('is seen by a reader as soon as it resolves', async () => {
      const reader = await db.openReader()
      for (let i = 0; i < 3; i++) {
        await append(db.store, 'acme', [{}])
        expect((await reader.readTenant('acme'))?.head.size).toBe(i + 1)
        expect(await everything(reader, 'acme')).toEqual(await everything(db.store, 'acme'))
      }
      await reader.close()
    })

    it('does not depend on what the caller does with its arrays later, nor the reverse', async () => {
      const payload = utf8('{"a":1}')
      await append(db.store, 'acme', [{ payload }])
      payload.fill(0)
      const read = await db.store.readEntry('acme', 0)
      expect(read?.payload).toEqual(utf8('{"a":1}'))
      read?.payload?.fill(0)
      expect((await db.store.readEntry('acme', 0))?.payload).toEqual(utf8('{"a":1}'))
    })

    it('gives plain arrays that share no memory with anything else', async () => {
      await append(db.store, 'acme', [{ payload: new Uint8Array(0) }])
      const entry = await db.store.readEntry('acme', 0)
      for (const bytes of [entry?.payload, entry?.leaf, entry?.leafHash, entry?.signature]) {
        expect(bytes?.constructor).toBe(Uint8Array)
        expect(bytes?.buffer.byteLength).toBe(bytes?.length)
      }
    })

    it('reads ranges from the start, inclusive, to the end, exclusive', async () => {
      const { entries } = await append(db.store, 'acme', [{}, {}, {}, {}])
      const indexes = async (start: number, end: number) =>
        (await db.store.readEntries('acme', start, end)).map(({ index }) => index)
      expect(await indexes(1, 3)).toEqual([1, 2])
      expect(await indexes(2, 9)).toEqual([2, 3])
      expect(await indexes(2, 2)).toEqual([])
      expect(await db.store.readLeaves('acme', 1, 3)).toEqual(
        entries.slice(1, 3).map(({ leaf }) => leaf),
      )
      expect(await db.store.readEntry('acme', 4)).toBeUndefined()
    })

    it('reads a stream by seq, its start and its head', async () => {
      await append(db.store, 'acme', [{ stream: 's' }, { stream: 'other' }])
      const { entries } = await append(db.store, 'acme', [
        { stream: 's', seq: 1, kind: 'execution', filter: null },
      ])
      expect(
        (await db.store.readStream('acme', 's')).map(({ seq, index }) => [seq, index]),
      ).toEqual([
        [0, 0],
        [1, 2],
      ])
      const leafHash = entries[0]?.leafHash
      expect(await db.store.readStreamHead('acme', 's')).toEqual({ seq: 1, leafHash })
      expect(await db.store.readStreamHead('acme', 'none')).toBeUndefined()
      const [start] = await db.store.readStream('acme', 's')
      expect(start?.index).toBe(0)
      expect(await db.store.readStreamStart('acme', 's')).toEqual(start)
      expect(await db.store.readStreamStart('acme', 'none')).toBeUndefined()
    })

    it('may hold no entry at all', async () => {
      await append(db.store, 'acme', [{}])
      await append(db.store, 'acme', [], [{ type: 'apiKey', apiKey: apiKeyOf() }])
      expect((await db.store.readTenant('acme'))?.head.size).toBe(1)
      expect(await db.store.readApiKey('key-1')).toEqual(apiKeyOf())
    })

    it('replaces a tile that has grown and keeps its neighbours', async () => {
      const tile = (level: number, n: number, fill: number) => ({
        level,
        n,
        hashes: new Uint8Array(32 * fill).fill(fill),
      })
      await append(db.store, 'acme', [{}], [], { tiles: [tile(0, 0, 1), tile(0, 1, 2)] })
      await append(db.store, 'acme', [{}], [], { tiles: [tile(0, 1, 3), tile(1, 0, 4)] })
      expect(await db.store.readTile('acme', 0, 0)).toEqual(tile(0, 0, 1).hashes)
      expect(await db.store.readTile('acme', 0, 1)).toEqual(tile(0, 1, 3).hashes)
      expect(await db.store.readTile('acme', 1, 0)).toEqual(tile(1, 0, 4).hashes)
      expect(await db.store.readTile('acme', 1, 1)).toBeUndefined()
    })

    it('mends tiles on request, all of them or none', async () => {
      const tile = (level: number, n: number, fill: number) => ({
        level,
        n,
        hashes: new Uint8Array(32).fill(fill),
      })
      const tiles = [tile(0, 0, 1), tile(0, 1, 2), tile(7, 7, 3)]
      await append(db.store, 'acme', [{}], [], { tiles })
      await db.store.mendTiles('acme', [tile(0, 1, 9), tile(1, 0, 8)], [{ level: 7, n: 7 }])
      await db.reopen()
      expect(await db.store.listTiles('acme')).toEqual([
        { level: 0, n: 0 },
        { level: 0, n: 1 },
        { level: 1, n: 0 },
      ])
      expect(await db.store.readTile('acme', 0, 0)).toEqual(tile(0, 0, 1).hashes)
      expect(await db.store.readTile('acme', 0, 1)).toEqual(tile(0, 1, 9).hashes)
      await expect(db.store.mendTiles('nobody', [tile(0, 0, 1)], [])).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      })
    })

    it('replaces the last checkpoint and keeps those it is told to keep', async () => {
      await append(db.store, 'acme', [{}])
      expect(await db.store.readKeptCheckpoint('acme')).toBeUndefined()
      const second = await append(db.store, 'acme', [{}], [], { keepCheckpoint: true })
      const third = await append(db.store, 'acme', [{}])
      expect(await db.store.readLastCheckpoint('acme')).toEqual(third.checkpoint)
      expect(await db.store.readKeptCheckpoint('acme')).toEqual(second.checkpoint)
      const fourth = await append(db.store, 'acme', [{}], [], { keepCheckpoint: true })
      expect(await db.store.readKeptCheckpoint('acme')).toEqual(fourth.checkpoint)
      const { size } = second.checkpoint
      expect(await db.store.readKeptCheckpoint('acme', size)).toEqual(second.checkpoint)
      expect(await db.store.readKeptCheckpoint('acme', size + 1)).toBeUndefined()
    })

    it('keeps the newer of two checkpoints of one size', async () => {
      await append(db.store, 'acme', [{}], [], { keepCheckpoint: true })
      const again = await append(db.store, 'acme', [], [], { keepCheckpoint: true })
      expect(await db.store.readKeptCheckpoint('acme')).toEqual(again.checkpoint)
    })

    it('leaves the log of another tenant alone', async () => {
      await db.create('other')
      await append(db.store, 'other', [{ stream: 's' }], [idempotency('s')])
      const before = await everything(db.store, 'other')
      await append(db.store, 'acme', [{ stream: 's' }], [idempotency('s')])
      const { tenants } = await everything(db.store, 'other')
      expect(await everything(db.store, 'other')).toEqual({ ...before, tenants })
      expect(await db.store.readTenant('other')).toEqual(before.tenants[1])
    })

    it('is refused whole when the size is another', async () => {
      await append(db.store, 'acme', [{}])
      await db.refused(
        () => db.store.commit(makeCommit('acme', emptyHead, [makeEntry(0, { stream: 'new' })])),
        'LOG_CONFLICT',
      )
    })

    it('is refused whole when the root is another', async () => {
      const { head } = await append(db.store, 'acme', [{}])
      const wrong = { ...head, root: sha256('another') }
      await db.refused(
        () => db.store.commit(makeCommit('acme', wrong, [makeEntry(1)])),
        'LOG_CONFLICT',
      )
    })

    it('is refused whole when the place in a stream is taken', async () => {
      await append(db.store, 'acme', [{ stream: 's' }])
      const apiKey = { type: 'apiKey' as const, apiKey: apiKeyOf() }
      await db.refused(
        () => append(db.store, 'acme', [{}, { stream: 's' }], [apiKey], { keepCheckpoint: true }),
        'LOG_CONFLICT',
      )
      await append(db.store, 'acme', [{ stream: 's', seq: 1 }])
    })

    it('is refused whole when two of its entries claim one place', async () => {
      await db.refused(
        () => append(db.store, 'acme', [{ stream: 's' }, { stream: 's' }]),
        'LOG_CONFLICT',
      )
    })

    it('wins over its rivals exactly once', async () => {
      const rivals = Array.from({ length: 8 }, (_, i) =>
        db.store.commit(makeCommit('acme', emptyHead, [makeEntry(0, { stream: `rival-${i}` })])),
      )
      const results = await Promise.allSettled(rivals)
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
      for (const result of results)
        if (result.status === 'rejected')
          expect(result.reason).toMatchObject({ code: 'LOG_CONFLICT' })
      expect((await db.store.readTenant('acme'))?.head.size).toBe(1)
    })
  })

  describe('the keys that count', () => {
    const at = (index: number, keys: Partial<StoredKey>) => async () => {
      await db.create('acme', [makeKey({ from: 0 })])
      const changes = Array.from({ length: index }, (): EntryChange => ({}))
      await append(db.store, 'acme', changes, [keyEffect([makeKey(keys)])])
    }
    const stale = (changes: readonly EntryChange[] = [{}]) =>
      db.refused(() => append(db.store, 'acme', changes), 'LOG_KEY_STALE')

    it.each([
      { bound: 'its first index', keys: { from: 4 }, good: 4, bad: 3 },
      { bound: 'the index behind its last', keys: { to: 4 }, good: 3, bad: 4 },
      { bound: 'the index of its revocation', keys: { revokedAt: 4 }, good: 3, bad: 4 },
    ])('count on the right side of $bound only', async ({ keys, good, bad }) => {
      await at(good, keys)()
      await append(db.store, 'acme', [{}])
      await db.dispose()
      await db.open()
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
      await db.create('acme', [makeKey()])
      await db.create('other', [makeKey({ keyid: keyidOf('other') })])
      await stale([{ keyid: keyidOf('unknown') }])
      await stale([{ keyid: keyidOf('other') }])
      await append(db.store, 'other', [{ keyid: keyidOf('other') }])
    })

    it('are checked for every entry of a commit', async () => {
      await at(2, { to: 4 })()
      await stale([{}, {}, {}])
      await stale([{}, { keyid: keyidOf('unknown') }])
      await append(db.store, 'acme', [{}, {}])
    })

    it('are those before the commit that replaces them', async () => {
      await db.create('acme', [makeKey()])
      const next = makeKey({ keyId: 'next', keyid: keyidOf('next'), version: 2, from: 1 })
      const retired = makeKey({ state: 'retired', to: 1 })
      await db.refused(
        () => append(db.store, 'acme', [{ keyid: keyidOf('next') }], [keyEffect([retired, next])]),
        'LOG_KEY_STALE',
      )
      await append(db.store, 'acme', [{}], [keyEffect([retired, next])])
      await stale([{ keyid: goodKeyid }])
      await append(db.store, 'acme', [{ keyid: keyidOf('next') }])
    })
  })
}
