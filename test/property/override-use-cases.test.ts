import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { rosterDigest, type Roster } from '../../src/dossier/roster.ts'
import { verifyDossier } from '../../src/verify/index.ts'
import { overrideGuards } from '../../src/verify/override-story.ts'
import type { OverrideAct, OverrideView } from '../../src/wire/overrides.ts'
import { firstRoster, leadKey, leadSign, type Lead } from '../support/forge-override.ts'
import { blockedRequest, proposalOf, requester, signing } from '../support/leads.ts'
import { founder, foundTestService, principalOf, type TestService } from '../support/service.ts'

// Every interleaving of what can be done to a request, driven through the real use cases, a real log and a real database. Beside them stands what ought to
// be allowed, told from what has happened. Each path gets a decision of its own, and deadlines of its own before a clock that only goes forward. Then each
// guard that the use cases alone do not stand for is taken away, and the two must disagree somewhere.

/** What has happened to the newest request. */
interface Facts {
  readonly signed: readonly Lead[]
  /** Deadlines that have passed: none, approve-by, both. */
  readonly passed: 0 | 1 | 2
  readonly rosterChanged: boolean
  readonly erased: boolean
  readonly over: 'no' | 'rejected' | 'revoked' | 'executed'
}

interface World {
  readonly at: TestService
  readonly clock: { now: number }
}

interface Path extends World {
  /** How the newest request stood when it was opened. */
  opened: OverrideView
}

interface Move {
  readonly name: string
  /** What comes of it where it is allowed; undefined where it is not. */
  readonly ought: (facts: Facts) => Facts | undefined
  readonly make: (path: Path) => Promise<unknown>
}

const begun: Facts = { erased: false, over: 'no', passed: 0, rosterChanged: false, signed: [] }

const both = ({ signed }: Facts): boolean => signed.length === 2

/** What may still happen depends on no more than this. */
const nameOf = (facts: Facts): string => {
  if (facts.erased) return 'erased'
  if (isOpen(facts)) return JSON.stringify(facts)
  return facts.over === 'no' ? 'expired' : facts.over
}

const isOpen = (facts: Facts): boolean =>
  facts.over === 'no' && !facts.erased && facts.passed < (both(facts) ? 2 : 1)

// Alice, who asked for the decision, is a lead as well; Ann has a key that was revoked.
const first: Roster = {
  ...firstRoster,
  people: firstRoster.people
    .map((one) =>
      one.id === 'ann'
        ? {
            ...one,
            keys: [
              ...one.keys,
              {
                key: leadKey('eve'),
                kind: 'Ed25519' as const,
                notAfter: null,
                notBefore: 0,
                revoked: true,
              },
            ],
          }
        : one,
    )
    .concat(
      ['dan', 'alice'].map((id) => ({
        id,
        keys: [
          {
            key: leadKey(id as Lead),
            kind: 'Ed25519' as const,
            notAfter: null,
            notBefore: 0,
            revoked: false,
          },
        ],
        roles: [id === 'dan' ? ('risk_lead' as const) : ('security_lead' as const)],
      })),
    ),
}

async function changeRoster({ at: { service } }: World): Promise<void> {
  const view = await service.readRoster('default')
  const before = view.current?.roster ?? first
  const next = { ...before, previous: rosterDigest(before), version: before.version + 1 }
  await service.applyRoster('default', proposalOf(view, next, 'ann', 'bob'), founder)
}

async function openRequest(
  { at: { service } }: World,
  decision: string,
  executeWithinSeconds = 2,
): Promise<OverrideView> {
  return service.openOverride(requester, {
    approveWithinSeconds: 1,
    decision,
    executeWithinSeconds,
    justification: 'Customer waits',
  })
}

async function decide({ at }: World, change: Readonly<Record<string, unknown>> = {}) {
  return (await at.notarise(blockedRequest(1, change))).id
}

const acts = (
  name: string,
  owner: string,
  ought: Move['ought'],
  actOf: (path: Path) => OverrideAct,
): Move => ({
  make: ({ at, ...path }) =>
    at.service.actOnOverride(
      principalOf('checkpoint', owner),
      path.opened.decision,
      actOf({ at, ...path }),
    ),
  name,
  ought: (facts) => (isOpen(facts) ? ought(facts) : undefined),
})

