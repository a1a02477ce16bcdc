import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../src/base/canonical-json.ts'
import { compileGates, readAegisConfig, type CompiledGates } from '../../src/policy/gate-config.ts'
import { gateNames, type GateName } from '../../src/policy/gate-result.ts'
import { evaluateGates } from '../../src/policy/gates.ts'
import { pcwDecide } from '../../src/policy/pcw.ts'

// FAULTS=all (npm run test:fault) asks more often.
const all = process.env['FAULTS'] === 'all'

const finite = (min: number, max: number) => fc.double({ min, max, noNaN: true })
const unit = fc.oneof(finite(0, 1), fc.constantFrom(0, 1, 0.5, 0.7))
const amount = fc.oneof(finite(-1e12, 1e12), finite(-10, 10), fc.constantFrom(0, 1e12, -1e12))

/** Settings anywhere within their bounds, extremes among them. */
const settings = fc
  .record(
    {
      epsilon_R: finite(1e-9, 1e12),
      epsilon_P: finite(1e-9, 1e12),
      risk_trigger_factor: finite(1e-3, 1e6),
      profit_trigger_factor: finite(1e-3, 1e6),
      trigger_confidence_prob: fc.oneof(finite(1e-9, 1 - 1e-9), fc.constant(0.95)),
      novelty_N0: unit,
      novelty_k: fc.oneof(finite(0.001, 1000), fc.constant(0.001)),
      novelty_threshold: finite(1e-9, 1 - 1e-9),
      lcb_alpha: finite(1e-9, 0.5),
      gamma: finite(0, 1e12),
      phi_D: finite(0, 1e12),
      migration_budget: finite(0, 1e12),
      utility_threshold: finite(-1e12, 1e12),
      prior_mean: finite(-1e6, 1e6),
      prior_std: finite(1e-3, 1e3),
      likelihood_std: finite(1e-3, 1e3),
      profit_direction: fc.constantFrom('gain', 'loss'),
      novelty_direction: fc.constantFrom('novel_passes', 'novel_fails'),
      strict_human_approval: fc.boolean(),
      quality_no_zero_subscores: fc.boolean(),
    },
    { requiredKeys: [] },
  )
  .map((value) => compileGates(readAegisConfig(value)))

const utility = fc.oneof(
  fc.record({ mean: amount, std: finite(0, 1e12), migration: fc.boolean() }),
  fc.record({
    components: fc.record(
      {
        delta_P_H: fc.record({ mean: amount, std: finite(0, 1e12) }),
        delta_C_D: fc.record({ mean: amount, std: finite(0, 1e12) }),
      },
      { requiredKeys: [] },
    ),
  }),
)

const sound = fc.record({
  estimated_impact: fc.constantFrom('low', 'medium', 'high', 'critical'),
  risk_baseline: unit,
  risk_proposed: unit,
  profit_baseline: amount,
  profit_proposed: amount,
  novelty_score: unit,
  complexity_score: unit,
  quality_score: unit,
  quality_subscores: fc.array(unit, { maxLength: 5 }),
  utility,
  reversible: fc.boolean(),
  requires_human_approval: fc.boolean(),
})

const anything = fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true })
const counts = fc.array(fc.nat(200), { minLength: 3, maxLength: 8 })
const drift = fc.oneof(
  anything,
  fc
    .tuple(counts, counts)
    .map(([expected, recent]) => ({ baseline: 'd'.repeat(64), expected, recent })),
  counts.map((both) => ({ baseline: 'd'.repeat(64), expected: both, recent: both.toReversed() })),
)

/** A sound input with some members replaced by anything, or anything at all. */
const hostile = fc.oneof(
  anything,
  fc
    .tuple(
      sound,
      fc.dictionary(
        fc.constantFrom(
          'risk_proposed',
          'profit_baseline',
          'novelty_score',
          'utility',
          'quality_subscores',
          'estimated_impact',
          '__proto__',
        ),
        anything,
      ),
    )
    .map(([input, wrong]) => ({ ...input, ...wrong })),
)

const passes = (gates: CompiledGates, input: object, name: GateName): boolean =>
  evaluateGates(gates, input).gates.find(({ gate }) => gate === name)?.passed === true

