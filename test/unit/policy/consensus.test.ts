import { describe, expect, it } from 'vitest'
import {
  castVote,
  closeConsensus,
  openConsensus,
  replayConsensus,
  voteOutcomes,
  type Consensus,
  type ConsensusAnswer,
  type ConsensusState,
} from '../../../src/policy/consensus.ts'

const opening = {
  id: 'c-1',
  proposer: 'ada',
  voters: ['bob', 'cy', 'di'],
  quorum: 2,
  threshold: { approvals: 2, of: 3 },
  createdAt: 100,
  deadline: 200,
}

function taken(answer: ConsensusAnswer): Consensus {
  if (!answer.ok) throw new Error(answer.reason)
  return answer.consensus
}
const refusal = (answer: ConsensusAnswer): string => (answer.ok ? 'ok' : answer.reason)
const state = (answer: ConsensusAnswer): ConsensusState => taken(answer).state
const vote = (voter: string, outcome: string, time = 150): object => ({
  voter,
  vote: outcome,
  time,
})

/** The rule in one line of another kind: shares as fractions of integers, counted at the end. */
function reference(
  votes: readonly string[],
  quorum: number,
  approvals: number,
  of: number,
): ConsensusState {
  if (votes.length < quorum) return 'NO_QUORUM'
  const yes = votes.filter((one) => one === 'APPROVE').length
  const no = votes.filter((one) => one === 'REJECT').length
  return yes > 0 && yes * of >= approvals * (yes + no) ? 'APPROVED' : 'REJECTED'
}

/** Every list of so many votes. */
const lists = (length: number): readonly (readonly string[])[] =>
  length === 0
    ? [[]]
    : lists(length - 1).flatMap((list) => voteOutcomes.map((one) => [...list, one]))

describe('a vote of up to five', () => {
  const thresholds = [
    { approvals: 2, of: 3 },
    { approvals: 3, of: 5 },
    { approvals: 501, of: 1000 },
    { approvals: 1, of: 1 },
  ]
  it.each([1, 2, 3, 4, 5])(
    'of %d ends as counting all votes would, however early it ends',
    (size) => {
      const voters = Array.from({ length: size }, (_, i) => `voter-${i}`)
      let early = 0
      for (const threshold of thresholds)
        for (let quorum = 1; quorum <= size; quorum++)
          for (const votes of lists(size)) {
            let consensus = taken(openConsensus({ ...opening, voters, quorum, threshold }))
            for (const [i, one] of votes.entries()) {
              // Were it to end here, the votes so far would decide.
              const closed = state(closeConsensus(consensus, 200))
              expect(closed).toBe(
                reference(votes.slice(0, i), quorum, threshold.approvals, threshold.of),
              )
              consensus = taken(castVote(consensus, vote(`voter-${i}`, one)))
              if (consensus.state === 'OPEN') continue
              // It may only end where ending now and going on come to the same.
              const sofar = reference(
                votes.slice(0, i + 1),
                quorum,
                threshold.approvals,
                threshold.of,
              )
              expect(consensus.state).toBe(sofar)
              early += i + 1 < size ? 1 : 0
              break
            }
            expect(consensus.state).toBe(
              reference(votes, quorum, threshold.approvals, threshold.of),
            )
          }
      expect(early > 0).toBe(size > 1)
    },
  )
})