type Role = 'risk_lead' | 'security_lead'

const signs = (
  name: string,
  lead: Lead,
  role: Role,
  right: boolean,
  actOf: (text: string) => OverrideAct = (text) => signing(lead, role, text),
): Move =>
  acts(
    name,
    'carl',
    (facts) =>
      right &&
      !both(facts) &&
      !facts.rosterChanged &&
      !facts.signed.some((one) => roleOf(one) === role)
        ? { ...facts, signed: [...facts.signed, lead].sort() }
        : undefined,
    ({ opened }) => actOf(opened.challenge),
  )

const roleOf = (lead: Lead): Role =>
  lead === 'bob' || lead === 'alice' ? 'security_lead' : 'risk_lead'

const reason = 'No'
const otherText = (text: string): string => text.replace('Customer waits', 'Customer begs')

const annSigns = signs('ann signs', 'ann', 'risk_lead', true)
const bobSigns = signs('bob signs', 'bob', 'security_lead', true)
const danSigns = signs('dan signs', 'dan', 'risk_lead', true)
const aliceSigns = signs('a lead who asked signs', 'alice', 'security_lead', false)
const swapped = signs('ann signs in a role that is not hers', 'ann', 'security_lead', false)
const revokedKey = signs('ann signs by a key that is revoked', 'ann', 'risk_lead', false, (text) =>
  signing('ann', 'risk_lead', text, { key: leadKey('eve'), signature: leadSign('eve', text) }),
)
const badSignature = signs('ann signs something else', 'ann', 'risk_lead', false, (text) =>
  signing('ann', 'risk_lead', text, { signature: leadSign('ann', otherText(text)) }),
)
const otherChallenge = signs('ann signs another challenge', 'ann', 'risk_lead', false, (text) =>
  signing('ann', 'risk_lead', otherText(text)),
)

const rejects = (owner: string, right: boolean): Move =>
  acts(
    `${owner} rejects`,
    owner,
    (facts) => (right ? { ...facts, over: 'rejected' } : undefined),
    () => ({ act: 'reject', reason }),
  )
const revokes = (owner: string, right: boolean): Move =>
  acts(
    `${owner} revokes`,
    owner,
    (facts) => (right ? { ...facts, over: 'revoked' } : undefined),
    () => ({ act: 'revoke', reason }),
  )
const executes = acts(
  'anybody executes',
  'zoe',
  (facts) => (both(facts) && !facts.rosterChanged ? { ...facts, over: 'executed' } : undefined),
  () => ({ act: 'execute' }),
)
const opensAgain: Move = {
  async make(path) {
    path.opened = await openRequest(path, path.opened.decision)
  },
  name: 'carl opens another request',
  ought: (facts) =>
    isOpen(facts) || facts.erased || facts.over === 'executed' ? undefined : begun,
}
const deadlinePasses: Move = {
  make: ({ clock, opened: { approveBy, executeBy } }) => {
    clock.now = (clock.now > approveBy ? executeBy : approveBy) + 1
    return Promise.resolve()
  },
  name: 'a deadline passes',
  ought: (facts) => (facts.passed === 2 ? facts : { ...facts, passed: facts.passed === 0 ? 1 : 2 }),
}
const rosterChanges: Move = {
  make: changeRoster,
  name: 'the roster changes',
  ought: (facts) => (isOpen(facts) ? { ...facts, rosterChanged: true } : facts),
}
const erases: Move = {
  make: ({ at, opened }) => at.service.erase(requester, opened.decision, reason),
  name: 'the decision is erased',
  ought: (facts) => (facts.erased ? undefined : { ...facts, erased: true }),
}
/** A request about another decision, which may never be opened. */
const opensFor = (name: string, change: Readonly<Record<string, unknown>>, seconds = 2): Move => ({
  make: async (path) => openRequest(path, await decide(path, change), seconds),
  name: `carl opens a request ${name}`,
  ought: () => undefined,
})
const opensForAllowed = opensFor('for what was allowed', { status: 'ALLOW' })
const opensForShadow = opensFor('for a shadow', { mode: 'shadow' })
const opensForFinal = opensFor('for what may not be overruled', { overridable: false })
const opensForComplex = opensFor('for what is too complex', {
  gates: [{ name: 'complexity', passed: false }],
})
const opensForLong = opensFor('for more than 14 days', {}, 14 * 86_400 + 1)

