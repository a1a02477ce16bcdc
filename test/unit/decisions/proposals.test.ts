import { describe, expect, it } from 'vitest'
import { canonicalize } from '../../../src/base/canonical-json.ts'
import { Failure } from '../../../src/base/failure.ts'
import {
  checkProposals,
  proposalMark,
  type ProposalMark,
} from '../../../src/decisions/fsck-proposals.ts'
import type { Principal } from '../../../src/decisions/service.ts'
import { parseLeaf } from '../../../src/dossier/leaf.ts'
import { parseStatement } from '../../../src/dossier/statement.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import { reevaluateDossier } from '../../../src/verify/reevaluate.ts'
import type { ProposalAct, ProposalOpening, ProposalView } from '../../../src/wire/proposals.ts'
import { checkTenant, fsckRequest, storeOf } from '../../support/fsck.ts'
import { foundReviewers } from '../../support/reviewers.ts'
import {
  foundTestService,
  founder,
  principalOf,
  type ServiceOptions,
  type TestService,
} from '../../support/service.ts'

const start = 1_790_000_000_000
const as = (owner: string): Principal => principalOf('checkpoint', owner)
const intent = { action: { type: 'deploy' }, actor: { id: 'bot-7' }, context: { build: 7 } }

async function founded(change: ServiceOptions = {}) {
  const clock = { now: start }
  const at = await foundTestService({ clock: () => clock.now, ...change })
  await foundReviewers(at)
  return { at, clock }
}

const open = (
  { service }: TestService,
  change: Partial<ProposalOpening> = {},
  owner = 'carl',
): Promise<ProposalView> =>
  service.openProposal(as(owner), { intent, quorum: 2, withinSeconds: 60, ...change })

const vote = (
  { service }: TestService,
  { proposal }: Pick<ProposalView, 'proposal'>,
  owner: string,
  said: 'APPROVE' | 'REJECT' | 'ABSTAIN' = 'APPROVE',
): Promise<ProposalView> => service.actOnProposal(as(owner), proposal, { act: 'vote', vote: said })

const act = (
  { service }: TestService,
  { proposal }: Pick<ProposalView, 'proposal'>,
  owner: string,
  what: ProposalAct = { act: 'close' },
): Promise<ProposalView> => service.actOnProposal(as(owner), proposal, what)

const reportOf = async ({ service }: TestService, stream: string) =>
  verifyDossier(
    await service.exportDossier('default', stream),
    await service.readTrustRoot('default'),
  )

const refused = (why: string) => ({
  code: 'PROPOSAL_REFUSED',
  message: expect.stringContaining(why) as string,
})

/** What the whole check finds, once the service has ended. */
async function findingsOf(test: TestService) {
  await test.service.close()
  return (await checkTenant(test)).findings
}

/** The decisions of a tenant that say they follow from a vote. */
const decisionsOf = async ({ service }: TestService) =>
  (await service.listDecisions('default', { limit: 200 })).decisions

