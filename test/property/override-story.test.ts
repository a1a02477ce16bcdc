import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../src/base/base64.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { ed25519 } from '../../src/crypto/ed25519.ts'
import { Secret } from '../../src/crypto/secret.ts'
import { formatChallenge, type Challenge } from '../../src/dossier/challenge.ts'
import type { DecisionMatter } from '../../src/dossier/matters.ts'
import type { OverrideEvent } from '../../src/dossier/override-events.ts'
import { rosterDigest, type Roster } from '../../src/dossier/roster.ts'
import {
  advanceOverride,
  overrideGuards,
  type OverrideScene,
} from '../../src/verify/override-story.ts'
import type { TwoKeyRequest } from '../../src/verify/two-key-story.ts'

// Every interleaving of what two leads, who asked, a stranger, a clock and a change of the roster can do, explored until nothing new comes up. Beside it
// stands what ought to be allowed, written once more and in other words: from what has happened, not from the state. Each guard is taken away alone,
// and the two must then disagree somewhere.

const instance = '0197a9d0-0000-7000-8000-000000000001'
const decisionId = '0197a9d0-0000-7000-8000-000000000002'
const place = { instance, origin: 'log.example/default', tenant: 'default' }
const leaf = 'ab'.repeat(32)

const signers = Object.fromEntries(
  ['ann', 'bob', 'cyd', 'dan', 'old', 'alice', 'zoe', 'eve', 'evil'].map((id, n) => [
    id,
    ed25519.signer(new Secret(new Uint8Array(32).fill(n + 1))),
  ]),
)
const signerOf = (id: string) => {
  const signer = signers[id]
  if (signer === undefined) throw new Error(`Nobody: ${id}`)
  return signer
}
const keyOf = (id: string): string => encodeBase64(signerOf(id).publicKey)
const listed = (id: string, revoked = false) => ({
  key: keyOf(id),
  kind: 'Ed25519' as const,
  notAfter: null,
  notBefore: 0,
  revoked,
})

/** Alice is a lead who asked; Ann has a key that is revoked beside her good one. Eve could not get into a roster; the story does not rely on that. */
const roster: Roster = {
  people: [
    { id: 'ann', keys: [listed('ann'), listed('old', true)], roles: ['risk_lead'] },
    { id: 'bob', keys: [listed('bob')], roles: ['security_lead'] },
    { id: 'cyd', keys: [listed('cyd')], roles: ['reviewer'] },
    { id: 'dan', keys: [listed('dan')], roles: ['risk_lead'] },
    { id: 'alice', keys: [listed('alice')], roles: ['security_lead'] },
    { id: 'eve', keys: [listed('eve'), listed('evil')], roles: ['risk_lead', 'security_lead'] },
  ],
  previous: null,
  recovery: null,
  v: 1,
  version: 1,
}
const laterRoster: Roster = { ...roster, previous: rosterDigest(roster), version: 2 }

const [sha256, laterSha256] = [rosterDigest(roster), rosterDigest(laterRoster)]

/** Moments of log time, on both sides of each deadline. */
const times = {
  early: 1000,
  atApprove: 2000,
  pastApprove: 2001,
  atExecute: 3000,
  pastExecute: 3001,
}
type Moment = keyof typeof times
const moments = Object.keys(times) as readonly Moment[]

const decided: DecisionMatter = {
  caller: { id: 'csk', owner: 'alice', type: 'apiKey' },
  confidence: null,
  gates: [
    { name: 'risk', passed: false },
    { name: 'profit', passed: true },
  ],
  id: decisionId,
  idempotencyKey: null,
  intent: { action: { type: 'pay' }, actor: { id: 'bot' } },
  links: {},
  maxUses: null,
  mode: 'enforce',
  obligations: [],
  overridable: true,
  policies: [],
  producer: { name: 'countersign', version: '1' },
  reasons: [],
  source: 'submitted',
  status: 'BLOCK',
  time: 1,
  trace: null,
}

