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

describe('the circuit breaker', () => {
  it('opens after three faults in a row, not after two', () => {
    const circuit = breaker()
    circuit.fault(false)
    circuit.fault(false)
    expect(circuit.refuses()).toBe(false)
    circuit.fault(false)
    expect(circuit.refuses()).toBe(true)
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
    expect(circuit.refuses()).toBe(true)
  })

  it('lets one call try when the pause is over, and closes when it succeeds', () => {
    const circuit = breaker()
    circuit.fault(true)
    now += 49
    expect(circuit.refuses()).toBe(true)
    now += 1
    expect([circuit.refuses(), circuit.refuses()]).toEqual([false, true])
    circuit.succeed()
    expect([circuit.refuses(), circuit.refuses()]).toEqual([false, false])
  })

  it('opens again, for longer, when the trial fails', () => {
    const circuit = breaker()
    circuit.fault(true)
    now += 50
    expect(circuit.refuses()).toBe(false)
    circuit.fault(false)
    expect(circuit.pauseMs).toBe(100)
    expect(circuit.refuses()).toBe(true)
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
