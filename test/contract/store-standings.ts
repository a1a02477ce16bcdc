import { beforeEach, describe, expect, it } from 'vitest'
import type { DecisionQuery, Effect, Standing } from '../../src/store/store.ts'
import { append } from '../support/store-fixtures.ts'
import type { StoreCase } from './store-case.ts'

/** What the port promises of standings: what decisions have come to be. */
export function standingContract(db: StoreCase): void {
  const stand = (stream: string, change: Partial<Standing> = {}): Effect => ({
    standing: { state: 'pending', status: null, until: 2000, way: 'override', ...change },
    stream,
    type: 'standing',
  })
  const decision = (stream: string, status: string) => ({
    filter: { action: 'pay', actor: 'ann', status },
    stream,
  })
  let seq = 0
  /** A step of a stream with what comes of it. */
  const step = (stream: string, change: Partial<Standing> = {}, time = 1500) =>
    append(
      db.store,
      'acme',
      [{ filter: null, kind: change.way ?? 'override', seq: ++seq, stream, time }],
      [stand(stream, change)],
    )
  const listed = async (query: Partial<DecisionQuery>) =>
    (await db.store.listDecisions('acme', { limit: 9, now: 1600, ...query })).map(
      ({ stream }) => stream,
    )

  describe('a standing', () => {
    beforeEach(async () => {
      seq = 0
      await db.create()
      await db.create('other')
      await append(
        db.store,
        'acme',
        [decision('a', 'BLOCK'), decision('b', 'BLOCK'), decision('c', 'ALLOW')].map((entry) => ({
          ...entry,
          time: 1000,
        })),
      )
    })

    it('is told with its decision, the one that was stepped last at the end', async () => {
      await step('a')
      await step('a', { state: 'rejected', status: 'BLOCK', until: null, way: 'escalation' })
      await step('a', { state: 'executed', status: 'ALLOW', until: null })
      await db.reopen()
      const rows = await db.store.listDecisions('acme', { limit: 9 })
      expect(rows.map(({ standings, stream }) => [stream, standings])).toEqual([
        ['c', []],
        ['b', []],
        [
          'a',
          [
            { state: 'rejected', status: 'BLOCK', until: null, way: 'escalation' },
            { state: 'executed', status: 'ALLOW', until: null, way: 'override' },
          ],
        ],
      ])
      expect(await db.store.listStandings('acme', -1, 9)).toMatchObject([
        { decidedAt: 1500, index: 0, step: 4, stream: 'a', way: 'escalation' },
        { decidedAt: 1500, index: 0, step: 5, stream: 'a', way: 'override' },
      ])
      expect(await db.store.listStandings('acme', 0, 9)).toEqual([])
      expect(await db.store.listStandings('other', -1, 9)).toEqual([])
    })

    it('lists decisions by what they are now, and by what', async () => {
      await step('a', { state: 'executed', status: 'ALLOW', until: null })
      await step('c', { state: 'timed-out', status: 'BLOCK', until: null, way: 'escalation' })
      expect(await listed({ inForce: 'ALLOW' })).toEqual(['a'])
      expect(await listed({ inForce: 'BLOCK' })).toEqual(['c', 'b'])
      expect(await listed({ inForce: 'BLOCK', status: 'ALLOW' })).toEqual(['c'])
      expect(await listed({ by: 'decision' })).toEqual(['b'])
      expect(await listed({ by: 'override' })).toEqual(['a'])
      expect(await listed({ by: 'escalation', inForce: 'ALLOW' })).toEqual([])
      expect(await listed({ before: 2, inForce: 'BLOCK' })).toEqual(['b'])
    })

    it('goes by the step that came last where both ways have decided', async () => {
      await step('a', { state: 'rejected', status: 'BLOCK', until: null, way: 'escalation' })
      await step('a', { state: 'executed', status: 'ALLOW', until: null })
      expect(await listed({ inForce: 'ALLOW' })).toEqual(['c', 'a'])
      expect(await listed({ by: 'escalation' })).toEqual([])
      expect(await listed({ by: 'override' })).toEqual(['a'])
    })

    it('lists decisions by the state of what was asked, which lapses at its time', async () => {
      await step('a')
      await step('b', { state: 'revoked', until: null })
      const of = (state: string, now = 1600) =>
        listed({ now, standing: { state, way: 'override' } })
      expect(await of('open')).toEqual(['a'])
      expect(await of('pending')).toEqual(['a'])
      expect(await of('revoked')).toEqual(['b'])
      expect(await of('open', 2000)).toEqual(['a'])
      expect(await of('open', 2001)).toEqual([])
      expect(await of('pending', 2001)).toEqual([])
      expect(await of('expired', 2000)).toEqual([])
      expect(await of('expired', 2001)).toEqual(['a'])
      expect(await listed({ standing: { state: 'open', way: 'escalation' } })).toEqual([])
    })

    it('that waits is told by its deadline, of every tenant, until nothing is waited for', async () => {
      const way = 'escalation' as const
      await step('b', { until: 2000, way })
      await step('a', { until: 1900, way })
      await step('c', { until: 1800 })
      await append(db.store, 'other', [{ ...decision('z', 'ESCALATE'), time: 1000 }])
      await append(
        db.store,
        'other',
        [{ filter: null, kind: way, seq: 1, stream: 'z', time: 1500 }],
        [stand('z', { until: 1950, way })],
      )
      const a = { stream: 'a', tenant: 'acme', until: 1900 }
      const z = { stream: 'z', tenant: 'other', until: 1950 }
      const b = { stream: 'b', tenant: 'acme', until: 2000 }
      expect(await db.store.listWaiting(way, 9)).toEqual([a, z, b])
      expect(await db.store.listWaiting(way, 2)).toEqual([a, z])
      await step('a', { state: 'approved', status: 'ALLOW', until: null, way })
      await append(
        db.store,
        'acme',
        [{ filter: null, kind: 'erasure', seq: 9, stream: 'b', time: 1700 }],
        [{ seqs: [0], stream: 'b', type: 'erase' }],
      )
      expect(await db.store.listWaiting(way, 9)).toEqual([z])
      expect(await listed({ standing: { state: 'any', way } })).toEqual(['b', 'a'])
      expect(await listed({ standing: { state: 'any', way: 'override' } })).toEqual(['c'])
    })

    it('is counted from the leaf time at which it decided, also when it is erased', async () => {
      await step('a', { state: 'executed', status: 'ALLOW', until: null }, 1500)
      await step('b', { state: 'executed', status: 'ALLOW', until: null }, 1600)
      await step('c')
      const count = (since: number) => db.store.countDecided('acme', 'override', since)
      expect([await count(1500), await count(1501), await count(1601)]).toEqual([2, 1, 0])
      expect(await db.store.countDecided('acme', 'escalation', 0)).toBe(0)
      expect(await db.store.countDecided('other', 'override', 0)).toBe(0)
      await append(
        db.store,
        'acme',
        [{ filter: null, kind: 'erasure', seq: ++seq, stream: 'a', time: 1700 }],
        [{ seqs: [0], stream: 'a', type: 'erase' }],
      )
      expect(await count(1500)).toBe(2)
      const [standing] = await db.store.listStandings('acme', -1, 1)
      expect(standing).toMatchObject({ state: 'erased', status: null, until: null })
    })

    it('refuses the whole commit when it is of no decision, or has no step', async () => {
      const entry = { filter: null, kind: 'override' as const, seq: 1, stream: 'z' }
      await db.refused(() => append(db.store, 'acme', [entry], [stand('z')]), 'BUG')
      await db.refused(() => append(db.store, 'acme', [{}], [stand('a')]), 'BUG')
    })
  })
}
