import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { compileGates, readAegisConfig } from '../../../src/policy/gate-config.ts'
import type { GateInput } from '../../../src/policy/gate-input.ts'
import type { GateName, GateResult } from '../../../src/policy/gate-result.ts'
import { evaluateGates, type GateDecision } from '../../../src/policy/gates.ts'
import { posteriorOf } from '../../../src/policy/gate-trigger.ts'

/** An input that passes every gate. */
const sound: GateInput = {
  estimated_impact: 'low',
  risk_baseline: 0.02,
  risk_proposed: 0.02,
  profit_baseline: 100,
  profit_proposed: 100,
  novelty_score: 0.8,
  complexity_score: 0.5,
  quality_score: 0.7,
  quality_subscores: [0.7, 0.9],
  utility: { mean: 10, std: 1 },
}

const decide = (input: object, settings: object = {}, more = {}): GateDecision =>
  evaluateGates(compileGates(readAegisConfig(settings)), { ...sound, ...input }, more)

function gateOf(name: GateName, input: object, settings: object = {}): GateResult {
  const found = decide(input, settings).gates.find(({ gate }) => gate === name)
  if (found === undefined) throw new Error(`No gate ${name}`)
  return found
}

/** The only gates that fail. */
const failing = (input: object, settings: object = {}): readonly GateName[] =>
  decide(input, settings).failing

it('passes what is sound', () => {
  expect(decide({})).toMatchObject({
    status: 'PROCEED',
    rationale: 'All 6 gates passed. Proposal approved.',
    failing: [],
    overrideEligible: false,
    overrideRequires: [],
    constraints: [],
    nextSteps: [],
  })
})

