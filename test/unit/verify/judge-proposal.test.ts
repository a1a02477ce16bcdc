import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { proposalStreamOf } from '../../../src/dossier/kinds.ts'
import { rosterDigest } from '../../../src/dossier/roster.ts'
import { formatDossier } from '../../../src/dossier/v1.ts'
import { verifyDossier, type Report } from '../../../src/verify/index.ts'
import type { Draft, ForgedLog } from '../../support/forge.ts'
import { dossierOf } from '../../support/forge-dossier.ts'
import { decisionOf } from '../../support/forge-world.ts'
import {
  decidedLog,
  firstRoster,
  grown,
  overruled,
  published,
  secondRoster,
  trusting,
} from '../../support/forge-override.ts'

const decided = decidedLog()
const proposal = '01890a5d-ac96-774b-bcce-b302099a8092'
const decision = '01890a5d-ac96-774b-bcce-b302099a8093'
const stream = proposalStreamOf(proposal)
const opensAt = (decided.sealed.at(-1)?.step.time ?? 0) + 1

const by = (owner: string): Draft => ({
  by: { id: `key-${owner}`, owner, type: 'apiKey' },
  time: 1,
})

const proposed = (change: Draft = {}): Draft => ({
  ...by('carl'),
  deadline: opensAt + 1000,
  event: 'proposed',
  intent: { action: { type: 'pay' }, actor: { id: 'bot' } },
  note: null,
  proposal,
  proposerMayVote: false,
  quorum: 2,
  roster: { sha256: rosterDigest(firstRoster), version: 1 },
  threshold: { approvals: 2, of: 3 },
  voters: ['ann', 'bob'],
  ...change,
})
const voted = (owner: string, change: Draft = {}): Draft => ({
  ...by(owner),
  event: 'voted',
  note: null,
  proposal,
  vote: 'APPROVE',
  ...change,
})
const closed = (outcome: string, change: Draft = {}): Draft => ({
  ...by('bob'),
  decision,
  event: 'closed',
  outcome,
  proposal,
  ...change,
})
const withdrawn = (owner: string): Draft => ({
  ...by(owner),
  event: 'withdrawn',
  proposal,
  reason: 'No',
})

/** A log in which these steps of a proposal stand, as its operator makes it. */
const logOf = (...steps: readonly Draft[]): ForgedLog =>
  grown(decided, ...steps.map((step) => ['approval', stream, step] as const))

const verify = (log: ForgedLog, name = stream): Report =>
  verifyDossier(formatDossier(dossierOf(published(log), name)), trusting(log))

const worst = ({ checks }: Report): string => {
  const found = checks.find(({ outcome }) => outcome === 'fail')
  return `${found?.name ?? ''}: ${found?.reason ?? ''}`
}

const genuine = [proposed(), voted('ann'), voted('bob'), closed('APPROVED')] as const

