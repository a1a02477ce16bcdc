// By what right something guarded was done, as far as one dossier tells: nobody says that there was no roster where the trust root names one, and the
// stream `control` holds by its own rules. Whether an action that an entry names was approved stands in the dossier of that action.
import { canonicalize } from '../base/canonical-json.ts'
import { controlSchema, type Control } from '../dossier/control.ts'
import { matters } from '../dossier/matters.ts'
import type { ControlPeriod, OriginSection } from '../dossier/trust-root.ts'
import {
  advanceControl,
  controlProblem,
  isGuardedKeyEvent,
  notControlled,
  rewrapProblem,
  type ControlStory,
} from './control-story.ts'
import type { Checks } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** Whether a roster counts at an entry: one that stands before it. */
const hasRosterAt = ({ rosters }: OriginSection, index: number): boolean =>
  rosters.some(({ from }) => from < index)

function controlOf({ statement }: JudgedEntry): Control | undefined {
  const said = statement?.predicate.matter['control']
  return said === undefined ? undefined : controlSchema.safeParse(said).data
}

/** Whether an entry does something guarded; those of the stream `control` are judged with it. */
function isGuarded({ leaf, statement }: JudgedEntry): boolean {
  const matter = statement?.predicate.matter
  if (leaf.kind === 'erasure') return matter !== undefined
  if (leaf.kind === 'policy') return matter?.['event'] !== 'registered' && matter !== undefined
  if (leaf.kind !== 'key') return false
  const key = matters.key.safeParse(matter).data
  return key !== undefined && isGuardedKeyEvent(key)
}

const timeAt = ({ control = [] }: OriginSection, index: number): ControlPeriod | undefined =>
  control.find(({ from, to }) => from < index && (to === null || index < to))

/** Why a guarded entry may not stand in a time under dual control, or undefined when it may. */
function demandProblem(section: OriginSection, entry: JudgedEntry): string | undefined {
  const period = timeAt(section, entry.index)
  if (period === undefined || !isGuarded(entry)) return undefined
  const said = controlOf(entry)
  const spared = ['break-glass', 'rewrap']
  if (said !== undefined && 'waived' in said && spared.includes(said.waived))
    return entry.statement?.predicate.matter['event'] === 'slots'
      ? undefined
      : `Only slots are made as ${said.waived}`
  return controlProblem({ closedAt: undefined, from: period.from }, true, said)
}

/** Holds slots that say that the providers stay the same against those before. */
function judgeRewraps(checks: Checks, entries: readonly JudgedEntry[]): void {
  let before: readonly string[] | undefined
  for (const entry of entries) {
    const { leaf, statement } = entry
    const told = leaf.kind === 'key' && matters.key.safeParse(statement?.predicate.matter).data
    if (!told || told.slots === undefined) continue
    const now = told.slots.map(({ provider }) => provider)
    const said = controlOf(entry)
    const isRewrap = said !== undefined && 'waived' in said && said.waived === 'rewrap'
    const why = isRewrap ? rewrapProblem(before, now) : undefined
    if (why !== undefined) checks.add('stream.control', 'fail', `Step ${leaf.seq}: ${why}`)
    before = now
  }
}

/** Judges what the entries of any stream say of who allowed them. */
export function judgeControls(
  checks: Checks,
  section: OriginSection,
  entries: readonly JudgedEntry[],
): void {
  const wrong = entries.find((entry) => {
    const control = controlOf(entry)
    const denies = control !== undefined && 'waived' in control && control.waived === 'no roster'
    return denies && hasRosterAt(section, entry.index)
  })
  if (wrong !== undefined)
    checks.add(
      'stream.control',
      'fail',
      `Entry at index ${wrong.index} says that there was no roster, and the trust root names one`,
    )
  for (const entry of entries) {
    const why = demandProblem(section, entry)
    if (why === undefined) continue
    // A newer trust root may know that the time had ended.
    const mayBeOver = timeAt(section, entry.index)?.to === null && entry.index >= section.asOf.size
    checks.add(
      'stream.control',
      mayBeOver ? 'inconclusive' : 'fail',
      `Step ${entry.leaf.seq}: ${why}${mayBeOver ? ', unless that has ended: a newer trust root is needed' : ''}`,
    )
  }
  judgeRewraps(checks, entries)
}

/** The actions that entries name, for whoever reads the report. */
export const actionsNamed = (entries: readonly JudgedEntry[]): readonly string[] => [
  ...new Set(
    entries.flatMap((entry) => {
      const control = controlOf(entry)
      return control !== undefined && 'action' in control ? [control.action] : []
    }),
  ),
]

/** Whether the trust root names the times that the stream tells, as far as both know the log. */
function isNamed(
  { asOf, control = [] }: OriginSection,
  told: readonly ControlPeriod[],
  last: number,
): boolean {
  const known = Math.min(asOf.size, last + 1)
  const knownOf = (periods: readonly ControlPeriod[]): readonly ControlPeriod[] =>
    periods
      .filter(({ from }) => from < known)
      .map(({ from, to }) => ({ from, to: to !== null && to < known ? to : null }))
  return canonicalize(knownOf(told)) === canonicalize(knownOf(control))
}

/** Judges the entries of the stream `control`. */
export function judgeControlStream(
  checks: Checks,
  section: OriginSection,
  entries: readonly JudgedEntry[],
): void {
  const name = 'stream.control'
  let story: ControlStory = notControlled
  const told: ControlPeriod[] = []
  for (const { index, leaf, statement } of entries) {
    const matter = matters.admin.safeParse(statement?.predicate.matter).data
    // What could not be read has failed already.
    if (matter === undefined) return
    const next = advanceControl(story, matter, index, hasRosterAt(section, index))
    if (typeof next === 'string') {
      checks.add(name, 'fail', `Step ${leaf.seq} (${matter.action}): ${next}`)
      return
    }
    if (next.from !== undefined && story.from === undefined)
      told.push({ from: next.from, to: null })
    if (next.from === undefined && story.from !== undefined)
      told.splice(-1, 1, { from: story.from, to: index })
    story = next
  }
  checks.expect(
    'stream.control.named',
    isNamed(section, told, entries.at(-1)?.index ?? 0),
    'Trust root names the times under dual control that stand here',
    'Trust root names other times under dual control than stand here',
  )
  const demanded =
    story.from === undefined ? 'Nobody need sign' : `Two leads must sign from index ${story.from}`
  const ended = story.closedAt === undefined ? '' : `, closed at index ${story.closedAt}`
  checks.add(name, 'pass', `${demanded}${ended}`)
}