describe('risk and profit', () => {
  // obs and P(Δ ≥ 2) to the digits of the published table.
  const table = [
    [0, '3.872e-6'],
    [0.5, '1.733e-4'],
    [1, '3.645e-3'],
    [1.5, '0.03682'],
    [2, '0.18555'],
    [2.5, '0.5'],
    [3, '0.81445'],
    [3.42, '0.95009'],
    [3.5, '0.96318'],
    [5, '0.999996'],
  ] as const

  it.each(table)('a change of %d has the posterior probability %s', (change, wanted) => {
    const digits = wanted.includes('e') ? 3 : (wanted.split('.')[1]?.length ?? 0)
    const profit = gateOf('profit', {
      profit_baseline: 1000,
      profit_proposed: 1000 + 1000 * change,
    })
    const value = profit.value ?? NaN
    expect(wanted.includes('e') ? value.toExponential(digits) : value.toFixed(digits)).toBe(wanted)
    // The baseline is small enough for a risk to end at 1 at most.
    expect(
      gateOf('risk', { risk_baseline: 0.125, risk_proposed: 0.125 * (1 + change) }).value,
    ).toBe(value)
  })

  it('believes after an observation what the two precisions say', () => {
    const { mean, std } = posteriorOf(1.5, compileGates())
    expect(mean).toBeCloseTo(1.2, 15)
    expect(std).toBeCloseTo(0.4472135954999579, 15)
  })

  it.each(['risk', 'profit'] as const)(
    '%s passes below a change of 3.4196 and fails from there',
    (gate) => {
      const of = (change: number): GateResult =>
        gateOf(gate, { [`${gate}_baseline`]: 0.125, [`${gate}_proposed`]: 0.125 * (1 + change) })
      expect(of(3.4195)).toMatchObject({ passed: true, outcome: 'passed', threshold: 0.95 })
      expect(of(3.4197)).toMatchObject({ passed: false, outcome: 'failed', threshold: 0.95 })
      expect(of(3.4195).margin).toBeLessThan(0)
      expect(of(3.4197).margin).toBeGreaterThan(0)
    },
  )

  it('fails exactly at the threshold', () => {
    // A change of 2.5 has the mean 2, hence the probability one half to the bit.
    const half = { trigger_confidence_prob: 0.5 }
    const at = { profit_baseline: 2, profit_proposed: 7 }
    expect(gateOf('profit', at, half)).toMatchObject({ value: 0.5, passed: false, margin: 0 })
    const below = { profit_baseline: 2, profit_proposed: 6.999999999999999 }
    expect(gateOf('profit', below, half)).toMatchObject({ passed: true })
  })

  it('divides a change of nothing by epsilon', () => {
    const passes = { risk_baseline: 0, risk_proposed: 0.034 }
    const fails = { risk_baseline: 0, risk_proposed: 0.0342 }
    expect(failing(passes)).toEqual([])
    expect(failing(fails)).toEqual(['risk'])
    expect(failing(fails, { epsilon_R: 0.02 })).toEqual([])
    expect(gateOf('risk', passes).detail['delta']).toBeCloseTo(3.4, 12)
  })

  it('knows the one worked example that AEGIS publishes', () => {
    const risk = gateOf('risk', { risk_baseline: 0.02, risk_proposed: 0.05 })
    expect(risk.passed).toBe(true)
    expect(risk.value).toBeCloseTo(0.03682, 5)
  })

  it('takes a gain for what triggers, or a loss where the settings say so', () => {
    const gain = { profit_baseline: 100, profit_proposed: 500 }
    const loss = { profit_baseline: 100, profit_proposed: -300 }
    expect([failing(gain), failing(loss)]).toEqual([['profit'], []])
    const other = { profit_direction: 'loss' }
    expect([failing(gain, other), failing(loss, other)]).toEqual([[], ['profit']])
    expect(decide(gain, other).trace.options.profit_direction).toBe('loss')
  })

  it('measures the change against the size of a negative baseline', () => {
    expect(gateOf('profit', { profit_baseline: -100, profit_proposed: 50 }).detail['delta']).toBe(
      1.5,
    )
  })

  it('takes no change for larger than a billion', () => {
    const at = (profit_proposed: number): unknown =>
      gateOf('profit', { profit_baseline: 0, profit_proposed }).detail['delta']
    expect([9.9e6, 1e7, 1e12, -1e7, -1e12].map(at)).toEqual([9.9e8, 1e9, 1e9, -1e9, -1e9])
    const small = { epsilon_P: 1e-9, prior_std: 0.001, likelihood_std: 0.001 }
    const largest = { profit_baseline: 0, profit_proposed: 1e12 }
    expect(gateOf('profit', largest, small)).toMatchObject({ outcome: 'failed', value: 1 })
  })

  it('is sure of a verdict as far as the posterior is', () => {
    expect(gateOf('risk', { risk_baseline: 0.02, risk_proposed: 0.05 }).confidence).toBeCloseTo(
      0.96318,
      5,
    )
    expect(gateOf('risk', { risk_baseline: 0.1, risk_proposed: 0.6 }).confidence).toBeCloseTo(
      0.99999627,
      6,
    )
  })

  it('obeys factor, prior and likelihood of the settings', () => {
    const change = { profit_baseline: 100, profit_proposed: 450 }
    expect(failing(change)).toEqual(['profit'])
    expect(failing(change, { profit_trigger_factor: 2.1 })).toEqual([])
    expect(failing(change, { prior_std: 0.5 })).toEqual([])
    expect(failing(change, { likelihood_std: 1 })).toEqual([])
    expect(failing({ profit_proposed: 420 }, { prior_mean: 1 })).toEqual(['profit'])
  })
})

