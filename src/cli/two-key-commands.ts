import { Option, type Command } from 'commander'
import { leadRoles } from '../dossier/challenge.ts'
import { expectWay, signedBy } from './approver-options.ts'
import {
  act,
  asJson,
  define,
  ofTenant,
  writing,
  type Context,
  type Defining,
  type TenantFlags,
} from './command.ts'
import { wholeReason } from './two-key-options.ts'
import type { SignFlags } from './two-key-request.ts'

/** What can be done to a request that two leads sign, loaded when it is wanted. */
export interface TwoKeyRequests {
  printChallenge(
    context: Context,
    id: string,
    flags: TenantFlags & { readonly out?: string },
  ): Promise<number>
  sign(context: Context, id: string, flags: SignFlags): Promise<number>
  act(
    context: Context,
    id: string,
    step:
      { readonly act: 'reject' | 'revoke'; readonly reason: string } | { readonly act: 'execute' },
    flags: TenantFlags,
  ): Promise<number>
}

/** A group of commands about such requests. */
export interface TwoKeyGroup {
  /** Name of the group. */
  readonly name: 'action' | 'override'
  /** What the id is the id of. */
  readonly idOf: string
  /** What is rejected or taken back. */
  readonly what: string
  /** What `execute` does. */
  readonly execution: string
  readonly wholeId: (value: unknown) => string
  readonly load: () => Promise<TwoKeyRequests>
}

const id = '$ID'

/** Options of a command about one request. */
export const aboutOne = (command: Command, idOf: string): Command =>
  asJson(ofTenant(writing(command.argument('<id>', `id of the ${idOf}`))))

type Parts = Defining<'requests'> & { readonly of: TwoKeyGroup }

/** `challenge` */
export function defineChallenge({ context, of, outcome, program, requests }: Parts): void {
  const challenge = define(
    requests,
    'challenge',
    'Prints the text that both leads sign, byte for byte, for whatever tool they have.',
    [
      `${of.name} challenge ${id} --out challenge.txt`,
      `${of.name} challenge ${id} | ssh-keygen -Y sign -f KEY -n countersign/override/v1`,
    ],
  )
  ofTenant(writing(challenge.argument('<id>', `id of the ${of.idOf}`))).option(
    '-o, --out <file>',
    'file to write (default: standard output)',
  )
  act(program, challenge, outcome, async (flags: TenantFlags & { out?: string }, [request]) =>
    (await of.load()).printChallenge(context, of.wholeId(request), flags),
  )
}

/** `sign`, `reject`, `revoke` and `execute` */
export function defineSteps(parts: Parts): void {
  defineSign(parts)
  const { context, of, outcome, program, requests } = parts
  const ways = [
    ['reject', `Rejects the ${of.what}, as the lead whose user name it is.`],
    ['revoke', `Takes the ${of.what} back; whoever asked may, and each lead.`],
  ] as const
  for (const [way, description] of ways) {
    const command = define(requests, way, description, [
      `${of.name} ${way} ${id} --reason "Not before the audit"`,
    ])
    aboutOne(command, of.idOf).requiredOption('--reason <text>', 'why, for the dossier')
    act(program, command, outcome, async (flags: TenantFlags & { reason: string }, [request]) => {
      const step = { act: way, reason: wholeReason(flags.reason) }
      return (await of.load()).act(context, of.wholeId(request), step, flags)
    })
  }
  const execute = define(requests, 'execute', of.execution, [`${of.name} execute ${id}`])
  aboutOne(execute, of.idOf)
  act(program, execute, outcome, async (flags: TenantFlags, [request]) =>
    (await of.load()).act(context, of.wholeId(request), { act: 'execute' }, flags),
  )
}

function defineSign({ context, of, outcome, program, requests }: Parts): void {
  const sign = define(
    requests,
    'sign',
    'Shows the challenge, signs it and delivers the signature, or delivers one that was made elsewhere. Read what you sign.',
    [
      `${of.name} sign ${id} --role risk_lead --key ann.key`,
      `${of.name} sign ${id} --role security_lead --ssh ~/.ssh/id_ed25519`,
      `${of.name} sign ${id} --role risk_lead --signature signature.txt --person ann`,
    ],
  )
  signedBy(aboutOne(sign, of.idOf))
    .addOption(
      new Option('--role <role>', 'role of who signs').choices(leadRoles).makeOptionMandatory(),
    )
    .option('--person <id>', 'who signed, where the key is not named')
  act(program, sign, outcome, async (flags: SignFlags, [request]) => {
    expectWay(flags, 'person or key')
    return (await of.load()).sign(context, of.wholeId(request), flags)
  })
}
