import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { Failure } from '../../../src/base/failure.ts'
import { sha256 } from '../../../src/crypto/hash.ts'
import {
  compileGates,
  defaultAegisConfig,
  driftSettingNames,
  readAegisConfig,
  settingNames,
} from '../../../src/policy/gate-config.ts'
import { parseAegisConfig, validateAegisConfig } from '../../../src/policy/gate-config-text.ts'

describe('the settings', () => {
  it('have the defaults of AEGIS, and ours for what it leaves open', () => {
    expect(defaultAegisConfig).toEqual({
      epsilon_R: 0.01,
      epsilon_P: 0.01,
      risk_trigger_factor: 2,
      profit_trigger_factor: 2,
      trigger_confidence_prob: 0.95,
      novelty_N0: 0.7,
      novelty_k: 10,
      novelty_threshold: 0.6,
      complexity_floor: 0.5,
      quality_min_score: 0.7,
      quality_no_zero_subscores: true,
      gamma: 0.3,
      kappa: 1,
      phi_S: 100,
      phi_D: 2000,
      lcb_alpha: 0.05,
      migration_budget: 5000,
      utility_threshold: 0,
      kl_drift: {
        tau_warning: 0.3,
        tau_critical: 0.5,
        window_days: 30,
        bins: 5,
        min_baseline: 30,
        min_recent: 30,
      },
      telemetry_url: null,
      mcp_rate_limit: 60,
      prior_mean: 0,
      prior_std: 1,
      likelihood_std: 0.5,
      profit_direction: 'gain',
      novelty_direction: 'novel_passes',
      strict_human_approval: false,
      optional_gates: ['utility'],
      omega: 0,
    })
  })

  it('are frozen to the bottom, and so is what is compiled', () => {
    const config = readAegisConfig({ optional_gates: ['profit'] })
    expect(() => Object.assign(config, { complexity_floor: 0 })).toThrow(TypeError)
    expect(() => Object.assign(config.kl_drift, { tau_critical: 9 })).toThrow(TypeError)
    expect(() => Array.prototype.push.call(config.optional_gates, 'risk')).toThrow(TypeError)
    expect(() => Object.assign(compileGates(config), { triggerScore: 9 })).toThrow(TypeError)
  })

  // For each setting values at the ends, and such as lie beyond.
  const bounds: readonly (readonly [string, readonly unknown[], readonly unknown[]])[] = [
    ['epsilon_R', [1e-9, 1e12], [0, -0.01, 1e13]],
    ['epsilon_P', [1e-9, 1e12], [0, -0.01, 1e13]],
    ['risk_trigger_factor', [1e-9, 1e6], [0, -2, 1.1e6]],
    ['profit_trigger_factor', [1e-9, 1e6], [0, -2, 1.1e6]],
    ['trigger_confidence_prob', [1e-9, 0.999999999], [0, 1, 95]],
    ['novelty_N0', [0, 1], [-0.1, 1.1]],
    ['novelty_k', [0.001, 1000], [0, -10, 1001]],
    ['novelty_threshold', [1e-9, 0.999999999], [0, 1]],
    ['complexity_floor', [0, 1], [-0.1, 1.1]],
    ['quality_min_score', [0, 1], [-0.1, 1.1]],
    ['quality_no_zero_subscores', [true, false], [0, 'true']],
    ['gamma', [0, 1e12], [-0.1, 1e13]],
    ['kappa', [0, 1e12], [-0.1, 1e13]],
    ['phi_S', [0, 1e12], [-0.1, 1e13]],
    ['phi_D', [0, 1e12], [-0.1, 1e13]],
    ['omega', [0, 1e12], [-0.1, 1e13]],
    ['lcb_alpha', [1e-9, 0.5], [0, 0.51]],
    ['migration_budget', [0, 1e12], [-1, 1e13]],
    ['utility_threshold', [-1e12, 1e12], [-1e13, 1e13]],
    ['mcp_rate_limit', [0, 1_000_000], [-1, 1.5, 1_000_001]],
    ['telemetry_url', [null, 'https://example.com/e'], ['http://example.com/e', 'nowhere', 7]],
    ['prior_mean', [-1e6, 1e6], [-1.1e6, 1.1e6]],
    ['prior_std', [1e-3, 1e3], [0, 1.1e3]],
    ['likelihood_std', [1e-3, 1e3], [0, 1.1e3]],
    ['profit_direction', ['gain', 'loss'], ['up', null]],
    ['novelty_direction', ['novel_passes', 'novel_fails'], ['up', null]],
    ['strict_human_approval', [true, false], ['yes', 1]],
    [
      'optional_gates',
      [[], ['risk', 'profit', 'novelty', 'quality', 'utility']],
      [['complexity'], ['risk', 'risk'], 'risk'],
    ],
  ]
  it.each(bounds)('take %s within its bounds and refuse it beyond', (name, inside, outside) => {
    for (const value of inside)
      expect(readAegisConfig({ [name]: value })).toHaveProperty(name, value)
    const never = typeof inside[0] === 'number' ? [NaN, Infinity, -Infinity, '1', null] : []
    for (const value of [...outside, ...never])
      expect(() => readAegisConfig({ [name]: value })).toThrow(
        expect.objectContaining({
          code: 'POLICY_INVALID',
          field: expect.stringContaining(`/${name}`) as string,
        }),
      )
  })

  it.each([
    ['tau_warning', [1e-9, 0.5], [0, 0.6, NaN]],
    ['tau_critical', [0.3, 100], [0.2, 101]],
    ['window_days', [1, 3650], [0, 3651, 1.5]],
    ['bins', [2, 64], [1, 65, 2.5]],
    ['min_baseline', [30, 10_000], [29, 10_001]],
    ['min_recent', [1, 10_000], [0, 10_001]],
  ])('take kl_drift.%s within its bounds and refuse it beyond', (name, inside, outside) => {
    for (const value of inside)
      expect(readAegisConfig({ kl_drift: { [name]: value } }).kl_drift).toHaveProperty(name, value)
    for (const value of outside)
      expect(() => readAegisConfig({ kl_drift: { [name]: value } })).toThrow(Failure)
  })

  it('refuse names that nobody knows, and what is no object', () => {
    for (const value of [{ epsilon: 1 }, { kl_drift: { tau: 1 } }, null, [], 'x', 7])
      expect(() => readAegisConfig(value)).toThrow(
        expect.objectContaining({ code: 'POLICY_INVALID' }),
      )
  })
})