describe('novelty', () => {
  const curve = [
    [0.3, '0.01799'],
    [0.5, '0.11920'],
    [0.65, '0.37754'],
    [0.7, '0.50000'],
    [0.75, '0.62246'],
    [0.8, '0.73106'],
    [0.85, '0.81757'],
  ] as const
  it.each(curve)('G(%d) is %s', (novelty_score, wanted) => {
    expect(gateOf('novelty', { novelty_score }).value?.toFixed(5)).toBe(wanted)
  })

  it.each([
    [0.6, 0.7405, 0.7406],
    [0.8, 0.8386, 0.8387],
  ])('at a threshold of %d fails %d and passes %d', (novelty_threshold, below, above) => {
    expect(failing({ novelty_score: below }, { novelty_threshold })).toEqual(['novelty'])
    expect(failing({ novelty_score: above }, { novelty_threshold })).toEqual([])
    expect(decide({}, { novelty_threshold }).trace.options.novelty_threshold).toBe(
      novelty_threshold,
    )
  })

  it('passes exactly at the threshold', () => {
    const settings = { novelty_threshold: 0.5 }
    expect(gateOf('novelty', { novelty_score: 0.7 }, settings)).toMatchObject({
      passed: true,
      margin: 0,
    })
    expect(gateOf('novelty', { novelty_score: 0.6999999999999999 }, settings).passed).toBe(false)
  })

  it('fails the novel where the settings turn the direction, and at the threshold too', () => {
    const turned = { novelty_direction: 'novel_fails' }
    expect(failing({ novelty_score: 0.5 }, turned)).toEqual([])
    expect(failing({ novelty_score: 0.75 }, turned)).toEqual(['novelty'])
    expect(failing({ novelty_score: 0.7 }, { ...turned, novelty_threshold: 0.5 })).toEqual([
      'novelty',
    ])
    expect(gateOf('novelty', {}, turned).test).toBe('<')
    expect(decide({}, turned).trace.options.novelty_direction).toBe('novel_fails')
  })
})

describe('complexity and quality', () => {
  it('has its floor at 0.5', () => {
    expect(failing({ complexity_score: 0.5 })).toEqual([])
    expect(failing({ complexity_score: 0.4999999999999999 })).toEqual(['complexity'])
    expect(failing({ complexity_score: 0.6 }, { complexity_floor: 0.7 })).toEqual(['complexity'])
  })

  it('wants a quality of 0.7', () => {
    expect(failing({ quality_score: 0.7 })).toEqual([])
    expect(failing({ quality_score: 0.6999999999999998 })).toEqual(['quality'])
  })

  it('wants no subscore of zero, unless the settings allow it', () => {
    expect(failing({ quality_subscores: [0.9, 5e-324] })).toEqual([])
    expect(failing({ quality_subscores: [0.9, 0] })).toEqual(['quality'])
    expect(failing({ quality_subscores: [-0] })).toEqual(['quality'])
    expect(failing({ quality_subscores: [0.9, 0] }, { quality_no_zero_subscores: false })).toEqual(
      [],
    )
  })

  it('cannot tell zero subscores where there are none', () => {
    expect(failing({ quality_subscores: [] })).toEqual(['quality'])
    expect(failing({ quality_subscores: undefined })).toEqual(['quality'])
    expect(failing({ quality_subscores: undefined }, { quality_no_zero_subscores: false })).toEqual(
      [],
    )
  })

  it('takes 64 subscores and no more', () => {
    expect(failing({ quality_subscores: Array(64).fill(0.5) })).toEqual([])
    expect(failing({ quality_subscores: Array(65).fill(0.5) })).toEqual(['quality'])
  })
})

