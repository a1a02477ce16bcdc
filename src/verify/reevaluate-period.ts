// Makes the decisions of a period again while it is verified: whether each follows from the policies that it cites and, by the dossiers of the streams
// `policies` and `admin`, whether these were all that had to decide. What was found of the choice is told only where the period shows that those
// dossiers lack nothing: otherwise an honest decision could be blamed, and a wrong one praised. It keeps numbers, and the first findings.
import { GroundWatch, type GroundReport } from './ground-watch.ts'
import type { PeriodReport } from './period-report.ts'
import type { PeriodWatch } from './period-watch.ts'
import { reevaluateDossier, type Reevaluation } from './reevaluate.ts'
import type { Verdict } from './report.ts'
import {
  judgeDossierSelection,
  type SelectionGround,
  type SelectionReport,
} from './selection-ground.ts'
import { verifyPeriod, type PeriodOptions } from './verify-period.ts'

/** A decision of which something is to be told. */
export interface PeriodFinding {
  /** Line of the file, from 1. */
  readonly line: number
  readonly decision: string | null
  /** `follows`: whether the answer follows from what is cited; `choice`: whether that is all that had to decide. */
  readonly about: 'follows' | 'choice'
  readonly outcome: 'different' | 'wrong' | 'unknown'
  readonly reason: string
}

/** What making the decisions of a period again came to. */
export interface PeriodReevaluation {
  /** Of the file under the trust root; nothing else counts where it is not whole. */
  readonly period: PeriodReport
  /** Decisions by whether they follow from the policies that they cite. */
  readonly follows: Readonly<Record<Reevaluation['outcome'], number>>
  /** Decisions by whether they went by all policies that had to decide; null where nothing was given that tells it, or it cannot be relied on. */
  readonly choice: Readonly<Record<SelectionReport['outcome'], number>> | null
  /** Whether what was given to tell it lacks nothing; null where nothing was given. */
  readonly ground: GroundReport | null
  /** The first of each outcome, 100 of each at most. */
  readonly findings: readonly PeriodFinding[]
}

/** What may be given along with a period. */
export interface PeriodReevaluateOptions extends Omit<PeriodOptions, 'watch'> {
  /** What tells which policies had to decide, from dossiers that are valid under the same trust root. */
  readonly ground?: SelectionGround
}

const mostFindings = 100

class Remaking implements PeriodWatch {
  readonly follows = { different: 0, same: 0, unknown: 0 }
  readonly choice = { complete: 0, unknown: 0, wrong: 0 }
  readonly findings: PeriodFinding[] = []
  readonly watch: GroundWatch | undefined
  readonly #ground: SelectionGround | undefined
  readonly #told = new Map<string, number>()

  constructor(ground: SelectionGround | undefined) {
    this.#ground = ground
    this.watch = ground && new GroundWatch(ground)
  }

  dossier(file: Uint8Array, line: number, verdict: Verdict): void {
    // What is not believed is not made again: the period is invalid by it.
    if (verdict === 'invalid') return
    const { decision, outcome, reason } = reevaluateDossier(file)
    this.follows[outcome]++
    if (outcome !== 'same') this.#find({ about: 'follows', decision, line, outcome, reason })
    if (this.#ground === undefined) return
    const chosen = judgeDossierSelection(file, this.#ground)
    this.choice[chosen.outcome]++
    // What cannot be made again is told once.
    if (chosen.outcome === 'wrong' || (chosen.outcome === 'unknown' && outcome !== 'unknown'))
      this.#find({
        about: 'choice',
        decision,
        line,
        outcome: chosen.outcome,
        reason: chosen.reason,
      })
  }

  leaf(...seen: Parameters<PeriodWatch['leaf']>): void {
    this.watch?.leaf(...seen)
  }

  #find(finding: PeriodFinding): void {
    const what = `${finding.about} ${finding.outcome}`
    const told = this.#told.get(what) ?? 0
    if (told === mostFindings) return
    this.#told.set(what, told + 1)
    this.findings.push(finding)
  }
}

/**
 * Makes the decisions of a period again; rejects only when the bytes cannot be had.
 * @param bytes of the file, in pieces of any size
 * @param trustFile the trust root's bytes, from a source you trust
 */
export async function reevaluatePeriod(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  trustFile: Uint8Array,
  { ground, ...options }: PeriodReevaluateOptions = {},
): Promise<PeriodReevaluation> {
  const remaking = new Remaking(ground)
  const period = await verifyPeriod(bytes, trustFile, { ...options, watch: remaking })
  const { choice, findings, follows, watch } = remaking
  const { from, to } = period
  if (watch === undefined) return { choice: null, findings, follows, ground: null, period }
  const told: GroundReport =
    period.verdict !== 'invalid' && from !== null && to !== null
      ? watch.judge(from, to)
      : { outcome: 'open', reason: 'The period does not show what the log holds' }
  const isRelied = told.outcome === 'whole'
  return {
    choice: isRelied ? choice : null,
    findings: isRelied ? findings : findings.filter(({ about }) => about === 'follows'),
    follows,
    ground: told,
    period,
  }
}
