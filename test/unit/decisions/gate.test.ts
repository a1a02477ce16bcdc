import { describe, expect, it } from 'vitest'
import { Gate } from '../../../src/decisions/gate.ts'

const settled = (): Promise<void> => Promise.resolve()

describe('the gate before a log', () => {
  it('is shut while somebody is alone, and open before and after', async () => {
    const gate = new Gate()
    expect(gate.shut).toBeUndefined()
    const alone = gate.alone(settled, () => {
      expect(gate.shut).toBeDefined()
      return Promise.resolve('done')
    })
    expect(gate.shut).toBeDefined()
    expect(await alone).toBe('done')
    expect(gate.shut).toBeUndefined()
  })

  it('begins the work only when all that passed is settled', async () => {
    const gate = new Gate()
    const order: string[] = []
    const passed = Promise.withResolvers<undefined>()
    const alone = gate.alone(
      async () => {
        await passed.promise
        order.push('settled')
      },
      () => {
        order.push('work')
        return Promise.resolve()
      },
    )
    await new Promise((resolve) => setTimeout(resolve, 5))
    expect(order).toEqual([])
    passed.resolve(undefined)
    await alone
    expect(order).toEqual(['settled', 'work'])
  })

  it('lets one be alone after the other, and opens again when a work fails', async () => {
    const gate = new Gate()
    let inside = 0
    const work = async (n: number): Promise<number> => {
      expect(++inside).toBe(1)
      await new Promise((resolve) => setTimeout(resolve, 2))
      inside--
      if (n === 1) throw new Error('failed')
      return n
    }
    const all = [0, 1, 2].map((n) => gate.alone(settled, () => work(n)))
    const outcomes = await Promise.allSettled(all)
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(gate.shut).toBeUndefined()
  })
})
