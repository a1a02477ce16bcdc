import { describe, expect, it } from 'vitest'
import { StreamCounts } from '../../../src/verify/stream-counts.ts'

describe('counts of streams', () => {
  it('are those that a map would have, for many', () => {
    const counts = new StreamCounts()
    const map = new Map<string, number>()
    for (let i = 0; i < 5000; i++) {
      expect(counts.expect(`stream-${i}`, i % 4)).toBe(true)
      map.set(`stream-${i}`, i % 4)
    }
    expect(counts.expect('stream-4711', 1)).toBe(false)
    expect(counts.size).toBe(5000)
    expect(counts.settled).toBe(false)
    for (const [stream, count] of map)
      for (let left = count - 1; left >= 0; left--) expect(counts.meet(stream)).toBe(left)
    expect(counts.settled).toBe(true)
    expect(counts.meet('stream-5000')).toBeUndefined()
    expect(counts.meet('stream-1')).toBe(-1)
    expect(counts.settled).toBe(false)
  })

  it('know nothing of a stream that nobody expects', () => {
    expect(new StreamCounts().meet('any')).toBeUndefined()
    expect(new StreamCounts().settled).toBe(true)
  })
})