describe('a proposal', () => {
  it.each(['checkpoint', 'each'] as const)(
    'that is approved becomes an ALLOW for one use, and both dossiers verify in the profile %s',
    async (profile) => {
      const { at } = await founded({ profile })
      const opened = await open(at)
      expect(opened).toMatchObject({
        decision: null,
        deadline: start + 60_000,
        due: null,
        proposer: 'carl',
        status: 'open',
        threshold: { approvals: 2, of: 3 },
        voters: ['ann', 'bob', 'cyd'],
      })
      expect(await vote(at, opened, 'ann')).toMatchObject({ status: 'open' })
      expect(await decisionsOf(at)).toEqual([])
      const closed = await vote(at, opened, 'cyd')
      expect(closed).toMatchObject({ due: null, status: 'approved' })
      const id = closed.decision ?? ''
      const { decision } = await at.service.readDecision('default', id)
      expect(JSON.parse(decision ?? '')).toMatchObject({
        caller: { owner: 'carl' },
        intent,
        links: { parents: [opened.proposal] },
        maxUses: 1,
        overridable: false,
        reasons: [{ code: 'PROPOSAL_APPROVED' }],
        source: 'evaluated',
        status: 'ALLOW',
        trace: { outcome: 'APPROVED', proposal: { stream: `proposal-${opened.proposal}` } },
      })
      expect(await reportOf(at, id)).toMatchObject({ status: 'ALLOW', verdict: 'valid' })
      expect(await reportOf(at, `proposal-${opened.proposal}`)).toMatchObject({
        proposal: {
          decision: id,
          proposer: 'carl',
          status: 'approved',
          votes: [
            { vote: 'APPROVE', voter: 'ann' },
            { vote: 'APPROVE', voter: 'cyd' },
          ],
        },
        verdict: 'valid',
      })
      await at.service.claim(at.principal, id, {})
      await expect(at.service.claim(at.principal, id, {})).rejects.toMatchObject({
        code: 'INPUT_CLAIMED',
      })
      expect(await findingsOf(at)).toEqual([])
    },
  )

  it('that is rejected becomes a BLOCK that nobody overrules', async () => {
    const { at } = await founded()
    const opened = await open(at)
    await vote(at, opened, 'ann', 'REJECT')
    const { decision, status } = await vote(at, opened, 'bob', 'REJECT')
    expect(status).toBe('rejected')
    const id = decision ?? ''
    expect(await reportOf(at, id)).toMatchObject({ status: 'BLOCK', verdict: 'valid' })
    await expect(
      at.service.openOverride(as('carl'), { decision: id, justification: 'Must' }),
    ).rejects.toMatchObject({ code: 'OVERRIDE_REFUSED' })
    await expect(at.service.claim(at.principal, id, {})).rejects.toMatchObject({
      code: 'INPUT_NOT_CLAIMABLE',
    })
  })

  it('is closed at its deadline by what was cast, and not a moment before', async () => {
    const { at, clock } = await founded()
    const opened = await open(at, { quorum: 1, threshold: { approvals: 1, of: 1 } })
    await vote(at, opened, 'ann')
    clock.now = opened.deadline - 1
    await expect(act(at, opened, 'carl')).rejects.toMatchObject(refused('still open'))
    clock.now = opened.deadline
    expect(await at.service.readProposal('default', opened.proposal)).toMatchObject({
      due: 'APPROVED',
      status: 'open',
    })
    await expect(vote(at, opened, 'bob')).rejects.toMatchObject(refused('deadline has passed'))
    expect(await act(at, opened, 'dora')).toMatchObject({ status: 'approved' })
    expect(await reportOf(at, `proposal-${opened.proposal}`)).toMatchObject({ verdict: 'valid' })
  })

  it('without its quorum becomes a BLOCK', async () => {
    const { at, clock } = await founded()
    const opened = await open(at)
    await vote(at, opened, 'ann')
    clock.now = opened.deadline
    const { decision, status } = await act(at, opened, 'carl')
    expect(status).toBe('no-quorum')
    expect(await reportOf(at, decision ?? '')).toMatchObject({ status: 'BLOCK', verdict: 'valid' })
  })

  it('takes a vote up to the last millisecond before its deadline', async () => {
    const { at, clock } = await founded()
    const opened = await open(at)
    clock.now = opened.deadline - 1
    expect(await vote(at, opened, 'ann')).toMatchObject({ votes: [{ voter: 'ann' }] })
  })

  it('is withdrawn by who proposed it alone, while the vote is open, and comes to no decision', async () => {
    const { at, clock } = await founded()
    const withdrawal: ProposalAct = { act: 'withdraw', reason: 'Done by hand' }
    const opened = await open(at)
    await expect(act(at, opened, 'ann', withdrawal)).rejects.toMatchObject(refused('who proposed'))
    expect(await act(at, opened, 'carl', withdrawal)).toMatchObject({
      decision: null,
      status: 'withdrawn',
    })
    await expect(vote(at, opened, 'ann')).rejects.toMatchObject(refused('over: withdrawn'))
    await expect(act(at, opened, 'carl')).rejects.toMatchObject(refused('over: withdrawn'))
    expect(await reportOf(at, `proposal-${opened.proposal}`)).toMatchObject({
      proposal: { status: 'withdrawn' },
      verdict: 'valid',
    })
    const late = await open(at)
    clock.now = late.deadline
    await expect(act(at, late, 'carl', withdrawal)).rejects.toMatchObject(refused('deadline'))
  })

  it('takes the vote of a person once, of nobody else, and of its proposer only where that was allowed', async () => {
    const { at } = await founded()
    const opened = await open(at, { quorum: 3 })
    await vote(at, opened, 'ann')
    await expect(vote(at, opened, 'ann', 'REJECT')).rejects.toMatchObject(refused('voted already'))
    await expect(vote(at, opened, 'dora')).rejects.toMatchObject(refused('may not vote'))
    await expect(vote(at, opened, 'carl')).rejects.toMatchObject(refused('may not vote'))
    const byAnn = await open(at, {}, 'ann')
    expect(byAnn.voters).toEqual(['bob', 'cyd'])
    await expect(vote(at, byAnn, 'ann')).rejects.toMatchObject(refused('may not vote'))
    await expect(open(at, { voters: ['ann', 'bob'] }, 'ann')).rejects.toMatchObject(
      refused('proposes may not vote'),
    )
    const allowed = await open(at, { proposerMayVote: true }, 'ann')
    expect(allowed.voters).toEqual(['ann', 'bob', 'cyd'])
    expect(await vote(at, allowed, 'ann')).toMatchObject({ votes: [{ voter: 'ann' }] })
  })

  it.each([
    ['a voter who is not in the roster', { voters: ['ann', 'dora'] }, 'not in the roster: dora'],
    ['a voter twice', { voters: ['ann', 'ann'] }, 'each voter once'],
    ['a quorum beyond the voters', { quorum: 3, voters: ['ann', 'bob'] }, 'quorum'],
    ['a threshold of one half', { threshold: { approvals: 1, of: 2 } }, 'more than half'],
    ['a threshold beyond one', { threshold: { approvals: 3, of: 2 } }, 'more than half'],
  ] as const)('is not opened with %s', async (_, change, why) => {
    const { at } = await founded()
    await expect(open(at, change as unknown as Partial<ProposalOpening>)).rejects.toMatchObject(
      refused(why),
    )
  })

  it('is not opened where there is no roster, nor where the tenant is closed', async () => {
    const at = await foundTestService()
    await expect(open(at)).rejects.toMatchObject(refused('no roster'))
    await at.service.closeTenant('default', 'Merged', founder)
    await expect(open(at)).rejects.toMatchObject({ code: 'TENANT_CLOSED' })
  })

  it('has an intent that leaves room for what its decision says beside it', async () => {
    const { at } = await founded()
    const wide = { ...intent, context: { text: '' } }
    const most = 262_144 - 64 * 1024 - canonicalize(wide).length
    const of = (length: number) => ({ intent: { ...wide, context: { text: 'x'.repeat(length) } } })
    await expect(open(at, of(most + 1))).rejects.toMatchObject({ code: 'INPUT_TOO_LARGE' })
    const opened = await open(at, of(most))
    await vote(at, opened, 'ann')
    const { decision } = await vote(at, opened, 'bob')
    expect(await reportOf(at, decision ?? '')).toMatchObject({ status: 'ALLOW', verdict: 'valid' })
  })

  it('lives through a restart between votes', async () => {
    const { at } = await founded()
    const opened = await open(at)
    await vote(at, opened, 'ann')
    const again = await at.reopen()
    expect(await again.service.readProposal('default', opened.proposal)).toMatchObject({
      status: 'open',
      votes: [{ voter: 'ann' }],
    })
    expect(await vote(again, opened, 'bob')).toMatchObject({ status: 'approved' })
  })

  it('that fifty close at once comes to one decision, of which all are told', async () => {
    const { at, clock } = await founded()
    const opened = await open(at, { quorum: 1, threshold: { approvals: 1, of: 1 } })
    await vote(at, opened, 'ann')
    clock.now = opened.deadline
    const closed = await Promise.all(Array.from({ length: 50 }, () => act(at, opened, 'carl')))
    const [one] = await decisionsOf(at)
    expect(await decisionsOf(at)).toHaveLength(1)
    expect(new Set(closed.map(({ decision }) => decision))).toEqual(new Set([one?.id]))
  })

  it('has a decision whose dossier says that its votes stand elsewhere, when it is to be made again', async () => {
    const { at } = await founded()
    const opened = await open(at)
    await vote(at, opened, 'ann')
    const { decision } = await vote(at, opened, 'bob')
    const dossier = await at.service.exportDossier('default', decision ?? '')
    expect(reevaluateDossier(dossier)).toMatchObject({
      outcome: 'unknown',
      reason: expect.stringContaining(`proposal-${opened.proposal}`) as string,
    })
  })

  it('is listed, the last opened first, a page at a time', async () => {
    const { at, clock } = await founded()
    const opened: string[] = []
    for (let i = 0; i < 3; i++) {
      clock.now++
      opened.unshift((await open(at)).proposal)
    }
    const first = await at.service.listProposals('default', { limit: 2 })
    expect(first.proposals.map(({ proposal }) => proposal)).toEqual(opened.slice(0, 2))
    expect(first.cursor).toBe(opened[1])
    const rest = await at.service.listProposals('default', { cursor: opened[1] ?? '', limit: 2 })
    expect(rest).toMatchObject({ cursor: null, proposals: [{ proposal: opened[2] }] })
  })

  it('that nobody opened is not found', async () => {
    const { at } = await founded()
    for (const id of ['0197a9d0-0000-7000-8000-000000000009', 'x'])
      await expect(at.service.readProposal('default', id)).rejects.toMatchObject({
        code: 'INPUT_NOT_FOUND',
      })
  })
})

