import { expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { decide } from '../../../src/policy/decide.ts'
import { dialects, type DialectName } from '../../../src/policy/dialect.ts'
import { parsePolicyJson, parsePolicyYaml } from '../../../src/policy/policy-text.ts'

// Each of these took minutes when its cost was the product of two lengths, and is over at once where it is their sum: what is asserted is the answer, and a
// test that hangs fails by the time that every test has.

const status = (
  dialect: DialectName,
  bundle: object,
  context: Readonly<Record<string, unknown>>,
): string => {
  const active = [{ compiled: compileBundle(bundle, dialect), index: null }]
  const request = { actor: { id: 'a' }, action: { type: 'pay' }, context }
  return decide({ request, time: 0, active }).status
}

const block = (op: string, values: readonly unknown[]): object => ({
  rules: [{ name: 'r', all: [{ field: 'x', op, values }], action: 'allow' }],
})

it('compares a long list with a long list', () => {
  const wanted = Array.from({ length: 5_000 }, (_, i) => `w${i}`)
  const others = Array.from({ length: 20_000 }, (_, i) => `x${i}`)
  for (const actual of [[...others], [others], others.map((one) => [one])]) {
    expect(status('decionis-block', block('in', wanted), { x: actual })).toBe('REVIEW_REQUIRED')
    const last = { x: [...actual, ['W4999 ']] }
    expect(status('decionis-block', block('in', wanted), last)).toBe('ALLOW')
  }
})

it('compares a long list, however deep it lies, in many rules of Decionis', () => {
  const list = Array.from({ length: 30_000 }, (_, i) => `x${i}`)
  const rules = (last: string): object => ({
    rules: Array.from({ length: 1_000 }, (_, i) => ({
      name: `r${i}`,
      all: [{ field: 'x', op: 'eq', value: i === 999 ? last : `w${i}` }],
      action: 'allow',
    })),
  })
  for (const actual of [list, [list], [[list]]]) {
    expect(status('decionis-block', rules('w999'), { x: actual })).toBe('REVIEW_REQUIRED')
    expect(status('decionis-block', rules(' X29999'), { x: actual })).toBe('ALLOW')
  }
})

it('compares a large object with the items of a long list', () => {
  const value = Object.fromEntries(Array.from({ length: 5_000 }, (_, i) => [`n${i}`, i]))
  const when = { kind: 'contains', field: 'x', value }
  const holds = {
    bundle_id: 'b',
    policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when }] }],
  }
  const items = Array.from({ length: 20_000 }, () => ({}))
  expect(status('native', holds, { x: items })).toBe('BLOCK')
  expect(status('native', holds, { x: [...items, { ...value }] })).toBe('ALLOW')
})

it('looks for a long text in a long text', () => {
  const wanted = `${'a'.repeat(100_000)}b${'a'.repeat(100_000)}`
  const holding = { x: `aaa${wanted}` }
  const lacking = { x: 'a'.repeat(400_000) }
  const contains = (kind: string, more: object): object => ({
    bundle_id: 'b',
    policies: [
      { id: 'p', rules: [{ id: 'r', effect: 'allow', when: { kind, field: 'x', ...more } }] },
    ],
  })
  const native = contains('contains', { value: wanted })
  expect(status('native', native, holding)).toBe('ALLOW')
  expect(status('native', native, lacking)).toBe('BLOCK')
  const all = [{ field: 'x', op: 'contains', value: wanted }]
  const decionis = { rules: [{ name: 'r', all, action: 'allow' }] }
  expect(status('decionis-block', decionis, holding)).toBe('ALLOW')
  expect(status('decionis-block', decionis, lacking)).toBe('REVIEW_REQUIRED')
  const within = (value: string): readonly object[] => [
    {
      action: '*',
      reason: 'r',
      on_match: 'ESCALATE',
      conditions: [{ field: 'x', operator: 'in', value }],
    },
  ]
  expect(status('provenance', within(`b${wanted}`), { x: wanted })).toBe('ESCALATE')
  expect(status('provenance', within('a'.repeat(400_000)), { x: wanted })).toBe('ALLOW')
})

it('counts the members of a large object once, however many objects it is compared with', () => {
  const large = Object.fromEntries(Array.from({ length: 30_000 }, (_, i) => [`k${i}`, i]))
  const others = Array.from({ length: 20_000 }, (_, i) => (i % 2 === 0 ? {} : { [`k${i}`]: i }))
  const asks = (when: object): object => ({
    bundle_id: 'b',
    policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when }] }],
  })
  const within = asks({ kind: 'in', field: 'x', value: others })
  expect(status('native', within, { x: large })).toBe('BLOCK')
  expect(status('native', within, { x: { k19999: 19_999 } })).toBe('ALLOW')
  const nested = asks({ kind: 'in', field: 'x', value: others.map((one) => [one]) })
  expect(status('0.2', nested, { x: [large] })).toBe('BLOCK')
  expect(status('0.2', nested, { x: [{ k19999: 19_999 }] })).toBe('ALLOW')
  const conditions = [{ field: 'x', operator: 'in', value: others }]
  const rules = [{ action: '*', reason: 'r', on_match: 'ESCALATE', conditions }]
  expect(status('provenance', rules, { x: large })).toBe('ALLOW')
  expect(status('provenance', rules, { x: {} })).toBe('ESCALATE')
})

const refusal = (read: () => unknown): string => {
  try {
    read()
  } catch (error) {
    if (error instanceof Failure) return `${error.code} ${error.message}`
    throw error
  }
  return 'none'
}

it('refuses a long JSON text that never ends', () => {
  const text = `{"${'\\"'.repeat(500_000)}`
  for (const one of [text, `${text}\\`])
    expect(refusal(() => parsePolicyJson(one, dialects['0.1']))).toBe(
      'INPUT_MALFORMED Text is not JSON',
    )
})

it('finds among many names of a YAML object one that stands twice', { timeout: 20_000 }, () => {
  const names = Array.from({ length: 40_000 }, (_, i) => `k${i}: 1`)
  const read = (lines: readonly string[]) => parsePolicyYaml(lines.join('\n'), dialects.native)
  expect(read(names.slice(0, 2))).toEqual({ k0: 1, k1: 1 })
  expect(refusal(() => read([...names, 'k0: 2']))).toBe(
    'INPUT_MALFORMED Text is not YAML in line 40001: Map keys must be unique',
  )
})
