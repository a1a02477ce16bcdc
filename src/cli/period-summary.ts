// The summary of a period export: one page that needs nothing from anywhere, holds no script, and lets nothing that a stranger wrote act as markup.
import { basename } from 'node:path'
import type { PeriodTally } from '../decisions/period-state.ts'
import type { PeriodHead } from '../dossier/period.ts'
import { counted } from './progress.ts'
import { date, printable } from './terminal.ts'

/** What a summary is about. */
export interface Summarised {
  /** Path of the period file. */
  readonly file: string
  /** Hex SHA-256 of the period file. */
  readonly sha256: string
  readonly head: PeriodHead
  /** Index behind the last entry. */
  readonly to: number
  readonly tally: PeriodTally
}

const entities: Readonly<Record<string, string>> = {
  '"': '&quot;',
  '&': '&amp;',
  "'": '&#39;',
  '<': '&lt;',
  '>': '&gt;',
}

const escaped = (text: string): string =>
  printable(text).replaceAll(/["&'<>]/g, (char) => entities[char] ?? '')

const row = (cells: readonly string[], tag = 'td'): string =>
  `<tr>${cells.map((text) => `<${tag}>${escaped(text)}</${tag}>`).join('')}</tr>\n`

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  `<table>\n<thead>${row(head, 'th')}</thead>\n<tbody>\n${rows.map((cells) => row(cells)).join('')}</tbody>\n</table>\n`

const numbers = (counts: Readonly<Record<string, number>>): string[][] =>
  Object.entries(counts)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, count]) => [name, counted(count)])

const paragraph = (text: string): string => `<p>${escaped(text)}</p>\n`

function place({ file, head, sha256, tally, to }: Summarised): string {
  const [, , root = ''] = head.to.split('\n')
  const { times } = tally
  const rows = [
    ['Log', head.origin],
    ['Tenant', head.tenant],
    ['Installation', head.instance],
    ['First index', counted(head.from.size)],
    ['Last index', to > head.from.size ? counted(to - 1) : 'none'],
    ['Tree size of the checkpoint', counted(to)],
    ['Root of the checkpoint', root],
    ['Checkpoint of the beginning', head.from.checkpoint === null ? 'not kept' : 'in the file'],
    ['Time of the first entry', times === null ? 'none' : date(times.first)],
    ['Time of the last entry', times === null ? 'none' : date(times.last)],
    ['Decisions with dossier', head.statuses === null ? 'all' : head.statuses.join(', ')],
    ['File', basename(file)],
    ['SHA-256 of the file', sha256],
  ]
  return table(['What', 'Value'], rows)
}

function noted({ noted: entries, notedCount }: PeriodTally): string {
  if (entries.length === 0) return paragraph('None.')
  const rows = entries.map(({ event, index, kind, stream, time }) => [
    String(index),
    date(time),
    kind,
    event ?? '',
    stream,
  ])
  const more = notedCount - entries.length
  return (
    table(['Index', 'Time', 'Kind', 'What', 'Stream'], rows) +
    (more > 0 ? paragraph(`And ${counted(more)} more, which the index names.`) : '')
  )
}

const style =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}table{border-collapse:collapse;margin:1rem 0}th,td{border:1px solid #bbb;padding:.2rem .6rem;text-align:left;vertical-align:top;overflow-wrap:anywhere}code{overflow-wrap:anywhere}'

/** The page as text. */
export function formatSummary(about: Summarised): string {
  const { file, head, tally, to } = about
  const title = `${counted(to - head.from.size)} entries of ${head.origin}`
  const name = basename(file)
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${escaped(title)}</title>
<style>${style}</style>
</head>
<body>
<h1>${escaped(title)}</h1>
${paragraph('This page says what the exporter found and proves nothing. The file beside it does: verify it with a trust root whose fingerprint you were told by another way.')}<p><code>${escaped(`countersign verify ${name} --trust trust-root.json`)}</code></p>
${place(about)}<h2>Entries by kind</h2>
${table(['Kind', 'Entries'], numbers(tally.kinds))}<h2>Decisions with dossier by status</h2>
${table(['Status', 'Decisions'], numbers(tally.statuses))}<h2>Entries that are neither a decision nor its execution</h2>
${noted(tally)}<p>${escaped(`Every entry has a line in ${name}.csv. Times are the operator’s word.`)}</p>
</body>
</html>
`
}
