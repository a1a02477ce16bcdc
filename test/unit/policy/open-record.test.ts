import { expect, it } from 'vitest'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { readContext } from '../../../src/policy/context.ts'
import { evaluate } from '../../../src/policy/evaluate.ts'
import { compileRecord } from '../../../src/policy/open-record.ts'
import { compileSource } from '../../../src/policy/source.ts'
import { parsePolicyJson } from '../../../src/policy/policy-text.ts'
import { dialects } from '../../../src/policy/dialect.ts'

const compiled = compileSource(
  '{"bundle_id":"b","policies":[{"id":"p/~","rules":[{"id":"r","effect":"allow","when":{"kind":"in","field":"x","value":[9007199254740993,12345678901234567000.0]}}]}]}',
  '0.1',
)
const record = JSON.parse(fromUtf8(compiled.record)) as {
  bundle: object
  exact: Record<string, string>
}

it('reads a record back to the very bundle that was sealed', () => {
  const opened = compileRecord(record)
  expect(opened.digest).toBe(compiled.digest)
  expect(Object.keys(record.exact)).toHaveLength(2)
  const kind = (x: string): string =>
    evaluate(opened, readContext(parsePolicyJson(`{"data":{"x":${x}}}`, dialects['0.1'])), 0)
      .decision.kind
  expect(kind('9007199254740993')).toBe('allow')
  expect(kind('9007199254740992')).toBe('deny')
  expect(kind('12345678901234567168')).toBe('allow')
  expect(kind('12345678901234567000')).toBe('deny')
})

it('seals no bundle of dialect 0.1 that nobody could read back', () => {
  const withValue = (value: string): string =>
    `{"bundle_id":"b","policies":[{"id":"p","rules":[{"id":"r","effect":"allow","when":{"kind":"eq","field":"x","value":${value}}}]}]}`
  expect(() => compileSource(withValue('{"a":{"__proto__":1}}'), '0.1')).toThrow(
    expect.objectContaining({
      code: 'POLICY_INVALID',
      field: '/policies/0/rules/0/when/value/a',
    }) as Error,
  )
  expect(() => compileSource(withValue('{"a":{"__proto_":1}}'), '0.1')).not.toThrow()
})

it('refuses what is no record', () => {
  const withExact = (exact: unknown): unknown => ({ ...record, exact })
  for (const wrong of [
    null,
    {},
    { dialect: '0.3', bundle: record.bundle },
    { dialect: '0.1' },
    withExact([]),
    withExact({ '/nowhere': 'integer' }),
    withExact({ bundle_id: 'integer' }),
    withExact({ '/bundle_id': 'integer' }),
    withExact({ '/policies/0/id': 'float' }),
    withExact({ '/policies/7': 'float' }),
    withExact({ '/policies/0/rules/0/when/value/0': 'decimal' }),
  ])
    expect(() => compileRecord(wrong)).toThrow(expect.objectContaining({ code: 'POLICY_INVALID' }))
})

it('reads back a record with thousands of exact numbers', () => {
  const value = Object.fromEntries(
    Array.from({ length: 3000 }, (_, i) => [`a${i}`, 9007199254740993n + BigInt(i)]),
  )
  const rules = [{ effect: 'deny', id: 'r', when: { field: 'x', kind: 'eq', value } }]
  const bundle = { bundle_id: 'b', policies: [{ id: 'p', rules }] }
  const sealed = compileBundle(bundle, '0.1')
  const read: unknown = JSON.parse(fromUtf8(sealed.record))
  const text = JSON.stringify(read)
  expect(compileRecord(read).digest).toBe(sealed.digest)
  // What was given is not changed.
  expect(JSON.stringify(read)).toBe(text)
})