const moves: readonly Move[] = [
  annSigns,
  bobSigns,
  danSigns,
  aliceSigns,
  swapped,
  revokedKey,
  badSignature,
  otherChallenge,
  rejects('bob', true),
  rejects('carl', false),
  rejects('zoe', false),
  revokes('carl', true),
  revokes('ann', true),
  revokes('zoe', false),
  executes,
  opensAgain,
  deadlinePasses,
  erases,
  opensForAllowed,
  opensForShadow,
  opensForFinal,
  opensForComplex,
  opensForLong,
]

/** Whether a move was let through. */
const tried = (move: Move, path: Path): Promise<boolean> =>
  move.make(path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Failure && /^(OVERRIDE_REFUSED|INPUT_ERASED)$/.test(error.code))
        return false
      throw error
    },
  )

interface Explored {
  readonly states: number
  readonly transitions: number
  readonly refused: number
  /** Where the use cases did not do what they ought to. */
  readonly disagreement: string | undefined
}

/** Why a dossier does not say what has happened. */
async function dossierProblem({ at, opened }: Path, facts: Facts): Promise<string | undefined> {
  const trustRoot = await at.service.readTrustRoot('default')
  const dossier = await at.service.exportDossier('default', opened.decision)
  const { status, verdict } = verifyDossier(dossier, trustRoot)
  if (verdict !== (facts.erased ? 'erased' : 'valid')) return `Dossier is ${verdict}`
  const allowed = status === 'ALLOW by override'
  return allowed === (facts.over === 'executed' && !facts.erased)
    ? undefined
    : 'Dossier says otherwise'
}

async function explore(world: World, among: readonly Move[]): Promise<Explored> {
  const waiting: { readonly facts: Facts; readonly way: readonly Move[] }[] = [
    { facts: begun, way: [] },
  ]
  const seen = new Set<string>()
  let [transitions, refused] = [0, 0]
  const done = (disagreement?: string): Explored => ({
    disagreement,
    refused,
    states: seen.size,
    transitions,
  })
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    const { facts, way } = next
    const name = nameOf(facts)
    if (seen.has(name)) continue
    seen.add(name)
    const walk = async (): Promise<Path | string> => {
      const path = { ...world, opened: await openRequest(world, await decide(world)) }
      for (const step of way) if (!(await tried(step, path))) return `${step.name} on the way`
      return path
    }
    const path = await walk()
    if (typeof path === 'string') return done(path)
    // What is refused changes nothing, so that one path serves for all of it.
    for (const move of among.filter(({ ought }) => ought(facts) === undefined)) {
      if (await tried(move, path)) return done(`${move.name} in ${name}: let through`)
      refused++
    }
    const wrong = await dossierProblem(path, facts)
    if (wrong !== undefined) return done(`${name}: ${wrong}`)
    for (const move of among) {
      const after = move.ought(facts)
      if (after === undefined) continue
      const own = await walk()
      if (typeof own === 'string') return done(own)
      if (!(await tried(move, own))) return done(`${move.name} in ${name}: refused`)
      transitions++
      waiting.push({ facts: after, way: [...way, move] })
    }
  }
  return done()
}

async function createWorld(directory?: string): Promise<World> {
  const clock = { now: 1_790_000_000_000 }
  const at = await foundTestService({
    clock: () => clock.now,
    overridesPerDay: 10_000,
    ...(directory === undefined ? {} : { closeYourself: true as const, directory }),
  })
  const view = await at.service.readRoster('default')
  await at.service.applyRoster(
    'default',
    proposalOf(view, first, 'ann', 'bob', 'dan', 'alice'),
    founder,
  )
  return { at, clock }
}

