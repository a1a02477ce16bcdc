import { describe, expect, it } from 'vitest'
import { collect, hashFilter, takeTurns } from '../../../src/store/sqlite-decisions.ts'

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

  /** Decisions at the indexes given in a log of 200,000; keeps what was asked. */
  const scanOf = (indexes: readonly number[], start = 0, end = 200_000) => {
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
    const meeting = [0, 3391, 3392, 68_927, 68_928, 134_463, 134_464, 199_999]
    const { scan, asked } = scanOf(meeting)
    expect((await collect(scan, 100, takeTurns(), run)).map(({ index }) => index)).toEqual(
      meeting.toReversed(),
    )
    expect(asked.map(([low, high]) => [low, high])).toEqual([
      [134_464, 200_000],
      [68_928, 134_464],
      [3392, 68_928],
      [0, 3392],
    ])
  })

  it('ends when it is full', async () => {
    const { scan, asked } = scanOf([199_999, 100_000, 90_000, 1])
    expect((await collect(scan, 2, takeTurns(), run)).map(({ index }) => index)).toEqual([
      199_999, 100_000,
    ])
    expect(asked).toEqual([
      [134_464, 200_000, 2],
      [68_928, 134_464, 1],
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
    const list = () => collect({ start: 0, end: 200_000, step }, 9, nextTurn, run)
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