it('has every setting and option explained in GATES.md, by its name', () => {
  const text = readFileSync(join(import.meta.dirname, '../../../src/policy/GATES.md'), 'utf8')
  const explained = new Set(
    [...text.matchAll(/`([A-Za-z_0-9]+)(?:: [a-z_]+)?`/g)].map(([, name]) => name),
  )
  const names = [...settingNames, ...driftSettingNames]
  expect(names.length).toBeGreaterThan(30)
  expect(names.filter((name) => !explained.has(name))).toEqual([])
})

describe('the digest of settings', () => {
  it('is of all of them and their version, so that another value is another digest', () => {
    const digest = (value: object): string => compileGates(readAegisConfig(value)).digest
    const whole = canonicalBytes({ config: defaultAegisConfig, gates: 'countersign/gates/v1' })
    expect(digest({})).toBe(encodeHex(sha256(whole)))
    expect(digest({ quality_min_score: 0.7 })).toBe(digest({}))
    expect(digest({ quality_min_score: 0.7000000000000001 })).not.toBe(digest({}))
  })

  it('is the one of version 1 for ever', () => {
    // A default or a setting that changes is another version: what was decided must come out the same.
    expect(compileGates().digest).toBe(
      '599e07db67ce5c4db1cf83c39a1e70f5084063b9341721da549db9a3dee758f2',
    )
  })
})

