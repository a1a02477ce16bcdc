// The rules of a stream as a whole: no gap, no fork, time never backwards, and what each kind may do after what. Proofs show that entries are in the
// log; these rules show that together they are one story.
import { kindsOfStream } from '../dossier/kinds.ts'
import { matters, type DecisionMatter } from '../dossier/matters.ts'
import type { Checks } from './report.ts'
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

function judgeExecutions(
  checks: Checks,
  stream: string,
  decision: DecisionMatter | undefined,
  entries: readonly JudgedEntry[],
): void {
  const executions = entries.filter(({ leaf }) => leaf.kind === 'execution')
  if (executions.length === 0) return
  const name = 'stream.executions'
  const read = executions.map(({ statement }) =>
    matters.execution.safeParse(statement?.predicate.matter),
  )
  const started = read.flatMap(({ data }) => (data?.phase === 'started' ? [data] : []))
  const inOrder = started.every((execution, i) => execution.use === i + 1)
  if (read.some(({ data }) => data?.decision !== undefined && data.decision !== stream))
    checks.add(name, 'fail', 'An execution names another decision')
  else if (decision === undefined || started.length < executions.length)
    checks.add(
      name,
      executions.some(({ erased }) => erased) ? 'erased' : 'pass',
      'Executions cannot be counted any more',
    )
  else if (decision.status !== 'ALLOW')
    checks.add(name, 'fail', `A decision that is not ALLOW was executed: ${decision.status}`)
  else if (decision.mode === 'shadow') checks.add(name, 'fail', 'A shadow decision was executed')
  else
    checks.expect(
      name,
      inOrder && (decision.maxUses === null || started.length <= decision.maxUses),
      `Executed ${started.length} of ${decision.maxUses ?? 'any number of'} times`,
      `Executed ${started.length} times, allowed ${decision.maxUses ?? 'any number'}, counted from 1 without a gap: ${inOrder ? 'yes' : 'no'}`,
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

/** Judges the entries of a stream together; gives the decision when there is one to read. */
export function judgeStream(
  checks: Checks,
  stream: string,
  entries: readonly JudgedEntry[],
): DecisionMatter | undefined {
  judgeChain(checks, stream, entries)
  const kinds = kindsOfStream(stream)
  const decision = kinds.includes('decision') ? judgeDecision(checks, stream, entries) : undefined
  if (kinds.includes('execution')) judgeExecutions(checks, stream, decision, entries)
  judgeErasures(checks, stream, entries)
  return decision
}
