// The index of a period export, for a spreadsheet (RFC 4180): a line for each entry. It proves nothing; it says where to look.
import type { PeriodRow } from '../decisions/period-state.ts'
import { date, printable } from './terminal.ts'

const columns = [
  'index',
  'time',
  'kind',
  'stream',
  'seq',
  'leaf_hash',
  'content',
  'dossier_line',
  'status',
  'actor',
  'action',
  'event',
]

/** A text that a spreadsheet shows and does not compute: what it would take for a formula begins with an apostrophe. */
function cell(text: string): string {
  const shown = printable(text)
  // Some programs look past blanks, some take the wide forms for the plain ones, and where a decimal comma is used they part cells at semicolons,
  // and then heed no quotation marks but at their beginning.
  const safe = shown.replaceAll(/(^|;)(?=[\s"']*[=+\-@＝＋－＠])/g, "$1'")
  return /[",']/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe
}

const lineOf = (cells: readonly string[]): string => `${cells.map(cell).join(',')}\r\n`

/** What becomes of an entry's content in the file. */
const contentOf = ({ erased, selected }: PeriodRow): string => {
  if (erased) return 'erased'
  return selected ? 'in the dossier' : 'left out'
}

/** The first line of an index. */
export const indexHead = lineOf(columns)

/** The lines of entries. */
export const formatIndex = (rows: readonly PeriodRow[]): string =>
  rows
    .map((row) =>
      lineOf([
        String(row.index),
        date(row.time),
        row.kind,
        row.stream,
        String(row.seq),
        row.leafHash,
        contentOf(row),
        row.line === null ? '' : String(row.line),
        row.decision?.status ?? '',
        row.decision?.actor ?? '',
        row.decision?.action ?? '',
        row.event ?? '',
      ]),
    )
    .join('')
