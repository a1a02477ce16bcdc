import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { OpenCalls } from '../../../src/decisions/open-calls.ts'

describe('open calls', () => {
  it('are given back by their ids, once, beside any others', () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof(fc.constant('add' as const), fc.nat(2000)), {
          maxLength: 600,
          size: 'max',
        }),
        (steps) => {
          const calls = new OpenCalls<string>()
          const model = new Map<number, string>()
          let last = 0
          for (const [n, step] of steps.entries()) {
            if (step === 'add') {
              const id = calls.add(`call ${n}`)
              expect(id).toBeGreaterThan(last)
              last = id
              model.set(id, `call ${n}`)
            } else {
              expect(calls.take(step)).toBe(model.get(step))
              model.delete(step)
            }
          }
          expect(calls.takeAll().toSorted()).toEqual([...model.values()].toSorted())
          expect(calls.takeAll()).toEqual([])
        },
      ),
    )
  })

  it('keep a call that waits long while thousands come and go, and as many as there are', () => {
    const calls = new OpenCalls<number>()
    const slow = calls.add(-1)
    expect(slow).toBe(1)
    for (let n = 0; n < 5000; n++) expect(calls.take(calls.add(n))).toBe(n)
    const ids = Array.from({ length: 5000 }, (_, n) => calls.add(n))
    expect(new Set(ids).size).toBe(5000)
    expect(ids.map((id) => calls.take(id))).toEqual(ids.map((_, n) => n))
    expect(calls.take(slow)).toBe(-1)
    expect(calls.take(slow)).toBeUndefined()
    expect(calls.take(1e9)).toBeUndefined()
  })

  it('know no id that is none', () => {
    const calls = new OpenCalls<string>()
    calls.add('one')
    for (const id of [0, -1, 2, 65, 0.5, Number.NaN]) expect(calls.take(id)).toBeUndefined()
    expect(calls.take(1)).toBe('one')
  })
})
