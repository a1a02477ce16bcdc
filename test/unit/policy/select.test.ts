import { describe, expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import type { PolicyRequest } from '../../../src/policy/request.ts'
import { selectPolicies, type ActivePolicy, type Selection } from '../../../src/policy/select.ts'
import { compileScope } from '../../../src/policy/terms.ts'

const active = (id: string, scope?: object, version = '1'): ActivePolicy => ({
  compiled: compileBundle(
    {
      bundle_id: id,
      version,
      policies: [{ id: 'p', rules: [{ id: 'r', effect: 'allow', when: {} }] }],
      ...(scope === undefined ? {} : { scope }),
    },
    'native',
  ),
  index: 1,
})

const select = (
  policies: readonly ActivePolicy[],
  more: Partial<PolicyRequest> = {},
  {
    boundRefs = [],
    facts = {},
    isChanged = false,
  }: { boundRefs?: string[]; facts?: object; isChanged?: boolean } = {},
): Selection =>
  selectPolicies({
    request: {
      actor: { id: 'bot' },
      action: { type: 'pay.card' },
      resource: { id: 'account:1' },
      context: { environment: 'prod' },
      ...more,
    },
    facts: facts as Record<string, unknown>,
    active: policies,
    boundRefs,
    isChanged,
  })
const names = ({ selected }: Selection): readonly string[] =>
  selected.map(({ compiled }) => compiled.bundle.id).toSorted()
const codes = ({ problems }: Selection): readonly string[] => problems.map(({ code }) => code)

describe('scopes', () => {
  it.each([
    [undefined, true],
    [{ actions: ['pay.*'] }, true],
    [{ actions: ['refund', 'pay.*'] }, true],
    [{ actions: ['refund'] }, false],
    [{ resources: ['account:*'] }, true],
    [{ resources: ['vault:*'] }, false],
    [{ environments: ['prod'] }, true],
    [{ environments: ['dev'] }, false],
    [{ actions: ['pay.*'], resources: ['vault:*'] }, false],
  ])('choose with %j', (scope, chosen) => {
    const selection = select([active('a', scope)])
    expect(names(selection)).toEqual(chosen ? ['a'] : [])
    expect(selection.problems).toEqual([])
  })

  it.each([[undefined], [{}], [{ id: '' }], [{ id: 7 }], [{ id: ['vault:1'] }]])(
    'are in doubt where the resource is left out, which is a problem: %j',
    (resource) => {
      const scoped = active('a', { resources: ['account:*'], actions: ['pay.*'] })
      const selection = select([scoped], { resource })
      expect([names(selection), codes(selection)]).toEqual([[], ['POLICY_SCOPE_UNKNOWN']])
      expect(selection.problems[0]?.text).toBe('The request does not say its resource')
      expect(selection.concerned).toEqual([scoped])
      const elsewhere = select([scoped], { resource, action: { type: 'refund' } })
      expect([names(elsewhere), codes(elsewhere)]).toEqual([[], []])
      const other = { resources: ['account:*'], environments: ['dev'] }
      expect(codes(select([active('a', other)], { resource }))).toEqual([])
      const any = select([active('a', { resources: ['*'] })], { resource })
      expect([names(any), codes(any)]).toEqual([['a'], []])
    },
  )

  it('are in doubt where the environment is left out, which is a problem', () => {
    const scoped = active('a', { environments: ['prod'], actions: ['pay.*'] })
    const selection = select([scoped], { context: {} })
    expect(codes(selection)).toEqual(['POLICY_SCOPE_UNKNOWN'])
    expect(selection.concerned).toEqual([scoped])
    expect(codes(select([scoped], { context: {}, action: { type: 'refund' } }))).toEqual([])
  })

  it('take the word of the service before that of the requester', () => {
    const scoped = active('a', { environments: ['prod'] })
    const lied = { context: { environment: 'dev' } }
    expect(names(select([scoped], lied, { facts: { environment: 'prod' } }))).toEqual(['a'])
    expect(names(select([scoped], lied))).toEqual([])
  })

  it('given at activation narrow those of the bundle', () => {
    const narrowed = {
      ...active('a', { actions: ['pay.*'] }),
      scope: compileScope({ resources: ['vault:*'], select: 'always' }),
    }
    expect(names(select([narrowed]))).toEqual([])
    expect(names(select([narrowed], { resource: { id: 'vault:7' } }))).toEqual(['a'])
    const elsewhere = { ...narrowed, ...active('a', { environments: ['prod'] }) }
    expect(codes(select([elsewhere], { context: {} }))).toEqual([])
  })
})

describe('references', () => {
  const silent = active('silent', { select: 'referenced' })
  const loud = active('loud')

  it('add a policy that wants to be named, and take none away', () => {
    expect(names(select([silent, loud]))).toEqual(['loud'])
    expect(names(select([silent, loud], { policyRefs: ['silent'] }))).toEqual(['loud', 'silent'])
    expect(names(select([silent, loud], {}, { boundRefs: ['silent'] }))).toEqual(['loud', 'silent'])
    expect(names(select([silent, loud], { policyRefs: ['loud'] }))).toEqual(['loud'])
  })

  it.each([
    ['silent', []],
    ['silent@1', []],
    [`sha256:${silent.compiled.digest}`, []],
    ['silent@2', ['POLICY_REF_UNKNOWN']],
    ['Silent', ['POLICY_REF_UNKNOWN']],
    [silent.compiled.digest, ['POLICY_REF_UNKNOWN']],
    ['', ['POLICY_REF_UNKNOWN']],
  ])('are found by %s', (ref, problems) => {
    expect(codes(select([silent, loud], { policyRefs: [ref] }))).toEqual(problems)
    expect(codes(select([silent, loud], {}, { boundRefs: [ref] }))).toEqual(problems)
  })

  it('are a problem where two versions bear the name, but not with the version', () => {
    const two = [active('a', { select: 'referenced' }), active('a', { select: 'referenced' }, '2')]
    const selection = select(two, { policyRefs: ['a'] })
    expect(codes(selection)).toEqual(['POLICY_REF_UNKNOWN'])
    expect(selection.concerned).toHaveLength(2)
    expect(names(select(two, { policyRefs: ['a@2'] }))).toEqual(['a'])
  })

  it('do not bring in a policy that is for other requests', () => {
    const other = active('other', { actions: ['refund'], select: 'referenced' })
    const selection = select([other, loud], { policyRefs: ['other'] })
    expect([names(selection), codes(selection)]).toEqual([['loud'], ['POLICY_REF_OUT_OF_SCOPE']])
    expect(selection.concerned).toEqual([other])
  })

  it('pass over what the key is bound to where it is for other requests, and what a changed request named', () => {
    const other = active('other', { actions: ['refund'], select: 'referenced' })
    const bound = select([other, loud], {}, { boundRefs: ['other'] })
    expect([names(bound), codes(bound), bound.passedOver]).toEqual([['loud'], [], [other]])
    const both = select([other, loud], { policyRefs: ['other'] }, { boundRefs: ['other'] })
    expect(codes(both)).toEqual(['POLICY_REF_OUT_OF_SCOPE'])
    const changed = select([other, loud], { policyRefs: ['other'] }, { isChanged: true })
    expect([codes(changed), changed.passedOver]).toEqual([[], [other]])
    const refund = { action: { type: 'refund' } }
    expect(names(select([other, loud], refund, { boundRefs: ['other'] }))).toEqual([
      'loud',
      'other',
    ])
  })

  it('are in doubt too where the environment is left out', () => {
    const scoped = active('a', { environments: ['prod'], select: 'referenced' })
    const bound = select([scoped], { context: {} }, { boundRefs: ['a'] })
    expect(codes(bound)).toEqual(['POLICY_SCOPE_UNKNOWN'])
  })
})
