import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { Call } from '../../../src/api/call.ts'

const walks = ['find', 'findIndex', 'filter', 'includes', 'indexOf', 'lastIndexOf', 'some'] as const

/** How many elements of arrays are looked at, at most, while it works. */
function countLooks(work: () => void): number {
  let looks = 0
  for (const walk of walks) {
    const real = Reflect.get(Array.prototype, walk) as (...args: unknown[]) => unknown
    vi.spyOn(Array.prototype, walk as 'indexOf').mockImplementation(function (
      this: unknown[],
      ...args
    ) {
      looks += this.length
      return real.apply(this, args) as number
    })
  }
  try {
    work()
  } finally {
    vi.restoreAllMocks()
  }
  return looks
}

const callOf = (query: string): Call =>
  new Call(new IncomingMessage(new Socket()), { path: '/', query }, {})

describe('the query of a list', () => {
  it('costs as much as it is long, also of a stranger who makes it of a thousand names', () => {
    const names = Array.from({ length: 2000 }, (_, n) => `p${n}`)
    const query = names.map((name) => `${name}=1`).join('&')
    expect(countLooks(() => callOf(query).query(z.unknown()))).toBeLessThan(10 * names.length)
    const twice = `${query}&p1999=2`
    const looks = countLooks(() => {
      expect(() => callOf(twice).query(z.unknown())).toThrow('must not stand twice')
    })
    expect(looks).toBeLessThan(20 * names.length)
  })
})
