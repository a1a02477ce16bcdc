// A vote of several parties as an explicit state machine. Votes are data; the same votes give the same outcome. It ends as soon as no further vote could
// change it, else when the deadline has passed. Fractions are of whole numbers: no rounding decides a vote.
import { z } from 'zod'

const name = z.string().min(1).max(256)
const time = z.int().min(0)
const part = z.int().min(1).max(1000)

/** What a party can say. */
export const voteOutcomes = ['APPROVE', 'REJECT', 'ABSTAIN'] as const

const openingSchema = z
  .strictObject({
    id: name,
    proposer: name,
    /** Who may vote, each once. */
    voters: z.array(name).min(1).max(100),
    /** Whether the proposer may be one of them; not unless said. */
    proposerMayVote: z.boolean().exactOptional(),
    /** Votes that must be cast, abstentions among them. */
    quorum: z.int().min(1),
    /** Share of approvals among approvals and rejections, at least: this many in so many. */
    threshold: z.strictObject({ approvals: part, of: part }),
    /** ms since 1970. */
    createdAt: time,
    /** Votes count before it; ms since 1970. */
    deadline: time,
  })
  .refine(({ voters }) => new Set(voters).size === voters.length, 'Each voter once')
  .refine(
    ({ proposer, proposerMayVote, voters }) =>
      proposerMayVote === true || !voters.includes(proposer),
    'Proposer must not vote',
  )
  .refine(({ quorum, voters }) => quorum <= voters.length, 'Quorum beyond voters')
  .refine(({ threshold: { approvals, of } }) => approvals <= of, 'Threshold beyond 1')
  // At a share of one half both sides could have it.
  .refine(
    ({ threshold: { approvals, of } }) => 2 * approvals > of,
    'Threshold must be more than half',
  )
  .refine(({ createdAt, deadline }) => deadline > createdAt, 'Deadline must lie ahead')

const voteSchema = z.strictObject({
  voter: name,
  vote: z.enum(voteOutcomes),
  time,
  note: z.string().max(2048).optional(),
})

/** What is voted on, by whom, and how it counts. */
export type ConsensusOpening = Readonly<z.output<typeof openingSchema>>

/** One vote. */
export type Vote = Readonly<z.output<typeof voteSchema>>

/** How a vote stands: `NO_QUORUM` when the deadline passed with too few votes. */
export type ConsensusState = 'OPEN' | 'APPROVED' | 'REJECTED' | 'NO_QUORUM'

/** A vote with what was cast. */
export interface Consensus extends ConsensusOpening {
  readonly state: ConsensusState
  readonly votes: readonly Vote[]
}

/** Why a vote is refused. */
type ConsensusRefusal =
  | 'malformed'
  | 'closed'
  | 'not_a_voter'
  | 'voted_already'
  | 'out_of_order'
  | 'too_late'
  | 'too_early'

/** A consensus, or why there is none. */
export type ConsensusAnswer =
  | { readonly ok: true; readonly consensus: Consensus }
  | { readonly ok: false; readonly reason: ConsensusRefusal }

const refused = (reason: ConsensusRefusal): ConsensusAnswer => ({ ok: false, reason })

interface Tally {
  readonly approvals: number
  readonly rejections: number
  readonly cast: number
}

const tally = (votes: readonly Vote[]): Tally => {
  const count = (wanted: Vote['vote']): number => votes.filter(({ vote }) => vote === wanted).length
  return { approvals: count('APPROVE'), rejections: count('REJECT'), cast: votes.length }
}

/** Whether so many approvals and rejections approve: all abstaining approves nothing. */
const meets = (approvals: number, rejections: number, { threshold }: ConsensusOpening): boolean =>
  approvals > 0 && approvals * threshold.of >= threshold.approvals * (approvals + rejections)

/** The outcome that no further vote can change, else `OPEN`. */
function settled(opening: ConsensusOpening, votes: readonly Vote[]): ConsensusState {
  const { approvals, cast, rejections } = tally(votes)
  const left = opening.voters.length - cast
  const quorate = cast >= opening.quorum
  if (quorate && meets(approvals, rejections + left, opening)) return 'APPROVED'
  if (quorate && !meets(approvals + left, rejections, opening)) return 'REJECTED'
  return 'OPEN'
}

/** The vote that an opening, any JSON value, begins. */
export function openConsensus(opening: unknown): ConsensusAnswer {
  const parsed = openingSchema.safeParse(opening)
  if (!parsed.success) return refused('malformed')
  return { ok: true, consensus: { ...parsed.data, state: 'OPEN', votes: [] } }
}

function objection(consensus: Consensus, { time: at, voter }: Vote): ConsensusRefusal | undefined {
  if (consensus.state !== 'OPEN') return 'closed'
  if (!consensus.voters.includes(voter)) return 'not_a_voter'
  if (consensus.votes.some((cast) => cast.voter === voter)) return 'voted_already'
  if (at < (consensus.votes.at(-1)?.time ?? consensus.createdAt)) return 'out_of_order'
  return at < consensus.deadline ? undefined : 'too_late'
}

/** The vote after another was cast, any JSON value; a refused one changes nothing, and nobody can take theirs back. */
export function castVote(consensus: Consensus, vote: unknown): ConsensusAnswer {
  const parsed = voteSchema.safeParse(vote)
  if (!parsed.success) return refused('malformed')
  const reason = objection(consensus, parsed.data)
  if (reason !== undefined) return refused(reason)
  const votes = [...consensus.votes, parsed.data]
  return { ok: true, consensus: { ...consensus, votes, state: settled(consensus, votes) } }
}

/** The vote at its deadline or after (ms since 1970): what was cast decides, if it was enough. */
export function closeConsensus(consensus: Consensus, now: number): ConsensusAnswer {
  if (consensus.state !== 'OPEN') return refused('closed')
  // Written so that a time which is no number closes nothing.
  if (!(now >= consensus.deadline)) return refused('too_early')
  const { approvals, cast, rejections } = tally(consensus.votes)
  if (cast < consensus.quorum) return { ok: true, consensus: { ...consensus, state: 'NO_QUORUM' } }
  const state = meets(approvals, rejections, consensus) ? 'APPROVED' : 'REJECTED'
  return { ok: true, consensus: { ...consensus, state } }
}

/** The vote that a log tells: its opening, the votes in order, and whether its deadline had passed at `now`. */
export function replayConsensus(
  opening: unknown,
  votes: readonly unknown[],
  now: number,
): ConsensusAnswer {
  let answer = openConsensus(opening)
  for (const vote of votes) {
    if (!answer.ok) return answer
    answer = castVote(answer.consensus, vote)
  }
  if (!answer.ok || answer.consensus.state !== 'OPEN' || !(now >= answer.consensus.deadline))
    return answer
  return closeConsensus(answer.consensus, now)
}
