// What is asked and told of proposals: one shape for the HTTP edge, the command line and the service behind both. Who proposes or votes is never in it.
import { z } from 'zod'
import { intentSchema } from '../dossier/matters.ts'
import {
  proposalLimits,
  proposalOutcomes,
  proposalRule,
  proposalVotes,
} from '../dossier/proposal-events.ts'

const secondMs = 1000
const note = z.string().min(1).max(proposalLimits.note)
const { proposerMayVote, quorum, threshold, voters } = proposalRule

/** An intent that wants people's consent before it becomes a decision. */
export const proposalOpeningSchema = z
  .strictObject({
    intent: intentSchema,
    /** Who votes; everybody with a role in the roster unless said, without the proposer and the actor unless the proposer may vote. */
    voters: voters.optional(),
    /** False unless said. */
    proposerMayVote: proposerMayVote.optional(),
    /** All voters unless said. */
    quorum: quorum.optional(),
    /** More than half; two in three unless said. */
    threshold: threshold.optional(),
    /** Until when votes count; a day unless said. */
    withinSeconds: z
      .int()
      .min(proposalLimits.least / secondMs)
      .max(proposalLimits.most / secondMs)
      .optional(),
    note: note.optional(),
  })
  .meta({ id: 'ProposalOpening' })

/** An intent that wants people's consent before it becomes a decision. */
export type ProposalOpening = z.infer<typeof proposalOpeningSchema>

/** One vote. */
export const proposalVoteSchema = z
  .strictObject({ vote: z.enum(proposalVotes), note: note.optional() })
  .meta({ id: 'ProposalVote' })

/** Why a proposal is withdrawn. */
export const proposalReasonSchema = z
  .strictObject({ reason: note })
  .meta({ id: 'ProposalWithdrawal' })

/** Something that is done to a proposal. */
export const proposalActSchema = z.discriminatedUnion('act', [
  proposalVoteSchema.extend({ act: z.literal('vote') }),
  proposalReasonSchema.extend({ act: z.literal('withdraw') }),
  z.strictObject({ act: z.literal('close') }),
])

/** Something that is done to a proposal. */
export type ProposalAct = z.infer<typeof proposalActSchema>

/** How it stands with a proposal. */
export const proposalViewSchema = z
  .strictObject({
    /** Id of the proposal; `proposal-` and this is its stream. */
    proposal: z.string(),
    status: z.enum(['open', 'approved', 'rejected', 'no-quorum', 'withdrawn']),
    /** What the vote has come to and nobody has closed yet; null where it goes on, or is over. */
    due: z.enum(proposalOutcomes).nullable(),
    intent: intentSchema,
    note: z.string().nullable(),
    /** Owner of the API key of whoever proposed. */
    proposer: z.string(),
    voters: z.array(z.string()),
    quorum: z.int(),
    threshold,
    votes: z.array(
      z.strictObject({ voter: z.string(), vote: z.enum(proposalVotes), time: z.int() }),
    ),
    /** Log times, ms since 1970. */
    openedAt: z.int(),
    deadline: z.int(),
    /** Id of the decision that it came to, or null. */
    decision: z.string().nullable(),
    /** Leaf index of its last step. */
    index: z.int(),
    dossierUrl: z.string(),
  })
  .meta({ id: 'Proposal' })

/** How it stands with a proposal. */
export type ProposalView = z.infer<typeof proposalViewSchema>

/** Which proposals to list. */
export const proposalListQuerySchema = z.strictObject({
  cursor: z.uuid().exactOptional(),
  limit: z.int().min(1).max(200).exactOptional(),
})

/** Which proposals to list. */
export interface ProposalListRequest {
  /** Id of a proposal: those that were opened before it. */
  readonly cursor?: string
  readonly limit: number
}

/** A page of a list: proposals, the last opened first. */
export const proposalPageSchema = z
  .strictObject({
    proposals: z.array(
      proposalViewSchema.pick({
        proposal: true,
        status: true,
        due: true,
        proposer: true,
        openedAt: true,
        deadline: true,
        decision: true,
      }),
    ),
    /** Where the next page begins, or null. */
    cursor: z.string().nullable(),
  })
  .meta({ id: 'ProposalPage' })

/** A page of a list: proposals, the last opened first. */
export type ProposalPage = z.infer<typeof proposalPageSchema>
