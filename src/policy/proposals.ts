// The life of a proposal as an explicit state machine. A step is data: who did what, when. Applied in order, the same steps give the same proposal, so
// that a log of them is the proposal; a step that the state does not allow is refused with its reason and changes nothing.
import { z } from 'zod'

const name = z.string().min(1).max(256)
const time = z.int().min(0)
const note = z.string().max(2048).optional()

/** Where a proposal stands. */
export type ProposalState =
  | 'DRAFT'
  | 'SUBMITTED'
  | 'ANALYZED'
  | 'APPROVED'
  | 'REJECTED'
  | 'PAUSED'
  | 'ESCALATED'
  | 'EXECUTING'
  | 'COMPLETED'
  | 'FAILED'
  | 'ROLLED_BACK'
  | 'EXPIRED'
  | 'WITHDRAWN'

interface Transition {
  readonly from: readonly ProposalState[]
  readonly to: ProposalState
  /** Whose step it is: the proposer's own, somebody else's, or anybody's. */
  readonly by: 'proposer' | 'another' | 'anybody'
}

const undecided = ['SUBMITTED', 'ANALYZED', 'PAUSED', 'ESCALATED'] as const

/** What each step does. Nobody approves or rejects what they proposed themselves. */
export const proposalSteps = Object.freeze({
  submit: { from: ['DRAFT'], to: 'SUBMITTED', by: 'proposer' },
  analyze: { from: ['SUBMITTED'], to: 'ANALYZED', by: 'anybody' },
  pause: { from: ['ANALYZED'], to: 'PAUSED', by: 'anybody' },
  resume: { from: ['PAUSED'], to: 'ANALYZED', by: 'another' },
  escalate: { from: ['ANALYZED', 'PAUSED'], to: 'ESCALATED', by: 'anybody' },
  approve: { from: ['ANALYZED', 'ESCALATED'], to: 'APPROVED', by: 'another' },
  reject: { from: ['ANALYZED', 'PAUSED', 'ESCALATED'], to: 'REJECTED', by: 'another' },
  withdraw: { from: ['DRAFT', ...undecided, 'APPROVED'], to: 'WITHDRAWN', by: 'proposer' },
  expire: { from: ['DRAFT', ...undecided, 'APPROVED'], to: 'EXPIRED', by: 'anybody' },
  execute: { from: ['APPROVED'], to: 'EXECUTING', by: 'anybody' },
  complete: { from: ['EXECUTING'], to: 'COMPLETED', by: 'anybody' },
  fail: { from: ['EXECUTING'], to: 'FAILED', by: 'anybody' },
  roll_back: { from: ['EXECUTING'], to: 'ROLLED_BACK', by: 'anybody' },
} as const satisfies Readonly<Record<string, Transition>>)

/** The name of a step. */
export type ProposalStepName = keyof typeof proposalSteps

const stepNames = Object.keys(proposalSteps) as [ProposalStepName, ...ProposalStepName[]]

const openingSchema = z.strictObject({
  id: name,
  proposer: name,
  /** ms since 1970. */
  createdAt: time,
  /** From here on it expires unless it is being executed; ms since 1970. */
  expiresAt: time,
})

const stepSchema = z.strictObject({ step: z.enum(stepNames), by: name, time, note })

/** How a proposal begins. */
export type ProposalOpening = Readonly<z.output<typeof openingSchema>>

/** One step. */
export type ProposalStep = Readonly<z.output<typeof stepSchema>>

/** A proposal after the steps that were taken. */
export interface Proposal extends ProposalOpening {
  readonly state: ProposalState
  readonly steps: readonly ProposalStep[]
}

/** A proposal, or why there is none. */
export type ProposalAnswer =
  | { readonly ok: true; readonly proposal: Proposal }
  | { readonly ok: false; readonly reason: ProposalRefusal }

/** Why a step is refused. */
type ProposalRefusal =
  | 'malformed'
  | 'not_from_here'
  | 'not_yours'
  | 'out_of_order'
  | 'expired'
  | 'not_expired'
  | 'too_many'

/** A proposal can go back and forth between paused and analyzed: with so many steps it is paused no more. */
const mostSteps = 256

const refused = (reason: ProposalRefusal): ProposalAnswer => ({ ok: false, reason })

/** The proposal that an opening, any JSON value, begins. */
export function openProposal(opening: unknown): ProposalAnswer {
  const parsed = openingSchema.safeParse(opening)
  if (!parsed.success) return refused('malformed')
  if (parsed.data.expiresAt <= parsed.data.createdAt) return refused('expired')
  return { ok: true, proposal: { ...parsed.data, state: 'DRAFT', steps: [] } }
}

function objection(
  proposal: Proposal,
  { by, step, time: at }: ProposalStep,
): ProposalRefusal | undefined {
  const { from, by: whose }: Transition = proposalSteps[step]
  if (!from.includes(proposal.state)) return 'not_from_here'
  if (at < (proposal.steps.at(-1)?.time ?? proposal.createdAt)) return 'out_of_order'
  if (whose !== 'anybody' && (by === proposal.proposer) !== (whose === 'proposer'))
    return 'not_yours'
  if (step === 'expire') return at >= proposal.expiresAt ? undefined : 'not_expired'
  // What runs already is brought to its end whatever the time.
  if (proposal.state !== 'EXECUTING' && at >= proposal.expiresAt) return 'expired'
  return step === 'pause' && proposal.steps.length >= mostSteps ? 'too_many' : undefined
}

/** The proposal after a step, any JSON value; a refused step changes nothing. */
export function applyProposalStep(proposal: Proposal, step: unknown): ProposalAnswer {
  const parsed = stepSchema.safeParse(step)
  if (!parsed.success) return refused('malformed')
  const reason = objection(proposal, parsed.data)
  if (reason !== undefined) return refused(reason)
  const { to } = proposalSteps[parsed.data.step]
  return { ok: true, proposal: { ...proposal, state: to, steps: [...proposal.steps, parsed.data] } }
}

/** The proposal that a log tells: its opening, then its steps. The first that is refused refuses all. */
export function replayProposal(opening: unknown, steps: readonly unknown[]): ProposalAnswer {
  let answer = openProposal(opening)
  for (const step of steps) {
    if (!answer.ok) return answer
    answer = applyProposalStep(answer.proposal, step)
  }
  return answer
}
