// The story of a proposal: which step may follow which. Who may vote, what counts and when it is over is the business of the two state machines of
// `policy`; here their clock is bound to the log's, their voters to the roster, and their end to one decision.
import type { DecisionMatter } from '../dossier/matters.ts'
import { proposalStreamOf } from '../dossier/kinds.ts'
import {
  proposalLimits,
  type ProposalEvent,
  type ProposalOutcome,
} from '../dossier/proposal-events.ts'
import type { Roster } from '../dossier/roster.ts'
import {
  castVote,
  closeConsensus,
  openConsensus,
  type Consensus,
  type ConsensusAnswer,
} from '../policy/consensus.ts'
import {
  applyProposalStep,
  openProposal,
  type Proposal,
  type ProposalAnswer,
  type ProposalStepName,
} from '../policy/proposals.ts'

/** How it stands with a proposal, as the log tells it. */
export interface ProposalStory {
  /** The stream's name stands in for everybody together where the machine wants to know who. */
  readonly proposal: Proposal
  readonly consensus: Consensus
  readonly status: 'open' | 'approved' | 'rejected' | 'no-quorum' | 'withdrawn'
  /** Id of the decision that it came to; null while there is none. */
  readonly decision: string | null
}

/** What an event is judged by. */
export interface ProposalScene {
  readonly stream: string
  /** Owner of the key of whoever calls. */
  readonly owner: string
  /** Leaf time, ms since 1970. */
  readonly time: number
  /** The roster that counts, and its hex digest; undefined while there is none. */
  readonly roster: { readonly roster: Roster; readonly sha256: string } | undefined
}

type Opening = Extract<ProposalEvent, { event: 'proposed' }>

const sentences: Readonly<
  Record<Extract<ConsensusAnswer | ProposalAnswer, { readonly ok: false }>['reason'], string>
> = Object.freeze({
  closed: 'The vote is settled',
  expired: 'The deadline has passed',
  malformed:
    'Voters, quorum or threshold cannot be: each voter once, a quorum they can reach, and a threshold of more than half',
  not_a_voter: 'Who calls may not vote here',
  not_expired: 'The deadline has not passed',
  not_from_here: 'The proposal is past that',
  not_yours: 'Only who proposed may do that',
  out_of_order: 'Times run backwards',
  too_early: 'The vote is still open',
  too_late: 'The deadline has passed',
  too_many: 'The proposal has too many steps',
  voted_already: 'Who calls has voted already',
})

/** What is wrong with an opening beside what the machines say. */
function openingProblem(
  { deadline, proposal, proposerMayVote, roster: named, voters }: Opening,
  { owner, roster, stream, time }: ProposalScene,
): string | undefined {
  if (stream !== proposalStreamOf(proposal)) return 'Stream is not the one of the proposal'
  if (roster === undefined) return 'There is no roster whose people could vote'
  if (named.version !== roster.roster.version || named.sha256 !== roster.sha256)
    return 'Proposal names another roster than the one that counts'
  const stranger = voters.find((voter) => roster.roster.people.every(({ id }) => id !== voter))
  if (stranger !== undefined) return `Voter is not in the roster: ${stranger}`
  if (!proposerMayVote && voters.includes(owner))
    return 'Who proposes may not vote unless that is allowed'
  const ahead = deadline - time
  return ahead >= proposalLimits.least && ahead <= proposalLimits.most
    ? undefined
    : 'Deadline is not one second to seven days ahead'
}

function stepped(
  { proposal }: Pick<ProposalStory, 'proposal'>,
  step: ProposalStepName,
  by: string,
  time: number,
): Proposal | string {
  const answer = applyProposalStep(proposal, { by, step, time })
  return answer.ok ? answer.proposal : sentences[answer.reason]
}

function opened(event: Opening, scene: ProposalScene): ProposalStory | string {
  const why = openingProblem(event, scene)
  if (why !== undefined) return why
  const { deadline, proposal: id, proposerMayVote, quorum, threshold, voters } = event
  const { owner: proposer, stream, time: createdAt } = scene
  const vote = openConsensus({
    createdAt,
    deadline,
    id,
    proposer,
    proposerMayVote,
    quorum,
    threshold,
    voters,
  })
  if (!vote.ok) return sentences[vote.reason]
  const draft = openProposal({ createdAt, expiresAt: deadline, id, proposer })
  if (!draft.ok) return sentences[draft.reason]
  const submitted = stepped(draft, 'submit', proposer, createdAt)
  if (typeof submitted === 'string') return submitted
  const proposal = stepped({ proposal: submitted }, 'analyze', stream, createdAt)
  if (typeof proposal === 'string') return proposal
  return { consensus: vote.consensus, decision: null, proposal, status: 'open' }
}

const ends = {
  APPROVED: { status: 'approved', step: 'approve' },
  NO_QUORUM: { status: 'no-quorum', step: 'expire' },
  REJECTED: { status: 'rejected', step: 'reject' },
} as const

/** The outcome of a vote at a time, or why there is none yet. */
export function outcomeAt(consensus: Consensus, time: number): ConsensusAnswer {
  return consensus.state === 'OPEN' ? closeConsensus(consensus, time) : { consensus, ok: true }
}

function closed(
  story: ProposalStory,
  { decision, outcome }: Extract<ProposalEvent, { event: 'closed' }>,
  { stream, time }: ProposalScene,
): ProposalStory | string {
  const answer = outcomeAt(story.consensus, time)
  if (!answer.ok) return sentences[answer.reason]
  const { consensus } = answer
  if (consensus.state !== outcome) return `The votes say otherwise: ${consensus.state}`
  const { status, step } = ends[outcome]
  // What was cast before the deadline was decided before it, whenever somebody tells.
  const at = step === 'expire' ? time : Math.min(time, consensus.deadline - 1)
  const proposal = stepped(story, step, stream, at)
  return typeof proposal === 'string' ? proposal : { consensus, decision, proposal, status }
}

/** What an event makes of a proposal, or why it may not happen. */
export function advanceProposal(
  before: ProposalStory | undefined,
  event: ProposalEvent,
  scene: ProposalScene,
): ProposalStory | string {
  if (event.event === 'proposed')
    return before === undefined ? opened(event, scene) : 'Stream holds another proposal'
  if (before === undefined) return 'Nothing was proposed'
  if (event.proposal !== before.proposal.id) return 'Step is of another proposal'
  if (before.status !== 'open') return `Proposal is over: ${before.status}`
  const { owner: voter, time } = scene
  switch (event.event) {
    case 'voted': {
      const answer = castVote(before.consensus, { time, vote: event.vote, voter })
      return answer.ok ? { ...before, consensus: answer.consensus } : sentences[answer.reason]
    }
    case 'withdrawn': {
      if (before.consensus.state !== 'OPEN') return sentences.closed
      const proposal = stepped(before, 'withdraw', voter, time)
      return typeof proposal === 'string' ? proposal : { ...before, proposal, status: 'withdrawn' }
    }
    case 'closed':
      return closed(before, event, scene)
  }
}

/** What says in a decision's trace that it follows from a vote. */
export const proposalEngine = 'proposal/1'

/** What a decision is by the outcome of a vote. */
export const decidedBy = (
  outcome: ProposalOutcome,
): Pick<DecisionMatter, 'maxUses' | 'overridable' | 'reasons' | 'status'> => ({
  maxUses: outcome === 'APPROVED' ? 1 : null,
  // What people refused by a vote is proposed again, and not overruled by two of them.
  overridable: false,
  reasons: [{ code: `PROPOSAL_${outcome}` }],
  status: outcome === 'APPROVED' ? 'ALLOW' : 'BLOCK',
})
