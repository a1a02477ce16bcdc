import { describe, expect, it } from 'vitest'
import { canonicalBytes } from '../../../src/base/canonical-json.ts'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { limits } from '../../../src/base/limits.ts'
import { finish, type Compiling } from '../../../src/policy/compile.ts'
import {
  activeWith,
  requireRoomToActivate,
  requireRoomToRegister,
} from '../../../src/decisions/policy-bounds.ts'
import { inSlices } from '../../../src/decisions/slices.ts'
import type { PolicyStory, StoriedPolicy } from '../../../src/verify/policy-story.ts'
import { founder, foundTestService, type TestService } from '../../support/service.ts'

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error as { code: string }).code,
  )

const policy = (i: number, state: StoriedPolicy['state'] = 'registered'): StoriedPolicy => ({
  id: `bundle-${i}`,
  index: i,
  registeredAt: 0,
  scope: null,
  sha256: i.toString(16).padStart(64, '0'),
  since: 0,
  state,
  version: '1',
})

const storyOf = (...policies: readonly StoriedPolicy[]): PolicyStory => ({
  highest: new Map(),
  policies: new Map(policies.map((one) => [one.sha256, one])),
})

const some = (count: number, state?: StoriedPolicy['state']): readonly StoriedPolicy[] =>
  Array.from({ length: count }, (_, i) => policy(i, state))

const refusal = (work: () => void): string => {
  try {
    work()
    return 'none'
  } catch (error) {
    return error instanceof Failure ? `${error.code}: ${error.message}` : 'BUG'
  }
}

describe('registering one more policy', () => {
  it('is refused where as many are kept as may; the retired do not count', () => {
    const among = (...kept: readonly StoriedPolicy[]) =>
      refusal(() => {
        requireRoomToRegister(storyOf(...kept), new Map(), 1)
      })
    expect(among(...some(limits.policies - 1))).toBe('none')
    expect(among(...some(limits.policies))).toMatch(/^POLICY_REFUSED: .*1024$/)
    expect(among(...some(limits.policies - 1), policy(5000, 'retired'))).toBe('none')
  })

  it('is refused where the records have as many bytes as they may', () => {
    const [kept, gone] = [policy(1, 'replaced'), policy(2, 'retired')]
    const sizes = new Map([
      [kept.sha256, limits.policyBytes - 100],
      [gone.sha256, limits.policyBytes],
    ])
    const story = storyOf(kept, gone)
    const adding = (bytes: number) =>
      refusal(() => {
        requireRoomToRegister(story, sizes, bytes)
      })
    expect(adding(100)).toBe('none')
    expect(adding(101)).toMatch(/^POLICY_REFUSED: .*67108864 bytes/)
  })
})

describe('letting one more policy decide', () => {
  const weigh = (active: readonly StoriedPolicy[], weights: readonly number[]) =>
    refusal(() => {
      requireRoomToActivate(active, weights)
    })

  it('is refused where as many decide as may', () => {
    expect(weigh(some(limits.activePolicies), [])).toBe('none')
    expect(weigh(some(limits.activePolicies + 1), [])).toMatch(/^POLICY_REFUSED: .*128$/)
  })

  it('is refused where their patterns weigh too much together', () => {
    expect(weigh([], [limits.activePatternWeight - 5, 5])).toBe('none')
    expect(weigh([], [limits.activePatternWeight - 5, 6])).toMatch(
      /^POLICY_REFUSED: .*1000000 steps/,
    )
  })

  it('counts it in the place of the version that it replaces', () => {
    const before = { ...policy(1, 'active'), version: '0' }
    const next = { ...policy(2), id: before.id }
    const story = storyOf(before, policy(3, 'active'), policy(4), next)
    expect(activeWith(story, next).map(({ index }) => index)).toEqual([3, 2])
  })
})

/** Weighs 24,004 steps. */
const heavy = 'a{1000}'.repeat(8)

const recordOf = (id: string, patterns: readonly string[]): string =>
  fromUtf8(
    canonicalBytes({
      bundle: {
        bundle_id: id,
        policies: [
          {
            default_effect: 'not_applicable',
            id: 'p',
            rules: patterns.map((value, i) => ({
              effect: 'allow',
              id: `r${i}`,
              when: { field: 'x', kind: 'regex', value },
            })),
          },
        ],
        version: '1',
      },
      dialect: 'native',
    }),
  )

const register = async ({ service }: TestService, id: string, patterns: readonly string[]) =>
  (await service.registerPolicy('default', recordOf(id, patterns), founder)).sha256

describe('a tenant', () => {
  it('takes no bundle that is too heavy', async () => {
    const test = await foundTestService()
    expect(
      await codeOf(
        register(
          test,
          'one',
          Array.from({ length: 21 }, () => heavy),
        ),
      ),
    ).toBe('INPUT_TOO_LARGE')
    expect(await codeOf(register(test, 'one', [heavy]))).toBe('none')
    await test.service.close()
  })

  it('lets no more decide than may weigh so much, after a restart too', async () => {
    const test = await foundTestService()
    const activate = ({ service }: TestService, sha256: string) =>
      service.activatePolicy('default', sha256, {}, founder)
    const full = Array.from({ length: 20 }, () => heavy)
    const [one, two, three] = [
      await register(test, 'one', full),
      await register(test, 'two', full),
      await register(test, 'three', [heavy, heavy]),
    ]
    await activate(test, one)
    await activate(test, two)
    expect(await codeOf(activate(test, three))).toBe('POLICY_REFUSED')
    const again = await test.reopen()
    expect(await codeOf(activate(again, three))).toBe('POLICY_REFUSED')
    await again.service.retirePolicy('default', two, { reason: 'r' }, founder)
    expect(await codeOf(activate(again, three))).toBe('none')
    await again.service.close()
  })

  it('has in its book after each act what it would read again', async () => {
    const test = await foundTestService()
    const sha256 = await register(test, 'one', ['a'])
    await test.service.activatePolicy('default', sha256, { scope: { actions: ['pay'] } }, founder)
    await register(test, 'two', ['b'])
    const listed = await test.service.listPolicies('default')
    const { policies } = await test.service.readActivePolicies('default')
    const again = await test.reopen()
    expect(await again.service.listPolicies('default')).toEqual(listed)
    expect((await again.service.readActivePolicies('default')).policies).toEqual(policies)
    expect(await again.service.readPolicy('default', sha256)).toMatchObject({
      policy: { state: 'active' },
    })
    await again.service.close()
  })
})

describe('compiling in slices', () => {
  /** Work that takes as long as a slice lasts at each of its steps. */
  function* slow(steps: number): Compiling<string> {
    for (let i = 0; i < steps; i++) {
      const until = performance.now() + 6
      while (performance.now() < until);
      yield
    }
    return 'done'
  }

  it('lets its thread do other things in between, and ends as it does without a pause', async () => {
    let turns = 0
    let running = true
    const count = (): void => {
      turns++
      if (running) setImmediate(count)
    }
    setImmediate(count)
    expect(await inSlices(slow(5))).toBe('done')
    running = false
    expect(turns).toBeGreaterThanOrEqual(4)
    expect(finish(slow(1))).toBe('done')
  })
})
