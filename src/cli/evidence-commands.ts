import { Option, type Command } from 'commander'
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
  type Outcome,
} from './command.ts'
import { twoKeyed } from './two-key-options.ts'
import type { TwoKeyFlags } from './two-keys.ts'
import type { GlobalFlags } from './composition.ts'
import type { BundleFlags, ExportFlags, UpdateFlags } from './evidence.ts'
import type { NotariseFlags } from './notarise.ts'
import type { VerifyFlags } from './verify.ts'

/** `notarise`, `erase`, `dossier`, `trust-root` and `verify`. */
export function defineEvidence(program: Command, context: Context, outcome: Outcome): void {
  defineNotarise(program, context, outcome)
  defineExports(program, context, outcome)
  defineVerify(program, context, outcome)

  const erase = define(
    program,
    'erase',
    'Erases the content of a decision and of all that followed it. What remains is that it was there: leaves, signatures, and the entry that erased it with its reason. Under dual control two leads must sign it.',
    ['erase 0197… --reason "Request 4711 of the person concerned"'],
  ).argument('<id>', 'id of the decision')
  twoKeyed(asJson(ofTenant(writing(erase))), 'a reason').requiredOption(
    '--reason <text>',
    'why, kept in the log',
  )
  act(program, erase, outcome, async (options: TwoKeyFlags & { reason: string }, [id]) =>
    (await import('./evidence.ts')).erase(context, String(id), options),
  )
}

function defineNotarise(program: Command, context: Context, outcome: Outcome): void {
  const notarise = define(
    program,
    'notarise',
    'Notarises decisions, and decides on intents that have no status by the active policies: one JSON document, or one on each line (NDJSON). Prints one line of JSON for each, in their order. A line that is refused is told on standard error with its number. When it was interrupted, run it again: idempotency keys keep anything from being done twice.',
    ['notarise decision.json', 'notarise - < decisions.ndjson > answers.ndjson'],
  ).argument('<file>', 'file of decisions, - for standard input')
  ofTenant(writing(notarise))
    .option('--fail-fast', 'stop at the first line that is refused')
    .option(
      '--auto-idempotency',
      'give a decision without idempotency key the hash of its line as key; equal lines then count once',
    )
    .option('--full', 'print the whole answer with envelope, leaf, proof and checkpoint')
  act(program, notarise, outcome, async (options: NotariseFlags, [file]) =>
    (await import('./notarise.ts')).notarise(context, String(file), options),
  )
}

function defineExports(program: Command, context: Context, outcome: Outcome): void {
  const dossier = group(program, 'dossier', 'Takes evidence out of the data directory.')
  const exported = define(
    dossier,
    'export',
    'Writes the dossier of a decision: its entries with signatures and proofs, for anybody to verify offline. Also of the streams keys, policies, roster, trust and admin.',
    ['dossier export 0197… -o 0197.dossier.json', 'dossier export trust -o trust.dossier.json'],
  ).argument('<id>', 'id of the decision, or name of a stream')
  ofTenant(reading(exported)).option(
    '-o, --output <file>',
    'file to write (default: standard output)',
  )
  act(program, exported, outcome, async (options: ExportFlags, [id]) =>
    (await import('./evidence.ts')).exportDossier(context, String(id), options),
  )
  defineBundle(dossier, program, context, outcome)
  defineRefresh(dossier, program, context, outcome)
  defineTrustRoot(program, context, outcome)
}

function defineBundle(
  dossier: Command,
  program: Command,
  context: Context,
  outcome: Outcome,
): void {
  const bundle = define(
    dossier,
    'bundle',
    'Writes a decision as a Sigstore bundle (v0.3), for verifiers that know in-toto and nothing of this log. It shows that we signed the statement, not that it is in the log. Its key signs nothing else: countersign keys rotate bundle makes the first.',
    ['dossier bundle 0197… -o 0197.sigstore.json --public-key bundle.pem'],
  ).argument('<id>', 'id of the decision')
  ofTenant(writing(bundle))
    .option('-o, --output <file>', 'file to write (default: standard output)')
    .option('--public-key <file>', 'write the PEM of the key that verifies it as well')
  act(program, bundle, outcome, async (options: BundleFlags, [id]) =>
    (await import('./evidence.ts')).exportBundle(context, String(id), options),
  )
}