describe('the use cases of overrides', () => {
  it('let through exactly what ought to be, in every interleaving, and every dossier of it verifies', async () => {
    const world = await createWorld()
    const explored = await explore(world, moves)
    const changing = await explore(world, [
      annSigns,
      bobSigns,
      revokes('carl', true),
      executes,
      opensAgain,
      rosterChanges,
    ])
    console.log(
      `override use cases: ${explored.states} states, ${explored.transitions} transitions, ${explored.refused} refused attempts; ` +
        `with a roster that changes: ${changing.states}, ${changing.transitions}, ${changing.refused}`,
    )
    expect([explored.disagreement, changing.disagreement]).toEqual([undefined, undefined])
    expect(explored.states).toBeGreaterThan(10)
    expect(changing.states).toBeGreaterThan(7)
  }, 240_000)
})

/** By which moves it shows that a guard is missing. */
const needed: Readonly<Record<string, Readonly<Record<string, readonly Move[]>>>> = {
  executed: {
    'both have signed': [annSigns, executes],
    'roster has not changed': [annSigns, bobSigns, rosterChanges, executes],
  },
  opened: {
    'complexity floor holds': [opensForComplex],
    'deadlines are ahead and near': [opensForLong],
    'decision is overridable': [opensForFinal],
    'decision said no': [opensForAllowed, opensForShadow],
    'decision was not overruled before': [annSigns, bobSigns, executes, opensAgain],
    'no other request is open': [opensAgain],
  },
  rejected: {
    'rejected by a lead': [rejects('zoe', false)],
    'request is open': [rejects('bob', true)],
  },
  revoked: {
    'request is open': [revokes('carl', true)],
    'revoked by who asked or a lead': [revokes('zoe', false)],
  },
  signed: {
    'challenge is the one opened': [otherChallenge],
    'key is the person’s': [revokedKey],
    'person did not ask': [aliceSigns],
    'person holds the role': [swapped],
    'request is open for signatures': [revokes('carl', true), annSigns],
    'role has not signed': [annSigns, danSigns],
    'roster has not changed': [rosterChanges, annSigns],
    'signature is good': [badSignature],
  },
}

/** Guards that nobody reaches through the use cases, which ask for nothing that these refuse; that the verifier needs them is shown in its own model. */
const unreached: Readonly<Record<string, readonly string[]>> = {
  executed: ['before execute-by', 'decision is still there', 'decision was not overruled before'],
  expired: ['request is open', 'a deadline has passed'],
  opened: [
    'request is new',
    'request is the nonce',
    'challenge is of this log',
    'roster is the one that counts',
    'effect is an override',
    'challenge is of this decision',
    'challenge names the gates that failed',
    'requesters are named',
  ],
  rejected: ['rejected by the caller'],
  signed: ['before approve-by', 'person has not signed'],
}

describe('without a guard', () => {
  let world: World
  beforeAll(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'countersign-model-'))
    world = await createWorld(directory)
    return async () => {
      await world.at.service.close()
      rmSync(directory, { force: true, recursive: true })
    }
  })

  it('is every guard there is', () => {
    const listed = (lists: Readonly<Record<string, readonly string[]>>): string[] =>
      Object.entries(lists).flatMap(([event, names]) => names.map((name) => `${event}: ${name}`))
    const named = (by: Readonly<Record<string, object>>) =>
      listed(Object.fromEntries(Object.entries(by).map(([k, v]) => [k, Object.keys(v)])))
    expect([...named(needed), ...listed(unreached)].sort()).toEqual(named(overrideGuards).sort())
  })

  // With all guards the same moves are among those of the test above.
  it.each(
    Object.entries(needed).flatMap(([event, guards]) =>
      Object.entries(guards).map(([guard, among]) => [event, guard, among] as const),
    ),
  )('of %s, "%s", the use cases let through what ought not to be', async (event, guard, among) => {
    const guards = overrideGuards[event as keyof typeof overrideGuards] as Record<string, unknown>
    const taken = guards[guard]
    onTestFinished(() => {
      guards[guard] = taken
    })
    Reflect.deleteProperty(guards, guard)
    expect((await explore(world, among)).disagreement).toEqual(expect.any(String))
  })
})
