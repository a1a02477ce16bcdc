import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { applyChanges } from '../../../src/policy/change.ts'
import { obligationJsonSchema, obligationTypes } from '../../../src/policy/obligations.ts'

const set = (path: string, value: unknown) => ({ op: 'set' as const, path, value })
const remove = (path: string) => ({ op: 'remove' as const, path })

describe('changes', () => {
  it.each([
    ['sets a member', { a: 1 }, set('a', 2), { a: 2 }],
    ['sets a new member', { a: 1 }, set('b', 2), { a: 1, b: 2 }],
    ['makes the objects above', {}, set('a.b.c', 1), { a: { b: { c: 1 } } }],
    ['sets an item', { a: [1, 2] }, set('a.1', 3), { a: [1, 3] }],
    ['sets below an item', { a: [{ b: 1 }] }, set('a.0.b', 2), { a: [{ b: 2 }] }],
    ['sets null', { a: 1 }, set('a', null), { a: null }],
    ['sets a name with a dot', {}, set('a\\.b', 1), { 'a.b': 1 }],
    ['removes a member', { a: 1, b: 2 }, remove('a'), { b: 2 }],
    ['removes an item', { a: [1, 2, 3] }, remove('a.1'), { a: [1, 3] }],
    ['removes nothing that is not there', { a: 1 }, remove('b.c'), { a: 1 }],
    ['removes nothing behind a list', { a: [1] }, remove('a.7'), { a: [1] }],
    ['removes nothing below a text', { a: 'x' }, remove('a.b'), { a: 'x' }],
  ])('%s', (_, value, change, changed) => {
    expect(applyChanges(value, [change])).toEqual(changed)
  })

  it.each([
    ['below a text', { a: 'x' }, set('a.b', 1)],
    ['below null', { a: null }, set('a.b', 1)],
    ['behind a list', { a: [1] }, set('a.1', 2)],
    ['at a name in a list', { a: [1] }, set('a.x', 2)],
    ['at an index with a zero before it', { a: [1, 2] }, set('a.01', 2)],
    ['at an index from the end', { a: [1, 2] }, set('a.-1', 2)],
  ])('do not fit %s', (_, value, change) => {
    expect(applyChanges(value, [change])).toBeUndefined()
  })

  it('come in their order', () => {
    expect(applyChanges({}, [set('a', 1), set('a', 2), remove('a'), set('b', 3)])).toEqual({ b: 3 })
  })

  it('touch neither what they were given nor any prototype', () => {
    const value = Object.freeze({ a: Object.freeze({ b: 1 }) })
    expect(applyChanges(value, [set('a.b', 2), set('__proto__.polluted', 1)])).toHaveProperty(
      'a.b',
      2,
    )
    expect(value).toEqual({ a: { b: 1 } })
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  it('change nothing more when they are made again', () => {
    const change = fc.oneof(
      fc.record({
        op: fc.constant('set' as const),
        path: fc.constantFrom('a', 'a.b', 'c.0', 'd'),
        value: fc.nat(3),
      }),
      fc.record({ op: fc.constant('remove' as const), path: fc.constantFrom('a', 'a.b', 'd') }),
    )
    const value = { a: { b: 1 }, c: [1], d: 2 }
    fc.assert(
      fc.property(change, (one) => {
        const once = applyChanges(value, [one])
        expect(applyChanges(once, [one])).toEqual(once)
      }),
    )
  })
})

it('has a JSON Schema of every obligation', () => {
  const { oneOf } = obligationJsonSchema() as {
    readonly oneOf: readonly {
      properties: { type: { const: string } }
      additionalProperties: boolean
    }[]
  }
  expect(oneOf.map(({ properties }) => properties.type.const)).toEqual(obligationTypes)
  expect(oneOf.every(({ additionalProperties }) => !additionalProperties)).toBe(true)
})
