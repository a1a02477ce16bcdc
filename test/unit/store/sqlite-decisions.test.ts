import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import {
  collect,
  DecisionList,
  hashFilter,
  takeTurns,
} from '../../../src/store/sqlite-decisions.ts'
import { migrate } from '../../../src/store/sqlite-schema.ts'
import type { DecisionQuery } from '../../../src/store/store.ts'

describe('the hash of a filter', () => {
  it('is what it always was', () => {
    // Stored in every database: another value would lose decisions.
    const hashes = ['', 'ALLOW', 'agent-1', 'Жанна', '🔑'].map(hashFilter)
    expect(hashes).toEqual([883, 573, 268, 773, 368])
  })

  it('always takes two bytes in SQLite and is never the mark of erasure', () => {
    const hashes = Array.from({ length: 20_000 }, (_, i) => hashFilter(`actor ${i}`))
    expect(Math.min(...hashes)).toBe(128)
    expect(Math.max(...hashes)).toBe(1151)
    expect(new Set(hashes).size).toBe(1024)
  })
})

describe('a long list', () => {
  const row = (index: number) => ({ stream: `s-${index}`, index, time: index, filter: null })

  /** Decisions at the indexes given in a log of 50,000; keeps what was asked. */
  const scanOf = (indexes: readonly number[], start = 0, end = 50_000) => {
    const asked: [start: number, end: number, limit: number][] = []
    return {
      asked,
      scan: {
        start,
        end,
        step: (low: number, high: number, limit: number) => {
          asked.push([low, high, limit])
          const rows = indexes
            .filter((index) => index >= low && index < high)
            .sort((a, b) => b - a)
            .slice(0, limit)
            .map(row)
          return { low, rows }
        },
      },
    }
  }
  const run = <T>(work: () => T): Promise<T> => Promise.resolve(work())

  it('is made in steps that lose nothing where they meet', async () => {
    const meeting = [0, 847, 848, 17_231, 17_232, 33_615, 33_616, 49_999]
    const { scan, asked } = scanOf(meeting)
    expect((await collect(scan, 100, takeTurns(), run)).map(({ index }) => index)).toEqual(
      meeting.toReversed(),
    )
    expect(asked.map(([low, high]) => [low, high])).toEqual([
      [33_616, 50_000],
      [17_232, 33_616],
      [848, 17_232],
      [0, 848],
    ])
  })

  it('ends when it is full', async () => {
    const { scan, asked } = scanOf([49_999, 25_000, 24_000, 1])
    expect((await collect(scan, 2, takeTurns(), run)).map(({ index }) => index)).toEqual([
      49_999, 25_000,
    ])
    expect(asked).toEqual([
      [33_616, 50_000, 2],
      [17_232, 33_616, 1],
    ])
  })

  it('ends at its start', async () => {
    const { scan, asked } = scanOf([10, 150], 100, 200)
    expect((await collect(scan, 9, takeTurns(), run)).map(({ index }) => index)).toEqual([150])
    expect(asked).toEqual([[100, 200, 9]])
  })

  it('goes on from where a step has ended early', async () => {
    const asked: [start: number, end: number][] = []
    const step = (start: number, end: number) => {
      asked.push([start, end])
      return { low: Math.max(start, end - 150), rows: [row(end - 1)] }
    }
    const found = await collect({ start: 0, end: 400, step }, 9, takeTurns(), run)
    expect(found.map(({ index }) => index)).toEqual([399, 249, 99])
    expect(asked).toEqual([
      [0, 400],
      [0, 250],
      [0, 100],
    ])
  })

  it('gives way to everything else before each step, and to the steps of others', async () => {
    let others = 0
    const made: number[] = []
    const step = (low: number) => {
      made.push(others)
      return { low, rows: [] }
    }
    const nextTurn = takeTurns()
    const list = () => collect({ start: 0, end: 50_000, step }, 9, nextTurn, run)
    let other = setImmediate(function again() {
      others++
      other = setImmediate(again)
    })
    await Promise.all([list(), list(), list()])
    clearImmediate(other)
    expect(made).toHaveLength(12)
    expect(made[0]).toBe(1)
    expect(new Set(made).size).toBe(12)
  })

  it('fails when the store is closed between its steps', async () => {
    let calls = 0
    const closing = <T>(work: () => T): Promise<T> =>
      calls++ === 0 ? run(work) : Promise.reject(new Error('closed'))
    await expect(collect(scanOf([]).scan, 9, takeTurns(), closing)).rejects.toThrow('closed')
  })
})

describe('a step of a list', () => {
  const escalation = (state: string) => ({ state, way: 'escalation' }) as const

  it.each<[string, number, DecisionQuery]>([
    ['a status in force', 2, { inForce: 'ALLOW', limit: 9 }],
    ['what nobody overruled', 1, { by: 'decision', limit: 9 }],
    ['what somebody overruled', 1, { by: 'override', limit: 9 }],
    ['any state', 1, { limit: 9, standing: escalation('any') }],
    ['what is open', 1, { limit: 9, now: 1, standing: escalation('open') }],
    ['what timed out', 1, { limit: 9, now: 1, standing: escalation('timed-out') }],
    ['what was rejected', 1, { limit: 9, now: 1, standing: escalation('rejected') }],
  ])('reads no standings but those of its own decisions: %s', (_, lookups, query) => {
    const db = new Database(':memory:')
    migrate(db, 0)
    const asked: string[] = []
    const watched = { prepare: (sql: string) => (asked.push(sql), db.prepare(sql)) }
    new DecisionList(watched as unknown as typeof db).scan(1, 9, query)
    // A plan does not depend on the values.
    const sql = (asked.at(-1) ?? '').replace(/@\w+/g, '1')
    const plan = db.prepare<[], { detail: string }>(`EXPLAIN QUERY PLAN ${sql}`).all()
    const reads = plan.map(({ detail }) => detail).filter((line) => line.startsWith('SEARCH s '))
    expect(reads).toHaveLength(lookups)
    for (const read of reads) expect(read).toContain('(tenant=? AND idx>? AND idx<?)')
    db.close()
  })
})
