import { Option, type Command } from 'commander'
import { escalationAnswers } from '../dossier/escalation-challenge.ts'
import { escalationLimits } from '../dossier/escalation-events.ts'
import { isUuid } from '../base/uuid.ts'
import { expectWay, signedBy } from './approver-options.ts'
import {
  act,
  asJson,
  define,
  group,
  ofTenant,
  writing,
  type Context,
  type Defining,
  type Outcome,
  type TenantFlags,
} from './command.ts'
import { paged } from './paging.ts'
import { Usage } from './complain.ts'
import type { AnswerFlags, ChallengeFlags, ListFlags, SignFlags } from './escalation.ts'

const id = '$ID'

function wholeId(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value
  throw new Usage(`The id of a decision is wanted: ${String(value)}`)
}

function wholeReason({ reason }: AnswerFlags): void {
  if (reason === '' || reason.length > escalationLimits.reason)
    throw new Usage(`A reason has 1 to ${escalationLimits.reason} characters: --reason`)
}

/** `escalation` */
export function defineEscalation(program: Command, context: Context, outcome: Outcome): void {
  const escalations = group(
    program,
    'escalation',
    'Answers decisions that are held for a reviewer, until their deadline.',
  )
  const defining = { context, escalations, outcome, program }
  defineReading(defining)
  defineAnswering(defining)
  defineSigning(defining)
}

const aboutDecision = (command: Command): Command =>
  asJson(ofTenant(writing(command.argument('<id>', 'id of the decision'))))

const withReason = (command: Command): Command =>
  command.requiredOption('--reason <text>', 'why, for the dossier')

const answerOption = (): Option =>
  new Option('--answer <answer>', 'what is said to it')
    .choices(escalationAnswers)
    .makeOptionMandatory()

function defineReading({ context, escalations, outcome, program }: Defining<'escalations'>): void {
  const list = define(
    escalations,
    'list',
    'Lists decisions that were held for a reviewer, newest first.',
    ['escalation list --status pending', 'escalation list --limit 200 --json'],
  )
  paged(
    asJson(ofTenant(writing(list))).addOption(
      new Option('--status <status>', 'only those that are').choices([
        'pending',
        'approved',
        'rejected',
        'timed-out',
      ]),
    ),
  )
  act(program, list, outcome, async (flags: ListFlags) =>
    (await import('./escalation.ts')).listEscalations(context, flags),
  )
  const show = define(
    escalations,
    'show',
    'Tells how it stands with the escalation of a decision.',
    [`escalation show ${id}`],
  )
  aboutDecision(show)
  act(program, show, outcome, async (flags: TenantFlags, [decision]) =>
    (await import('./escalation.ts')).showEscalation(context, wholeId(decision), flags),
  )
}

function defineAnswering({
  context,
  escalations,
  outcome,
  program,
}: Defining<'escalations'>): void {
  const ways = [
    ['approve', 'Makes the decision an ALLOW for one use, as the reviewer whose user name it is.'],
    ['reject', 'Makes the decision a BLOCK, as the reviewer whose user name it is.'],
  ] as const
  for (const [answer, description] of ways) {
    const command = define(escalations, answer, description, [
      `escalation ${answer} ${id} --reason "Checked by phone"`,
    ])
    withReason(aboutDecision(command))
    act(program, command, outcome, async (flags: AnswerFlags, [decision]) => {
      wholeReason(flags)
      const { answerEscalation } = await import('./escalation.ts')
      return answerEscalation(context, wholeId(decision), answer, flags)
    })
  }
}

function defineSigning({ context, escalations, outcome, program }: Defining<'escalations'>): void {
  const challenge = define(
    escalations,
    'challenge',
    'Prints the text that a reviewer signs, byte for byte, for whatever tool there is.',
    [`escalation challenge ${id} --answer approve --reason "Checked" --out text.txt`],
  )
  withReason(ofTenant(writing(challenge.argument('<id>', 'id of the decision'))))
    .addOption(answerOption())
    .option('-o, --out <file>', 'file to write (default: standard output)')
  act(program, challenge, outcome, async (flags: ChallengeFlags, [decision]) => {
    wholeReason(flags)
    return (await import('./escalation.ts')).printChallenge(context, wholeId(decision), flags)
  })
  const sign = define(
    escalations,
    'sign',
    'Shows the text of an answer, signs it by a key of the roster and delivers it, or delivers a signature that was made elsewhere. Read what you sign.',
    [
      `escalation sign ${id} --answer approve --reason "Checked" --key cyd.key`,
      `escalation sign ${id} --answer reject --reason "No" --ssh ~/.ssh/id_ed25519`,
    ],
  )
  withReason(signedBy(aboutDecision(sign)))
    .addOption(answerOption())
    .option('--person <id>', 'who signed, where the key is not named')
  act(program, sign, outcome, async (flags: SignFlags, [decision]) => {
    wholeReason(flags)
    expectWay(flags, 'person or key')
    return (await import('./escalation.ts')).signEscalation(context, wholeId(decision), flags)
  })
}
