// Lists at the command line. With --json each prints one object: the things under their name, and `cursor`, which is null where the list is whole
// and else what --cursor takes to go on.
import type { Command } from 'commander'
import { wholeNumber, type Context } from './command.ts'
import { formatTable, jsonLine } from './terminal.ts'

/** Flags of a list that is read in pages. */
export interface PageFlags {
  readonly limit?: number
  readonly cursor?: string
}

const usualRows = 50

/** The options by which a list is read in pages. */
export const paged = (command: Command): Command =>
  command
    .option('--limit <number>', `how many at most (default: ${usualRows})`, wholeNumber(1, 1000))
    .option('--cursor <text>', 'where the list before ended')

/** The page that is asked for. */
export const pageOf = ({
  cursor,
  limit = usualRows,
}: PageFlags): { readonly limit: number; readonly cursor?: string } => ({
  limit,
  ...(cursor === undefined ? {} : { cursor }),
})

/** Prints a page, as JSON or as a table, of which nothing is shown when it has no rows; and how to go on. */
export async function tellPage(
  { err, out }: Context,
  json: boolean | undefined,
  page: { readonly cursor: string | null },
  head: readonly string[],
  rows: readonly (readonly string[])[],
): Promise<void> {
  await out.write(
    json === true ? jsonLine(page) : rows.length === 0 ? '' : formatTable([head, ...rows]),
  )
  if (page.cursor !== null) err.note(`There are more: --cursor ${page.cursor}\n`)
}
