import type { Check, Outcome, Verdict } from './report.ts'

/** A dossier of a period that is not valid. */
export interface PeriodProblem {
  /** Line of the file, from 1. */
  readonly line: number
  /** Null when it could not be read. */
  readonly stream: string | null
  readonly verdict: Verdict
  /** The check that made it so, and what was found. */
  readonly reason: string
}

/** Dossiers by what they are worth. */
export type DossierCounts = Readonly<Record<Verdict, number>>

/** The result of verifying a period. */
export interface PeriodReport {
  /** That of the worst of what the file holds. */
  readonly verdict: Verdict
  /** Whether the verdict is `valid`. */
  readonly ok: boolean
  /** What was found, in one sentence. */
  readonly summary: string
  readonly checks: readonly Check[]
  readonly origin: string | null
  readonly tenant: string | null
  /** Index of the first entry, which is the tree size before it. */
  readonly from: number | null
  /** Index behind the last entry, which is the size of the checkpoint. */
  readonly to: number | null
  /** By what the tree of size `from` is known: no tree, a signed checkpoint of its own, witnesses on it too, or that of `to` alone. */
  readonly anchor: 'empty' | 'checkpoint' | `witnessed(${number})` | 'to' | null
  /** Whether all entries from `from` to `to` are there, and nothing else. */
  readonly whole: boolean
  readonly entries: number
  /** Entries by kind. */
  readonly kinds: Readonly<Record<string, number>>
  /** Entries by kind in the streams of decisions alone: the kinds of overruling stand in streams of actions as well. */
  readonly ofDecisions: Readonly<Record<string, number>>
  /** Entries in the streams of actions. */
  readonly ofActions: number
  /** Leaf times of the first and the last entry, ms since 1970: the operator's word. */
  readonly times: { readonly first: number; readonly last: number } | null
  /** The statuses that were selected; null for all decisions. */
  readonly selected: readonly string[] | null
  readonly dossiers: DossierCounts
  /** Decisions of the dossiers by status; of erased ones it is not known. */
  readonly statuses: Readonly<Record<string, number>>
  /** The same decisions by what they were at the end of their dossiers, such as `ALLOW by override`; without those of which that cannot be said. */
  readonly inForce: Readonly<Record<string, number>>
  /** What entries of the period in the dossiers say has happened, by kind and event. */
  readonly steps: Readonly<Record<string, Readonly<Record<string, number>>>>
  /** Requests to overrule and escalations that were opened in the period and had not ended by the last entries of their dossiers. */
  readonly open: Readonly<Record<'escalation' | 'override', number>>
  /** Whether each dossier is known to hold every entry of its stream, and up to which size. */
  readonly complete: 'no' | `as of size ${number}`
  /** The first dossiers that are not valid, 100 at most. */
  readonly problems: readonly PeriodProblem[]
  readonly assurance: 'operator' | `witnessed(${number})`
  /** Hex SHA-256 of the trust root used. */
  readonly trustRoot: string
  readonly dev: boolean
  /** What this report does not say, and by whose word the rest stands. */
  readonly notes: readonly string[]
}

/** Problems that are told one by one. */
export const mostProblems = 100

/** The check that a verdict rests on. */
export function decisiveCheck(checks: readonly Check[], verdict: Verdict): Check | undefined {
  const worst: Outcome = verdict === 'invalid' ? 'fail' : verdict === 'valid' ? 'pass' : verdict
  // Of erasures the last check is the one that names the entry which proves them.
  return verdict === 'erased'
    ? checks.findLast(({ outcome }) => outcome === worst)
    : checks.find(({ outcome }) => outcome === worst)
}

/** A number with commas, the same in every locale. */
const withCommas = (n: number): string => String(n).replaceAll(/\B(?=(?:\d{3})+$)/g, ',')

const plural = (n: number, one: string, many = `${one}s`): string =>
  `${withCommas(n)} ${n === 1 ? one : many}`

/** What somebody who looks for trouble wants to hear of, in this order: steps of a kind, and how what they are about has ended. */
const worthTelling: readonly {
  readonly kind: 'override' | 'escalation' | 'erasure'
  readonly one: string
  readonly endings: Readonly<Record<string, string>>
}[] = [
  {
    endings: { executed: '', rejected: ' rejected', revoked: ' revoked', expired: ' expired' },
    kind: 'override',
    one: 'override',
  },
  {
    endings: { approved: ' approved', rejected: ' rejected', 'timed-out': ' timed out' },
    kind: 'escalation',
    one: 'escalation',
  },
  { endings: {}, kind: 'erasure', one: 'erasure' },
]

type Told = Pick<
  PeriodReport,
  | 'complete'
  | 'dossiers'
  | 'entries'
  | 'from'
  | 'ofActions'
  | 'ofDecisions'
  | 'open'
  | 'steps'
  | 'to'
  | 'whole'
>

const formatSteps = (steps: Readonly<Record<string, number>>): string => {
  const names = Object.keys(steps).sort()
  const told = names.map((name) => `${withCommas(steps[name] ?? 0)} ${name}`).join(', ')
  return told === '' ? '' : ` (${told})`
}

/** What has happened of one kind: by its endings where every step could be read, else by the number of steps. */
function tellKind(
  { endings, kind, one }: (typeof worthTelling)[number],
  { ofDecisions, open, steps: all }: Told,
): readonly string[] {
  const count = ofDecisions[kind] ?? 0
  if (count === 0) return []
  if (kind === 'erasure') return [plural(count, one)]
  const names = Object.keys(endings)
  const steps = all[kind] ?? {}
  const read = Object.values(steps).reduce((sum, n) => sum + n, 0)
  if (read !== count) return [`${plural(count, `${one} step`)}${formatSteps(steps)}`]
  return [
    ...names.flatMap((name) => {
      const n = steps[name] ?? 0
      return n === 0 ? [] : [`${plural(n, one)}${endings[name] ?? ''}`]
    }),
    // Not by counting: what ended here may have been opened before.
    ...(open[kind] > 0 ? [`${plural(open[kind], one)} open`] : []),
  ]
}

/** One sentence for a person; empty when not even the head could be read. */
export function summarise(report: Told): string {
  const { complete, dossiers, entries, from, ofActions, to, whole } = report
  if (from === null || to === null) return ''
  const where = to > from ? `from index ${withCommas(from)} to ${withCommas(to - 1)}` : 'at all'
  const parts = [
    `${plural(entries, 'entry', 'entries')} ${where}: ${whole ? 'none missing, none added' : 'not those of the log'}`,
  ]
  const told = worthTelling.flatMap((what) => tellKind(what, report))
  if (ofActions > 0) told.push(plural(ofActions, 'step of actions', 'steps of actions'))
  if (told.length > 0) parts.push(told.join(', '))
  const all = Object.values(dossiers).reduce((sum, n) => sum + n, 0)
  const each =
    complete === 'no' ? '' : all === 1 ? `, complete ${complete}` : `, each complete ${complete}`
  if (all > 0) parts.push(`${plural(all, 'dossier')}${each}`)
  return parts.join('; ')
}
