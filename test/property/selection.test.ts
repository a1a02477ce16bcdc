import fc from 'fast-check'
import { expect, it } from 'vitest'
import { canonicalize } from '../../src/base/canonical-json.ts'
import { makeDecision } from '../../src/decisions/evaluate.ts'
import type { DecisionMatter } from '../../src/dossier/matters.ts'
import { compileBundle } from '../../src/policy/compile.ts'
import type { ActivePolicy } from '../../src/policy/select.ts'
import { judgeSelection } from '../../src/verify/judge-selection.ts'
import { PolicyTimes } from '../../src/verify/policy-times.ts'

const by = { id: 'cli', owner: 'author', type: 'local' } as const
const some = (...values: readonly string[]) => fc.subarray([...values], { minLength: 1 })

const narrow = fc.record(
  {
    actions: some('pay', 'pay.*', 'refund'),
    environments: some('dev', 'prod'),
    resources: some('vault:*', 'x'),
    select: fc.constantFrom('always', 'referenced'),
  },
  { requiredKeys: [] },
)
const scopes = fc.oneof({ arbitrary: fc.constant({}), weight: 3 }, { arbitrary: narrow, weight: 2 })
const route = { target: { action: 'refund' }, type: 'route' }
const change = {
  changes: [{ op: 'set', path: 'resource.id', value: 'vault:9' }],
  type: 'transform_input',
}
const bundles = fc.array(
  fc.record({
    effect: fc.constantFrom('allow', 'allow', 'allow', 'allow', 'escalate', 'deny'),
    obligations: fc.constantFrom(undefined, undefined, [route], [change]),
    scope: scopes,
    wider: scopes,
  }),
  { maxLength: 6 },
)
// A name that nobody has makes an error of everything.
const refs = fc.oneof(
  { arbitrary: fc.constant<string[]>([]), weight: 3 },
  { arbitrary: fc.subarray(['b0', 'b1@1', 'b2', 'gone']), weight: 1 },
)
const bonds = fc.record({
  environment: fc.constantFrom(null, 'dev', 'prod'),
  policies: refs,
})
const intents = fc.record(
  {
    action: fc.record({ type: fc.constantFrom('pay', 'pay.card', 'refund', 'other') }),
    actor: fc.constant({ id: 'a' }),
    context: fc.constantFrom({}, { environment: 'dev' }, { environment: 'prod' }),
    policyRefs: refs,
    resource: fc.constantFrom({ id: 'vault:1' }, { id: 'x' }),
  },
  { requiredKeys: ['action', 'actor'] },
)

/** A log where bundles are registered and activated one after the other. */
function logOf(found: readonly object[]): PolicyTimes {
  const times = new PolicyTimes()
  for (const [i, one] of found.entries()) {
    const { effect, obligations, scope, wider } = one as Record<string, unknown>
    const rule = {
      effect,
      id: 'r',
      when: { kind: 'always' },
      ...(effect === 'deny' || obligations === undefined ? {} : { obligations }),
    }
    const bundle = {
      bundle_id: `b${i}`,
      policies: [{ default_effect: 'not_applicable', id: 'p', rules: [rule] }],
      scope,
      version: '1',
    }
    const { digest: sha256 } = compileBundle(bundle, 'native')
    const index = 2 * i
    const told = { by, time: 0 }
    const steps = [
      {
        ...told,
        event: 'registered',
        id: bundle.bundle_id,
        record: { bundle, dialect: 'native' },
        sha256,
        version: '1',
      },
      { ...told, event: 'activated', index, replaces: null, rollback: false, scope: wider, sha256 },
    ]
    for (const [n, matter] of steps.entries())
      expect(times.add({ index: index + n, matter: matter as never, time: 0 })).toBeUndefined()
  }
  return times
}

const named = (policies: DecisionMatter['policies'] | undefined): string =>
  canonicalize((policies ?? []).map(({ sha256 }) => sha256).toSorted())

it('a decision by all policies is without fault, and one by fewer has one exactly where it cites others', () => {
  const met = { changed: 0, less: 0, same: 0 }
  fc.assert(
    fc.property(bundles, intents, bonds, fc.nat(5), (found, intent, bound, left) => {
      const times = logOf(found)
      const at = 2 * found.length
      const active = times.open(times.at(at)) as readonly ActivePolicy[]
      const judge = (policies: readonly ActivePolicy[]) => {
        const made = makeDecision(policies, { intent }, 1, bound)
        const matter = JSON.parse(
          canonicalize({ ...made, caller: by, source: 'evaluated' }),
        ) as DecisionMatter
        return { matter, ...judgeSelection(matter, times, at, bound) }
      }
      const whole = judge(active)
      expect([whole.faults, whole.unknown]).toEqual([[], undefined])
      const less = judge(active.filter((_, i) => i !== left))
      const isSame = named(less.matter.policies) === named(whole.matter.policies)
      expect(less.faults.length === 0).toBe(isSame)
      met[isSame ? 'same' : 'less']++
      const { steps } = whole.matter.trace as { steps: readonly unknown[] }
      if (steps.length > 0) met.changed++
    }),
    { numRuns: 1000 },
  )
  expect(Math.min(met.changed, met.less, met.same)).toBeGreaterThan(20)
})
