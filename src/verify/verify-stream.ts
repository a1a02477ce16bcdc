// The rules of a stream as a whole: no gap, no fork, time never backwards, and what each kind may do after what. Proofs show that entries are in the
// log; these rules show that together they are one story.
import { isActionStream, isProposalStream, kindsOfStream } from '../dossier/kinds.ts'
import { matters, type DecisionMatter, type ExecutionMatter } from '../dossier/matters.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import { judgeEscalation, type JudgedEscalation } from './judge-escalation.ts'
import { judgeAction } from './judge-action.ts'
import { judgeControls, judgeControlStream } from './judge-control.ts'
import { judgeKeyStream } from './judge-key-stream.ts'
import { judgeOverrides, type JudgedOverrides } from './judge-overrides.ts'
import { judgePolicyStream } from './judge-policies.ts'
import { judgeProposal, judgeProposed } from './judge-proposal.ts'
import { judgeRosterStream } from './judge-roster-stream.ts'
import { judgeTrustStream } from './judge-trust-stream.ts'
import type {
  ActionReport,
  Checks,
  EscalationReport,
  OverrideReport,
  ProposalReport,
} from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

function judgeChain(checks: Checks, stream: string, entries: readonly JudgedEntry[]): void {
  const kinds = kindsOfStream(stream)
  const wrong = entries.find(({ index, leaf }, seq) => {
    const before = entries[seq - 1]
    return (
      leaf.stream !== stream ||
      leaf.seq !== seq ||
      leaf.prev !== (before?.leafHash ?? null) ||
      !kinds.includes(leaf.kind) ||
      (before !== undefined && (index <= before.index || leaf.time < before.leaf.time))
    )
  })
  checks.expect(
    'stream.chain',
    wrong === undefined,
    `${entries.length} entries of one stream, without a gap`,
    `Entry at index ${wrong?.index ?? 0} does not follow: stream, step, predecessor, kind, index or time is wrong`,
  )
}

/** The decision of the stream, when it is there and readable. */
function readDecision(first: JudgedEntry | undefined): DecisionMatter | undefined {
  if (first?.leaf.kind !== 'decision') return undefined
  return matters.decision.safeParse(first.statement?.predicate.matter).data
}

function judgeDecision(
  checks: Checks,
  stream: string,
  entries: readonly JudgedEntry[],
): DecisionMatter | undefined {
  const decisions = entries.filter(({ leaf }) => leaf.kind === 'decision')
  const first = entries[0]
  if (first?.leaf.kind !== 'decision' || decisions.length !== 1) {
    checks.add('stream.decision', 'fail', 'A decision’s stream begins with its one decision')
    return undefined
  }
  const decision = readDecision(first)
  if (decision !== undefined)
    checks.expect(
      'stream.decision',
      decision.id === stream,
      `Decision ${decision.id}: ${decision.status}`,
      'Decision has another id than its stream',
    )
  return decision
}

/**
 * What is wrong with how a decision was used, if anything.
 * @param whole whether every execution could be read; where some are erased the rest is only held against order and bound
 */
function misuse(
  { maxUses, mode, status }: DecisionMatter,
  executions: readonly ExecutionMatter[],
  whole: boolean,
): string | undefined {
  if (status !== 'ALLOW') return `A decision that is not ALLOW was executed: ${status}`
  if (mode === 'shadow') return 'A shadow decision was executed'
  const running = new Set<number>()
  let uses = 0
  for (const { phase, use } of executions) {
    if (maxUses !== null && use > maxUses) return `Executed ${use} times, allowed ${maxUses}`
    if (phase === 'finished') {
      if (!running.delete(use) && whole) return `A use was finished that was not running: ${use}`
      continue
    }
    if (use <= uses || (whole && use !== uses + 1))
      return `Uses are not counted from 1 without a gap: ${use} after ${uses}`
    running.add(use)
    uses = use
  }
  return undefined
}