describe('utility', () => {
  const z = 1.6448536269514722
  it('passes where the lower bound lies above the threshold', () => {
    expect(failing({ utility: { mean: z, std: 1 } })).toEqual(['utility'])
    expect(failing({ utility: { mean: z + 1e-12, std: 1 } })).toEqual([])
    expect(failing({ utility: { mean: 0, std: 0 } })).toEqual(['utility'])
    expect(failing({ utility: { mean: 5, std: 0 } }, { utility_threshold: 5 })).toEqual(['utility'])
    expect(failing({ utility: { mean: 5, std: 0 } }, { utility_threshold: 4.9 })).toEqual([])
  })

  it('takes the bound at the significance of the settings', () => {
    const utility = { mean: 100, std: 50 }
    expect(gateOf('utility', { utility }).value).toBeCloseTo(100 - 50 * z, 11)
    expect(gateOf('utility', { utility }, { lcb_alpha: 0.025 }).value).toBeCloseTo(
      2.0018007729973,
      11,
    )
    expect(gateOf('utility', { utility }, { lcb_alpha: 0.5 }).value).toBe(100)
    expect(gateOf('utility', { utility }).confidence).toBe(0.95)
  })

  it('lets a migration go down to its budget, and to it', () => {
    const migration = (mean: number): object => ({ utility: { mean, std: 0, migration: true } })
    expect(failing(migration(-5000))).toEqual([])
    expect(failing(migration(-5000.000001))).toEqual(['utility'])
    expect(failing(migration(0), { migration_budget: 0 })).toEqual([])
    expect(failing({ utility: { mean: -1, std: 0, migration: false } })).toEqual(['utility'])
  })

  it('adds its terms, and their spreads as independent ones', () => {
    const term = (mean: number, std = 0): object => ({ mean, std })
    const components = {
      delta_P_H: term(10_000, 300),
      delta_V_long: term(1000, 1000),
      delta_R: term(50, 40),
      delta_C_S: term(2, 1),
      delta_C_D: term(1, 0.1),
      delta_OPEX: term(500),
      delay: term(3),
    }
    const { detail, value } = gateOf('utility', { utility: { components } }, { omega: 10 })
    // 10000 + 0.3·1000 + 50 − 100·2 − 2000·1 − 500 − 10·3
    expect(detail['mean']).toBeCloseTo(7620, 9)
    const std = Math.hypot(300, 300, 40, 100, 200)
    expect(detail['std']).toBeCloseTo(std, 9)
    expect(value).toBeCloseTo(7620 - z * std, 8)
  })

  it('is passed over where nothing is said, and not where something wrong is', () => {
    expect(gateOf('utility', { utility: undefined })).toMatchObject({
      outcome: 'not_provided',
      passed: true,
    })
    expect(gateOf('utility', { utility: null })).toMatchObject({
      outcome: 'not_provided',
      passed: true,
    })
    expect(decide({ utility: undefined }).rationale).toBe('All 6 gates passed. Proposal approved.')
    const wrong = [
      {},
      [],
      'much',
      { mean: 1 },
      { std: 1 },
      { mean: 1, std: -1 },
      { components: {} },
      7,
    ]
    for (const utility of wrong)
      expect(gateOf('utility', { utility })).toMatchObject({
        outcome: 'unevaluable',
        passed: false,
      })
    const half = { components: { delta_P_H: { mean: 1 } } }
    expect(gateOf('utility', { utility: half }).problems).toEqual([
      { field: 'utility.components.delta_P_H.std', problem: 'missing' },
    ])
    expect(gateOf('utility', { utility: { mean: 9, std: 0, migration: 'yes' } }).outcome).toBe(
      'unevaluable',
    )
    expect(failing({ utility: undefined }, { optional_gates: [] })).toEqual(['utility'])
  })

  it('gives no bound that no record could hold', () => {
    expect(gateOf('utility', { utility: { mean: 1e12, std: 0 } }).passed).toBe(true)
    expect(gateOf('utility', { utility: { mean: 1.1e12, std: 0 } }).outcome).toBe('unevaluable')
    const components = { delta_C_D: { mean: -1e12, std: 0 } }
    expect(gateOf('utility', { utility: { components } })).toMatchObject({
      outcome: 'unevaluable',
      message: 'Utility is too large',
    })
  })
})