describe('the loader of AEGIS YAML', () => {
  const load = (text: string): Readonly<Record<string, unknown>> =>
    parseAegisConfig(text).parameters

  it('takes flat names, nested novelty and drift, wrapped values, at the top and under parameters', () => {
    const text = `
version: 3
epsilon_R: 0.02
parameters:
  complexity_floor: {value: 0.6, frozen: true, description: hard floor}
  novelty_gate:
    N0: 0.65
    k: {value: 12}
    output_threshold: 0.8
    method: logistic
  kl_drift: {tau_warning: {value: 0.2}, window_days: 7, estimator: kde}
  quality_no_zero_subscore: false
aliases: {eps: epsilon_R}
attestation: {date: 2025-01-01, by: someone}
`
    const { config, ignored, parameters } = parseAegisConfig(text)
    expect(parameters).toEqual({
      epsilon_R: 0.02,
      complexity_floor: 0.6,
      novelty_N0: 0.65,
      novelty_k: 12,
      novelty_threshold: 0.8,
      kl_drift: { tau_warning: 0.2, window_days: 7 },
      quality_no_zero_subscores: false,
    })
    expect(config).toMatchObject({
      novelty_k: 12,
      epsilon_P: 0.01,
      kl_drift: { tau_warning: 0.2, tau_critical: 0.5 },
    })
    expect(ignored).toEqual([
      'version',
      'aliases',
      'attestation',
      'parameters/novelty_gate/method',
      'parameters/kl_drift/estimator',
    ])
    expect(Object.isFrozen(config)).toBe(true)
  })

  it('reads JSON, a wrapped parameters block is none, and an empty file is the defaults', () => {
    expect(load('{"gamma": 0.5, "novelty_gate": {"value": {"N0": 0.1}}}')).toEqual({
      gamma: 0.5,
      novelty_N0: 0.1,
    })
    for (const text of ['', '{}', '# nothing', 'parameters:', 'unknown: 1'])
      expect(parseAegisConfig(text).config).toEqual(defaultAegisConfig)
  })

  it.each([
    ['a list', '- 1', 'POLICY_INVALID'],
    ['a scalar', 'hello', 'POLICY_INVALID'],
    ['parameters that are a list', 'parameters: [1]', 'POLICY_INVALID'],
    ['a value out of range', 'complexity_floor: 7', 'POLICY_INVALID'],
    ['text for a number', 'gamma: "0.3"', 'POLICY_INVALID'],
    ['a wrapper without a value', 'gamma: {default: 0.3}', 'POLICY_INVALID'],
    ['no number', 'gamma: .nan', 'INPUT_INVALID'],
    ['an infinity', 'gamma: .inf', 'INPUT_INVALID'],
    ['two values for one setting', 'gamma: 0.3\nparameters: {gamma: 0.3}', 'POLICY_INVALID'],
    ['two names for one setting', 'novelty_N0: 0.7\nnovelty_gate: {N0: 0.7}', 'POLICY_INVALID'],
    ['a novelty gate that is no mapping', 'kl_drift: 7', 'POLICY_INVALID'],
    ['what is not YAML', 'a: [', 'INPUT_MALFORMED'],
    ['one name twice', 'gamma: 1\ngamma: 1', 'INPUT_MALFORMED'],
  ])('refuses %s', (_, text, code) => {
    expect(() => parseAegisConfig(text)).toThrow(expect.objectContaining({ code }))
  })

  it('takes nothing from names of every object', () => {
    const { config, ignored } = parseAegisConfig(
      'constructor: 1\ntoString: {value: 2}\nnovelty_gate: {constructor: 1}',
    )
    expect(config).toEqual(defaultAegisConfig)
    expect(ignored).toEqual(['constructor', 'toString', 'novelty_gate/constructor'])
  })

  it('answers validate-config with the settings of the file and what it names in vain', () => {
    expect(validateAegisConfig('')).toEqual({ valid: true, parameters: {}, ignored: [] })
    expect(validateAegisConfig('gama: 1\ngamma: 1')).toEqual({
      valid: true,
      parameters: { gamma: 1 },
      ignored: ['gama'],
    })
    expect(validateAegisConfig('gamma: -1')).toMatchObject({
      valid: false,
      error: expect.stringContaining('/gamma') as string,
    })
    expect(validateAegisConfig('a: 1\nb: [')).toMatchObject({
      valid: false,
      error: expect.stringMatching(/^Text is not YAML in line 2: Flow sequence/) as string,
    })
  })
})