function judgeExecutions(
  checks: Checks,
  stream: string,
  decided: DecisionMatter | undefined,
  overrides: JudgedOverrides,
  escalation: JudgedEscalation,
  entries: readonly JudgedEntry[],
): void {
  const executions = entries.filter(({ leaf }) => leaf.kind === 'execution')
  const [first] = executions
  if (first === undefined) return
  const name = 'stream.executions'
  const read = executions.flatMap(({ statement }) => {
    const { data } = matters.execution.safeParse(statement?.predicate.matter)
    return data === undefined ? [] : [data]
  })
  if (read.some((execution) => execution.decision !== stream)) {
    checks.add(name, 'fail', 'An execution names another decision')
    return
  }
  const unknown = overrides.unknown ?? escalation.unknown
  if (unknown !== undefined && decided?.status !== 'ALLOW') {
    checks.add(name, unknown, 'It cannot be said whether the decision was allowed before')
    return
  }
  const allowed = [overrides.executedAt, escalation.approvedAt].some(
    (step) => step !== undefined && first.leaf.seq > step,
  )
  const decision =
    decided !== undefined && allowed
      ? { ...decided, maxUses: 1, status: 'ALLOW' as const }
      : decided
  const whole = read.length === executions.length
  const wrong = decision && misuse(decision, read, whole)
  if (wrong !== undefined) checks.add(name, 'fail', wrong)
  else if (decision === undefined || !whole)
    // What could not be read for another reason has failed already.
    checks.add(name, 'erased', 'Executions cannot be held against their decision any more')
  else
    checks.add(
      name,
      'pass',
      `Executed ${read.filter(({ phase }) => phase === 'started').length} of ${decision.maxUses ?? 'any number of'} times`,
    )
}

function judgeErasures(checks: Checks, stream: string, entries: readonly JudgedEntry[]): void {
  const erased = new Set<number>()
  for (const { leaf, statement } of entries.filter(({ leaf }) => leaf.kind === 'erasure')) {
    const matter = matters.erasure.safeParse(statement?.predicate.matter).data
    if (matter === undefined) continue
    if (matter.stream !== stream || matter.seqs.some((seq) => seq >= leaf.seq)) {
      checks.add('stream.erasure', 'fail', 'An erasure names another stream or a later step')
      return
    }
    for (const seq of matter.seqs) erased.add(seq)
  }
  const unproved = entries.find((entry) => entry.erased && !erased.has(entry.leaf.seq))
  if (unproved !== undefined)
    checks.add(
      'stream.erasure',
      'fail',
      `Payload of step ${unproved.leaf.seq} is missing without a proved erasure`,
    )
  else if (erased.size > 0)
    checks.add(
      'stream.erasure',
      'erased',
      `Steps erased, as an entry proves: ${[...erased].join(', ')}`,
    )
}

/** What the entries of a stream tell together. */
interface JudgedStream {
  readonly decision: DecisionMatter | undefined
  readonly override: OverrideReport | null
  readonly escalation: EscalationReport | null
  readonly action: ActionReport | null
  readonly proposal: ProposalReport | null
  /** Whether it is known what became of the decision by two leads or a reviewer. */
  readonly isTold: boolean
}

/** Judges the entries of a stream together; gives the decision when there is one to read. */
export function judgeStream(
  checks: Checks,
  stream: string,
  entries: readonly JudgedEntry[],
  section: OriginSection,
): JudgedStream {
  judgeChain(checks, stream, entries)
  judgeControls(checks, section, entries)
  const kinds = kindsOfStream(stream)
  if (!kinds.includes('decision')) {
    if (kinds.includes('roster')) judgeRosterStream(checks, section, entries)
    if (kinds.includes('policy')) judgePolicyStream(checks, entries)
    if (stream === 'keys') judgeKeyStream(checks, section, entries)
    if (stream === 'trust') judgeTrustStream(checks, entries)
    if (stream === 'control') judgeControlStream(checks, section, entries)
    const action = isActionStream(stream) ? judgeAction(checks, section, stream, entries) : null
    const proposal = isProposalStream(stream)
      ? judgeProposal(checks, section, stream, entries)
      : null
    judgeErasures(checks, stream, entries)
    return { action, decision: undefined, escalation: null, isTold: true, override: null, proposal }
  }
  const decision = judgeDecision(checks, stream, entries)
  judgeProposed(checks, decision)
  const overrides = judgeOverrides(checks, section, entries, decision)
  const escalation = judgeEscalation(checks, section, entries, decision)
  judgeExecutions(checks, stream, decision, overrides, escalation, entries)
  judgeErasures(checks, stream, entries)
  return {
    action: null,
    decision,
    escalation: escalation.report,
    isTold: overrides.unknown === undefined && escalation.unknown === undefined,
    override: overrides.report,
    proposal: null,
  }
}