describe('the gates', () => {
  it('answer whatever they are asked, the same twice, and in a form that can be signed', () => {
    fc.assert(
      fc.property(settings, hostile, drift, fc.boolean(), (gates, input, snapshot, shadow) => {
        const answer = () => evaluateGates(gates, input, { drift: snapshot, shadow })
        const decision = answer()
        expect(['PROCEED', 'PAUSE', 'HALT', 'ESCALATE']).toContain(decision.status)
        expect(decision.gates.map(({ gate }) => gate)).toEqual(gateNames)
        expect(decision.confidence).toBeGreaterThanOrEqual(0)
        expect(decision.confidence).toBeLessThanOrEqual(1)
        // Canonical JSON refuses NaN, infinities, undefined and integers beyond 2^53.
        expect(canonicalBytes(answer())).toEqual(canonicalBytes(decision))
        expect(() =>
          pcwDecide(gates, input, { decisionId: 'd', now: 0, drift: snapshot }),
        ).not.toThrow()
      }),
      { numRuns: all ? 20_000 : 500 },
    )
  })

  it('proceed only where all pass, drift does not pause and nobody has to approve', () => {
    fc.assert(
      fc.property(settings, hostile, drift, (gates, input, snapshot) => {
        const {
          approval,
          drift: found,
          failing,
          gates: all,
          overrideEligible,
          status,
        } = evaluateGates(gates, input, { drift: snapshot })
        expect(failing).toEqual(all.filter(({ passed }) => !passed).map(({ gate }) => gate))
        for (const { outcome, passed } of all)
          expect(passed).toBe(outcome === 'passed' || outcome === 'not_provided')
        const pauses = found?.action === 'PAUSE'
        const needed = approval.filter(
          (ground) => ground !== 'impact' || gates.config.strict_human_approval,
        )
        expect(status === 'PROCEED').toBe(failing.length === 0 && !pauses && needed.length === 0)
        expect(status === 'HALT' || status === 'ESCALATE').toBe(failing.length > 0)
        expect(overrideEligible).toBe(failing.length > 0 && !failing.includes('complexity'))
        if (failing.includes('complexity')) expect(status).toBe('HALT')
      }),
      { numRuns: 1000 },
    )
  })

  it('do not depend on the order of names', () => {
    fc.assert(
      fc.property(sound, (input) => {
        const turned = Object.fromEntries(Object.entries(input).toReversed())
        expect(evaluateGates(compileGates(), turned)).toEqual(evaluateGates(compileGates(), input))
      }),
    )
  })

  it('say of a value and its threshold what they decided, but for rounding', () => {
    fc.assert(
      fc.property(settings, sound, (gates, input) => {
        for (const { gate, passed, test, threshold, value } of evaluateGates(gates, input).gates) {
          if (value === null || gate === 'quality' || Math.abs(value - threshold) <= 1e-12) continue
          const holds =
            test === '<' ? value < threshold : test === '>' ? value > threshold : value >= threshold
          expect({ gate, passed }).toEqual({ gate, passed: holds })
        }
      }),
      { numRuns: 1000 },
    )
  })
})

/** The next double above a number that is not negative. */
function next(value: number): number {
  const view = new DataView(new ArrayBuffer(8))
  view.setFloat64(0, value)
  view.setBigUint64(0, view.getBigUint64(0) + 1n)
  return view.getFloat64(0)
}

describe('monotone', () => {
  // Where a measure gets worse, a gate that fails must go on failing.
  const worse: readonly (readonly [GateName, string, 1 | -1, object])[] = [
    ['risk', 'risk_proposed', 1, {}],
    ['profit', 'profit_proposed', 1, { profit_direction: 'gain' }],
    ['profit', 'profit_proposed', -1, { profit_direction: 'loss' }],
    ['novelty', 'novelty_score', -1, { novelty_direction: 'novel_passes' }],
    ['novelty', 'novelty_score', 1, { novelty_direction: 'novel_fails' }],
    ['complexity', 'complexity_score', -1, {}],
    ['quality', 'quality_score', -1, {}],
  ]

  it.each(worse)('%s never passes again when %s gets worse (%d)', (gate, field, sign, options) => {
    fc.assert(
      fc.property(settings, sound, unit, unit, (random, input, one, other) => {
        const gates = compileGates(readAegisConfig({ ...random.config, ...options }))
        const scale = gate === 'profit' ? 20 : 1
        const [low = 0, high = 0] = [one * scale, other * scale].toSorted((a, b) => a - b)
        const [better, bad] = sign === 1 ? [low, high] : [high, low]
        const [atBad, atBetter] = [bad, better].map((value) =>
          passes(gates, { ...input, [field]: value }, gate),
        )
        expect([atBad, atBetter]).not.toEqual([true, false])
      }),
      { numRuns: 500 },
    )
  })

  it('to the last bit around the threshold of risk', () => {
    fc.assert(
      fc.property(
        finite(0.01, 0.2),
        finite(0.01, 0.99),
        (risk_baseline, trigger_confidence_prob) => {
          const gates = compileGates(readAegisConfig({ trigger_confidence_prob }))
          const at = (risk_proposed: number) =>
            passes(gates, { risk_baseline, risk_proposed }, 'risk')
          let [good, bad] = [0, 1]
          // The largest change is 4 or more, and so the probability beyond 0.99.
          expect([at(good), at(bad)]).toEqual([true, false])
          // Bisect to the last value that passes, then step over 40 neighbours.
          while (next(good) < bad) {
            const middle = (good + bad) / 2
            if (at(middle)) good = middle
            else bad = middle
          }
          for (let i = 0, value = bad; i < 40; i++, value = next(value))
            expect(at(value)).toBe(false)
        },
      ),
      { numRuns: 200 },
    )
  })

  it('in utility: a lower mean or a wider spread never passes again', () => {
    const met = { passed: 0, failed: 0 }
    fc.assert(
      fc.property(
        settings,
        amount,
        finite(0, 1e6),
        finite(0, 1e6),
        fc.boolean(),
        (gates, mean, std, less, migration) => {
          const at = (value: object) =>
            passes(gates, { utility: { mean, std, migration, ...value } }, 'utility')
          const isPassed = at({})
          met[isPassed ? 'passed' : 'failed']++
          for (const worse of [{ mean: Math.max(-1e12, mean - less) }, { std: std + less }])
            expect([isPassed, at(worse)]).not.toEqual([false, true])
        },
      ),
      { numRuns: 300 },
    )
    expect(Math.min(met.passed, met.failed)).toBeGreaterThan(20)
  })
})
