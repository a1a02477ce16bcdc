import { Option, type Command } from 'commander'
import { isUuid } from '../base/uuid.ts'
import { leadRoles } from '../dossier/challenge.ts'
import { signedBy } from './approver-options.ts'
import type { ReasonFlags, SignFlags } from './action.ts'
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
import { twoKeyed } from './two-key-options.ts'

const id = '$ID'

function wholeId(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value
  throw new Usage(`The id of an action is wanted: ${String(value)}`)
}

/** A reason of a command. */
export function wholeReason(reason: string): string {
  if (reason !== '' && reason.length <= 2048) return reason
  throw new Usage('A reason has 1 to 2048 characters: --reason')
}

/** `action` and `control` */
export function defineAction(program: Command, context: Context, outcome: Outcome): void {
  const actions = group(
    program,
    'action',
    'Lets two leads sign what could undo evidence: erasing, closing, ending keys, activating policies.',
  )
  const defining = { actions, context, outcome, program }
  defineReading(defining)
  defineSigning(defining)
  defineEnding(defining)
  defineControl(program, context, outcome)
}

const aboutAction = (command: Command): Command =>
  asJson(ofTenant(writing(command.argument('<id>', 'id of the action'))))

function defineReading({ actions, context, outcome, program }: Defining<'actions'>): void {
  const list = define(actions, 'list', 'Lists the actions, newest first.', [
    'action list',
    'action list --limit 200 --json',
  ])
  asJson(ofTenant(writing(list))).option(
    '--limit <number>',
    'how many at most (default: 50)',
    wholeNumber(1, 1000),
  )
  act(program, list, outcome, async (flags: TenantFlags & { limit?: number }) =>
    (await import('./action.ts')).listActions(context, flags),
  )
  const show = define(actions, 'show', 'Tells what an action does and how it stands with it.', [
    `action show ${id}`,
  ])
  aboutAction(show)
  act(program, show, outcome, async (flags: TenantFlags, [action]) =>
    (await import('./action.ts')).showAction(context, wholeId(action), flags),
  )
  const challenge = define(
    actions,
    'challenge',
    'Prints the text that both leads sign, byte for byte, for whatever tool they have.',
    [
      `action challenge ${id} --out challenge.txt`,
      `action challenge ${id} | ssh-keygen -Y sign -f KEY -n countersign/override/v1`,
    ],
  )
  ofTenant(writing(challenge.argument('<id>', 'id of the action'))).option(
    '-o, --out <file>',
    'file to write it to',
  )
  act(program, challenge, outcome, async (flags: TenantFlags & { out?: string }, [action]) =>
    (await import('./action.ts')).printChallenge(context, wholeId(action), flags),
  )
}

function defineSigning({ actions, context, outcome, program }: Defining<'actions'>): void {
  const sign = define(
    actions,
    'sign',
    'Shows the challenge, signs it and delivers the signature, or delivers one that was made elsewhere. Read what you sign.',
    [
      `action sign ${id} --role risk_lead --key ann.key`,
      `action sign ${id} --role security_lead --ssh ~/.ssh/id_ed25519`,
      `action sign ${id} --role risk_lead --signature signature.txt --person ann`,
    ],
  )
  signedBy(aboutAction(sign))
    .addOption(
      new Option('--role <role>', 'role of who signs').choices(leadRoles).makeOptionMandatory(),
    )
    .option('--person <id>', 'who signed, where the key is not named')
  act(program, sign, outcome, async (flags: SignFlags, [action]) => {
    if (flags.signature !== undefined && (flags.person ?? flags.publicKey) === undefined)
      throw new Usage('A pasted signature needs its person or key: --person or --public-key')
    return (await import('./action.ts')).signAction(context, wholeId(action), flags)
  })
}

function defineEnding({ actions, context, outcome, program }: Defining<'actions'>): void {
  const ways = [
    ['reject', 'Rejects the action, as the lead whose user name it is.'],
    ['revoke', 'Takes the action back; whoever asked may, and each lead.'],
  ] as const
  for (const [way, description] of ways) {
    const command = define(actions, way, description, [
      `action ${way} ${id} --reason "Not before the audit"`,
    ])
    aboutAction(command).requiredOption('--reason <text>', 'why, for the dossier')
    act(program, command, outcome, async (flags: TenantFlags & { reason: string }, [action]) => {
      const reason = wholeReason(flags.reason)
      const { actOnAction } = await import('./action.ts')
      return actOnAction(context, wholeId(action), { act: way, reason }, flags)
    })
  }
  const execute = define(
    actions,
    'execute',
    'Does what both leads have signed, once, whoever else tries. One that was cut off goes on when it is executed again.',
    [`action execute ${id}`],
  )
  aboutAction(execute)
  act(program, execute, outcome, async (flags: TenantFlags, [action]) => {
    const { actOnAction } = await import('./action.ts')
    return actOnAction(context, wholeId(action), { act: 'execute' }, flags)
  })
}

function defineControl(program: Command, context: Context, outcome: Outcome): void {
  const control = group(
    program,
    'control',
    'Says whether two leads must sign what could undo evidence, and ends that.',
  )
  const show = define(
    control,
    'show',
    'Says since when two leads must sign, who they are by which roster, and how often the break-glass passphrase was made or used.',
    ['control show', 'control show --json'],
  )
  asJson(ofTenant(writing(show)))
  act(program, show, outcome, async (flags: TenantFlags) =>
    (await import('./action.ts')).showControl(context, flags),
  )
  const end = define(
    control,
    'end',
    'Ends dual control of a tenant, once two leads have signed that. No setting of the host ends it.',
    ['control end --reason "The tenant moves"'],
  )
  twoKeyed(asJson(ofTenant(writing(end)))).requiredOption('--reason <text>', 'why, for the log')
  act(program, end, outcome, async (flags: ReasonFlags) => {
    wholeReason(flags.reason)
    return (await import('./action.ts')).endControl(context, flags)
  })
}