describe('the dossier of a proposal', () => {
  it('is valid, and says who voted and what it came to', () => {
    const report = verify(logOf(...genuine))
    expect(report).toMatchObject({
      action: null,
      proposal: {
        decision,
        proposer: 'carl',
        status: 'approved',
        votes: [{ voter: 'ann' }, { voter: 'bob' }],
      },
      status: null,
      verdict: 'valid',
    })
    expect(report.notes.join()).toContain('ann (APPROVE), bob (APPROVE)')
  })

  it('is inconclusive under a trust root that does not know the roster', () => {
    const log = logOf(...genuine)
    const file = formatDossier(dossierOf(published(log), stream))
    expect(verifyDossier(file, trusting(log, []))).toMatchObject({
      proposal: null,
      verdict: 'inconclusive',
    })
  })

  it.each([
    ['another proposal in its opening', [proposed({ proposal: overruled })], 'not the one of'],
    [
      'another roster',
      [proposed({ roster: { sha256: rosterDigest(secondRoster), version: 1 } })],
      'another roster',
    ],
    ['a voter nobody knows', [proposed({ voters: ['ann', 'eve'] })], 'not in the roster: eve'],
    ['a voter twice', [proposed({ voters: ['ann', 'ann'] })], 'each voter once'],
    ['a quorum out of reach', [proposed({ quorum: 3 })], 'quorum'],
    ['a threshold of half', [proposed({ threshold: { approvals: 1, of: 2 } })], 'more than half'],
    ['a proposer who votes', [proposed(by('ann'))], 'proposes may not vote'],
    ['a deadline too near', [proposed({ deadline: opensAt + 999 })], 'Deadline is not'],
    [
      'a deadline too far',
      [proposed({ deadline: opensAt + 7 * 86_400_000 + 1 })],
      'Deadline is not',
    ],
    ['no opening', [voted('ann')], 'Nothing was proposed'],
    ['two openings', [proposed(), proposed()], 'another proposal'],
    ['a stranger’s vote', [proposed(), voted('carl')], 'may not vote'],
    ['a second vote of one', [proposed(), voted('ann'), voted('ann')], 'voted already'],
    ['a vote on another', [proposed(), voted('ann', { proposal: overruled })], 'another proposal'],
    [
      'a vote behind the end',
      [proposed(), withdrawn('carl'), voted('ann')],
      'Proposal is over: withdrawn',
    ],
    ['a withdrawal by another', [proposed(), withdrawn('ann')], 'who proposed'],
    [
      'a withdrawal of what is settled',
      [proposed(), voted('ann'), voted('bob'), withdrawn('carl')],
      'settled',
    ],
    ['a closing too early', [proposed(), voted('ann'), closed('APPROVED')], 'still open'],
    [
      'an outcome that nobody voted',
      [proposed(), voted('ann'), voted('bob'), closed('REJECTED')],
      'votes say otherwise: APPROVED',
    ],
    [
      'an approval of what was rejected',
      [proposed(), voted('ann', { vote: 'REJECT' }), voted('bob'), closed('APPROVED')],
      'votes say otherwise: REJECTED',
    ],
    ['a second end', [...genuine, closed('APPROVED')], 'Proposal is over: approved'],
  ] as const)('is refused for %s', (_, steps, why) => {
    const report = verify(logOf(...steps))
    expect(report).toMatchObject({ proposal: null, verdict: 'invalid' })
    expect(worst(report)).toContain('stream.proposal: Step')
    expect(worst(report)).toContain(why)
  })

  it.each([1000, 7 * 86_400_000])('is taken with a deadline %i ms ahead', (ahead) => {
    expect(verify(logOf(proposed({ deadline: opensAt + ahead })))).toMatchObject({
      proposal: { status: 'open' },
      verdict: 'valid',
    })
  })

  it('is refused where a step of it stands in an action’s or a decision’s stream', () => {
    for (const name of [`action-${proposal}`, overruled]) {
      const log = grown(decided, ['approval', name, proposed()])
      expect(verify(log, name).verdict).toBe('invalid')
    }
  })

  it('is refused where a lead’s signature stands in it', () => {
    const log = grown(decided, [
      'approval',
      stream,
      {
        ...by('ann'),
        challenge: '',
        event: 'signed',
        key: 'k',
        kind: 'Ed25519',
        person: 'ann',
        request: 'ab'.repeat(32),
        role: 'risk_lead',
        signature: 's',
      },
    ])
    expect(worst(verify(log))).toContain('Step 0 cannot be read')
  })
})

describe('a decision that follows from a proposal', () => {
  const leaf = encodeHex(logOf(...genuine).sealed.at(-1)?.hash ?? new Uint8Array())
  const follows = (change: Draft = {}): Draft =>
    decisionOf(decision, {
      gates: [],
      maxUses: 1,
      obligations: [],
      overridable: false,
      reasons: [{ code: 'PROPOSAL_APPROVED' }],
      source: 'evaluated',
      status: 'ALLOW',
      trace: { engine: 'proposal/1', outcome: 'APPROVED', proposal: { leaf, stream } },
      ...change,
    })
  const verdictOf = (change: Draft = {}): Report =>
    verify(grown(logOf(...genuine), ['decision', decision, follows(change)]), decision)

  it('is valid, and says where its votes stand', () => {
    const report = verdictOf()
    expect(report).toMatchObject({ status: 'ALLOW', verdict: 'valid' })
    expect(report.notes.join()).toContain(`Follows from ${stream}`)
  })

  it.each([
    ['status', { status: 'BLOCK' }],
    ['number of uses', { maxUses: null }],
    ['reason', { reasons: [{ code: 'PROPOSAL_REJECTED' }] }],
    ['word on overriding', { overridable: true }],
    ['mode', { mode: 'shadow' }],
    ['obligations', { obligations: [{ type: 'log_only' }] }],
    [
      'outcome',
      { trace: { engine: 'proposal/1', outcome: 'REJECTED', proposal: { leaf, stream } } },
    ],
    ['trace', { trace: { engine: 'proposal/1', outcome: 'APPROVED' } }],
  ])('is refused with another %s', (_, change) => {
    const report = verdictOf(change)
    expect(report.verdict).toBe('invalid')
    expect(worst(report)).toContain('stream.proposed')
  })
})
