// What the stream of a proposal tells: its steps are lived through again at their leaf times, the opening under the roster that counted at its index. And
// what a decision says that follows from one: that the decision stands right behind the closing, whose outcome it repeats, is checked by fsck.
import { z } from 'zod'
import { isProposalStream } from '../dossier/kinds.ts'
import { matters, type ApprovalMatter, type DecisionMatter } from '../dossier/matters.ts'
import { proposalOutcomes } from '../dossier/proposal-events.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { countingRosterAt, isLaterRoster } from './check-rosters.ts'
import type { OverrideGround } from './judge-overrides.ts'
import { advanceProposal, decidedBy, proposalEngine, type ProposalStory } from './proposal-story.ts'
import type { Checks, ProposalReport } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** A step of a proposal, as its entry tells it. */
export type ProposalMatter = Exclude<ApprovalMatter, { event: 'signed' }>
/** The opening of a proposal. */
export type ProposalOpened = Extract<ProposalMatter, { event: 'proposed' }>

/** The step of a matter, or undefined when it is none. */
export function readProposalStep(matter: unknown): ProposalMatter | undefined {
  const parsed = matters.approval.safeParse(matter)
  return parsed.success && parsed.data.event !== 'signed' ? parsed.data : undefined
}

/** What the stream of a proposal tells. */
interface ToldProposal {
  /** As far as it could be told; undefined when its opening may not have happened. */
  readonly story: ProposalStory | undefined
  /** Its opening, as the entry tells it. */
  readonly opening: ProposalOpened | undefined
  /** Why it could not be told to the end. */
  readonly stop: { readonly outcome: 'fail' | 'inconclusive'; readonly reason: string } | undefined
}

/** Lives through the stream of a proposal. */
export function tellProposal(
  ground: OverrideGround,
  stream: string,
  entries: readonly JudgedEntry[],
): ToldProposal {
  let story: ProposalStory | undefined
  let opening: ToldProposal['opening']
  const told = (stop?: ToldProposal['stop']): ToldProposal => ({ opening, stop, story })
  const failed = (seq: number, what: string): ToldProposal =>
    told({ outcome: 'fail', reason: `Step ${seq}${what}` })
  for (const { index, leaf, statement } of entries) {
    const step = readProposalStep(statement?.predicate.matter)
    if (step === undefined) return failed(leaf.seq, ' cannot be read')
    if (step.event === 'proposed' && isLaterRoster(ground, step.roster.version, index))
      return told({
        outcome: 'inconclusive',
        reason: `Roster is not known to a trust root of size ${ground.asOf.size}: version ${step.roster.version}`,
      })
    const next = advanceProposal(story, step, {
      owner: step.by.owner,
      roster: countingRosterAt(ground, index),
      stream,
      time: leaf.time,
    })
    if (typeof next === 'string') return failed(leaf.seq, ` (${step.event}): ${next}`)
    if (step.event === 'proposed') opening = step
    story = next
  }
  return told()
}

/** Judges the entries of the stream of a proposal. */
export function judgeProposal(
  checks: Checks,
  ground: OverrideGround,
  stream: string,
  entries: readonly JudgedEntry[],
): ProposalReport | null {
  const name = 'stream.proposal'
  const { stop, story } = tellProposal(ground, stream, entries)
  if (stop !== undefined) checks.add(name, stop.outcome, stop.reason)
  if (stop !== undefined || story === undefined) return null
  const { consensus, decision, status } = story
  const { deadline, proposer, quorum, threshold, voters, votes } = consensus
  checks.add(
    name,
    'pass',
    `${votes.length} of ${voters.length} have voted, the proposal is ${status}`,
  )
  return {
    deadline,
    decision,
    proposer,
    quorum,
    status,
    threshold,
    voters,
    votes: votes.map(({ vote, voter }) => ({ vote, voter })),
  }
}

const traceSchema = z.strictObject({
  engine: z.literal(proposalEngine),
  /** The stream of the proposal, and the hex leaf hash of its closing. */
  proposal: z.strictObject({
    stream: z.string().refine(isProposalStream),
    leaf: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  outcome: z.enum(proposalOutcomes),
})

/** What a decision says of the proposal that it follows from; undefined where it follows from none, or says it in no form that counts. */
export const readProposalTrace = ({ source, trace }: DecisionMatter) =>
  source === 'evaluated' ? traceSchema.safeParse(trace).data : undefined

/** Whether a decision says that it follows from a proposal, in whatever form. */
export const claimsProposal = ({ source, trace }: DecisionMatter): boolean =>
  source === 'evaluated' &&
  typeof trace === 'object' &&
  trace !== null &&
  'engine' in trace &&
  trace.engine === proposalEngine

/** Judges whether a decision is what its proposal makes of it. */
export function judgeProposed(checks: Checks, decision: DecisionMatter | undefined): void {
  if (decision === undefined || !claimsProposal(decision)) return
  const trace = readProposalTrace(decision)
  const decided = trace && decidedBy(trace.outcome)
  const { maxUses, mode, obligations, overridable, reasons, status } = decision
  const holds =
    decided !== undefined &&
    mode === 'enforce' &&
    obligations.length === 0 &&
    canonicalize({ maxUses, overridable, reasons, status }) === canonicalize(decided)
  checks.expect(
    'stream.proposed',
    holds,
    `${status} follows from the outcome ${trace?.outcome ?? ''} of ${trace?.proposal.stream ?? ''}`,
    'Decision is not what the outcome of its proposal makes of it',
  )
}