// Every interleaving of what three voters, the proposer and the clock can do, driven through the real use cases, a real log and a real database. Beside
// them stands what ought to be allowed: two of three must vote, and of those who do not abstain two in three approve.
describe('a vote of three', () => {
  type Vote = 'APPROVE' | 'REJECT'
  interface Facts {
    readonly cast: Readonly<Partial<Record<string, Vote>>>
    readonly over: string | undefined
    readonly passed: boolean
  }
  interface Move {
    readonly name: string
    readonly ought: (facts: Facts) => Facts | undefined
    readonly make: (at: TestService, opened: ProposalView, clock: { now: number }) => unknown
  }

  /** What is settled when nothing that may still be cast changes it; by trying out all of it. */
  function settledOf(cast: Facts['cast']): string | undefined {
    const missing = ['ann', 'bob', 'cyd'].filter((voter) => cast[voter] === undefined)
    const ends = new Set<string>()
    const end = (votes: readonly string[]): string => {
      if (votes.length < 2) return 'no-quorum'
      const [yes, no] = ['APPROVE', 'REJECT'].map((one) => votes.filter((v) => v === one).length)
      return (yes ?? 0) > 0 && 3 * (yes ?? 0) >= 2 * ((yes ?? 0) + (no ?? 0))
        ? 'approved'
        : 'rejected'
    }
    const fill = (votes: readonly string[], left: number): void => {
      if (left === 0) {
        ends.add(end(votes))
        return
      }
      fill(votes, left - 1)
      for (const one of ['APPROVE', 'REJECT', 'ABSTAIN']) fill([...votes, one], left - 1)
    }
    fill(Object.values(cast) as string[], missing.length)
    return ends.size === 1 ? [...ends][0] : undefined
  }

  const closing = (facts: Facts): string => {
    const cast = Object.values(facts.cast)
    const yes = cast.filter((one) => one === 'APPROVE').length
    if (cast.length < 2) return 'no-quorum'
    return yes > 0 && 3 * yes >= 2 * cast.length ? 'approved' : 'rejected'
  }

  const voting = (voter: string, said: Vote): Move => ({
    make: (at, opened) => vote(at, opened, voter, said),
    name: `${voter} ${said}`,
    ought: (facts) => {
      if (facts.over !== undefined || facts.passed || facts.cast[voter] !== undefined)
        return undefined
      const cast = { ...facts.cast, [voter]: said }
      return { ...facts, cast, over: settledOf(cast) }
    },
  })

  const moves: readonly Move[] = [
    ...['ann', 'bob', 'cyd'].flatMap((voter) => [
      voting(voter, 'APPROVE'),
      voting(voter, 'REJECT'),
    ]),
    {
      make: (at, opened) => vote(at, opened, 'carl'),
      name: 'the proposer votes',
      ought: () => undefined,
    },
    {
      make: (at, opened) => act(at, opened, 'carl', { act: 'withdraw', reason: 'No' }),
      name: 'withdrawn',
      ought: (facts) =>
        facts.over !== undefined || facts.passed ? undefined : { ...facts, over: 'withdrawn' },
    },
    {
      make: (_, opened, clock) => {
        clock.now = Math.max(clock.now, opened.deadline)
      },
      name: 'the deadline passes',
      ought: (facts) => ({ ...facts, passed: true }),
    },
    {
      make: (at, opened) => act(at, opened, 'dora'),
      name: 'closed',
      ought: (facts) => {
        if (facts.over !== undefined) return facts.over === 'withdrawn' ? undefined : facts
        return facts.passed ? { ...facts, over: closing(facts) } : undefined
      },
    },
  ]

  const tried = async (move: Move, ...path: Parameters<Move['make']>): Promise<boolean> => {
    try {
      await move.make(...path)
      return true
    } catch (error) {
      if (error instanceof Failure && error.code === 'PROPOSAL_REFUSED') return false
      throw error
    }
  }

  /** Tries what is refused in a state, which changes nothing. */
  async function expectRefusals(
    at: TestService,
    clock: { now: number },
    opened: ProposalView,
    facts: Facts,
  ): Promise<void> {
    for (const move of moves.filter(({ ought }) => ought(facts) === undefined))
      expect([facts, move.name, await tried(move, at, opened, clock)]).toEqual([
        facts,
        move.name,
        false,
      ])
    const { decision, status } = await at.service.readProposal('default', opened.proposal)
    const ends = facts.over ?? 'open'
    expect([facts, status]).toEqual([facts, ends])
    expect([facts, decision === null]).toEqual([facts, ends === 'open' || ends === 'withdrawn'])
  }

  it('goes exactly as it ought in every interleaving, and every dossier of it verifies', async () => {
    const { at, clock } = await founded()
    const trustRoot = await at.service.readTrustRoot('default')
    const waiting: { readonly facts: Facts; readonly way: readonly Move[] }[] = [
      { facts: { cast: {}, over: undefined, passed: false }, way: [] },
    ]
    const seen = new Set<string>()
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { facts, way } = next
      const { cast, over, passed } = facts
      const name = JSON.stringify([Object.entries(cast).sort(), over, passed])
      if (seen.has(name)) continue
      seen.add(name)
      const opened = await open(at, { withinSeconds: 1 })
      for (const step of way) expect(await tried(step, at, opened, clock)).toBe(true)
      await expectRefusals(at, clock, opened, facts)
      const file = await at.service.exportDossier('default', `proposal-${opened.proposal}`)
      const { proposal, verdict } = verifyDossier(file, trustRoot)
      expect([name, verdict, proposal?.status]).toEqual([name, 'valid', over ?? 'open'])
      // Behind its end everything is refused, which was tried.
      if (over !== undefined) continue
      for (const move of moves) {
        const after = move.ought(facts)
        if (after !== undefined) waiting.push({ facts: after, way: [...way, move] })
      }
    }
    expect(seen.size).toBeGreaterThan(40)
    expect(await findingsOf(at)).toEqual([])
  }, 60_000)
})