function defineRefresh(
  dossier: Command,
  program: Command,
  context: Context,
  outcome: Outcome,
): void {
  const refresh = define(
    dossier,
    'refresh',
    'Writes a dossier again under today’s checkpoint, for one that is unprovable since its log key was revoked. Every entry of the old file must stand in the log as it was: exit 3 when one does not, saying which.',
    ['dossier refresh 0197.dossier.json -o 0197-today.dossier.json'],
  ).argument('<file>', 'dossier of a log in this data directory')
  reading(refresh).option('-o, --output <file>', 'file to write (default: standard output)')
  act(program, refresh, outcome, async (options: GlobalFlags & { output?: string }, [file]) =>
    (await import('./refresh.ts')).refreshDossier(context, String(file), options),
  )
}

function defineTrustRoot(program: Command, context: Context, outcome: Outcome): void {
  const root = define(
    program,
    'trust-root',
    'Writes the public file by which anybody verifies, and prints its SHA-256. Tell that to whoever verifies by another way than the file.',
    ['trust-root -o trust-root.json', 'trust-root --version 1 -o trust-root-1.json'],
  )
  asJson(ofTenant(reading(root)))
    .option('-o, --output <file>', 'file to write (default: standard output)')
    .option('--version <number>', 'version to write (default: the newest)', wholeNumber(1, 1e9))
  act(program, root, outcome, async (options: ExportFlags) =>
    (await import('./evidence.ts')).exportTrustRoot(context, options),
  )

  const publish = define(
    root,
    'publish',
    'Makes a new version of the trust root, logs its SHA-256, and writes it.',
    ['trust-root publish -o trust-root.json'],
  )
  asJson(ofTenant(writing(publish))).option(
    '-o, --output <file>',
    'file to write (default: standard output)',
  )
  act(program, publish, outcome, async (options: ExportFlags) =>
    (await import('./evidence.ts')).publishTrustRoot(context, options),
  )

  const proof = define(
    root,
    'proof',
    'Writes the dossier by which whoever holds the version before takes this one: the log’s own announcement of it. It is what trust-root update wants.',
    ['trust-root proof --version 2 -o trust-2.dossier.json'],
  )
  ofTenant(reading(proof))
    .addOption(
      new Option('--version <number>', 'version that is to be taken')
        .argParser(wholeNumber(2, 1e9))
        .makeOptionMandatory(),
    )
    .option('-o, --output <file>', 'file to write (default: standard output)')
  act(program, proof, outcome, async (options: ExportFlags & { version: number }) =>
    (await import('./evidence.ts')).exportTrustProof(context, options),
  )
  defineUpdate(root, program, context, outcome)
}

function defineUpdate(root: Command, program: Command, context: Context, outcome: Outcome): void {
  const update = define(
    root,
    'update',
    'Judges whether the next trust root may take the place of the one held: only with the log’s own entry about it, proved under the older keys, as trust-root proof writes it. Over several versions go step by step. Changes no file. Exit 3 when it may not; exit 4 when it revokes a log key and its SHA-256 is not given.',
    [
      'trust-root update trust-root-1.json trust-root-2.json --dossier trust-2.dossier.json',
      'trust-root update old.json new.json --dossier proof.json --sha256 9f86d081…',
    ],
  )
    .argument('<old>', 'trust root that is held')
    .argument('<new>', 'next version of it')
    .requiredOption('--dossier <file...>', 'dossiers of trust-root proof, one for each log')
    .option('--sha256 <hex>', 'SHA-256 of the new one, told by another way than the file')
  asJson(update)
  act(program, update, outcome, async (options: UpdateFlags, [older, newer]) =>
    (await import('./evidence.ts')).judgeTrustRootUpdate(
      context,
      String(older),
      String(newer),
      options,
    ),
  )
}

function defineVerify(program: Command, context: Context, outcome: Outcome): void {
  const verify = define(
    program,
    'verify',
    'Verifies dossiers, periods and tlog-proofs offline: needs them, a trust root, and no installation. Prints one line a file. Exit 0 when all are valid, 3 when some are bad, 4 when none is bad but some are inconclusive, unprovable or erased.',
    [
      'verify 0197.dossier.json --trust trust-root.json',
      'verify *.dossier.json --trust trust-root.json --trust-sha256 9f86d081… --json',
    ],
  )
    .argument('<file...>', 'dossiers, periods of audit export, tlog-proofs')
    .requiredOption('--trust <file>', 'trust root, from a source that you trust')
    .option('--trust-sha256 <hex>', 'SHA-256 that the trust root must have')
    .option(
      '--entries <place>',
      'the log’s static tree, a directory or a URL: shows that nothing of a stream is left out. COUNTERSIGN_TOKEN is the API key for a log that is not public',
    )
  asJson(verify)
  act(program, verify, outcome, async (options: VerifyFlags, [files]) =>
    (await import('./verify.ts')).verify(context, files as readonly string[], options),
  )
}
