import type { Command } from 'commander'
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
import type { PublishFlags } from './publish.ts'

/** What the commands of the group `log` are defined with. */
interface Defining {
  readonly program: Command
  readonly log: Command
  readonly context: Context
  readonly outcome: Outcome
}

/** `log` */
export function defineLog(program: Command, context: Context, outcome: Outcome): void {
  const log = group(program, 'log', 'Publishes and examines the log of a tenant.')
  definePublish({ context, log, outcome, program })
}

function definePublish({ context, log, outcome, program }: Defining): void {
  const command = define(
    log,
    'publish',
    'Publishes the log as static files (C2SP tlog-tiles) into a directory or S3, for a web server or a CDN to carry its reads. Only what is new is written, the checkpoint last, and nothing that was published is ever replaced by other bytes. Works beside a running server; when interrupted, run it again.',
    [
      'log publish --to /var/www/log',
      'log publish --to s3://evidence/logs/default --tenant default --json',
    ],
  ).requiredOption('--to <place>', 'directory, or s3://bucket/prefix')
  asJson(ofTenant(reading(command)))
  act(program, command, outcome, async (options: PublishFlags) =>
    (await import('./publish.ts')).publish(context, options),
  )
}
