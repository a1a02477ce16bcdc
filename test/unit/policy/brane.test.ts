import { expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { compileBundle } from '../../../src/policy/compile.ts'
import { readContext } from '../../../src/policy/context.ts'
import { decide, type Decided } from '../../../src/policy/decide.ts'
import { evaluate } from '../../../src/policy/evaluate.ts'

const policy = (
  id: string,
  effect: string,
  { rule = {}, ...more }: { readonly rule?: object; readonly [name: string]: unknown } = {},
  when: object = {},
): object => ({ id, ...more, rules: [{ id: 'r', effect, when, ...rule }] })
const bundle = (...policies: readonly object[]): object => ({ bundle_id: 'b', policies })
const ask = (...policies: readonly object[]): Decided =>
  decide({
    request: { actor: { id: 'bot' }, action: { type: 'pay' } },
    time: 0,
    active: [{ compiled: compileBundle(bundle(...policies), 'brane'), index: 1 }],
  })
const never = { kind: 'exists', field: 'nothing' }
const raises = { kind: 'contains', field: 'action', value: 1 }

it('allows where no policy matches', () => {
  const { reasons, status } = ask(policy('p', 'deny', {}, never))
  expect([status, reasons[0]?.code]).toEqual(['ALLOW', 'POLICY_DEFAULT_ALLOWED'])
  const result = evaluate(
    compileBundle(bundle(policy('p', 'deny', {}, never)), 'brane'),
    readContext({}),
    0,
  )
  expect(result.decision.kind).toBe('allow')
})

it('ends at the first denial by priority', () => {
  const denied = ask(policy('late', 'deny'), policy('early', 'deny', { priority: 9 }))
  expect(denied.trace.passes[0]?.[0]?.policies.map((one) => one.policy)).toEqual(['early'])
  const behind = [policy('raises', 'allow', {}, raises), policy('no', 'deny', { priority: 1 })]
  expect(ask(...behind).status).toBe('BLOCK')
  // Nobody is asked behind a denial; before it, a policy without an answer is an error.
  expect(ask(policy('raises', 'allow', { priority: 2 }, raises), ...behind.slice(1)).status).toBe(
    'ERROR',
  )
})

it('answers with the last allowance by priority where all allow', () => {
  const policies = [
    policy('last', 'allow', { priority: -1, rule: { reason_code: 'LAST' } }),
    policy('first', 'allow', { priority: 1, rule: { reason_code: 'FIRST' } }),
    policy('second', 'allow', { priority: 1, rule: { reason_code: 'SECOND' } }),
  ]
  expect(ask(...policies).reasons.map(({ code }) => code)).toEqual(['LAST', 'SECOND', 'FIRST'])
  const compiled = compileBundle(bundle(...policies), 'brane')
  expect(evaluate(compiled, readContext({}), 0).decision.matched_policy_id).toBe('last')
})

it('holds what needs approval', () => {
  expect(ask(policy('p', 'approval_required'), policy('q', 'allow')).status).toBe('ESCALATE')
  expect(ask(policy('p', 'approval_required'), policy('q', 'deny')).status).toBe('BLOCK')
})

it.each([
  ['redact', { paths: ['a'], mode: 'remove' }],
  ['transform_input', { changes: [{ op: 'set', path: 'context.dry', value: true }] }],
  ['transform_output', { changes: [{ op: 'remove', path: 'a' }] }],
  ['route', { target: { resource: 'r' } }],
  ['sandbox', { profile: 'p' }],
  ['log_only', {}],
])(
  'allows with %s where its obligation is stated, and refuses the bundle where not',
  (type, rest) => {
    const decided = ask(policy('p', type, { rule: { obligations: [{ type, ...rest }] } }))
    expect(decided.status).toBe('ALLOW')
    expect(decided.trace.effect).toBe(type)
    expect(decided.obligations).toMatchObject([{ type }])
    expect(() => compileBundle(bundle(policy('p', type)), 'brane')).toThrow(Failure)
  },
)

it('has effects and priorities that native bundles have not', () => {
  for (const one of [policy('p', 'approval_required'), policy('p', 'allow', { priority: 1 })])
    expect(() => compileBundle(bundle(one), 'native')).toThrow(Failure)
  expect(() => compileBundle(bundle(policy('p', 'escalate')), 'brane')).toThrow(Failure)
  expect(() =>
    compileBundle(bundle(policy('p', 'allow', { default_effect: 'deny' })), 'brane'),
  ).toThrow(Failure)
})