describe('what cannot be evaluated', () => {
  const fields: readonly (readonly [GateName, string, number])[] = [
    ['risk', 'risk_baseline', 1],
    ['risk', 'risk_proposed', 1],
    ['profit', 'profit_baseline', 1e12],
    ['profit', 'profit_proposed', 1e12],
    ['novelty', 'novelty_score', 1],
    ['complexity', 'complexity_score', 1],
    ['quality', 'quality_score', 1],
  ]

  it.each(fields)('fails %s where %s is missing, wrong or beyond %d', (gate, field, most) => {
    const wrong = [
      undefined,
      null,
      NaN,
      Infinity,
      -Infinity,
      '0.9',
      true,
      [0.9],
      {},
      1n,
      most * 1.0000001,
    ]
    for (const value of wrong)
      expect(gateOf(gate, { [field]: value })).toMatchObject({
        passed: false,
        outcome: 'unevaluable',
        value: null,
        confidence: null,
        problems: [{ field }],
      })
    if (most === 1) expect(gateOf(gate, { [field]: -1e-300 }).outcome).toBe('unevaluable')
    expect(gateOf(gate, { [field]: most }).outcome).not.toBe('unevaluable')
    expect(decide({ [field]: NaN }).confidence).toBe(0)
  })

  it.each([null, undefined, 7, 'input', [], true, {}])(
    'fails all but utility for the input %j',
    (input) => {
      const {
        confidence,
        failing: names,
        overrideEligible,
        status,
      } = evaluateGates(compileGates(), input)
      expect(names).toEqual(['risk', 'profit', 'novelty', 'complexity', 'quality'])
      expect({ status, confidence, overrideEligible }).toEqual({
        status: 'HALT',
        confidence: 0,
        overrideEligible: false,
      })
    },
  )

  it('says what is wrong', () => {
    expect(gateOf('risk', { risk_baseline: 2, risk_proposed: '1' }).message).toBe(
      'Cannot be evaluated: risk_baseline is out of range, risk_proposed is malformed',
    )
  })

  it('takes nothing from a prototype', () => {
    const input = Object.create(sound) as object
    expect(evaluateGates(compileGates(), input).failing).toHaveLength(5)
  })

  it('passes over an optional gate only where it has no input at all', () => {
    const settings = { optional_gates: ['profit', 'novelty', 'quality', 'risk'] }
    const nothing = {
      risk_baseline: undefined,
      risk_proposed: undefined,
      profit_baseline: undefined,
      profit_proposed: undefined,
      novelty_score: undefined,
      quality_score: undefined,
      quality_subscores: undefined,
    }
    expect(failing(nothing, settings)).toEqual([])
    expect(failing({ ...nothing, profit_baseline: 1 }, settings)).toEqual(['profit'])
    expect(failing({ ...nothing, risk_proposed: 1 }, settings)).toEqual(['risk'])
    expect(failing({ ...nothing, quality_score: 1 }, settings)).toEqual(['quality'])
    expect(failing(nothing)).toEqual(['risk', 'profit', 'novelty', 'quality'])
  })
})

