import { describe, expect, it } from 'vitest'
import { canonicalize } from '../../../src/base/canonical-json.ts'
import { encodeHex, utf8 } from '../../../src/base/bytes.ts'
import { sha256 as digest } from '../../../src/crypto/hash.ts'
import { matters, type PolicyMatter } from '../../../src/dossier/matters.ts'
import {
  activeOf,
  advancePolicies,
  noPolicies,
  PolicyTelling,
  type PolicyStory,
} from '../../../src/verify/policy-story.ts'
import { digestOf, registrationOf } from '../../support/forge-policy.ts'

const by = { id: 'cli', owner: 'author', type: 'local' }

const matterOf = (draft: unknown): PolicyMatter => matters.policy.parse(draft)

/** The story of drafts, each at the index of its place, or why one may not follow. */
function tell(...drafts: readonly unknown[]): PolicyStory | string {
  let story = noPolicies
  for (const [index, draft] of drafts.entries()) {
    const next = advancePolicies(story, { index, matter: matterOf(draft), time: index })
    if (typeof next === 'string') return next
    story = next
  }
  return story
}

const activated = (version: string, index: number, change: object = {}): unknown => ({
  by,
  event: 'activated',
  index,
  replaces: null,
  rollback: false,
  scope: {},
  sha256: digestOf(version),
  time: 0,
  ...change,
})
const retired = (version: string, index: number): unknown => ({
  by,
  event: 'retired',
  index,
  reason: 'r',
  sha256: digestOf(version),
  time: 0,
})

const [one, two, ten] = ['1', '2', '10'].map((version) => registrationOf(version))

const states = (story: PolicyStory | string): unknown =>
  typeof story === 'string' ? story : [...story.policies.values()].map(({ state }) => state)

describe('a version', () => {
  it('is registered once, and stands for one bundle', () => {
    expect(states(tell(one, two))).toEqual(['registered', 'registered'])
    expect(tell(one, one)).toMatch('registered already')
    const other = registrationOf('1')
    const record = {
      ...(other['record'] as object),
      bundle: { bundle_id: 'payments', version: '1' },
    }
    expect(tell(one, { ...other, record })).toMatch('Digest is not the one')
  })

  it('is named by the service where its rule form has no names', () => {
    const record = { bundle: { rules: [] }, dialect: 'provenance' }
    const sha256 = encodeHex(digest(utf8(canonicalize(record))))
    expect(states(tell({ ...one, id: 'tenant', record, sha256, version: '9' }))).toEqual([
      'registered',
    ])
  })

  it('is named as its record names it', () => {
    expect(tell({ ...one, id: 'other' })).toMatch('another id or version')
    expect(tell({ ...one, version: '2' })).toMatch('another id or version')
    expect(tell({ ...one, sha256: digestOf('2') })).toMatch('Digest is not the one')
  })
})

describe('an activation', () => {
  it('names what was registered, at its index', () => {
    expect(states(tell(one, activated('1', 0)))).toEqual(['active'])
    expect(tell(one, activated('1', 1))).toMatch('No such bundle')
    expect(tell(one, activated('2', 0))).toMatch('No such bundle')
  })

  it('replaces the version of its id that decides, and says which', () => {
    const replaces = digestOf('1')
    const story = tell(one, two, activated('1', 0), activated('2', 1, { replaces }))
    expect(states(story)).toEqual(['replaced', 'active'])
    expect(tell(one, two, activated('1', 0), activated('2', 1))).toMatch('Another bundle is active')
    expect(tell(one, activated('1', 0, { replaces }))).toMatch('Another bundle is active')
  })

  it('goes back to an older version only when it says so, and says so only then', () => {
    const forth = [one, two, activated('1', 0), activated('2', 1, { replaces: digestOf('1') })]
    const back = { replaces: digestOf('2'), rollback: true }
    expect(states(tell(...forth, activated('1', 0, back)))).toEqual(['active', 'replaced'])
    expect(tell(...forth, activated('1', 0, { ...back, rollback: false }))).toMatch('is older')
    expect(tell(one, activated('1', 0, { rollback: true }))).toMatch('not older')
    // Having gone back once, going back again is still going back.
    const again = activated('1', 0, { replaces: digestOf('1'), rollback: false })
    expect(tell(...forth, activated('1', 0, back), again)).toMatch('is older')
  })

  it('compares versions as numbers where they are, and by registration where not', () => {
    const late = [ten, two, activated('10', 0)]
    expect(tell(...late, activated('2', 1, { replaces: digestOf('10') }))).toMatch('is older')
    const words = ['b', 'a'].map((version) => registrationOf(version))
    const next = activated('a', 1, { replaces: digestOf('b') })
    expect(states(tell(...words, activated('b', 0), next))).toEqual(['replaced', 'active'])
  })

  it('is of no retired version', () => {
    expect(tell(one, retired('1', 0), activated('1', 0))).toMatch('retired bundle')
    expect(tell(one, retired('1', 0), retired('1', 0))).toMatch('retired already')
  })
})

it('nothing of an id decides once its active version is retired', () => {
  const story = tell(one, activated('1', 0), retired('1', 0))
  expect(typeof story === 'string' ? story : activeOf(story, 'payments')).toBeUndefined()
})

describe('a telling', () => {
  it('says what the story does, step by step, and nothing changes where a step may not follow', () => {
    const steps = [
      one,
      two,
      activated('1', 0),
      retired('1', 0),
      activated('2', 1),
      activated('1', 0),
    ]
    const telling = new PolicyTelling()
    let story = noPolicies
    for (const [index, draft] of steps.entries()) {
      const step = { index, matter: matterOf(draft), time: index }
      const next = advancePolicies(story, step)
      expect(telling.add(step)).toBe(typeof next === 'string' ? next : undefined)
      if (typeof next !== 'string') story = next
      expect([...telling.story.policies]).toEqual([...story.policies])
      expect([...telling.story.highest]).toEqual([...story.highest])
      const active = [...story.policies.values()].filter(({ state }) => state === 'active')
      expect([...telling.active()]).toEqual(active)
    }
    expect(states(story)).toEqual(['retired', 'active'])
    expect(noPolicies.policies.size + noPolicies.highest.size).toBe(0)
  })

  it('leaves the story alone that it goes on from', () => {
    const before = tell(one, activated('1', 0))
    if (typeof before === 'string') throw new Error(before)
    const step = { index: 2, matter: matterOf(retired('1', 0)), time: 2 }
    expect(states(advancePolicies(before, step))).toEqual(['retired'])
    expect(states(before)).toEqual(['active'])
    expect(activeOf(before, 'payments')?.version).toBe('1')
  })
})
