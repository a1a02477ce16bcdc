import { describe, expect, it } from 'vitest'
import { Breaker } from '../../../src/kek/hsm-breaker.ts'

let now = 0
const breaker = (random = 0): Breaker => {
  now = 1000
  return new Breaker({
    faults: 3,
    firstPauseMs: 100,
    longestPauseMs: 1000,
    clock: () => now,
    random: () => random,
  })
}

/** Whether the next call fails at once; else it is let in and stays. */
const refuses = (circuit: Breaker): boolean => circuit.enter() === undefined

describe('the circuit breaker', () => {
  it('opens after three faults in a row, not after two', () => {
    const circuit = breaker()
    circuit.fault(false)
    circuit.fault(false)
    expect(refuses(circuit)).toBe(false)
    circuit.fault(false)
    expect(refuses(circuit)).toBe(true)
  })

  it('forgets faults once there was a success', () => {
    const circuit = breaker()
    circuit.fault(false)
    circuit.fault(false)
    circuit.succeed()
    circuit.fault(false)
    circuit.fault(false)
    expect(circuit.isOpen).toBe(false)
  })

  it('opens at one grave fault', () => {
    const circuit = breaker()
    circuit.fault(true)
    expect(refuses(circuit)).toBe(true)
  })

  it('lets one call try when the pause is over, and closes when it succeeds', () => {
    const circuit = breaker()
    circuit.fault(true)
    now += 49
    expect(refuses(circuit)).toBe(true)
    now += 1
    expect([refuses(circuit), refuses(circuit)]).toEqual([false, true])
    circuit.succeed()
    expect([refuses(circuit), refuses(circuit)]).toEqual([false, false])
  })

  it('opens again, for longer, when the trial fails', () => {
    const circuit = breaker()
    circuit.fault(true)
    now += 50
    expect(refuses(circuit)).toBe(false)
    circuit.fault(false)
    expect(circuit.pauseMs).toBe(100)
    expect(refuses(circuit)).toBe(true)
  })

  it('lets another call try when the trial left without a word, and not when any other leaves', () => {
    const circuit = breaker()
    const early = circuit.enter()
    circuit.fault(true)
    now += 50
    const trial = circuit.enter()
    if (early === undefined || trial === undefined) throw new Error('Nobody was let in')
    expect([early.isTrial, trial.isTrial]).toEqual([false, true])
    circuit.leave(early)
    expect(refuses(circuit)).toBe(true)
    circuit.leave(trial)
    expect(circuit.enter()?.isTrial).toBe(true)
  })

  it('keeps its trial through the faults and successes of others, and lets nobody try beside it', () => {
    const circuit = breaker()
    circuit.fault(true)
    now += 50
    const trial = circuit.enter()
    if (trial === undefined) throw new Error('Nobody was let in')
    expect(circuit.isOpen).toBe(false)
    // A call that was let in before the circuit opened fails now.
    circuit.fault(false)
    expect(circuit.isOpen).toBe(true)
    now += 1000
    expect(refuses(circuit)).toBe(true)
    circuit.succeed()
    circuit.fault(true)
    now += 1000
    expect(refuses(circuit)).toBe(true)
    circuit.leave(trial)
    expect(circuit.enter()?.isTrial).toBe(true)
  })

  it('keeps its trial when one leaves that was the trial before', () => {
    const circuit = breaker()
    circuit.fault(true)
    now += 50
    const first = circuit.enter()
    if (first === undefined) throw new Error('Nobody was let in')
    circuit.leave(first)
    const second = circuit.enter()
    if (second === undefined) throw new Error('Nobody was let in')
    circuit.leave(first)
    expect(refuses(circuit)).toBe(true)
    circuit.leave(second)
    expect(refuses(circuit)).toBe(false)
  })

  it('pauses twice as long each time, blurred by half, and never longer than the longest', () => {
    for (const [random, expected] of [
      [0, [50, 100, 200, 400, 500, 500]],
      [0.998, [99.9, 199.8, 399.6, 799.2, 999, 999]],
    ] as const) {
      const circuit = breaker(random)
      const pauses = expected.map(() => {
        circuit.fault(false)
        return circuit.pauseMs
      })
      pauses.forEach((pause, i) => {
        expect(pause).toBeCloseTo(expected[i] ?? 0)
      })
    }
  })
})
