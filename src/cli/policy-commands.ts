import { InvalidArgumentError, Option, type Command } from 'commander'
import { statuses } from '../dossier/matters.ts'
import type { DialectName } from '../policy/dialect.ts'
import { parseInstant } from '../policy/instant.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  wholeNumber,
  writing,
  type Context,
  type Defining,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import type { CardFlags } from './policy-card.ts'
import type { DiffFlags } from './policy-diff.ts'
import type { GatesFlags } from './policy-gates.ts'
import type { ActivateFlags, PushFlags, RetireFlags } from './policy.ts'
import type { ReevaluateFlags } from './reevaluate.ts'
import { twoKeyed, wholeReason } from './two-key-options.ts'
import type { EvalFlags, SourceFlags, TestFlags } from './policy-offline.ts'

const bundleArgument = 'bundle of policies, JSON, YAML or DECIONIS_POLICY.md, - for standard input'

/** `policy` and `reevaluate` */
export function definePolicy(program: Command, context: Context, outcome: Outcome): void {
  const policy = group(program, 'policy', 'Writes, tests and activates the policies that decide.')
  const defining = { context, outcome, policy, program }
  defineEval(defining)
  defineTools(defining)
  defineGates(defining)
  defineCard(defining)
  defineLife(defining)
  defineReading(defining)
  defineDiff(defining)
  defineReevaluate(program, context, outcome)
}

const dialects: readonly DialectName[] = [
  '0.1',
  '0.2',
  'native',
  'brane',
  'provenance',
  'decionis',
  'decionis-block',
]

/** The option that says what a bundle speaks that does not say so itself. */
const inDialect = (command: Command): Command =>
  command.addOption(
    new Option('--dialect <name>', 'dialect of a bundle that names none')
      .choices(dialects)
      .default('0.1'),
  )

function instant(text: string): number {
  const time = parseInstant(text)
  if (time !== undefined) return time
  throw new InvalidArgumentError('A date and time with a zone is expected.')
}

function defineEval({ context, outcome, policy, program }: Defining<'policy'>): void {
  const evaluate = define(
    policy,
    'eval',
    'Evaluates a bundle against a context, offline. A request {"intent"} stands for the context that the service makes of it. Prints the EvaluationResult; exit 1 on deny, or where the policy raises. With --batch each line is {"bundle", "context"} or {"card"}, and one result or {"error"} is printed for each, in order; exit 0 when all lines were answered.',
    [
      'policy eval bundle.yaml request.json',
      'policy eval --batch cases.ndjson',
      'policy eval --explain bundle.yaml request.json',
    ],
  )
    .argument('[bundle]', bundleArgument)
    .argument('[context]', 'context, or a request with its intent, JSON, - for standard input')
    .option('--batch <file>', 'file of lines to answer, - for standard input')
    .option('--at <time>', 'time of the evaluation (default: now)', instant)
    .option('--explain', 'print why, as text')
  inDialect(asJson(evaluate))
  act(program, evaluate, outcome, async (flags: EvalFlags, args) =>
    (await import('./policy-offline.ts')).evaluatePolicy(
      context,
      args.filter((arg) => typeof arg === 'string'),
      flags,
    ),
  )
}

function defineTools({ context, outcome, policy, program }: Defining<'policy'>): void {
  const validate = define(
    policy,
    'validate',
    'Checks that bundles can be evaluated, and prints the digest by which decisions cite each. Exit 2 where one is refused, naming file and place; the others are told all the same.',
    ['policy validate bundle.yaml', 'policy validate policies/*.yaml --json'],
  ).argument('<bundle...>', bundleArgument)
  inDialect(asJson(validate))
  act(program, validate, outcome, async (flags: SourceFlags, [files]) =>
    (await import('./policy-offline.ts')).validatePolicies(
      context,
      files as readonly string[],
      flags,
    ),
  )

  const lint = define(
    policy,
    'lint',
    'Tells what an author should look at twice: rules that can never decide, allowances wider than they look, patterns that match more than they say. Exit 1 where there is a warning; notes alone are 0.',
    ['policy lint bundle.yaml', 'policy lint --dialect provenance rules.json --json'],
  ).argument('<bundle...>', bundleArgument)
  inDialect(asJson(lint))
  act(program, lint, outcome, async (flags: SourceFlags, [files]) =>
    (await import('./policy-lint.ts')).lintPolicies(context, files as readonly string[], flags),
  )

  const test = define(
    policy,
    'test',
    'Runs the cases beside a bundle: bundle.cases.yaml or .json next to bundle.yaml, a member cases that lists them, each with name, intent and expect (allow, deny and so on). Tells which rules no case has matched. Exit 1 where a case fails, or rules are unmatched and --all-rules is given.',
    ['policy test bundle.yaml', 'policy test bundle.yaml --cases more.cases.yaml --all-rules'],
  )
    .argument('<bundle>', 'bundle of policies, JSON or YAML')
    .option('--cases <file...>', 'files of cases (default: those beside the bundle)')
    .option('--all-rules', 'fail where a rule was matched by no case')
  inDialect(asJson(test))
  act(program, test, outcome, async (flags: TestFlags, [file]) =>
    (await import('./policy-offline.ts')).testPolicy(context, String(file), flags),
  )
}

