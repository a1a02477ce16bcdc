import { Option, type Command } from 'commander'
import { isUuid } from '../base/uuid.ts'
import { challengeLimits, leadRoles } from '../dossier/challenge.ts'
import { signedBy } from './approver-options.ts'
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
import { Usage } from './complain.ts'
import type { OpenFlags, SignFlags } from './override.ts'

const id = '$ID'
const mostSeconds = 14 * 86_400

function wholeId(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value
  throw new Usage(`The id of a decision is wanted: ${String(value)}`)
}

/** `override` */
export function defineOverride(program: Command, context: Context, outcome: Outcome): void {
  const overrides = group(program, 'override', 'Overrules a decision, by two leads with two keys.')
  const defining = { context, outcome, overrides, program }
  defineOpening(defining)
  defineReading(defining)
  defineSigning(defining)
  defineEnding(defining)
}

const aboutDecision = (command: Command): Command =>
  asJson(ofTenant(writing(command.argument('<id>', 'id of the decision'))))

function defineOpening({ context, outcome, overrides, program }: Defining<'overrides'>): void {
  const open = define(
    overrides,
    'open',
    'Asks a risk lead and a security lead to overrule a decision that said no. Neither may be whoever asked for it.',
    [`override open ${id} --justification "Customer waits, checked by phone"`],
  )
  aboutDecision(open)
    .requiredOption('--justification <text>', 'why, for those who sign and for the dossier')
    .option(
      '--approve-within <seconds>',
      'until when both must have signed (default: 3600)',
      wholeNumber(1, mostSeconds),
    )
    .option(
      '--execute-within <seconds>',
      'until when it must have come to pass, from now (default: 7200)',
      wholeNumber(1, mostSeconds),
    )
  act(program, open, outcome, async (flags: OpenFlags, [decision]) => {
    const { length } = flags.justification
    if (length < 1 || length > challengeLimits.justification)
      throw new Usage(
        `A justification has 1 to ${challengeLimits.justification} characters: --justification`,
      )
    return (await import('./override.ts')).openOverride(context, wholeId(decision), flags)
  })
}

function defineReading({ context, outcome, overrides, program }: Defining<'overrides'>): void {
  const show = define(
    overrides,
    'show',
    'Tells how it stands with the newest request to overrule a decision.',
    [`override show ${id}`],
  )
  aboutDecision(show)
  act(program, show, outcome, async (flags: TenantFlags, [decision]) =>
    (await import('./override.ts')).showOverride(context, wholeId(decision), flags),
  )
  const list = define(
    overrides,
    'list',
    'Lists the decisions that somebody asked to overrule, newest first.',
    ['override list', 'override list --limit 200 --json'],
  )
  asJson(ofTenant(writing(list))).option(
    '--limit <number>',
    'how many at most (default: 50)',
    wholeNumber(1, 1000),
  )
  act(program, list, outcome, async (flags: TenantFlags & { limit?: number }) =>
    (await import('./override.ts')).listOverrides(context, flags),
  )
  const challenge = define(
    overrides,
    'challenge',
    'Prints the text that both leads sign, byte for byte, for whatever tool they have.',
    [
      `override challenge ${id} --out challenge.txt`,
      `override challenge ${id} | ssh-keygen -Y sign -f KEY -n countersign/override/v1`,
    ],
  )
  ofTenant(writing(challenge.argument('<id>', 'id of the decision'))).option(
    '-o, --out <file>',
    'file to write it to',
  )
  act(program, challenge, outcome, async (flags: TenantFlags & { out?: string }, [decision]) =>
    (await import('./override.ts')).printChallenge(context, wholeId(decision), flags),
  )
}

function defineSigning({ context, outcome, overrides, program }: Defining<'overrides'>): void {
  const sign = define(
    overrides,
    'sign',
    'Shows the challenge, signs it and delivers the signature, or delivers one that was made elsewhere. Read what you sign.',
    [
      `override sign ${id} --role risk_lead --key ann.key`,
      `override sign ${id} --role security_lead --ssh ~/.ssh/id_ed25519`,
      `override sign ${id} --role risk_lead --signature signature.txt --person ann`,
    ],
  )
  signedBy(aboutDecision(sign))
    .addOption(
      new Option('--role <role>', 'role of who signs').choices(leadRoles).makeOptionMandatory(),
    )
    .option('--person <id>', 'who signed, where the key is not named')
  act(program, sign, outcome, async (flags: SignFlags, [decision]) => {
    if (flags.signature !== undefined && (flags.person ?? flags.publicKey) === undefined)
      throw new Usage('A pasted signature needs its person or key: --person or --public-key')
    return (await import('./override.ts')).signOverride(context, wholeId(decision), flags)
  })
}

function defineEnding({ context, outcome, overrides, program }: Defining<'overrides'>): void {
  const ways = [
    ['reject', 'Rejects the request, as the lead whose user name it is.'],
    ['revoke', 'Takes the request back; whoever asked may, and each lead.'],
  ] as const
  for (const [way, description] of ways) {
    const command = define(overrides, way, description, [
      `override ${way} ${id} --reason "Not before the audit"`,
    ])
    aboutDecision(command).requiredOption('--reason <text>', 'why, for the dossier')
    act(program, command, outcome, async (flags: TenantFlags & { reason: string }, [decision]) => {
      const { reason } = flags
      if (reason === '' || reason.length > 2048)
        throw new Usage('A reason has 1 to 2048 characters: --reason')
      const { actOnOverride } = await import('./override.ts')
      return actOnOverride(context, wholeId(decision), { act: way, reason }, flags)
    })
  }
  const execute = define(
    overrides,
    'execute',
    'Makes the decision an ALLOW for one use, once both leads have signed. It happens once, whoever else tries.',
    [`override execute ${id}`],
  )
  aboutDecision(execute)
  act(program, execute, outcome, async (flags: TenantFlags, [decision]) => {
    const { actOnOverride } = await import('./override.ts')
    return actOnOverride(context, wholeId(decision), { act: 'execute' }, flags)
  })
}
