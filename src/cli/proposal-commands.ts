import { InvalidArgumentError, type Command } from 'commander'
import { isUuid } from '../base/uuid.ts'
import { proposalLimits } from '../dossier/proposal-events.ts'
import type { ProposalAct } from '../wire/proposals.ts'
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
import { paged, type PageFlags } from './paging.ts'
import { Usage } from './complain.ts'
import type { OpenFlags } from './proposal.ts'

const id = '$ID'
const secondMs = 1000

function wholeId(value: unknown): string {
  if (typeof value === 'string' && isUuid(value)) return value
  throw new Usage(`The id of a proposal is wanted: ${String(value)}`)
}

const votes = new Map([
  ['approve', 'APPROVE'],
  ['reject', 'REJECT'],
  ['abstain', 'ABSTAIN'],
] as const)

function wholeVote(value: unknown): Extract<ProposalAct, { act: 'vote' }>['vote'] {
  const vote = (votes as ReadonlyMap<unknown, 'APPROVE' | 'REJECT' | 'ABSTAIN'>).get(value)
  if (vote !== undefined) return vote
  throw new Usage(`A vote is approve, reject or abstain: ${String(value)}`)
}

function fraction(text: string): readonly [approvals: number, of: number] {
  const [, approvals, of] = /^(\d{1,4})\/(\d{1,4})$/.exec(text) ?? []
  if (approvals !== undefined && of !== undefined) return [Number(approvals), Number(of)]
  throw new InvalidArgumentError('A fraction such as 2/3 is expected.')
}

function checkText(text: string | undefined, option: string): void {
  if (text !== undefined && (text === '' || text.length > proposalLimits.note))
    throw new Usage(`A text has 1 to ${proposalLimits.note} characters: --${option}`)
}

const collect = (value: string, before: readonly string[] = []): readonly string[] => [
  ...before,
  value,
]

/** `proposal` */
export function defineProposal(program: Command, context: Context, outcome: Outcome): void {
  const proposals = group(
    program,
    'proposal',
    'Lets people of the roster vote on an intent before it becomes a decision.',
  )
  const defining = { context, outcome, program, proposals }
  defineOpening(defining)
  defineReading(defining)
  defineActing(defining)
}

const aboutProposal = (command: Command): Command =>
  asJson(ofTenant(writing(command.argument('<id>', 'id of the proposal'))))

function defineOpening({ context, outcome, program, proposals }: Defining<'proposals'>): void {
  const open = define(
    proposals,
    'open',
    'Opens a vote on an intent, from a file of JSON or - for standard input. Approved it becomes an ALLOW for one use, else a BLOCK.',
    [
      'proposal open intent.json',
      'proposal open intent.json --voter ann --voter bob --quorum 2 --within 3600',
    ],
  )
  asJson(ofTenant(writing(open.argument('<file>', 'the intent: actor, action, resource, context'))))
    .option('--voter <person>', 'who votes, once for each (default: everybody else)', collect)
    .option(
      '--quorum <number>',
      'votes that must be cast (default: all)',
      wholeNumber(1, proposalLimits.voters),
    )
    .option(
      '--threshold <fraction>',
      'approvals among approvals and rejections, more than half (default: 2/3)',
      fraction,
    )
    .option(
      '--within <seconds>',
      'how long votes count (default: 86400)',
      wholeNumber(proposalLimits.least / secondMs, proposalLimits.most / secondMs),
    )
    .option('--proposer-may-vote', 'let whoever proposes vote too')
    .option('--note <text>', 'why, for the dossier')
  act(program, open, outcome, async (flags: OpenFlags, [file]) => {
    checkText(flags.note, 'note')
    return (await import('./proposal.ts')).openProposal(context, String(file), flags)
  })
}

function defineReading({ context, outcome, program, proposals }: Defining<'proposals'>): void {
  const list = define(proposals, 'list', 'Lists proposals, the last opened first.', [
    'proposal list',
    'proposal list --limit 200 --json',
  ])
  paged(asJson(ofTenant(writing(list))))
  act(program, list, outcome, async (flags: TenantFlags & PageFlags) =>
    (await import('./proposal.ts')).listProposals(context, flags),
  )
  const show = define(proposals, 'show', 'Tells how it stands with a proposal.', [
    `proposal show ${id}`,
  ])
  aboutProposal(show)
  act(program, show, outcome, async (flags: TenantFlags, [proposal]) =>
    (await import('./proposal.ts')).showProposal(context, wholeId(proposal), flags),
  )
}

function defineActing({ context, outcome, program, proposals }: Defining<'proposals'>): void {
  const vote = define(
    proposals,
    'vote',
    'Votes as the person whose user name it is, once and for good. The vote that settles it closes it.',
    [`proposal vote ${id} approve`, `proposal vote ${id} reject --note "Not before the audit"`],
  )
  aboutProposal(vote)
    .argument('<vote>', 'approve, reject or abstain')
    .option('--note <text>', 'why, for the dossier')
  act(program, vote, outcome, async (flags: TenantFlags & { note?: string }, [proposal, said]) => {
    const { note } = flags
    checkText(note, 'note')
    const told = { act: 'vote' as const, vote: wholeVote(said) }
    const { actOnProposal } = await import('./proposal.ts')
    return actOnProposal(
      context,
      wholeId(proposal),
      note === undefined ? told : { ...told, note },
      flags,
    )
  })
  const withdraw = define(
    proposals,
    'withdraw',
    'Withdraws a proposal while the vote is open, as whoever proposed it.',
    [`proposal withdraw ${id} --reason "Done by hand"`],
  )
  aboutProposal(withdraw).requiredOption('--reason <text>', 'why, for the dossier')
  act(program, withdraw, outcome, async (flags: TenantFlags & { reason: string }, [proposal]) => {
    checkText(flags.reason, 'reason')
    const { actOnProposal } = await import('./proposal.ts')
    return actOnProposal(
      context,
      wholeId(proposal),
      { act: 'withdraw', reason: flags.reason },
      flags,
    )
  })
  const close = define(
    proposals,
    'close',
    'Closes a proposal whose deadline has passed. What was closed stays as it is.',
    [`proposal close ${id}`],
  )
  aboutProposal(close)
  act(program, close, outcome, async (flags: TenantFlags, [proposal]) => {
    const { actOnProposal } = await import('./proposal.ts')
    return actOnProposal(context, wholeId(proposal), { act: 'close' }, flags)
  })
}