function defineGates({ context, outcome, policy, program }: Defining<'policy'>): void {
  const gates = define(
    policy,
    'gates',
    'Checks settings of quantitative gates as AEGIS writes them, and prints them with the "gates" member of a bundle that has them; exit 2 where they are none. With --measures evaluates a proposal by them, offline; exit 1 unless it is PROCEED.',
    ['policy gates interface-contract.yaml', 'policy gates --measures proposal.json --json'],
  )
    .argument('[settings]', "settings, YAML or JSON, - for standard input (default: AEGIS's own)")
    .option('--measures <file>', 'measures of a proposal, JSON, - for standard input')
    .option('--shadow', 'tell what would be observed too, and exit 0')
  act(program, asJson(gates), outcome, async (flags: GatesFlags, [file]) =>
    (await import('./policy-gates.ts')).askGates(
      context,
      typeof file === 'string' ? file : undefined,
      flags,
    ),
  )
}

const policyArgument = 'policy: id, id@version, or the beginning of its SHA-256'

function defineCard({ context, outcome, policy, program }: Defining<'policy'>): void {
  const card = define(
    policy,
    'card',
    'Prints the bundle that a Decision Card means, to be pushed. In native it holds within the card’s window, for its vendor and the actions that are named; an attestation is verified by the buyer’s key. What is not an approval denies everything. Whether conditions hold is never the requester’s to say.',
    [
      'policy card card.json --use use > vendor.json',
      'policy card card.json --attestation a.json --buyer acme --key KEY --key-url URL',
    ],
  )
    .argument('<card>', 'Decision Card, JSON, - for standard input')
    .addOption(
      new Option('--dialect <name>', 'dialect of the bundle')
        .choices(['0.1', '0.2', 'native'])
        .default('native'),
    )
    .option('--use <action...>', 'what the vendor may be used for', ['use'])
    .option('--at <time>', 'time of the conversion (default: now)', instant)
    .option('--attestation <file>', 'attestation of the buyer')
    .option('--buyer <id>', 'buyer whose key it is')
    .option('--key <base64>', 'Ed25519 key of the buyer')
    .option('--key-url <url>', 'address of the key, as the attestation names it')
  act(program, card, outcome, async (flags: CardFlags, [file]) =>
    (await import('./policy-card.ts')).convertCard(context, String(file), flags),
  )
}

