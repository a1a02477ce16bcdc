import { Option, type Command } from 'commander'
import { statuses } from '../dossier/matters.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  reading,
  type Context,
  type Outcome,
} from './command.ts'
import type { AuditFlags } from './audit.ts'

/** `audit` */
export function defineAudit(program: Command, context: Context, outcome: Outcome): void {
  const audit = group(program, 'audit', 'Takes parts of the log out for auditors.')
  const command = define(
    audit,
    'export',
    'Writes every entry of the log from one index or time to another into a file that shows by itself that none is missing and none added, with the dossiers of the decisions in it; beside it an index for spreadsheets (FILE.csv) and a summary (FILE.html). Works beside a running server, which then logs that it was done, and needs no keys. When interrupted, run the same command again. Verify the file with countersign verify.',
    [
      'audit export --from 2026-01-01 --to 2026-03-31 -o 2026-q1.period.jsonl',
      'audit export --from 4096 --status BLOCK ERROR -o blocked.period.jsonl --json',
    ],
  )
  ofTenant(reading(command))
    .option(
      '--from <position>',
      'index of the first entry, or day (UTC) or time (RFC 3339) it is not before (default: 0)',
    )
    .option(
      '--to <position>',
      'index behind the last entry, or its day or the time it is before; the next checkpoint that was kept ends the period (default: the newest)',
    )
    .addOption(
      new Option('--status <status...>', 'decisions to add dossiers of (default: all)').choices(
        statuses,
      ),
    )
    .requiredOption('-o, --output <file>', 'file to write')
    .option(
      '--record',
      'have it logged in any case: without a running server by opening the data directory with its keys',
    )
  asJson(command)
  act(program, command, outcome, async (options: AuditFlags) =>
    (await import('./audit.ts')).exportPeriod(context, options),
  )
}
