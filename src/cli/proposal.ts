// Proposals at the command line. Whoever is at it proposes and votes by the name that the operating system gives; the log says that it was so. Of
// the names of one host the first alone votes on a proposal, for one person can have them all; others vote by their API keys.
import type { Principal, Service } from '../decisions/service.ts'
import {
  proposalOpeningSchema,
  proposalPageSchema,
  proposalViewSchema,
  type ProposalAct,
  type ProposalView,
} from '../wire/proposals.ts'
import { parseValue } from '../wire/decision.ts'
import { parseStrictJson } from '../base/strict-json.ts'
import { whileWriting } from './administer.ts'
import { briefOnProposal } from './briefing.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { readText } from './policy-offline.ts'
import { localPrincipal } from './principal.ts'
import { pageOf, tellPage, type PageFlags } from './paging.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of `proposal open`. */
export interface OpenFlags extends TenantFlags {
  readonly voter?: readonly string[]
  readonly quorum?: number
  readonly threshold?: readonly [approvals: number, of: number]
  readonly within?: number
  readonly proposerMayVote?: boolean
  readonly note?: string
}

function formatView(view: ProposalView): string {
  const { deadline, decision, due, index, intent, note, proposal, proposer, quorum } = view
  const { status, threshold, voters, votes } = view
  const cast = votes.map(({ vote, voter }) => `${printable(voter)} (${vote})`)
  return formatTable([
    ['proposal', proposal],
    ['actor', printable(intent.actor.id)],
    ['action', printable(intent.action.type)],
    ['proposed by', printable(proposer)],
    ...(note === null ? [] : [['note', printable(note)]]),
    ['status', due === null ? status : `${status}, comes to ${due}`],
    ['voters', voters.map(printable).join(', ')],
    ['votes', cast.join(', ') || 'none'],
    ['quorum', `${quorum} of ${voters.length}`],
    ['threshold', `${threshold.approvals}/${threshold.of}`],
    ['deadline', date(deadline)],
    ...(decision === null ? [] : [['decision', decision]]),
    ['last step', `index ${index}`],
  ])
}

async function tell(context: Context, flags: TenantFlags, view: ProposalView): Promise<number> {
  await context.out.write(flags.json === true ? jsonLine(view) : formatView(view))
  if (view.due !== null) context.err.note('Nobody has closed it: countersign proposal close ID\n')
  else if (view.status === 'open')
    context.err.note('Votes are wanted: countersign proposal vote ID approve|reject|abstain\n')
  return exitCodes.done
}

/** Does something as whoever is at the command line. */
const whileActing = (
  context: Context,
  flags: TenantFlags,
  work: (service: Service, principal: Principal) => Promise<ProposalView>,
): Promise<ProposalView> =>
  whileWriting(context, flags, async (service) =>
    proposalViewSchema.parse(await work(service, await localPrincipal(service, flags.tenant))),
  )

/** The intent of a file. A request as notarise takes it is told apart, for there is more in it than is voted on. */
async function readIntent(context: Context, file: string): Promise<unknown> {
  const read = parseStrictJson(await readText(context, file))
  if (typeof read === 'object' && read !== null && 'intent' in read && !('actor' in read))
    throw new Usage(`The intent alone is wanted, not a request with an intent in it: ${file}`)
  return read
}

/** `proposal open FILE` */
export async function openProposal(
  context: Context,
  file: string,
  flags: OpenFlags,
): Promise<number> {
  const { note, proposerMayVote, quorum, threshold, voter, within } = flags
  const intent = await readIntent(context, file)
  const opening = parseValue(proposalOpeningSchema, {
    intent,
    ...(note === undefined ? {} : { note }),
    ...(proposerMayVote === undefined ? {} : { proposerMayVote }),
    ...(quorum === undefined ? {} : { quorum }),
    ...(threshold === undefined
      ? {}
      : { threshold: { approvals: threshold[0], of: threshold[1] } }),
    ...(voter === undefined ? {} : { voters: [...voter] }),
    ...(within === undefined ? {} : { withinSeconds: within }),
  })
  const view = await whileActing(context, flags, (service, principal) =>
    service.openProposal(principal, opening),
  )
  return tell(context, flags, view)
}

/** `proposal show ID` */
export async function showProposal(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, (service) =>
    service.readProposal(flags.tenant, id),
  )
  return tell(context, flags, view)
}

/** `proposal list` */
export async function listProposals(
  context: Context,
  flags: TenantFlags & PageFlags,
): Promise<number> {
  const page = await whileWriting(context, flags, async (service) =>
    proposalPageSchema.parse(await service.listProposals(flags.tenant, pageOf(flags))),
  )
  const rows = page.proposals.map(({ deadline, decision, due, proposal, proposer, status }) => [
    proposal,
    printable(proposer),
    due === null ? status : `${status}, comes to ${due}`,
    date(deadline),
    decision ?? '',
  ])
  const head = ['proposal', 'proposed by', 'status', 'deadline', 'decision']
  await tellPage(context, flags.json, page, head, rows)
  return exitCodes.done
}

/** `proposal vote|withdraw|close ID` */
export async function actOnProposal(
  context: Context,
  id: string,
  act: ProposalAct,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, async (service, principal) => {
    if (act.act === 'vote')
      briefOnProposal(
        context,
        proposalViewSchema.parse(await service.readProposal(flags.tenant, id)),
      )
    return service.actOnProposal(principal, id, act)
  })
  return tell(context, flags, view)
}
