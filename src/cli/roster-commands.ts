import { Option, type Command } from 'commander'
import { roles, rosterLimits } from '../dossier/roster.ts'
import { expectWay, signedBy } from './approver-options.ts'
import type { ApproverFlags } from './approver.ts'
import type { MadeKind } from './approver-key.ts'
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
import type { EnrolFlags } from './roster.ts'

const fileArgument = 'file of the proposal'

/** `roster` */
export function defineRoster(program: Command, context: Context, outcome: Outcome): void {
  const roster = group(program, 'roster', 'Says who may overrule decisions, and changes it.')
  const defining = { context, outcome, program, roster }
  defineShow(defining)
  defineKeygen(defining)
  defineProposing(defining)
  defineSigning(defining)
}

function defineShow({ context, outcome, program, roster }: Defining<'roster'>): void {
  const show = define(
    roster,
    'show',
    'Tells who may overrule, or prints the text that a proposal’s people sign.',
    ['roster show', 'roster show roster.json'],
  ).argument('[file]', fileArgument)
  asJson(ofTenant(writing(show)))
  act(program, show, outcome, async (flags: TenantFlags, [file]) =>
    (await import('./roster.ts')).showRoster(
      context,
      typeof file === 'string' ? file : undefined,
      flags,
    ),
  )
}

function defineKeygen({ context, outcome, program, roster }: Defining<'roster'>): void {
  const keygen = define(
    roster,
    'keygen',
    'Makes a key for one person, in a file under a passphrase, and prints its public half. Keys of ssh-keygen and of wallets serve as well.',
    ['roster keygen --out ann.key', 'roster keygen --out ann.key --kind id-MLDSA65-Ed25519-SHA512'],
  )
    .requiredOption('-o, --out <file>', 'file to make')
    .addOption(
      new Option('--kind <kind>', 'kind of key')
        .choices(['Ed25519', 'id-MLDSA65-Ed25519-SHA512'])
        .default('Ed25519'),
    )
    .option('--passphrase-file <file>', 'file of the passphrase (0600), - for standard input')
  act(
    program,
    keygen,
    outcome,
    async (flags: { out: string; kind: MadeKind; passphraseFile?: string }) =>
      (await import('./roster.ts')).generateKey(context, flags),
  )
}

function defineProposing({ context, outcome, program, roster }: Defining<'roster'>): void {
  const propose = define(
    roster,
    'propose',
    'Begins the next version of the roster in a file, with everybody who is in the present one. What enrol does not do is edited in it by hand.',
    ['roster propose --out roster.json'],
  )
  ofTenant(writing(propose)).requiredOption('-o, --out <file>', 'file to make')
  act(program, propose, outcome, async (flags: TenantFlags & { out: string }) =>
    (await import('./roster.ts')).proposeRoster(context, flags),
  )
  const enrol = define(
    roster,
    'enrol',
    'Puts a key of a person into a proposal, with the roles that are named, or a recovery key. Signatures that it had are dropped.',
    [
      'roster enrol roster.json --person ann --role risk_lead --key ann.key',
      'roster enrol roster.json --person bob --role security_lead --ssh ~/.ssh/id_ed25519',
      'roster enrol roster.json --recovery --threshold 2 --public-key KEY',
    ],
  )
    .argument('<file>', fileArgument)
    .option('--person <id>', 'id of the person: as the owner of his API keys is called')
    .addOption(new Option('--role <role...>', 'role of the person').choices(roles))
    .option('--recovery', 'a recovery key instead; they are named in version 1 for ever')
    .option(
      '--threshold <number>',
      'how many recovery keys it takes',
      wholeNumber(1, rosterLimits.recoveryKeys),
    )
    .option('--key <file>', 'key file of roster keygen')
    .option('--ssh <file>', 'key of ssh-keygen (Ed25519)')
    .option('--public-key <text>', 'key as its owner’s tool prints it')
  act(program, enrol, outcome, async (flags: EnrolFlags, [file]) =>
    (await import('./roster.ts')).enrol(context, String(file), flags),
  )
}

function defineSigning({ context, outcome, program, roster }: Defining<'roster'>): void {
  const sign = define(
    roster,
    'sign',
    'Shows the text of a proposal, signs it and adds the signature. Each new key signs, and a holder of each lead role of the version before.',
    [
      'roster sign roster.json --key ann.key',
      'roster sign roster.json --ssh ~/.ssh/id_ed25519',
      'roster sign roster.json --signature signature.txt --public-key KEY',
    ],
  ).argument('<file>', fileArgument)
  signedBy(sign)
  act(program, sign, outcome, async (flags: ApproverFlags, [file]) => {
    expectWay(flags, 'key')
    return (await import('./roster.ts')).signRoster(context, String(file), flags)
  })
  const apply = define(
    roster,
    'apply',
    'Lets a signed proposal count, from its entry in the log on, and publishes the trust root that names it. When interrupted, run it again.',
    ['roster apply roster.json'],
  ).argument('<file>', fileArgument)
  asJson(writing(apply))
  act(program, apply, outcome, async (flags: TenantFlags, [file]) =>
    (await import('./roster.ts')).applyRoster(context, String(file), flags),
  )
}
