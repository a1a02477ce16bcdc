// The dossiers of a period: each is judged as it would be alone, under a checkpoint that was judged once for all of them.
import { kindsOfStream } from '../dossier/kinds.ts'
import { isKnownKind, matters, type DecisionMatter } from '../dossier/matters.ts'
import { parseDossier, type Dossier } from '../dossier/v1.ts'
import type { PeriodGround } from './period-ground.ts'
import { decisiveCheck, mostProblems, type PeriodProblem } from './period-report.ts'
import { Checks, type Verdict } from './report.ts'
import type { StreamCounts } from './stream-counts.ts'
import { isOpen } from './two-key-story.ts'
import type { JudgedCheckpoint } from './verify-checkpoint.ts'
import { judgeContent, statusInForce } from './verify-dossier.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** A newer checkpoint that dossiers may stand under. */
interface Later {
  readonly note: string
  readonly judged: JudgedCheckpoint
}

/** Judges the dossiers of a period one by one, and keeps numbers only. */
export class PeriodDossiers {
  readonly #ground: PeriodGround
  readonly #counts: StreamCounts
  readonly #verdicts: Record<Verdict, number> = {
    erased: 0,
    inconclusive: 0,
    invalid: 0,
    unprovable: 0,
    valid: 0,
  }
  readonly #statuses: Record<string, number> = {}
  readonly #inForce: Record<string, number> = {}
  readonly #steps: Record<string, Record<string, number>> = {}
  readonly #open = { escalation: 0, override: 0 }
  readonly #problems: PeriodProblem[] = []
  #evaluated = false
  #submitted = false
  /** How many were read to their end and held against the leaves. */
  #read = 0
  #later: Later | undefined
  #count = 0
  #lastFirst = -1
  /** The largest index of an entry that was judged. */
  #newest = -1

  constructor(ground: PeriodGround, counts: StreamCounts) {
    this.#ground = ground
    this.#counts = counts
  }

  get count(): number {
    return this.#count
  }

  get verdicts(): Readonly<Record<Verdict, number>> {
    return this.#verdicts
  }

  get inForce(): Readonly<Record<string, number>> {
    return this.#inForce
  }

  get statuses(): Readonly<Record<string, number>> {
    return this.#statuses
  }

  get steps(): Readonly<Record<string, Readonly<Record<string, number>>>> {
    return this.#steps
  }

  /** Requests to overrule and escalations that were opened in the period and had not ended by the last entries of their dossiers. */
  get open(): Readonly<Record<'escalation' | 'override', number>> {
    return this.#open
  }

  get problems(): readonly PeriodProblem[] {
    return this.#problems
  }

  get newest(): number {
    return this.#newest
  }

  /** Whether a decision was submitted and not evaluated. */
  get submitted(): boolean {
    return this.#submitted
  }

  /** Whether a decision was evaluated. */
  get evaluated(): boolean {
    return this.#evaluated
  }

  /** Whether every one could be read to its end, so that the leaves say whether it lacks something. */
  get allRead(): boolean {
    return this.#read === this.#count
  }

  /** Whether so many are bad that no more need be looked at. */
  get hopeless(): boolean {
    return this.#verdicts.invalid >= mostProblems
  }

  /** Lets the dossiers that follow stand under a newer checkpoint. */
  standUnder(note: string, judged: JudgedCheckpoint): void {
    this.#later = { judged, note }
  }

  /** Judges the next dossier, and gives what it is worth. */
  take(bytes: Uint8Array, line: number): Verdict {
    this.#count++
    const checks = new Checks()
    const dossier = parseDossier(bytes)
    const stream = typeof dossier === 'string' ? null : dossier.stream
    if (typeof dossier === 'string') checks.add('dossier.format', 'fail', dossier)
    else this.#judge(checks, dossier)
    const { list, verdict } = checks
    this.#verdicts[verdict]++
    if (verdict === 'valid' || this.#problems.length === mostProblems) return verdict
    const check = decisiveCheck(list, verdict)
    const reason =
      check === undefined ? 'Nothing could be checked' : `${check.name}: ${check.reason}`
    this.#problems.push({ line, reason, stream, verdict })
    return verdict
  }

  #judge(checks: Checks, dossier: Dossier): void {
    const judged = this.#checkpointOf(dossier)
    if (judged === undefined) {
      checks.add('dossier.checkpoint', 'fail', 'Dossier stands under another checkpoint')
      return
    }
    const content = judgeContent(checks, dossier, judged, this.#ground.section)
    const { decision, entries, whole } = content
    if (!whole) return
    this.#read++
    const inForce = statusInForce(content)
    if (inForce !== null) this.#inForce[inForce] = (this.#inForce[inForce] ?? 0) + 1
    if (content.escalation?.status === 'pending' && this.#isOpenedHere(entries, 'escalation'))
      this.#open.escalation++
    if (isOpen(content.override ?? undefined) && this.#isOpenedHere(entries, 'override'))
      this.#open.override++
    const indexes = entries.map(({ index }) => index)
    this.#newest = Math.max(this.#newest, ...indexes)
    this.#judgePlace(checks, dossier.stream, indexes)
    this.#judgeStatus(checks, decision)
    for (const entry of entries) this.#countStep(entry)
  }

  #checkpointOf({ checkpoint }: Dossier): JudgedCheckpoint | undefined {
    if (checkpoint === this.#ground.head.to) return this.#ground.to
    return checkpoint === this.#later?.note ? this.#later.judged : undefined
  }

  /** Dossiers stand in the order in which their streams first appear in the period; what they hold of it is held against the leaves. */
  #judgePlace(checks: Checks, stream: string, indexes: readonly number[]): void {
    const { head, to } = this.#ground
    const inside = indexes.filter((index) => index >= head.from.size && index < to.checkpoint.size)
    const name = 'dossier.place'
    const [first] = inside
    if (first === undefined) {
      checks.add(name, 'fail', 'Dossier has no entry in the period')
      return
    }
    if (!kindsOfStream(stream).includes('decision')) {
      checks.add(name, 'fail', `Dossier is not of a decision: ${stream.slice(0, 64)}`)
      return
    }
    const follows = first > this.#lastFirst
    this.#lastFirst = Math.max(this.#lastFirst, first)
    checks.expect(
      name,
      follows && this.#counts.expect(stream, inside.length),
      `Stream begins in the period at index ${first}`,
      `Dossier is not in its place, or stands twice: index ${first}`,
    )
  }

  /** Whether the last opening of a kind stands in the period. */
  #isOpenedHere(entries: readonly JudgedEntry[], kind: 'escalation' | 'override'): boolean {
    const opening = entries.findLast(
      ({ leaf, statement }) =>
        leaf.kind === kind && statement?.predicate.matter['event'] === 'opened',
    )
    return opening !== undefined && opening.index >= this.#ground.head.from.size
  }

  /** Counts what an entry of the period says has happened, where its kind is understood. */
  #countStep({ index, leaf: { kind }, statement }: JudgedEntry): void {
    const { head, to } = this.#ground
    if (index < head.from.size || index >= to.checkpoint.size || !isKnownKind(kind)) return
    const { data } = matters[kind].safeParse(statement?.predicate.matter)
    if (data === undefined) return
    const what = 'event' in data ? data.event : 'phase' in data ? data.phase : undefined
    if (what === undefined) return
    const counts = (this.#steps[kind] ??= {})
    counts[what] = (counts[what] ?? 0) + 1
  }

  #judgeStatus(checks: Checks, decision: DecisionMatter | undefined): void {
    if (decision === undefined) return
    const { source, status } = decision
    this.#statuses[status] = (this.#statuses[status] ?? 0) + 1
    this.#submitted ||= source === 'submitted'
    this.#evaluated ||= source === 'evaluated'
    const { statuses } = this.#ground.head
    if (statuses !== null && !statuses.includes(status))
      checks.add('dossier.selection', 'fail', `Decision is not of a status selected: ${status}`)
  }

  /** Sums the dossiers up in one check. */
  judge(checks: Checks): void {
    const { erased, inconclusive, invalid, unprovable, valid } = this.#verdicts
    const name = 'period.dossiers'
    const [first] = this.#problems.toSorted((a, b) => rank(b.verdict) - rank(a.verdict))
    const where = first === undefined ? '' : `; line ${first.line}: ${first.reason}`
    const say = (n: number, what: string): string => `${n} of ${this.#count} are ${what}${where}`
    if (invalid > 0) checks.add(name, 'fail', say(invalid, 'invalid'))
    else if (unprovable > 0) checks.add(name, 'unprovable', say(unprovable, 'unprovable'))
    else if (inconclusive > 0) checks.add(name, 'inconclusive', say(inconclusive, 'inconclusive'))
    else if (erased > 0) checks.add(name, 'erased', say(erased, 'erased'))
    else checks.add(name, 'pass', `${valid} dossiers are valid`)
  }
}

const order: readonly Verdict[] = ['valid', 'erased', 'inconclusive', 'unprovable', 'invalid']
const rank = (verdict: Verdict): number => order.indexOf(verdict)
