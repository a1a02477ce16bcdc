// From the answers of the gates to PROCEED, PAUSE, HALT or ESCALATE: the table of GATES.md, first row that applies.
import type { DriftResult } from './drift.ts'
import type { CompiledGates } from './gate-config.ts'
import { InputReader, type InputProblem } from './gate-input.ts'
import { gateNames, type GateName, type GateResult } from './gate-result.ts'

/** What the gates come to. */
export type GateStatus = 'PROCEED' | 'PAUSE' | 'HALT' | 'ESCALATE'

const impacts = ['low', 'medium', 'high', 'critical'] as const

/** How large the effect of a change is. */
export type Impact = (typeof impacts)[number]

/** What a proposal says of itself beside its measures. What is unclear counts as its worst: critical, irreversible, to be approved. */
export interface Circumstances {
  readonly impact: Impact
  readonly reversible: boolean
  readonly approvalRequested: boolean
  readonly problems: readonly InputProblem[]
}

/** Reads the circumstances; without an impact it is medium, as AEGIS has it. */
export function readCircumstances(input: unknown): Circumstances {
  const reader = new InputReader(input)
  return {
    impact: reader.word('estimated_impact', impacts, 'medium', 'critical'),
    reversible: reader.flag('reversible', true, false),
    approvalRequested: reader.flag('requires_human_approval', false, true),
    problems: reader.problems,
  }
}

const isHigh = (impact: Impact): boolean => impact === 'high' || impact === 'critical'

/** Why a person has to approve. */
export type ApprovalGround =
  'requested' | 'irreversible' | 'impact' | 'risk_gate' | 'risk_posterior'

/** Every ground on which a person has to approve, as AEGIS's require_human_approval has them. */
export function approvalGrounds(
  { approvalRequested, impact, reversible }: Circumstances,
  gates: readonly GateResult[],
): readonly ApprovalGround[] {
  const risk = gates.find(({ gate }) => gate === 'risk')
  const score = risk?.detail['score']
  const grounds: readonly (readonly [ApprovalGround, boolean])[] = [
    ['requested', approvalRequested],
    ['irreversible', !reversible],
    ['impact', isHigh(impact)],
    ['risk_gate', risk?.passed !== true],
    // The posterior is one half exactly where the standard score is zero.
    ['risk_posterior', typeof score === 'number' && score >= 0],
  ]
  return grounds.filter(([, applies]) => applies).map(([ground]) => ground)
}

/** A row of the table. */
export interface StatusRow {
  /** Its number in GATES.md. */
  readonly row: 1 | 2 | 3 | 4 | 5 | 6
  readonly status: GateStatus
  readonly rationale: string
  readonly nextSteps: readonly string[]
}

interface Ground {
  readonly failing: readonly GateName[]
  readonly impact: Impact
  readonly drift: DriftResult | null
  readonly approval: readonly ApprovalGround[]
}

const upper = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1)

/** The row for what was found; of the grounds for approval the impact counts only where the settings are strict. */
export function statusOf(
  { approval, drift, failing, impact }: Ground,
  { config }: CompiledGates,
): StatusRow {
  const names = failing.join(', ')
  if (failing.includes('complexity'))
    return {
      row: 1,
      status: 'HALT',
      rationale: `Complexity floor not met, which cannot be overridden; failing gates: ${names}`,
      nextSteps: ['Simplify the proposal'],
    }
  if (failing.length > 0 && isHigh(impact))
    return {
      row: 2,
      status: 'ESCALATE',
      rationale: `${upper(impact)} impact proposal with failing gates: ${names}`,
      nextSteps: ['Escalate to Risk Lead for review', 'Prepare justification document'],
    }
  if (failing.length > 0)
    return {
      row: 3,
      status: 'HALT',
      rationale: `One or more gates failed: ${names}`,
      nextSteps: ['Revise the proposal, or request an override'],
    }
  if (drift?.action === 'PAUSE')
    return {
      row: 4,
      status: 'PAUSE',
      rationale: drift.message,
      nextSteps: ['Review the drift and recalibrate the baseline'],
    }
  const grounds = approval.filter((ground) => ground !== 'impact' || config.strict_human_approval)
  if (grounds.length > 0)
    return {
      row: 5,
      status: 'PAUSE',
      rationale: `Human approval required: ${grounds.join(', ')}`,
      nextSteps: ['Pause for human review'],
    }
  return {
    row: 6,
    status: 'PROCEED',
    rationale: `All ${gateNames.length} gates passed. Proposal approved.`,
    nextSteps: [],
  }
}
