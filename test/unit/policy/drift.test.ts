import { describe, expect, it } from 'vitest'
import { assessDrift, binOf, countBins, createDriftBaseline } from '../../../src/policy/drift.ts'
import { DriftMonitor, snapshotDrift } from '../../../src/policy/drift-monitor.ts'
import { defaultAegisConfig, readAegisConfig } from '../../../src/policy/gate-config.ts'

const spread = (length: number): number[] => Array.from({ length }, (_, i) => i / length)
const name = 'b'.repeat(64)
const assess = (expected: readonly number[], recent: readonly number[], settings: object = {}) =>
  assessDrift({ baseline: name, expected, recent }, readAegisConfig({ kl_drift: settings }))

describe('a baseline', () => {
  it('has 30 observations or more, and 10,000 at most', () => {
    const of = (length: number) => () => createDriftBaseline(spread(length), defaultAegisConfig)
    expect(of(29)).toThrow(expect.objectContaining({ code: 'POLICY_INVALID' }))
    expect(of(30)).not.toThrow()
    expect(of(10_000)).not.toThrow()
    expect(of(10_001)).toThrow('Baseline must have 30 to 10000 observations: 10001')
    const wanting = readAegisConfig({ kl_drift: { min_baseline: 40 } })
    expect(() => createDriftBaseline(spread(39), wanting)).toThrow('40')
  })

  it.each([NaN, Infinity, -Infinity, 1.1e12, '0.1', null, undefined, {}])(
    'refuses %j in it',
    (value) => {
      expect(() => createDriftBaseline([...spread(30), value], defaultAegisConfig)).toThrow(
        expect.objectContaining({ code: 'POLICY_INVALID', field: '/30' }),
      )
    },
  )

  it.each([undefined, null, {}, 'list', 30])('is a list, not %j', (value) => {
    expect(() => createDriftBaseline(value, defaultAegisConfig)).toThrow('Baseline must be a list')
  })

  it('has bins of like count between its least and its greatest value, and nothing outside', () => {
    const { counts, edges, least } = createDriftBaseline(
      spread(30).toReversed(),
      defaultAegisConfig,
    )
    expect(counts).toEqual([0, 6, 6, 6, 6, 6, 0])
    expect(least).toBe(0)
    expect(edges).toEqual([5, 11, 17, 23, 29].map((i) => i / 30))
  })

  it('has one bin for one value, with what lies below and above apart', () => {
    const baseline = createDriftBaseline(Array(30).fill(0.1), defaultAegisConfig)
    expect(baseline).toMatchObject({ least: 0.1, edges: [0.1], counts: [0, 30, 0] })
    expect(countBins([0.09, 0.1, 0.1, 0.11], baseline)).toEqual([1, 2, 1])
  })

  it('puts a value on an edge below it', () => {
    const bins = { least: 1, edges: [2, 3] }
    expect([0.9, 1, 2, 2.1, 3, 3.1, -Infinity, Infinity].map((v) => binOf(v, bins))).toEqual([
      0, 1, 1, 2, 2, 3, 0, 3,
    ])
  })

  it('is named by its values in their order', () => {
    const sha256 = (values: number[]): string =>
      createDriftBaseline(values, defaultAegisConfig).sha256
    expect(sha256(spread(30))).toBe(sha256(spread(30)))
    expect(sha256(spread(30))).not.toBe(sha256(spread(30).toReversed()))
  })
})