const challengeOf = (nonce: string, change: Partial<Challenge> = {}): string =>
  formatChallenge({
    approveBy: times.atApprove,
    decision: decisionId,
    decisionLeaf: leaf,
    effect: { action: 'override', status: 'ALLOW' },
    executeBy: times.atExecute,
    failedGates: ['risk'],
    justification: 'Customer waits',
    nonce,
    requesters: ['alice', 'bot', 'carl'],
    roles: ['risk_lead', 'security_lead'],
    roster: { sha256, version: 1 },
    ...place,
    ...change,
  })

const nonce = '01'.repeat(32)
const otherNonce = '02'.repeat(32)
const text = challengeOf(nonce)
const otherText = challengeOf(otherNonce)

/** Signing takes long; what was signed once is signed for all. */
const made = new Map<string, string>()
function signatureOf(id: string, over: string): string {
  const known = made.get(`${id} ${over}`)
  if (known !== undefined) return known
  const signature = encodeBase64(signerOf(id).sign(utf8(over)))
  made.set(`${id} ${over}`, signature)
  return signature
}

/** Somebody tries something. */
interface Attempt {
  readonly name: string
  readonly event: OverrideEvent
  readonly owner: string | null
  /** What ought to be said of it by the facts, where it can be right at all. */
  readonly right: (facts: Facts) => boolean
}

/** What has happened, from which all else follows. */
interface Facts {
  readonly moment: Moment
  readonly rosterChanged: boolean
  readonly erased: boolean
  readonly opened: boolean
  /** People in the order of their signatures, with their roles. */
  readonly signed: readonly (readonly [person: string, role: string])[]
  readonly over: boolean
  /** What became of a second request about the same decision. */
  readonly rival: 'none' | 'open' | 'executed'
}

const at = ({ moment }: Facts): number => times[moment]
const complete = ({ signed }: Facts): boolean => signed.length === 2

const opens = (
  name: string,
  change: Partial<Challenge>,
  right: boolean,
  more: Partial<Attempt> = {},
): Attempt => ({
  event: { challenge: challengeOf(nonce, change), event: 'opened', request: nonce },
  name: `open ${name}`,
  owner: 'carl',
  right: (facts) =>
    right &&
    !facts.opened &&
    !facts.rosterChanged &&
    !facts.erased &&
    facts.rival === 'none' &&
    at(facts) < times.atApprove,
  ...more,
})

const signs = (
  name: string,
  person: string,
  role: 'risk_lead' | 'security_lead',
  right: boolean,
  more: { challenge?: string; key?: string; signature?: string } = {},
): Attempt => ({
  event: {
    challenge: more.challenge ?? text,
    event: 'signed',
    key: keyOf(more.key ?? person),
    kind: 'Ed25519',
    person,
    request: nonce,
    role,
    signature: more.signature ?? signatureOf(more.key ?? person, text),
  },
  name: `sign ${name}`,
  owner: person,
  right: (facts) =>
    right &&
    facts.opened &&
    !facts.over &&
    !facts.rosterChanged &&
    at(facts) <= times.atApprove &&
    facts.signed.every(([who, as]) => who !== person && as !== role),
})

const unfinished = (facts: Facts): boolean => facts.opened && !facts.over

