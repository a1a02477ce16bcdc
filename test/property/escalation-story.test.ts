import { describe, expect, it } from 'vitest'
import { encodeBase64 } from '../../src/base/base64.ts'
import { utf8 } from '../../src/base/bytes.ts'
import { ed25519 } from '../../src/crypto/ed25519.ts'
import { Secret } from '../../src/crypto/secret.ts'
import {
  formatEscalationChallenge,
  type EscalationChallenge,
} from '../../src/dossier/escalation-challenge.ts'
import type { EscalationEvent } from '../../src/dossier/escalation-events.ts'
import type { DecisionMatter } from '../../src/dossier/matters.ts'
import { rosterDigest, type Roster } from '../../src/dossier/roster.ts'
import {
  advanceEscalation,
  escalationGuards,
  type Escalation,
  type EscalationScene,
} from '../../src/verify/escalation-story.ts'

// Every interleaving of what reviewers, who asked, strangers, a clock, two leads, an erasure and a change of the roster can do to an escalation. Beside it
// stands what ought to be allowed, told from what has happened. Each guard is taken away alone, and the two must then disagree somewhere.

const instance = '0197a9d0-0000-7000-8000-000000000001'
const decisionId = '0197a9d0-0000-7000-8000-000000000002'
const place = { instance, origin: 'log.example/default', tenant: 'default' }
const leaf = 'ab'.repeat(32)
const intent = 'cd'.repeat(32)

