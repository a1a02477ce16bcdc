// The decisions of a period, made again: one line for the file, and one for each decision of which something is to be told.
import type { PeriodFinding, PeriodReevaluation } from '../verify/reevaluate-period.ts'
import { counted } from './progress.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'

/** Whether something in a period is not as it should be. */
export const isBadPeriod = ({ choice, follows, ground, period }: PeriodReevaluation): boolean =>
  period.verdict === 'invalid' ||
  follows.different > 0 ||
  ground?.outcome === 'wrong' ||
  (choice?.wrong ?? 0) > 0

/** Whether something in a period could not be said. */
export const isOpenPeriod = ({ choice, follows, ground, period }: PeriodReevaluation): boolean =>
  period.verdict !== 'valid' ||
  follows.unknown > 0 ||
  ground?.outcome === 'open' ||
  (choice?.unknown ?? 0) > 0

const wordOf = (made: PeriodReevaluation): string => {
  const { choice, follows } = made
  if (follows.different > 0 || (choice?.wrong ?? 0) > 0) return 'different'
  return follows.unknown > 0 || follows.same === 0 ? 'not re-evaluable' : 'same'
}

function sentenceOf({ choice, follows, ground, period }: PeriodReevaluation): string {
  const { different, same, unknown } = follows
  const said = [
    `decisions that follow from the policies that they cite: ${counted(same)}, that do not: ${counted(different)}, not re-evaluable: ${counted(unknown)}`,
  ]
  if (choice !== null)
    said.push(
      `went by all policies that had to decide: ${counted(choice.complete)}, did not: ${counted(choice.wrong)}, not known: ${counted(choice.unknown)}`,
    )
  else if (ground !== null)
    said.push(`which policies had to decide cannot be said: ${ground.reason}`)
  if (!period.whole) said.push('the file does not show all entries of the period')
  return said.join('; ')
}

const rowOf = ({ decision, line, outcome, reason }: PeriodFinding): readonly string[] => [
  `  line ${line}`,
  outcome === 'unknown' ? 'not known' : outcome,
  decision ?? '',
  reason,
]

/** What is told of a period, as text. */
export function formatRemadePeriod(file: string, made: PeriodReevaluation): string {
  const cells = [wordOf(made), made.period.verdict, file, sentenceOf(made)].map(printable)
  const findings = made.findings.map((finding) => rowOf(finding).map(printable))
  return `${cells.join('  ')}\n${findings.length === 0 ? '' : formatTable(findings)}`
}

/** What is told of a period, as a line of JSON. */
export function jsonOfRemadePeriod(file: string, made: PeriodReevaluation): string {
  const { choice, findings, follows, ground, period } = made
  const { notes, summary, verdict, whole } = period
  return jsonLine({ choice, file, findings, follows, ground, notes, summary, verdict, whole })
}
