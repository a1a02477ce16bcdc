import { describe, expect, it } from 'vitest'
import {
  applyProposalStep,
  openProposal,
  proposalSteps,
  replayProposal,
  type Proposal,
  type ProposalAnswer,
  type ProposalStepName,
} from '../../../src/policy/proposals.ts'

const opening = { id: 'p-1', proposer: 'ada', createdAt: 100, expiresAt: 200 }
const stepNames = Object.keys(proposalSteps) as ProposalStepName[]

function taken(answer: ProposalAnswer): Proposal {
  if (!answer.ok) throw new Error(answer.reason)
  return answer.proposal
}
const refusal = (answer: ProposalAnswer): string => (answer.ok ? 'ok' : answer.reason)
const path = (...steps: readonly (readonly [string, string, number])[]): ProposalAnswer =>
  replayProposal(
    opening,
    steps.map(([step, by, time]) => ({ step, by, time })),
  )

const toApproved = [
  ['submit', 'ada', 100],
  ['analyze', 'ada', 110],
  ['approve', 'bob', 120],
] as const

describe('a proposal', () => {
  it('has these transitions and no other', () => {
    // Every step by everyone before and after the expiry, from every state that can be reached.
    const found = new Set<string>()
    const reached = new Map<string, Proposal>([['DRAFT', taken(openProposal(opening))]])
    for (const [state, proposal] of reached)
      for (const step of stepNames)
        for (const by of ['ada', 'bob'])
          for (const time of [150, 200]) {
            const answer = applyProposalStep({ ...proposal, steps: [] }, { step, by, time })
            if (!answer.ok) continue
            const { state: to } = answer.proposal
            found.add(`${state} ${step} ${to}`)
            if (!reached.has(to)) reached.set(to, answer.proposal)
          }
    expect([...found].toSorted()).toEqual([
      'ANALYZED approve APPROVED',
      'ANALYZED escalate ESCALATED',
      'ANALYZED expire EXPIRED',
      'ANALYZED pause PAUSED',
      'ANALYZED reject REJECTED',
      'ANALYZED withdraw WITHDRAWN',
      'APPROVED execute EXECUTING',
      'APPROVED expire EXPIRED',
      'APPROVED withdraw WITHDRAWN',
      'DRAFT expire EXPIRED',
      'DRAFT submit SUBMITTED',
      'DRAFT withdraw WITHDRAWN',
      'ESCALATED approve APPROVED',
      'ESCALATED expire EXPIRED',
      'ESCALATED reject REJECTED',
      'ESCALATED withdraw WITHDRAWN',
      'EXECUTING complete COMPLETED',
      'EXECUTING fail FAILED',
      'EXECUTING roll_back ROLLED_BACK',
      'PAUSED escalate ESCALATED',
      'PAUSED expire EXPIRED',
      'PAUSED reject REJECTED',
      'PAUSED resume ANALYZED',
      'PAUSED withdraw WITHDRAWN',
      'SUBMITTED analyze ANALYZED',
      'SUBMITTED expire EXPIRED',
      'SUBMITTED withdraw WITHDRAWN',
    ])
    expect(reached.size).toBe(13)
  })

  it('goes from draft to completed, and tells its steps', () => {
    const proposal = taken(path(...toApproved, ['execute', 'bot', 130], ['complete', 'bot', 300]))
    expect(proposal).toMatchObject({ ...opening, state: 'COMPLETED' })
    expect(proposal.steps.map(({ step }) => step)).toEqual([
      'submit',
      'analyze',
      'approve',
      'execute',
      'complete',
    ])
  })

  it('is decided by another than its proposer', () => {
    const analyzed = taken(path(['submit', 'ada', 100], ['analyze', 'ada', 100]))
    const by = (step: string, who: string): string =>
      refusal(applyProposalStep(analyzed, { step, by: who, time: 150 }))
    expect(['approve', 'reject'].map((step) => by(step, 'ada'))).toEqual(['not_yours', 'not_yours'])
    expect(['approve', 'reject'].map((step) => by(step, 'bob'))).toEqual(['ok', 'ok'])
    expect([by('withdraw', 'bob'), by('withdraw', 'ada')]).toEqual(['not_yours', 'ok'])
    expect(refusal(path(['submit', 'bob', 100]))).toBe('not_yours')
    expect(
      refusal(path(...toApproved.slice(0, 2), ['pause', 'ada', 120], ['resume', 'ada', 130])),
    ).toBe('not_yours')
  })

  it('goes on before it expires and not from then on', () => {
    expect(refusal(path(...toApproved, ['execute', 'bot', 199]))).toBe('ok')
    expect(refusal(path(...toApproved, ['execute', 'bot', 200]))).toBe('expired')
    expect(refusal(path(...toApproved, ['expire', 'bot', 199]))).toBe('not_expired')
    expect(refusal(path(...toApproved, ['expire', 'bot', 200]))).toBe('ok')
    expect(refusal(path(['submit', 'ada', 200]))).toBe('expired')
    expect(refusal(path(...toApproved, ['execute', 'bot', 199], ['fail', 'bot', 201]))).toBe('ok')
  })

  it('takes its steps in the order of time', () => {
    expect(refusal(path(['submit', 'ada', 99]))).toBe('out_of_order')
    expect(refusal(path(['submit', 'ada', 100]))).toBe('ok')
    expect(refusal(path(['submit', 'ada', 120], ['analyze', 'bob', 119]))).toBe('out_of_order')
    expect(refusal(path(['submit', 'ada', 120], ['analyze', 'bob', 120]))).toBe('ok')
  })

  it('is not paused without end', () => {
    let proposal = taken(path(['submit', 'ada', 100], ['analyze', 'ada', 100]))
    const step = (name: string): ProposalAnswer =>
      applyProposalStep(proposal, { step: name, by: 'bob', time: 100 })
    for (let i = 0; i < 127; i++) {
      proposal = taken(step('pause'))
      proposal = taken(step('resume'))
    }
    expect(proposal.steps).toHaveLength(256)
    expect([refusal(step('pause')), refusal(step('approve'))]).toEqual(['too_many', 'ok'])
  })

  it('is left as it was by what is refused', () => {
    const draft = taken(openProposal(opening))
    const before = structuredClone(draft)
    applyProposalStep(draft, { step: 'approve', by: 'bob', time: 150 })
    applyProposalStep(draft, { step: 'submit', by: 'ada', time: 150 })
    expect(draft).toEqual(before)
  })

  it.each([
    null,
    'submit',
    {},
    { step: 'sudo', by: 'ada', time: 150 },
    { step: 'constructor', by: 'ada', time: 150 },
    { step: 'submit', by: '', time: 150 },
    { step: 'submit', by: 'ada', time: NaN },
    { step: 'submit', by: 'ada', time: 150.5 },
    { step: 'submit', by: 'ada', time: 150, state: 'APPROVED' },
    { step: 'submit', by: 'ada', time: 150, note: 'x'.repeat(2049) },
  ])('takes no step from %j', (step) => {
    expect(refusal(applyProposalStep(taken(openProposal(opening)), step))).toBe('malformed')
  })

  it.each([
    [null, 'malformed'],
    [{ ...opening, id: '' }, 'malformed'],
    [{ ...opening, state: 'APPROVED' }, 'malformed'],
    [{ ...opening, expiresAt: 100 }, 'expired'],
    [{ ...opening, expiresAt: 101 }, 'ok'],
  ])('opens %j: %s', (value, wanted) => {
    expect(refusal(openProposal(value))).toBe(wanted)
  })

  it('is refused as a whole when one step of its log is', () => {
    expect(
      refusal(path(['submit', 'ada', 100], ['approve', 'bob', 110], ['analyze', 'bob', 120])),
    ).toBe('not_from_here')
    expect(refusal(replayProposal({}, []))).toBe('malformed')
    expect(refusal(replayProposal({}, [{ step: 'submit', by: 'ada', time: 150 }]))).toBe(
      'malformed',
    )
  })
})