describe('the status', () => {
  const bad = { quality_score: 0.1 }
  const complex = { complexity_score: 0.1 }
  // Counts of a baseline and of windows: the same, shifted by degrees, and too few.
  const baseline = 'a'.repeat(64)
  const even = {
    baseline,
    expected: [0, 20, 20, 20, 20, 20, 0],
    recent: [0, 20, 20, 20, 20, 20, 0],
  }
  const critical = { ...even, recent: [0, 0, 0, 0, 0, 100, 0] }
  const warning = { ...even, recent: [0, 60, 10, 10, 10, 10, 0] }
  const leads = ['risk_lead', 'security_lead']

  const rows: readonly (readonly [number, string, object, object, object])[] = [
    [
      1,
      'HALT',
      { ...complex, estimated_impact: 'critical' },
      {},
      { overrideEligible: false, overrideRequires: [] },
    ],
    [
      1,
      'HALT',
      { ...complex, ...bad },
      {},
      { overrideEligible: false, failing: ['complexity', 'quality'] },
    ],
    [
      2,
      'ESCALATE',
      { ...bad, estimated_impact: 'high' },
      {},
      { overrideEligible: true, overrideRequires: leads },
    ],
    [
      2,
      'ESCALATE',
      { ...bad, estimated_impact: 'critical' },
      { drift: critical },
      { overrideEligible: true },
    ],
    [
      3,
      'HALT',
      { ...bad, estimated_impact: 'low' },
      {},
      { overrideEligible: true, overrideRequires: leads },
    ],
    [
      3,
      'HALT',
      { ...bad, estimated_impact: 'medium' },
      { drift: critical },
      { overrideEligible: true },
    ],
    [3, 'HALT', { ...bad, estimated_impact: undefined }, {}, { overrideEligible: true }],
    [4, 'PAUSE', { reversible: false }, { drift: critical }, { overrideEligible: false }],
    [5, 'PAUSE', { reversible: false }, { drift: even }, { approval: ['irreversible'] }],
    [5, 'PAUSE', { requires_human_approval: true }, {}, { approval: ['requested'] }],
    [
      5,
      'PAUSE',
      { risk_baseline: 0.125, risk_proposed: 0.4375 },
      {},
      { approval: ['risk_posterior'] },
    ],
    [
      6,
      'PROCEED',
      { risk_baseline: 0.125, risk_proposed: 0.4374 },
      { drift: even },
      { constraints: [], approval: [] },
    ],
    [6, 'PROCEED', { estimated_impact: 'critical' }, {}, { approval: ['impact'] }],
    [6, 'PROCEED', {}, { drift: warning }, { drift: { status: 'WARNING' } }],
  ]
  it.each(rows)('row %d gives %s (case %#)', (row, status, input, more, wanted) => {
    const decision = decide(input, {}, more)
    expect(decision).toMatchObject({ status, ...wanted })
    expect(decision.trace.row).toBe(row)
  })

  it('escalates an unclear impact as a critical one, and pauses on unclear flags', () => {
    expect(decide({ ...bad, estimated_impact: 'LOW' }).status).toBe('ESCALATE')
    expect(decide({ reversible: 'true' })).toMatchObject({
      status: 'PAUSE',
      approval: ['irreversible'],
    })
    expect(decide({ requires_human_approval: 'false' })).toMatchObject({ status: 'PAUSE' })
    expect(decide({ estimated_impact: 4 }).trace.problems).toEqual([
      { field: 'estimated_impact', problem: 'malformed' },
    ])
  })

  it('waits for a person on every high impact where the settings are strict', () => {
    const strict = { strict_human_approval: true }
    expect(decide({ estimated_impact: 'high' }, strict).status).toBe('PAUSE')
    expect(decide({ estimated_impact: 'high' }).status).toBe('PROCEED')
    expect(decide({ estimated_impact: 'medium' }, strict).status).toBe('PROCEED')
    expect(decide({}, strict).trace.options.strict_human_approval).toBe(true)
  })

  it('says with AEGIS why it escalates and what to do', () => {
    const input = { risk_proposed: 0.9, utility: { mean: -1, std: 0 }, estimated_impact: 'high' }
    expect(decide(input)).toMatchObject({
      rationale: 'High impact proposal with failing gates: risk, utility',
      nextSteps: ['Escalate to Risk Lead for review', 'Prepare justification document'],
    })
  })

  it('tells a drift that is not normal as a constraint', () => {
    expect(decide({}, {}, { drift: warning }).constraints).toEqual([
      expect.stringMatching(/^drift: Drift is 0\.\d+ nats$/),
    ])
    expect(decide(bad, {}, { drift: critical }).constraints).toHaveLength(1)
    expect(decide({}, {}, { drift: 'nonsense' })).toMatchObject({
      status: 'PAUSE',
      constraints: ['drift: Drift cannot be evaluated: malformed'],
    })
    expect(decide({}, {}, { drift: null }).drift).toBeNull()
  })

  it('has the least confidence of its gates', () => {
    expect(decide({ utility: undefined }).confidence).toBeCloseTo(1 - 3.872e-6, 8)
    expect(decide({}).confidence).toBe(0.95)
  })

  it('tells in shadow mode what was observed', () => {
    const { shadow } = decide({ risk_proposed: 0.05 }, {}, { shadow: true, drift: even })
    expect(shadow).toMatchObject({ baseline, shadowOnly: true, drift: { status: 'NORMAL' } })
    expect(shadow?.observations).toEqual([expect.closeTo(1.5, 12), 0])
    expect(decide({}).shadow).toBeNull()
  })
})

it('traces versions, settings and numbers in a form that can be signed', () => {
  const { trace, version } = decide({}, { novelty_threshold: 0.55 })
  expect(version).toBe('countersign/gates/v1')
  expect(trace).toMatchObject({
    version,
    settings: compileGates(readAegisConfig({ novelty_threshold: 0.55 })).digest,
    options: { optional_gates: ['utility'], profit_direction: 'gain' },
    impact: 'low',
    row: 6,
  })
  expect(trace.gates.map(({ gate }) => gate)).toEqual([
    'risk',
    'profit',
    'novelty',
    'complexity',
    'quality',
    'utility',
  ])
  expect(canonicalBytes(trace).length).toBeGreaterThan(500)
})
