import { beforeEach, describe, expect, it } from 'vitest'
import type { DecisionQuery } from '../../src/store/store.ts'
import { append } from '../support/store-fixtures.ts'
import type { EntryChange } from '../support/store-fixtures.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises of the list of decisions. */
export function listContract(db: StoreCase): void {
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
      (await db.store.listDecisions('acme', { limit: 100, ...query })).map(({ index }) => index)

    beforeEach(async () => {
      await db.create()
      await db.create('other')
      await append(db.store, 'other', [
        { filter: { status: 'ALLOW', actor: 'ann', action: 'pay' } },
      ])
      await append(db.store, 'acme', rows)
    })

    it('gives decisions only, the newest first', async () => {
      expect(await listed({})).toEqual([9, 8, 6, 5, 4, 2, 1, 0])
      expect((await db.store.listDecisions('acme', { limit: 1 }))[0]).toEqual({
        stream: 'stream-9',
        index: 9,
        time: 1090,
        filter: { status: 'ALLOW', actor: 'ann', action: 'pay' },
        standings: [],
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

  describe('the list of overrides', () => {
    const steps = [
      ['decision', 'a', 0],
      ['override', 'a', 1],
      ['decision', 'b', 0],
      ['override', 'b', 1],
      ['approval', 'b', 2],
      ['override', 'a', 2],
      ['decision', 'c', 0],
      ['execution', 'c', 1],
    ] as const

    it('gives each stream once, by its last step of that kind, the newest first', async () => {
      await db.create()
      await db.create('other')
      await append(db.store, 'other', [{ kind: 'override' }])
      await append(
        db.store,
        'acme',
        steps.map(([kind, stream, seq]) => ({ kind, seq, stream })),
      )
      const all = [
        { index: 5, stream: 'a' },
        { index: 3, stream: 'b' },
      ]
      expect(await db.store.listOverrides('acme', 100, 10)).toEqual(all)
      expect(await db.store.listOverrides('acme', 100, 1)).toEqual(all.slice(0, 1))
      expect(await db.store.listOverrides('acme', 6, 10)).toEqual(all)
      expect(await db.store.listOverrides('acme', 5, 10)).toEqual(all.slice(1))
      expect(await db.store.listOverrides('acme', 3, 10)).toEqual([])
      expect(await db.store.listOverrides('nobody', 100, 10)).toEqual([])
    })

    it('gives actions by themselves, and no decision among them', async () => {
      await db.create()
      const [one, two] = ['action-1', 'action-2']
      await append(db.store, 'acme', [
        { kind: 'override', seq: 0, stream: one },
        { kind: 'override', seq: 0, stream: 'a' },
        { kind: 'override', seq: 0, stream: two },
        { kind: 'approval', seq: 1, stream: one },
        { kind: 'override', seq: 2, stream: one },
      ])
      const all = [
        { index: 4, stream: one },
        { index: 2, stream: two },
      ]
      expect(await db.store.listActions('acme', 100, 10)).toEqual(all)
      expect(await db.store.listActions('acme', 100, 1)).toEqual(all.slice(0, 1))
      expect(await db.store.listActions('acme', 4, 10)).toEqual(all.slice(1))
      expect(await db.store.listActions('acme', 5, 10)).toEqual(all)
      expect(await db.store.listActions('nobody', 100, 10)).toEqual([])
      expect(await db.store.listOverrides('acme', 100, 10)).toEqual([{ index: 1, stream: 'a' }])
    })

    it('gives proposals by name from behind, and nothing else', async () => {
      await db.create()
      await db.create('other')
      const [one, two] = ['proposal-1', 'proposal-2']
      await append(db.store, 'other', [{ kind: 'approval', seq: 0, stream: 'proposal-3' }])
      await append(db.store, 'acme', [
        { kind: 'approval', seq: 0, stream: two },
        { kind: 'approval', seq: 0, stream: one },
        { kind: 'approval', seq: 1, stream: two },
        { kind: 'override', seq: 0, stream: 'action-1' },
        { kind: 'decision', seq: 0, stream: 'proposal' },
        { kind: 'decision', seq: 0, stream: 'q' },
      ])
      expect(await db.store.listProposals('acme', undefined, 10)).toEqual([two, one])
      expect(await db.store.listProposals('acme', undefined, 1)).toEqual([two])
      expect(await db.store.listProposals('acme', two, 10)).toEqual([one])
      expect(await db.store.listProposals('acme', one, 10)).toEqual([])
      expect(await db.store.listProposals('nobody', undefined, 10)).toEqual([])
    })
  })
}