describe('the check of proposals', () => {
  type Marks = readonly ProposalMark[]

  /** What the check finds in a log with one proposal that was approved, once its marks are changed. */
  async function found(change: (marks: Marks) => Marks): Promise<readonly string[]> {
    const { at } = await founded()
    const opened = await open(at)
    await vote(at, opened, 'ann')
    await vote(at, opened, 'bob')
    await at.service.close()
    return storeOf(at, async (store) => {
      const tenant = await store.readTenant('default')
      const instance = await store.readInstance()
      if (tenant === undefined || instance === undefined) throw new Error('Nothing was founded')
      const marks = (await store.readEntries('default', 0, tenant.head.size)).flatMap((entry) => {
        const leaf = parseLeaf(entry.leaf)
        const statement = parseStatement(entry.payload ?? new Uint8Array())
        if (typeof leaf === 'string' || typeof statement === 'string') throw new Error('Unreadable')
        return proposalMark(entry, leaf, statement) ?? []
      })
      expect(marks.map(({ is }) => is)).toEqual(['proposal', 'closing', 'decision'])
      const what: string[] = []
      await checkProposals(fsckRequest(store), tenant, instance, change(marks), (one) =>
        what.push(one.what),
      )
      return what
    })
  }

  const changed =
    (is: ProposalMark['is'], change: Readonly<Record<string, unknown>>) =>
    (marks: Marks): Marks =>
      marks.map((mark) => (mark.is === is ? { ...mark, ...change } : mark))

  it('finds nothing in one that is as it should be, nor where its decision was erased', async () => {
    expect(await found((marks) => marks)).toEqual([])
    const erased = (marks: Marks): Marks =>
      marks.map(({ index, stream, ...mark }) =>
        mark.is === 'decision'
          ? { index, is: 'erased decision', stream }
          : { index, stream, ...mark },
      )
    expect(await found(erased)).toEqual([])
  })

  it.each<[string, (marks: Marks) => Marks, string]>([
    ['closing without its decision', (marks) => marks.slice(0, 2), 'without its decision'],
    [
      'closing that names another decision',
      changed('closing', { decision: 'another' }),
      'without its decision',
    ],
    [
      'decision without a closing',
      (marks) => marks.filter(({ is }) => is !== 'closing'),
      'does not stand in front',
    ],
    [
      'decision of another outcome than its closing',
      changed('closing', { outcome: 'REJECTED' }),
      'does not stand in front',
    ],
    ['decision of another leaf', changed('closing', { leaf: 'ab' }), 'does not stand in front'],
    ['decision that says nothing', changed('decision', { from: undefined }), 'not stand in front'],
    [
      'decision on another intent',
      changed('decision', { asked: 'ab' }),
      'not on what was proposed',
    ],
    [
      'decision further behind',
      (marks) => marks.map((mark) => (mark.is === 'decision' ? { ...mark, index: 999 } : mark)),
      'without its decision',
    ],
  ])('finds a %s', async (_, change, why) => {
    expect((await found(change)).join('; ')).toContain(why)
  })
})