const attempts: readonly Attempt[] = [
  opens('as it should be', {}, true),
  opens('for another instance', { instance: decisionId }, false),
  opens('for another tenant', { tenant: 'other' }, false),
  opens('for another origin', { origin: 'log.example/other' }, false),
  opens('for another decision', { decision: instance }, false),
  opens('for another leaf', { decisionLeaf: 'cd'.repeat(32) }, false),
  opens('with gates left out', { failedGates: [] }, false),
  opens('with another effect', { effect: { action: 'erase' } }, false),
  opens(
    'with more in its effect',
    { effect: { action: 'override', status: 'ALLOW', uses: 9 } },
    false,
  ),
  opens('under another roster', { roster: { sha256: 'cd'.repeat(32), version: 1 } }, false),
  opens('under another version', { roster: { sha256: rosterDigest(roster), version: 2 } }, false),
  opens('without who asked for the decision', { requesters: ['bot', 'carl'] }, false),
  opens('without the actor', { requesters: ['alice', 'carl'] }, false),
  opens('without who asks now', { requesters: ['alice', 'bot'] }, false),
  opens('by nobody', {}, false, { owner: null }),
  opens('for too long', { executeBy: times.early + 14 * 86_400_000 + 1 }, false),
  opens('under another name', {}, false, {
    event: { challenge: text, event: 'opened', request: otherNonce },
  }),
  opens('with what is no challenge', {}, false, {
    event: { challenge: text.trimEnd(), event: 'opened', request: nonce },
  }),
  signs('by the risk lead', 'ann', 'risk_lead', true),
  signs('by the security lead', 'bob', 'security_lead', true),
  signs('by another risk lead', 'dan', 'risk_lead', true),
  signs('by one with both roles, as the one', 'eve', 'risk_lead', true),
  signs('by one with both roles, as the other', 'eve', 'security_lead', true, { key: 'evil' }),
  signs('by a lead who asked', 'alice', 'security_lead', false),
  signs('in a role that is not hers', 'ann', 'security_lead', false),
  signs('in a role that is not his', 'bob', 'risk_lead', false),
  signs('by a reviewer', 'cyd', 'risk_lead', false),
  signs('by a stranger', 'zoe', 'risk_lead', false),
  signs('by a key that is revoked', 'ann', 'risk_lead', false, { key: 'old' }),
  signs('by somebody else’s key', 'ann', 'risk_lead', false, { key: 'dan' }),
  signs('under another challenge', 'ann', 'risk_lead', false, {
    signature: signatureOf('ann', otherText),
  }),
  signs('what is another challenge', 'ann', 'risk_lead', false, {
    challenge: otherText,
    signature: signatureOf('ann', otherText),
  }),
  ...['ann', 'bob', 'alice', 'cyd', 'zoe', 'carl'].map((person): Attempt => ({
    event: { event: 'rejected', person, reason: 'No', request: nonce },
    name: `reject by ${person}`,
    owner: person,
    right: (facts) => unfinished(facts) && ['ann', 'bob', 'alice'].includes(person),
  })),
  {
    event: { event: 'rejected', person: 'ann', reason: 'No', request: nonce },
    name: 'reject in another’s name',
    owner: 'zoe',
    right: () => false,
  },
  ...['carl', 'alice', 'bob', 'zoe', 'cyd', null].map((owner): Attempt => ({
    event: { event: 'revoked', reason: 'No', request: nonce },
    name: `revoke by ${owner ?? 'nobody'}`,
    owner,
    right: (facts) =>
      unfinished(facts) && owner !== null && ['carl', 'alice', 'bob'].includes(owner),
  })),
  {
    event: { event: 'expired', request: nonce },
    name: 'expire',
    owner: null,
    right: (facts) =>
      unfinished(facts) && at(facts) > (complete(facts) ? times.atExecute : times.atApprove),
  },
  {
    event: { event: 'executed', maxUses: 1, request: nonce, status: 'ALLOW' },
    name: 'execute',
    owner: 'carl',
    right: (facts) =>
      unfinished(facts) &&
      complete(facts) &&
      !facts.rosterChanged &&
      !facts.erased &&
      facts.rival !== 'executed' &&
      at(facts) <= times.atExecute,
  },
]

interface World {
  readonly facts: Facts
  readonly request: TwoKeyRequest | undefined
}

const sceneOf = (
  { facts }: World,
  owner: string | null,
  decision: DecisionMatter,
): OverrideScene => ({
  decision: facts.erased ? undefined : { leaf, matter: decision },
  owner,
  place,
  rivals: { executed: facts.rival === 'executed', open: facts.rival === 'open' },
  roster: facts.rosterChanged ? laterRoster : roster,
  rosterSha256: facts.rosterChanged ? laterSha256 : sha256,
  time: at(facts),
})

function after(facts: Facts, { event }: Attempt): Facts {
  if (event.event === 'opened') return { ...facts, opened: true }
  if (event.event === 'signed')
    return { ...facts, signed: [...facts.signed, [event.person, event.role]] }
  return { ...facts, over: true }
}

/** What happens without anybody asking. */
function* drifts({ facts, request }: World): Generator<World> {
  const next = moments[moments.indexOf(facts.moment) + 1]
  if (next !== undefined) yield { facts: { ...facts, moment: next }, request }
  if (!facts.rosterChanged) yield { facts: { ...facts, rosterChanged: true }, request }
  if (!facts.erased) yield { facts: { ...facts, erased: true }, request }
  if (facts.rival === 'none') yield { facts: { ...facts, rival: 'open' }, request }
  if (facts.rival === 'open') yield { facts: { ...facts, rival: 'executed' }, request }
}