const signers = Object.fromEntries(
  ['ann', 'cyd', 'cyd-old', 'leaver', 'alice', 'bot'].map((id, n) => [
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

/** Alice, a reviewer, has asked; the actor is in the roster too, and whoever left has no role any more. */
const roster: Roster = {
  people: [
    { id: 'ann', keys: [listed('ann')], roles: ['risk_lead'] },
    { id: 'cyd', keys: [listed('cyd'), listed('cyd-old', true)], roles: ['reviewer'] },
    { id: 'leaver', keys: [listed('leaver')], roles: [] },
    { id: 'alice', keys: [listed('alice')], roles: ['reviewer'] },
    { id: 'bot', keys: [listed('bot')], roles: ['reviewer'] },
  ],
  previous: null,
  recovery: null,
  v: 1,
  version: 1,
}
const laterRoster: Roster = { ...roster, previous: rosterDigest(roster), version: 2 }
const rosters = { first: roster, later: laterRoster, none: undefined }
const named = { sha256: rosterDigest(roster), version: 1 }

/** Moments of log time: the decision's own, and both sides of the deadline. */
const times = { begin: 10_000, early: 10_001, atDeadline: 70_000, past: 70_001 }
type Moment = keyof typeof times
const moments = Object.keys(times) as readonly Moment[]
const weekMs = 7 * 86_400_000

const decided: DecisionMatter = {
  caller: { id: 'csk', owner: 'alice', type: 'apiKey' },
  confidence: null,
  gates: [],
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
  status: 'ESCALATE',
  time: 1,
  trace: null,
}

/** What has happened, from which all else follows. */
interface Facts {
  readonly moment: Moment
  readonly roster: keyof typeof rosters
  readonly erased: boolean
  readonly overruled: boolean
  readonly opened: boolean
  readonly over: boolean
}

/** Somebody tries something. */
interface Attempt {
  readonly name: string
  readonly event: EscalationEvent
  readonly owner: string | null
  readonly byApiKey?: boolean
  readonly step?: number
  readonly right: (facts: Facts) => boolean
}

const opens = (
  name: string,
  change: Partial<Extract<EscalationEvent, { event: 'opened' }>>,
  right: boolean,
  step = 1,
): Attempt => ({
  event: { deadline: times.atDeadline, event: 'opened', intent, leaf, ...change },
  name: `open ${name}`,
  owner: null,
  right: ({ erased, moment, opened }) => right && !opened && !erased && moment === 'begin',
  step,
})

const mayAnswer = (facts: Facts): boolean =>
  facts.opened &&
  !facts.over &&
  !facts.erased &&
  !facts.overruled &&
  times[facts.moment] <= times.atDeadline

type AnswerEvent = Extract<EscalationEvent, { event: 'approved' | 'rejected' }>

const answers = (
  name: string,
  event: Partial<AnswerEvent> & Pick<AnswerEvent, 'person'>,
  right: readonly Facts['roster'][],
  owner: string | null = event.person,
): Attempt => ({
  event: { event: 'approved', reason: 'Checked', roster: named, signature: null, ...event },
  name: `answer ${name}`,
  owner,
  right: (facts) => right.includes(facts.roster) && mayAnswer(facts),
})

const textOf = (change: Partial<EscalationChallenge> = {}): string =>
  formatEscalationChallenge({
    action: 'pay',
    actor: 'bot',
    answer: 'approve',
    deadline: times.atDeadline,
    decision: decisionId,
    intent,
    leaf,
    place,
    reason: 'Checked',
    roster: named,
    ...change,
  })

const made = new Map<string, string>()
function signatureOf(id: string, text: string): string {
  const name = `${id} ${text}`
  const known = made.get(name) ?? encodeBase64(signerOf(id).sign(utf8(text)))
  made.set(name, known)
  return known
}

const signed = (
  key: string,
  challenge = textOf(),
  signature = signatureOf(key, challenge),
): AnswerEvent['signature'] => ({ challenge, key: keyOf(key), kind: 'Ed25519', signature })

const other = 'ef'.repeat(32)
const says = { approved: 'approve', rejected: 'reject' } as const

/** Everything that somebody may try to answer. */
function answersThat(event: AnswerEvent['event']): readonly Attempt[] {
  const text = textOf({ answer: says[event] })
  return [
    answers('of the reviewer', { event, person: 'cyd' }, ['first']),
    answers('of a lead', { event, person: 'ann' }, ['first']),
    answers('of a stranger', { event, person: 'zoe' }, []),
    answers('of one who has left', { event, person: 'leaver' }, []),
    answers('of who asked', { event, person: 'alice' }, []),
    answers('of the actor', { event, person: 'bot' }, []),
    answers('of somebody else by a stranger', { event, person: 'cyd' }, [], 'zoe'),
    answers('of somebody by nobody', { event, person: 'cyd' }, [], null),
    answers('under no roster', { event, person: 'cyd', roster: null }, ['none']),
    {
      ...answers('of the reviewer at the command line', { event, person: 'cyd' }, []),
      byApiKey: false,
    },
    {
      ...answers('at the command line under no roster', { event, person: 'zoe', roster: null }, [
        'none',
      ]),
      byApiKey: false,
    },
    answers('of a stranger under no roster', { event, person: 'zoe', roster: null }, ['none']),
    answers('of who asked under no roster', { event, person: 'alice', roster: null }, []),
    answers(
      'under another digest',
      { event, person: 'cyd', roster: { ...named, sha256: other } },
      [],
    ),
    answers(
      'under another version',
      { event, person: 'cyd', roster: { ...named, version: 2 } },
      [],
    ),
    answers(
      'signed, delivered by a stranger',
      { event, person: 'cyd', signature: signed('cyd', text) },
      ['first'],
      'zoe',
    ),
    answers(
      'signed by who asked',
      { event, person: 'alice', signature: signed('alice', text) },
      [],
      'zoe',
    ),
    answers(
      'signed by a revoked key',
      { event, person: 'cyd', signature: signed('cyd-old', text) },
      [],
    ),
    answers(
      'signed by the key of another',
      { event, person: 'cyd', signature: signed('ann', text) },
      [],
    ),
    answers(
      'signed badly',
      { event, person: 'cyd', signature: signed('cyd', text, signatureOf('ann', text)) },
      [],
    ),
    answers(
      'signed for the other answer',
      {
        event,
        person: 'cyd',
        signature: signed(
          'cyd',
          textOf({ answer: says[event === 'approved' ? 'rejected' : 'approved'] }),
        ),
      },
      [],
    ),
    answers(
      'signed with a key but no roster',
      { event, person: 'cyd', roster: null, signature: signed('cyd', text) },
      [],
    ),
  ]
}

const attempts: readonly Attempt[] = [
  opens('as it should be', {}, true),
  opens('behind another step', {}, false, 2),
  opens('of another leaf', { leaf: other }, false),
  opens('of another intent', { intent: other }, false),
  opens('for less than a second', { deadline: times.begin + 999 }, false),
  opens('for more than a week', { deadline: times.begin + weekMs + 1 }, false),
  ...answersThat('approved'),
  ...answersThat('rejected'),
  {
    event: { event: 'timed-out' },
    name: 'time out',
    owner: null,
    right: ({ moment, opened, over }) => opened && !over && moment === 'past',
  },
]

interface World {
  readonly facts: Facts
  readonly escalation: Escalation | undefined
}

const sceneOf = (
  { facts }: World,
  { byApiKey = true, owner, step = 3 }: Attempt,
  matter: DecisionMatter,
): EscalationScene => {
  const counting: Roster | undefined = rosters[facts.roster]
  return {
    byApiKey,
    decision: facts.erased ? undefined : { intent, leaf, matter, time: times.begin },
    overruled: facts.overruled,
    owner,
    place,
    roster: counting && { roster: counting, sha256: rosterDigest(counting) },
    step,
    time: times[facts.moment],
  }
}

/** What happens without anybody asking. */
function* drifts({ escalation, facts }: World): Generator<World> {
  const next = moments[moments.indexOf(facts.moment) + 1]
  if (next !== undefined) yield { escalation, facts: { ...facts, moment: next } }
  if (facts.roster === 'none') yield { escalation, facts: { ...facts, roster: 'first' } }
  if (facts.roster === 'first') yield { escalation, facts: { ...facts, roster: 'later' } }
  if (!facts.erased) yield { escalation, facts: { ...facts, erased: true } }
  if (!facts.overruled) yield { escalation, facts: { ...facts, overruled: true } }
}

const begin: World = {
  escalation: undefined,
  facts: {
    erased: false,
    moment: 'begin',
    opened: false,
    over: false,
    overruled: false,
    roster: 'none',
  },
}

/** Explores every world that can be reached; stops at the first disagreement. */
function explore(guards = escalationGuards) {
  const seen = new Set<string>()
  const waiting = [begin]
  let [transitions, refused] = [0, 0]
  const done = (disagreement?: string) => ({
    disagreement,
    refused,
    states: seen.size,
    transitions,
  })
  for (let world = waiting.pop(); world !== undefined; world = waiting.pop()) {
    const name = JSON.stringify([world.facts, world.escalation?.status])
    if (seen.has(name)) continue
    seen.add(name)
    for (const attempt of attempts) {
      const { event } = attempt
      const result = advanceEscalation(
        world.escalation,
        event,
        sceneOf(world, attempt, decided),
        guards,
      )
      if ((typeof result !== 'string') !== attempt.right(world.facts))
        return done(`${attempt.name}, ${name}: ${JSON.stringify(result)}`)
      if (typeof result === 'string') {
        refused++
        continue
      }
      transitions++
      const facts = { ...world.facts, opened: true, over: event.event !== 'opened' }
      waiting.push({ escalation: result, facts })
    }
    for (const drifted of drifts(world)) {
      transitions++
      waiting.push(drifted)
    }
  }
  return done()
}

/** Decisions that are not held. */
const notHeld: readonly Partial<DecisionMatter>[] = [
  { status: 'ALLOW' },
  { status: 'BLOCK' },
  { status: 'ERROR' },
  { mode: 'shadow' },
]

function disagreement(guards = escalationGuards): string | undefined {
  const [opening] = attempts
  if (opening === undefined) throw new Error('No opening')
  for (const change of notHeld) {
    const scene = sceneOf(begin, opening, { ...decided, ...change })
    if (typeof advanceEscalation(undefined, opening.event, scene, guards) !== 'string')
      return `opened for ${JSON.stringify(change)}`
  }
  return explore(guards).disagreement
}

describe('the story of an escalation', () => {
  it('allows exactly what it ought to, in every interleaving', () => {
    const { disagreement: found, refused, states, transitions } = explore()
    console.log(
      `escalation model: ${states} states, ${transitions} transitions, ${refused} refused attempts`,
    )
    expect(found).toBeUndefined()
    expect(disagreement()).toBeUndefined()
    expect(states).toBeGreaterThan(150)
  })

  it('holds a decision that wants a review as one that is escalated', () => {
    const [opening] = attempts
    if (opening === undefined) throw new Error('No opening')
    const scene = sceneOf(begin, opening, { ...decided, status: 'REVIEW_REQUIRED' })
    expect(advanceEscalation(undefined, opening.event, scene)).toMatchObject({ status: 'pending' })
  })

  it.each([
    [times.begin + 1000, true],
    [times.begin + weekMs, true],
  ])('takes a deadline at either bound: %i', (deadline, taken) => {
    const attempt = opens('', { deadline }, true)
    const result = advanceEscalation(undefined, attempt.event, sceneOf(begin, attempt, decided))
    expect(typeof result !== 'string').toBe(taken)
  })

  it.each<[string, Partial<EscalationChallenge>]>([
    ['Instance', { place: { ...place, instance: decisionId } }],
    ['Tenant', { place: { ...place, tenant: 'other' } }],
    ['Origin', { place: { ...place, origin: 'log.example/other' } }],
    ['Decision', { decision: instance }],
    ['Decision leaf', { leaf: other }],
    ['Intent', { intent: other }],
    ['Actor', { actor: 'b\u043et' }],
    ['Action', { action: 'refund' }],
    ['Answer', { answer: 'reject' }],
    ['Reason', { reason: 'Checked\nAnswer: reject' }],
    ['Roster', { roster: { ...named, version: 2 } }],
    ['Decide by', { deadline: times.atDeadline + 1 }],
  ])('refuses a signature of a text with another %s, by its name', (label, change) => {
    const attempt = answers('', { person: 'cyd', signature: signed('cyd', textOf(change)) }, [])
    const opened = { answered: null, deadline: times.atDeadline, status: 'pending' as const }
    const facts = { ...begin.facts, opened: true, roster: 'first' as const }
    const scene = sceneOf({ escalation: opened, facts }, attempt, decided)
    expect(advanceEscalation(opened, attempt.event, scene)).toBe(
      `What was signed is another text, by its ${label}`,
    )
  })

  const guards = Object.entries(escalationGuards).flatMap(([event, all]) =>
    Object.keys(all).map((guard) => [event, guard] as const),
  )

  it.each(guards)('is not the same without the guard of %s: %s', (event, guard) => {
    const all = escalationGuards[event as keyof typeof escalationGuards]
    const less = Object.fromEntries(Object.entries(all).filter(([name]) => name !== guard))
    expect(disagreement({ ...escalationGuards, [event]: less })).toEqual(expect.any(String))
  })
})