describe('drift', () => {
  it('is the divergence in nats, with half an observation added to each bin', () => {
    // p = (31, 1, 1)/33 and q = (1, 31, 1)/33, each doubled.
    const { divergence } = assess([0, 30, 1], [30, 0, 1])
    const p = [30.5, 0.5, 1.5].map((n) => n / 32.5)
    const q = [0.5, 30.5, 1.5].map((n) => n / 32.5)
    const wanted = p.reduce((sum, one, i) => sum + one * Math.log(one / (q[i] ?? 1)), 0)
    expect(divergence).toBeCloseTo(wanted, 13)
    expect(divergence).toBeCloseTo(3.795, 3)
  })

  it('is nothing where the window is as the baseline', () => {
    expect(assess([0, 30, 30, 0], [0, 30, 30, 0])).toEqual({
      status: 'NORMAL',
      action: 'NONE',
      divergence: 0,
      baseline: name,
      message: 'Drift is 0.000 nats',
    })
    expect(assess([0, 60, 60, 0], [0, 30, 30, 0]).divergence).toBeLessThan(0.01)
  })

  it('warns from the one threshold and is critical from the other', () => {
    const counts = [
      [0, 50, 50, 0],
      [0, 85, 15, 0],
    ] as const
    const { divergence } = assess(...counts)
    if (divergence === null) throw new Error('Unknown')
    const above = divergence * 1.000001
    const below = divergence * 0.999999
    const status = (tau_warning: number, tau_critical: number) => {
      const found = assess(...counts, { tau_warning, tau_critical })
      return [found.status, found.action]
    }
    expect(status(above, 9)).toEqual(['NORMAL', 'NONE'])
    expect(status(divergence, 9)).toEqual(['WARNING', 'ALERT'])
    expect(status(below, above)).toEqual(['WARNING', 'ALERT'])
    expect(status(below, divergence)).toEqual(['CRITICAL', 'PAUSE'])
    expect(status(below, below)).toEqual(['CRITICAL', 'PAUSE'])
  })

  it('has the thresholds 0.3 and 0.5 by default', () => {
    const between = (share: number) => assess([0, 500, 500, 0], [0, share, 1000 - share, 0])
    expect(between(860)).toMatchObject({ status: 'NORMAL' })
    expect(between(870)).toMatchObject({ status: 'WARNING' })
    expect(between(949)).toMatchObject({ status: 'WARNING' })
    expect(between(956)).toMatchObject({ status: 'CRITICAL' })
  })

  it('is not hidden by one outlier that would stretch the bins', () => {
    const baseline = createDriftBaseline(spread(100), defaultAegisConfig)
    const recent = countBins([...Array<number>(60).fill(0.99), 1e12], baseline)
    expect(assess(baseline.counts, recent).status).toBe('CRITICAL')
  })

  it('sees what falls below a baseline that never changed', () => {
    const baseline = createDriftBaseline(Array(30).fill(1), defaultAegisConfig)
    expect(assess(baseline.counts, countBins(Array<number>(30).fill(0.9), baseline)).status).toBe(
      'CRITICAL',
    )
  })

  it('is unknown with a window of 29, and with a baseline of 29 it pauses', () => {
    expect(assess([0, 30, 0], [0, 29, 0])).toMatchObject({ status: 'UNKNOWN', action: 'ALERT' })
    expect(assess([0, 30, 0], [0, 30, 0])).toMatchObject({ status: 'NORMAL' })
    expect(assess([0, 29, 0], [0, 30, 0])).toMatchObject({
      status: 'UNKNOWN',
      action: 'PAUSE',
      divergence: null,
    })
  })

  it.each([
    ['nothing', undefined],
    ['null', null],
    ['a number', 0.2],
    ['no name', { expected: [0, 30, 0], recent: [0, 30, 0] }],
    ['a short name', { baseline: 'b', expected: [0, 30, 0], recent: [0, 30, 0] }],
    ['other bins', { baseline: name, expected: [0, 30, 0], recent: [0, 30, 0, 0] }],
    ['too few bins', { baseline: name, expected: [30, 0], recent: [30, 0] }],
    ['too many bins', { baseline: name, expected: Array(67).fill(9), recent: Array(67).fill(9) }],
    ['halves', { baseline: name, expected: [0, 30.5, 0], recent: [0, 30, 0] }],
    ['less than nothing', { baseline: name, expected: [0, 30, 0], recent: [-1, 31, 0] }],
    ['no number', { baseline: name, expected: [0, 30, 0], recent: [NaN, 30, 0] }],
    ['too many', { baseline: name, expected: [0, 30, 0], recent: [0, 10_001, 0] }],
  ])('pauses on a snapshot of %s', (_, snapshot) => {
    expect(assessDrift(snapshot, defaultAegisConfig)).toMatchObject({
      status: 'UNKNOWN',
      action: 'PAUSE',
      message: 'Drift cannot be evaluated: malformed',
    })
  })
})

describe('the monitor', () => {
  const day = 86_400_000
  const filled = (): DriftMonitor => {
    const monitor = new DriftMonitor(defaultAegisConfig)
    monitor.setBaseline(spread(100))
    return monitor
  }

  it('pauses before it has a baseline', () => {
    const monitor = new DriftMonitor(defaultAegisConfig)
    expect(monitor.snapshot(0)).toBeUndefined()
    expect(monitor.assess(0)).toMatchObject({ status: 'UNKNOWN', action: 'PAUSE' })
    expect(() => monitor.setBaseline(spread(29))).toThrow('29')
    expect(monitor.assess(0).action).toBe('PAUSE')
  })

  it('counts what lies within the window alone', () => {
    const baseline = createDriftBaseline(spread(100), defaultAegisConfig)
    const times = [0, 1, 30 * day, 30 * day + 1]
    const { recent } = snapshotDrift(
      baseline,
      times.map((time) => ({ time, value: 0.5 })),
      30 * day,
      defaultAegisConfig,
    )
    expect(recent.reduce((a, b) => a + b)).toBe(2)
  })

  it('goes from unknown to normal to critical, and back when the window has passed', () => {
    const monitor = filled()
    expect(monitor.assess(0)).toMatchObject({ status: 'UNKNOWN', action: 'ALERT' })
    for (const value of spread(50)) monitor.observe({ time: 0, value })
    expect(monitor.assess(day).status).toBe('NORMAL')
    for (let i = 0; i < 500; i++) monitor.observe({ time: day, value: 0.95 })
    expect(monitor.assess(day).status).toBe('CRITICAL')
    expect(monitor.assess(40 * day).status).toBe('UNKNOWN')
  })

  it('refuses what it cannot count', () => {
    for (const value of [NaN, Infinity, 1.1e12])
      expect(() => {
        filled().observe({ time: 0, value })
      }).toThrow('finite number')
    expect(() => {
      filled().observe({ time: NaN, value: 0 })
    }).toThrow('at a time')
  })

  it('keeps the last 10,000 observations', () => {
    const monitor = filled()
    for (let i = 0; i < 10_001; i++) monitor.observe({ time: 0, value: i === 0 ? -1 : 0.5 })
    const recent = monitor.snapshot(0)?.recent ?? []
    expect(recent[0]).toBe(0)
    expect(recent.reduce((a, b) => a + b)).toBe(10_000)
  })
})