describe('a vote', () => {
  it('is approved at the threshold and not below it', () => {
    const cast = (...votes: string[]): ConsensusState =>
      state(
        replayConsensus(
          opening,
          votes.map((one, i) => vote(opening.voters[i] ?? '', one)),
          200,
        ),
      )
    expect(cast('APPROVE', 'REJECT', 'APPROVE')).toBe('APPROVED')
    expect(cast('APPROVE', 'REJECT', 'ABSTAIN')).toBe('REJECTED')
    expect(cast('ABSTAIN', 'ABSTAIN', 'ABSTAIN')).toBe('REJECTED')
    expect(cast('ABSTAIN', 'APPROVE')).toBe('APPROVED')
    expect(cast('APPROVE')).toBe('NO_QUORUM')
    expect(cast()).toBe('NO_QUORUM')
  })

  it('is open until nothing can change it', () => {
    const one = taken(castVote(taken(openConsensus(opening)), vote('bob', 'APPROVE')))
    expect(one.state).toBe('OPEN')
    expect(state(castVote(one, vote('cy', 'APPROVE')))).toBe('APPROVED')
    expect(state(castVote(one, vote('cy', 'REJECT')))).toBe('OPEN')
    expect(state(castVote(one, vote('cy', 'ABSTAIN')))).toBe('OPEN')
  })

  it('takes one vote of each voter, in order, before the deadline', () => {
    const open = taken(openConsensus(opening))
    const one = taken(castVote(open, vote('bob', 'APPROVE')))
    expect(refusal(castVote(one, vote('bob', 'REJECT')))).toBe('voted_already')
    expect(refusal(castVote(one, vote('eve', 'REJECT')))).toBe('not_a_voter')
    expect(refusal(castVote(one, vote('ada', 'APPROVE')))).toBe('not_a_voter')
    expect(refusal(castVote(one, vote('cy', 'REJECT', 149)))).toBe('out_of_order')
    expect(refusal(castVote(open, vote('cy', 'REJECT', 99)))).toBe('out_of_order')
    expect(refusal(castVote(open, vote('cy', 'REJECT', 199)))).toBe('ok')
    expect(refusal(castVote(open, vote('cy', 'REJECT', 200)))).toBe('too_late')
    const two = taken(castVote(one, vote('cy', 'APPROVE')))
    expect(refusal(castVote(two, vote('di', 'REJECT')))).toBe('closed')
    expect(one.votes).toHaveLength(1)
  })

  it('closes at its deadline and not before, and once', () => {
    const open = taken(openConsensus(opening))
    expect([199, NaN].map((now) => refusal(closeConsensus(open, now)))).toEqual([
      'too_early',
      'too_early',
    ])
    expect(state(closeConsensus(open, 200))).toBe('NO_QUORUM')
    expect(refusal(closeConsensus(taken(closeConsensus(open, 200)), 200))).toBe('closed')
    expect([199, NaN].map((now) => state(replayConsensus(opening, [], now)))).toEqual([
      'OPEN',
      'OPEN',
    ])
  })

  it.each([
    [{}, 'ok'],
    [{ quorum: 3 }, 'ok'],
    [{ quorum: 4 }, 'malformed'],
    [{ quorum: 0 }, 'malformed'],
    [{ voters: [] }, 'malformed'],
    [{ voters: ['bob', 'bob', 'cy'] }, 'malformed'],
    [{ voters: ['bob', 'ada', 'cy'] }, 'malformed'],
    [{ voters: Array.from({ length: 100 }, (_, i) => `v${i}`) }, 'ok'],
    [{ voters: Array.from({ length: 101 }, (_, i) => `v${i}`) }, 'malformed'],
    [{ threshold: { approvals: 1, of: 2 } }, 'malformed'],
    [{ threshold: { approvals: 501, of: 1000 } }, 'ok'],
    [{ threshold: { approvals: 4, of: 3 } }, 'malformed'],
    [{ threshold: { approvals: 3, of: 3 } }, 'ok'],
    [{ threshold: 0.7 }, 'malformed'],
    [{ deadline: 100 }, 'malformed'],
    [{ deadline: 101 }, 'ok'],
    [{ state: 'APPROVED' }, 'malformed'],
  ])('opens with %j: %s', (more, wanted) => {
    expect(refusal(openConsensus({ ...opening, ...more }))).toBe(wanted)
  })

  it.each([
    null,
    {},
    vote('bob', 'MAYBE'),
    vote('bob', 'APPROVE', NaN),
    vote('bob', 'APPROVE', 1.5),
    { ...vote('bob', 'APPROVE'), weight: 2 },
  ])('counts nothing from %j', (value) => {
    expect(refusal(castVote(taken(openConsensus(opening)), value))).toBe('malformed')
    expect(refusal(replayConsensus(opening, [value, vote('bob', 'APPROVE')], 150))).toBe(
      'malformed',
    )
  })

  it('has no log without an opening', () => {
    expect(refusal(replayConsensus(null, [], 0))).toBe('malformed')
  })
})

it('has its proposer among the voters only where that is said', () => {
  const voters = ['ada', 'bob']
  expect(refusal(openConsensus({ ...opening, voters }))).toBe('malformed')
  expect(refusal(openConsensus({ ...opening, proposerMayVote: false, voters }))).toBe('malformed')
  const opened = taken(openConsensus({ ...opening, proposerMayVote: true, voters }))
  expect(taken(castVote(opened, vote('ada', 'APPROVE'))).votes).toHaveLength(1)
  expect(refusal(castVote(opened, vote('cy', 'APPROVE')))).toBe('not_a_voter')
})
