// What can happen to a proposal, as its entries tell it: an intent on which people of the roster vote before it becomes a decision. By what rule they
// vote is fixed when it is opened. In which order the steps may come, and by whom, is judged in `verify`.
import { z } from 'zod'
import { isUuid } from '../base/uuid.ts'

/** Bounds of a proposal. */
export const proposalLimits = Object.freeze({
  /** Between opening and deadline, in ms. */
  least: 1000,
  most: 7 * 86_400_000,
  voters: 100,
  /** Why somebody proposes, votes or withdraws, in code points. */
  note: 1024,
})

const uuid = z.string().refine(isUuid, 'UUID in lower case expected')
const name = z.string().min(1).max(256)
const note = z.string().min(1).max(proposalLimits.note)
const part = z.int().min(1).max(1000)

/** Id of the proposal; `proposal-` and this is the stream. */
const proposal = uuid

/** What a voter can say. */
export const proposalVotes = Object.freeze(['APPROVE', 'REJECT', 'ABSTAIN'] as const)

/** How a vote can end. */
export const proposalOutcomes = Object.freeze(['APPROVED', 'REJECTED', 'NO_QUORUM'] as const)

/** By what rule is voted. */
export const proposalRule = Object.freeze({
  /** People of the roster, each once. */
  voters: z.array(name).min(1).max(proposalLimits.voters),
  proposerMayVote: z.boolean(),
  /** Votes that must be cast, abstentions among them. */
  quorum: z.int().min(1).max(proposalLimits.voters),
  /** Share of approvals among approvals and rejections, at least: so many in so many. */
  threshold: z.strictObject({ approvals: part, of: part }),
})

/** The events of a proposal by name; the one that opens it holds the intent besides. */
export const proposalEvents = Object.freeze({
  proposed: z.strictObject({
    event: z.literal('proposed'),
    proposal,
    ...proposalRule,
    /** The roster whose people vote. */
    roster: z.strictObject({ version: z.int().min(1), sha256: z.string().regex(/^[0-9a-f]{64}$/) }),
    /** Votes count at log times before it, ms since 1970. */
    deadline: z.int().min(0).max(8_640_000_000_000_000),
    note: note.nullable(),
  }),
  /** The voter is whoever called. */
  voted: z.strictObject({
    event: z.literal('voted'),
    proposal,
    vote: z.enum(proposalVotes),
    note: note.nullable(),
  }),
  withdrawn: z.strictObject({ event: z.literal('withdrawn'), proposal, reason: note }),
  closed: z.strictObject({
    event: z.literal('closed'),
    proposal,
    outcome: z.enum(proposalOutcomes),
    /** Id of the decision that stands right behind this entry. */
    decision: uuid,
  }),
})

/** Something that happens to a proposal. */
export type ProposalEvent = z.infer<(typeof proposalEvents)[keyof typeof proposalEvents]>
/** How a vote ended. */
export type ProposalOutcome = (typeof proposalOutcomes)[number]