interface Explored {
  readonly states: number
  readonly transitions: number
  readonly refused: number
  readonly executed: number
  readonly disagreement: string | undefined
}

/** Explores every world that can be reached; stops at the first disagreement. */
function explore(guards = overrideGuards): Explored {
  const begin: World = {
    facts: {
      erased: false,
      moment: 'early',
      opened: false,
      over: false,
      rival: 'none',
      rosterChanged: false,
      signed: [],
    },
    request: undefined,
  }
  const seen = new Map<string, World>()
  const waiting = [begin]
  let [transitions, refused, executed] = [0, 0, 0]
  const done = (disagreement?: string): Explored => ({
    disagreement,
    executed,
    refused,
    states: seen.size,
    transitions,
  })
  for (let world = waiting.pop(); world !== undefined; world = waiting.pop()) {
    const name = JSON.stringify([world.facts, world.request?.status])
    if (seen.has(name)) continue
    seen.set(name, world)
    for (const attempt of attempts) {
      const result = advanceOverride(
        world.request,
        attempt.event,
        sceneOf(world, attempt.owner, decided),
        guards,
      )
      const ought = attempt.right(world.facts)
      if ((typeof result !== 'string') !== ought)
        return done(
          `${attempt.name}, ${name}: ${typeof result === 'string' ? result : 'let through'}`,
        )
      if (typeof result === 'string') {
        refused++
        continue
      }
      transitions++
      if (result.status === 'executed') executed++
      waiting.push({ facts: after(world.facts, attempt), request: result })
    }
    for (const drifted of drifts(world)) {
      transitions++
      waiting.push(drifted)
    }
  }
  return done()
}

/** Decisions that may not be overruled. */
const refusing: readonly (readonly [string, Partial<DecisionMatter>])[] = [
  ['was allowed', { status: 'ALLOW' }],
  ['is an error', { status: 'ERROR' }],
  ['is a shadow', { mode: 'shadow' }],
  ['is not overridable', { overridable: false }],
  [
    'failed the complexity floor',
    { gates: [...decided.gates, { name: 'complexity', passed: false }] },
  ],
]

/** Everything is explored, the refusing decisions too; for those the challenge names their own gates. */
function disagreement(guards = overrideGuards): string | undefined {
  for (const [name, change] of refusing) {
    const matter = { ...decided, ...change }
    const gates = matter.gates.flatMap(({ name: gate, passed }) => (passed ? [] : [gate]))
    const event = {
      challenge: challengeOf(nonce, { failedGates: gates }),
      event: 'opened' as const,
      request: nonce,
    }
    const world: World = {
      facts: {
        erased: false,
        moment: 'early',
        opened: false,
        over: false,
        rival: 'none',
        rosterChanged: false,
        signed: [],
      },
      request: undefined,
    }
    if (
      typeof advanceOverride(undefined, event, sceneOf(world, 'carl', matter), guards) !== 'string'
    )
      return `opened for a decision that ${name}`
  }
  return explore(guards).disagreement
}

describe('the story of an override', () => {
  it('allows exactly what it ought to, in every interleaving', () => {
    const explored = explore()
    console.log(
      `override model: ${explored.states} states, ${explored.transitions} transitions, ${explored.refused} refused attempts, ${explored.executed} ways to execution`,
    )
    expect(explored.disagreement).toBeUndefined()
    expect(explored.states).toBeGreaterThan(500)
    expect(explored.executed).toBeGreaterThan(5)
  })

  const guards = Object.entries(overrideGuards).flatMap(([event, named]) =>
    Object.keys(named).map((guard) => [event, guard] as const),
  )

  it.each(guards)('is not the same without the guard of %s: %s', (event, guard) => {
    const all = overrideGuards[event as keyof typeof overrideGuards]
    const less = Object.fromEntries(Object.entries(all).filter(([name]) => name !== guard))
    expect(disagreement({ ...overrideGuards, [event]: less })).toEqual(expect.any(String))
  })
})
