// How far an export of a period has come, as plain JSON: what another process needs to go on, and what the export is told by at its end.
import { encodeBase64 } from '../base/base64.ts'
import type { Kind } from '../dossier/kinds.ts'
import type { PeriodHead } from '../dossier/period.ts'
import type { StoredEntry } from '../store/store.ts'

/** An entry that is neither a decision nor its execution. */
export interface NotedEntry {
  readonly index: number
  readonly time: number
  readonly kind: Kind
  readonly stream: string
  /** What it says has happened, of a stream that was selected. */
  readonly event?: string | null
}

/** What an export has come across so far. */
export interface PeriodTally {
  readonly kinds: Readonly<Record<string, number>>
  /** Decisions that were selected, by status; `erased` where it is not known any more. */
  readonly statuses: Readonly<Record<string, number>>
  readonly dossiers: number
  readonly times: { readonly first: number; readonly last: number } | null
  /** The first entries that are neither a decision nor its execution, and how many there are. */
  readonly noted: readonly NotedEntry[]
  readonly notedCount: number
}

/** How far an export has come; plain JSON. */
export interface PeriodState {
  readonly section: 'dossiers' | 'leaves' | 'done'
  /** Index of the next entry to read. */
  readonly next: number
  /** Lines of the file so far, the head among them. */
  readonly lines: number
  /** Note of the newer checkpoint that dossiers of erased decisions stand under. */
  readonly later: string | null
  /** Base64 of the edge of the tree of the leaves so far. */
  readonly frontier: readonly string[]
  readonly tally: PeriodTally
}

/** What is told of an entry in the index of an export. */
export interface PeriodRow {
  readonly index: number
  readonly time: number
  readonly kind: Kind
  readonly stream: string
  readonly seq: number
  /** Hex. */
  readonly leafHash: string
  /** Whether its stream's dossier is in the file. */
  readonly selected: boolean
  /** Line of the file that holds the dossier, where it begins with this entry. */
  readonly line: number | null
  /** Of a decision that was selected: what it says, unless it is erased. */
  readonly decision: {
    readonly status: string
    readonly actor: string
    readonly action: string
  } | null
  readonly erased: boolean
  /** What a step says has happened, of a stream that was selected; null where it says nothing of the kind, or is erased. */
  readonly event: string | null
}

/** A part of an export. */
export interface PeriodStep {
  /** Lines of the period file without their line feeds. */
  readonly lines: readonly Uint8Array[]
  readonly rows: readonly PeriodRow[]
  /** How far the export is once these are written. */
  readonly state: PeriodState
}

const mostNoted = 500

/** Where every export begins: behind its head. */
export const periodStart = ({ from }: PeriodHead): PeriodState => ({
  frontier: from.frontier.map(encodeBase64),
  later: null,
  lines: 1,
  next: from.size,
  section: 'dossiers',
  tally: { dossiers: 0, kinds: {}, noted: [], notedCount: 0, statuses: {}, times: null },
})

/** Counts with one more of a name. */
export const plus = (
  counts: Readonly<Record<string, number>>,
  name: string,
): Record<string, number> => ({
  ...counts,
  [name]: (counts[name] ?? 0) + 1,
})

/** A tally with one more entry. */
export function tallied(
  tally: PeriodTally,
  { index, kind, stream, time }: StoredEntry,
  event: string | null,
): PeriodTally {
  const plain = kind === 'decision' || kind === 'execution'
  return {
    ...tally,
    kinds: plus(tally.kinds, kind),
    noted:
      plain || tally.noted.length === mostNoted
        ? tally.noted
        : [...tally.noted, { event, index, kind, stream, time }],
    notedCount: tally.notedCount + (plain ? 0 : 1),
    times: { first: tally.times?.first ?? time, last: time },
  }
}
