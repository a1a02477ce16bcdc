import { describe, expect, it } from 'vitest'
import { actionIdOf } from '../../../src/dossier/action-effects.ts'
import { formatChallenge, type Challenge } from '../../../src/dossier/challenge.ts'
import { actionStreamOf } from '../../../src/dossier/kinds.ts'
import { rosterDigest } from '../../../src/dossier/roster.ts'
import { actionGuards, advanceAction, type ActionScene } from '../../../src/verify/action-story.ts'
import { overrideGuards } from '../../../src/verify/override-story.ts'
import { twoKeyGuards } from '../../../src/verify/two-key-story.ts'
import { firstRoster } from '../../support/forge-override.ts'

// What leads do to a request is judged by the very guards that the model of overrides explores with every interleaving; what only an action's opening
// must pass is tried here, each guard taken away alone.

const instance = '0197a9d0-0000-7000-8000-000000000001'
const decision = '0197a9d0-0000-7000-8000-000000000002'
const place = { instance, origin: 'log.example/default', tenant: 'default' }
const nonce = '5e'.repeat(32)

const challengeOf = (change: Partial<Challenge> = {}): Challenge => ({
  approveBy: 2000,
  decision: null,
  decisionLeaf: null,
  effect: { action: 'tenant.close', reason: 'Merged' },
  executeBy: 3000,
  failedGates: [],
  justification: 'Asked for',
  nonce,
  requesters: ['carl'],
  roles: ['risk_lead', 'security_lead'],
  roster: { sha256: rosterDigest(firstRoster), version: 1 },
  ...place,
  ...change,
})

const scene: ActionScene = {
  owner: 'carl',
  place,
  rivals: { executed: false, open: false },
  roster: firstRoster,
  rosterSha256: rosterDigest(firstRoster),
  stream: actionStreamOf(actionIdOf(nonce)),
  time: 1000,
}

interface Attempt {
  readonly challenge?: Partial<Challenge>
  readonly request?: string
  readonly scene?: Partial<ActionScene>
  readonly before?: true
}

/** What each guard of an opening alone refuses. */
const attempts: Readonly<Record<keyof typeof actionGuards.opened, Attempt>> = {
  'challenge is of this log': { challenge: { tenant: 'other' } },
  'challenge names no gates': { challenge: { failedGates: ['risk'] } },
  'challenge names what is erased': {
    challenge: {
      decision: instance,
      decisionLeaf: 'ab'.repeat(32),
      effect: { action: 'erase', decision, reason: 'x' },
    },
  },
  'deadlines are ahead and near': { challenge: { executeBy: 1001 + 14 * 86_400_000 } },
  'effect is one that takes two keys': { challenge: { effect: { action: 'roster.apply' } } },
  'request is new': { before: true },
  'request is the nonce': { request: 'ab'.repeat(32) },
  'requester is named': { challenge: { requesters: ['dora'] } },
  'roster is the one that counts': {
    challenge: { roster: { sha256: 'ab'.repeat(32), version: 1 } },
  },
  'stream holds one request': { scene: { rivals: { executed: true, open: false } } },
  'stream is named after the nonce': { scene: { stream: actionStreamOf(instance) } },
}

function opened(attempt: Attempt, guards = actionGuards) {
  const challenge = challengeOf(attempt.challenge)
  const event = {
    challenge: formatChallenge(challenge),
    event: 'opened' as const,
    request: attempt.request ?? challenge.nonce,
  }
  const before =
    attempt.before === undefined
      ? undefined
      : { challenge, signatures: [], status: 'rejected' as const, text: event.challenge }
  return advanceAction(before, event, { ...scene, ...attempt.scene }, guards)
}

describe('the opening of an action', () => {
  it('passes as it should be', () => {
    expect(opened({})).toMatchObject({ status: 'pending' })
    const erase = { action: 'erase' as const, decision, reason: 'x' }
    const about = { decision, decisionLeaf: 'ab'.repeat(32), effect: erase }
    expect(opened({ challenge: about })).toMatchObject({ status: 'pending' })
  })

  it.each(Object.keys(actionGuards.opened))('is refused by one guard alone: %s', (guard) => {
    const attempt = attempts[guard] ?? {}
    expect(opened(attempt)).toEqual(expect.any(String))
    const opening = Object.entries(actionGuards.opened).filter(([name]) => name !== guard)
    const less = { ...actionGuards, opened: Object.fromEntries(opening) }
    expect(opened(attempt, less)).toMatchObject({ status: 'pending' })
  })

  it.each([
    [{ action: 'override', status: 'ALLOW' }],
    [{ action: 'tenant.close' }],
    [{ action: 'tenant.close', reason: 'x', more: 1 }],
    [{ action: 'keys.destroy', key: instance, purpose: 'evidence' }],
    [{ action: 'keys.migrate', keep: false, master: 1, to: 'memory' }],
  ])('is refused for what is no effect: %j', (effect) => {
    expect(opened({ challenge: { effect: effect as Challenge['effect'] } })).toEqual(
      expect.stringContaining('Not an effect'),
    )
  })
})

it('what leads do to an action is judged by the guards of overrides', () => {
  const { opened: opening, executed, ...shared } = twoKeyGuards
  expect(actionGuards).toMatchObject({ ...shared, executed })
  expect(overrideGuards).toMatchObject({ ...shared, executed })
  for (const guard of Object.keys(opening)) expect(actionGuards.opened).toHaveProperty([guard])
})