function defineLife({ context, outcome, policy, program }: Defining<'policy'>): void {
  const push = define(
    policy,
    'push',
    'Registers a version of a bundle in the log, where it never changes. It decides nothing until it is activated.',
    ['policy push payments.yaml --dialect native', 'policy push payments.yaml --activate'],
  )
    .argument('<bundle>', bundleArgument)
    .option('--activate', 'let it decide at once, everywhere')
  inDialect(asJson(ofTenant(writing(push))))
  act(program, push, outcome, async (flags: PushFlags, [file]) =>
    (await import('./policy.ts')).pushPolicy(context, String(file), flags),
  )

  const activate = define(
    policy,
    'activate',
    'Lets a registered policy decide, in place of the version of it that does. Takes two keys where a roster stands: then it asks the two leads, and waits or is run again.',
    [
      'policy activate payments@2',
      "policy activate payments@2 --on-action 'payment.*' --in-environment production",
      'policy activate payments@1 --rollback',
    ],
  )
    .argument('<policy>', policyArgument)
    .option('--on-action <pattern...>', 'only on actions of these types, * for any part')
    .option('--on-resource <pattern...>', 'only on resources with these ids')
    .option('--in-environment <pattern...>', 'only in these environments')
    .option('--when-named', 'only where a request or an API key names it')
    .option('--rollback', 'go back to a version older than one that was active')
  twoKeyed(asJson(ofTenant(writing(activate))), 'no reason')
  act(program, activate, outcome, async (flags: ActivateFlags, [name]) =>
    (await import('./policy.ts')).activatePolicy(context, String(name), flags),
  )

  const retire = define(
    policy,
    'retire',
    'Retires a version of a policy for ever: it decides no more and is never activated again. Takes two keys where a roster stands.',
    ['policy retire payments@1 --reason "Limit was too high"'],
  )
    .argument('<policy>', policyArgument)
    .requiredOption('--reason <text>', 'why, kept in the log')
  twoKeyed(asJson(ofTenant(writing(retire))), 'a reason')
  act(program, retire, outcome, async (flags: RetireFlags, [name]) => {
    wholeReason(flags.reason)
    return (await import('./policy.ts')).retirePolicy(context, String(name), flags)
  })
}

function defineReading({ context, outcome, policy, program }: Defining<'policy'>): void {
  const list = define(policy, 'list', 'Lists registered policies and which of them decide.', [
    'policy list',
  ])
  asJson(ofTenant(writing(list)))
  act(program, list, outcome, async (flags: TenantFlags) =>
    (await import('./policy.ts')).listPolicies(context, flags),
  )

  const show = define(policy, 'show', 'Prints a policy as it was registered.', [
    'policy show payments@2',
  ]).argument('<policy>', policyArgument)
  asJson(ofTenant(writing(show)))
  act(program, show, outcome, async (flags: TenantFlags, [name]) =>
    (await import('./policy.ts')).showPolicy(context, String(name), flags),
  )
}

function defineDiff({ context, outcome, policy, program }: Defining<'policy'>): void {
  const diff = define(
    policy,
    'diff',
    'Decides again on stored decisions, newest first, with a bundle in the place of the version of it that is active, and shows what would have been decided otherwise. Writes nothing. Exit 1 when something would change.',
    ['policy diff payments-3.yaml', 'policy diff payments-3.yaml --limit 50000 --status ALLOW'],
  )
    .argument('<bundle>', bundleArgument)
    .option('--alone', 'ask this bundle only, none of the others that are active')
    .option('--limit <number>', 'how many decisions at most', wholeNumber(1, 1e9), 1000)
    .addOption(new Option('--status <status>', 'only decisions of this status').choices(statuses))
  inDialect(asJson(ofTenant(writing(diff))))
  act(program, diff, outcome, async (flags: DiffFlags, [file]) =>
    (await import('./policy-diff.ts')).diffPolicy(context, String(file), flags),
  )
}

function defineReevaluate(program: Command, context: Context, outcome: Outcome): void {
  const again = define(
    program,
    'reevaluate',
    'Makes decisions again from their dossiers, or from a period, offline, and says whether each follows from the policies that it cites; with the dossiers of the streams policies and admin also whether one that had to decide was left out. A period shows too that those two lack no step. Exit 0 when all are the same, 3 when one is different, 4 when one cannot be made again: it was submitted or erased, or rests on code.',
    [
      'reevaluate 0197.dossier.json --trust trust-root.json',
      'dossier export policies -o policies.json',
      'reevaluate *.dossier.json --policies policies.json --json',
      'reevaluate q1.period.jsonl --trust trust-root.json --policies policies.json',
    ],
  )
    .argument('<file...>', 'dossiers of decisions, periods of audit export')
    .option('--trust <file>', 'trust root, to verify each file as well; a period needs it')
    .option('--trust-sha256 <hex>', 'SHA-256 that the trust root must have')
    .option('--policies <file>', 'dossier of the stream policies: whether one was left out')
    .option('--admin <file>', 'dossier of the stream admin: what API keys are bound to')
    .option(
      '--entries <place>',
      'the log’s static tree, a directory or a URL: shows that those two lack no step',
    )
  asJson(again)
  act(program, again, outcome, async (flags: ReevaluateFlags, [files]) =>
    (await import('./reevaluate.ts')).reevaluate(context, files as readonly string[], flags),
  )
}
