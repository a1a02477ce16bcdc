import type { Command } from 'commander'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  reading,
  wholeNumber,
  writing,
  type Context,
  type Defining,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import type { CheckFlags } from './check-log.ts'
import type { ProofFlags } from './prove.ts'
import type { PublishFlags } from './publish.ts'
import type { RepinFlags } from './repin.ts'

/** `log` */
export function defineLog(program: Command, context: Context, outcome: Outcome): void {
  const log = group(program, 'log', 'Publishes and examines the log of a tenant.')
  const defining = { context, log, outcome, program }
  definePublish(defining)
  defineRepin(defining)
  defineProofs(defining)
  defineFsck(defining)
  defineRebuild(defining)
}

function defineRepin({ context, log, outcome, program }: Defining<'log'>): void {
  const command = define(
    log,
    'repin',
    'Pins a log again whose pin is lost: the last tree head that is known of it elsewhere stands for the pin. Give the newest checkpoint that was published, cosigned or handed out, or the newest dossier; from this same data directory it would prove nothing. Where pins are to be kept elsewhere from now on, give the pin itself. Where the database does not hold that head, it is refused. The log tells of it. No server may run meanwhile.',
    [
      'log repin --checkpoint published/checkpoint',
      'log repin --checkpoint newest.dossier.json other-log.dossier.json --json',
      'log repin --pin s3://evidence/pins --checkpoint keys/0197…/default.pin',
    ],
  ).requiredOption('--checkpoint <file...>', 'signed checkpoint, dossier or pin, one for each log')
  asJson(writing(command))
  act(program, command, outcome, async (options: RepinFlags) =>
    (await import('./repin.ts')).repin(context, options),
  )
}

function definePublish({ context, log, outcome, program }: Defining<'log'>): void {
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

function defineProofs({ context, log, outcome, program }: Defining<'log'>): void {
  const proof = define(
    log,
    'proof',
    'Writes a leaf with its inclusion proof and checkpoint as a C2SP tlog-proof file, which countersign verify takes and any other tool that knows the format.',
    ['log proof 418 -o 418.tlog-proof', 'log proof 0197… --tenant default'],
  ).argument('<leaf>', 'index, hash of the leaf in hexadecimal, or id of a decision')
  ofTenant(reading(proof)).option('-o, --output <file>', 'file to write (default: standard output)')
  act(program, proof, outcome, async (options: ProofFlags, [leaf]) =>
    (await import('./prove.ts')).proveLeaf(context, String(leaf), options),
  )

  const size = wholeNumber(0, Number.MAX_SAFE_INTEGER)
  const consistency = define(
    log,
    'consistency',
    'Prints the proof that the tree of one size is a prefix of the tree of another (RFC 9162), with both roots.',
    ['log consistency 256 1000 --json'],
  )
    .argument('<first>', 'the smaller size', size)
    .argument('<second>', 'the larger size', size)
  asJson(ofTenant(reading(consistency)))
  act(program, consistency, outcome, async (options: TenantFlags, [first, second]) =>
    (await import('./prove.ts')).proveGrowth(context, [Number(first), Number(second)], options),
  )
}

const ofAnyTenant = (command: Command): Command =>
  command.option('--tenant <name>', 'one tenant (default: all)')

function defineFsck({ context, log, outcome, program }: Defining<'log'>): void {
  const command = define(
    log,
    'fsck',
    'Checks everything that can be recomputed: entries, signatures, streams, tiles, checkpoints, pin, trust roots, and every row that repeats what the log says. Names the first wrong index. Changes nothing and works beside a running server, on the moment at which it began. Exit 3 when something is wrong, 4 when nothing is but something stays open.',
    ['log fsck', 'log fsck --tenant default --trust trust-root.json --unseal --json'],
  )
    .option('--trust <file>', 'trust root to take keys from (default: the newest in the database)')
    .option('--no-signatures', 'leave out the signatures of entries, which take most of the time')
    .option('--unseal', 'open the key store by the key provider, to know that it is genuine')
  asJson(ofAnyTenant(writing(command)))
  act(program, command, outcome, async (options: CheckFlags) =>
    (await import('./check-log.ts')).checkLogs(context, options),
  )
}

function defineRebuild({ context, log, outcome, program }: Defining<'log'>): void {
  const command = define(
    log,
    'rebuild',
    'Makes lost or damaged tiles again from the entries. Only where these give the root of the last checkpoint; where they do not, log fsck says which is wrong. Needs the server stopped, and no keys.',
    ['log rebuild', 'log rebuild --tenant default'],
  )
  asJson(ofAnyTenant(reading(command)))
  act(program, command, outcome, async (options: CheckFlags) =>
    (await import('./check-log.ts')).rebuildLogs(context, options),
  )
}
