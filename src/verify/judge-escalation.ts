// What a decision's stream tells of its escalation: its steps are lived through again, each by the guards that the workflow had to ask, at the leaf time
// and under the roster that counted at its index.
import type { EscalationEvent } from '../dossier/escalation-events.ts'
import { matters, type Caller, type DecisionMatter } from '../dossier/matters.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import { countingRosterAt, isLaterRoster } from './check-rosters.ts'
import {
  advanceEscalation,
  type Escalation,
  type EscalationScene,
  type HeldDecision,
} from './escalation-story.ts'
import type { OverrideGround } from './judge-overrides.ts'
import type { Checks, EscalationReport } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

interface EscalationStep {
  readonly event: EscalationEvent
  readonly by: Caller | null
}

function readStep(matter: unknown): EscalationStep | undefined {
  const parsed = matters.escalation.safeParse(matter)
  if (!parsed.success) return undefined
  const { by, ...told } = parsed.data
  return { by, event: told }
}

/** The decision of a stream as an escalation is held against it; undefined when it was erased. */
export const heldDecision = (
  first: JudgedEntry | undefined,
  matter: DecisionMatter | undefined,
): HeldDecision | undefined =>
  first?.statement === undefined || matter === undefined
    ? undefined
    : {
        intent: first.statement.subject[0].digest.sha256,
        leaf: first.leafHash,
        matter,
        time: first.leaf.time,
      }

interface Stop {
  readonly outcome: 'fail' | 'inconclusive'
  readonly reason: string
}

/** The escalation of a decision, as a stream tells it. */
export interface ToldEscalation {
  readonly escalation: Escalation | undefined
  /** The step that opened it, and its last. */
  readonly steps: readonly JudgedEntry[]
  /** The step from which on the decision is an ALLOW for one use; undefined where it is not. */
  readonly approvedAt: number | undefined
  /** Whether every step could be read and may have happened. */
  readonly whole: boolean
  readonly stop: Stop | undefined
}

/** Whether two leads have made a decision an ALLOW before a step. Whether they could is judged by itself. */
export const overruledBefore = (entries: readonly JudgedEntry[], step: number): boolean =>
  entries.some(
    ({ leaf, statement }) =>
      leaf.kind === 'override' &&
      leaf.seq < step &&
      statement?.predicate.matter['event'] === 'executed',
  )

/** Whether a stream's first entry was erased before a step. */
const erasedBefore = (entries: readonly JudgedEntry[], step: number): boolean =>
  entries.some(
    ({ leaf, statement }) =>
      leaf.kind === 'erasure' &&
      leaf.seq < step &&
      matters.erasure.safeParse(statement?.predicate.matter).data?.seqs.includes(0) === true,
  )

function sceneAt(
  ground: OverrideGround,
  entries: readonly JudgedEntry[],
  held: HeldDecision | undefined,
  { index, leaf }: JudgedEntry,
  by: Caller | null,
): EscalationScene {
  return {
    byApiKey: by?.type === 'apiKey',
    decision: erasedBefore(entries, leaf.seq) ? undefined : held,
    overruled: overruledBefore(entries, leaf.seq),
    owner: by?.owner ?? null,
    place: ground,
    roster: countingRosterAt(ground, index),
    step: leaf.seq,
    time: leaf.time,
  }
}

/** Lives through the steps of a stream of which nothing is erased. */
export function tellEscalation(
  ground: OverrideGround,
  entries: readonly JudgedEntry[],
  decision: DecisionMatter | undefined,
): ToldEscalation {
  const steps = entries.filter(({ leaf }) => leaf.kind === 'escalation')
  const held = heldDecision(entries[0], decision)
  let escalation: Escalation | undefined
  let approvedAt: number | undefined
  const told = (stop?: Stop, whole = stop === undefined): ToldEscalation => ({
    approvedAt,
    escalation,
    steps,
    stop,
    whole,
  })
  for (const entry of steps) {
    const { index, leaf, statement } = entry
    const step = readStep(statement?.predicate.matter)
    // What is there and cannot be read has failed already.
    if (step === undefined) return told(undefined, false)
    const { by, event } = step
    const version = 'roster' in event ? event.roster?.version : undefined
    if (version !== undefined && isLaterRoster(ground, version, index))
      return told({
        outcome: 'inconclusive',
        reason: `Roster is not known to a trust root of size ${ground.asOf.size}: version ${version}`,
      })
    const next = advanceEscalation(escalation, event, sceneAt(ground, entries, held, entry, by))
    if (typeof next === 'string')
      return told({ outcome: 'fail', reason: `Step ${leaf.seq} (${event.event}): ${next}` })
    escalation = next
    if (next.status === 'approved') approvedAt = leaf.seq
  }
  return told()
}

/** What came of a decision's escalation. */
export interface JudgedEscalation {
  readonly approvedAt: number | undefined
  /** Whether it cannot be said what came of it. */
  readonly unknown: 'erased' | 'inconclusive' | undefined
  readonly report: EscalationReport | null
}

const nothing: JudgedEscalation = Object.freeze({
  approvedAt: undefined,
  report: null,
  unknown: undefined,
})

function reportOf({ escalation, steps }: ToldEscalation): EscalationReport | null {
  const [first] = steps
  if (escalation === undefined || first === undefined) return null
  const { answered, deadline, status } = escalation
  const endedAt = status === 'pending' ? null : (steps.at(-1)?.leaf.time ?? null)
  return { answered, deadline, endedAt, openedAt: first.leaf.time, status }
}

/** Judges what a decision's stream tells of its escalation. */
export function judgeEscalation(
  checks: Checks,
  section: OriginSection,
  entries: readonly JudgedEntry[],
  decision: DecisionMatter | undefined,
): JudgedEscalation {
  const steps = entries.filter(({ leaf }) => leaf.kind === 'escalation')
  if (steps.length === 0) return nothing
  const name = 'stream.escalation'
  if (entries[0]?.erased === true || steps.some(({ erased }) => erased)) {
    checks.add(name, 'erased', 'What was escalated, or how it ended, cannot be judged any more')
    return { ...nothing, unknown: 'erased' }
  }
  const told = tellEscalation(section, entries, decision)
  if (told.stop !== undefined) checks.add(name, told.stop.outcome, told.stop.reason)
  if (!told.whole)
    return {
      ...nothing,
      unknown: told.stop?.outcome === 'inconclusive' ? 'inconclusive' : undefined,
    }
  const report = reportOf(told)
  checks.add(name, 'pass', `${steps.length} steps, the escalation is ${report?.status ?? 'none'}`)
  return { approvedAt: told.approvedAt, report, unknown: undefined }
}
