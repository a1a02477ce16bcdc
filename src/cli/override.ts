// Overruling a decision at the command line. Whoever is at it is known by the name that the operating system gives; whoever signs, by the signature.
import type { Principal, Service } from '../decisions/service.ts'
import {
  overridePageSchema,
  overrideViewSchema,
  type OverrideAct,
  type OverrideView,
} from '../wire/overrides.ts'
import { whileWriting } from './administer.ts'
import { briefOnOverride } from './briefing.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { localPrincipal } from './principal.ts'
import { pageOf, tellPage, type PageFlags } from './paging.ts'
import { date, formatTable, jsonLine } from './terminal.ts'
import { signChallenge, standingRows, writeChallenge, type SignFlags } from './two-key-request.ts'

function formatView(view: OverrideView): string {
  const { decision, request } = view
  return formatTable([['decision', decision], ['request', request], ...standingRows(view)])
}

const whatNext: Readonly<Record<OverrideView['status'], string>> = {
  approved: 'Both have signed: countersign override execute ID lets it come to pass\n',
  executed: 'The decision is an ALLOW for one use now; claim it before the effect\n',
  expired: '',
  partial: 'One more signature is wanted\n',
  pending:
    'What it overrules: countersign decision show ID\nTwo signatures are wanted: countersign override sign ID --role ROLE\n',
  rejected: '',
  revoked: '',
}

async function tell(context: Context, flags: TenantFlags, view: OverrideView): Promise<number> {
  await context.out.write(flags.json === true ? jsonLine(view) : formatView(view))
  context.err.note(whatNext[view.status].replaceAll(' ID', ` ${view.decision}`))
  return exitCodes.done
}

/** Does something as whoever is at the command line. */
const whileActing = (
  context: Context,
  flags: TenantFlags,
  work: (service: Service, principal: Principal) => Promise<OverrideView>,
): Promise<OverrideView> =>
  whileWriting(context, flags, async (service) =>
    overrideViewSchema.parse(await work(service, await localPrincipal(service, flags.tenant))),
  )

/** Flags of `override open`. */
export interface OpenFlags extends TenantFlags {
  readonly justification: string
  readonly approveWithin?: number
  readonly executeWithin?: number
}

/** `override open ID` */
export async function openOverride(
  context: Context,
  decision: string,
  flags: OpenFlags,
): Promise<number> {
  const { approveWithin, executeWithin, justification } = flags
  const view = await whileActing(context, flags, (service, principal) =>
    service.openOverride(principal, {
      decision,
      justification,
      ...(approveWithin === undefined ? {} : { approveWithinSeconds: approveWithin }),
      ...(executeWithin === undefined ? {} : { executeWithinSeconds: executeWithin }),
    }),
  )
  return tell(context, flags, view)
}

/** `override show ID` */
export async function showOverride(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, (service) =>
    service.readOverride(flags.tenant, id),
  )
  return tell(context, flags, view)
}

/** `override list` */
export async function listOverrides(
  context: Context,
  flags: TenantFlags & PageFlags,
): Promise<number> {
  const page = await whileWriting(context, flags, async (service) =>
    overridePageSchema.parse(await service.listOverrides(flags.tenant, pageOf(flags))),
  )
  const rows = page.overrides.map(({ approveBy, decision, executeBy, status }) => [
    decision,
    status ?? 'erased',
    approveBy === null ? '-' : date(approveBy),
    executeBy === null ? '-' : date(executeBy),
  ])
  const head = ['decision', 'status', 'approve by', 'execute by']
  await tellPage(context, flags.json, page, head, rows)
  if (page.today.overruled > 0)
    context.err.note(`Overruled within 24 hours: ${page.today.overruled} of ${page.today.limit}\n`)
  return exitCodes.done
}

/** `override challenge ID`: the exact bytes that are signed, and nothing else. */
export async function printChallenge(
  context: Context,
  id: string,
  flags: TenantFlags & { readonly out?: string },
): Promise<number> {
  const { challenge } = await whileActing(context, flags, (service) =>
    briefOnOverride(context, service, flags.tenant, id),
  )
  return writeChallenge(context, challenge, flags.out)
}

/** `override sign ID` */
export async function signOverride(
  context: Context,
  id: string,
  flags: SignFlags,
): Promise<number> {
  const view = await whileActing(context, flags, async (service, principal) => {
    const view = await briefOnOverride(context, service, flags.tenant, id)
    const signing = await signChallenge(context, service, flags, view, 'OVERRIDE_REFUSED')
    return service.actOnOverride(principal, id, { act: 'sign', signing })
  })
  return tell(context, flags, view)
}

/** `override reject|revoke|execute ID` */
export async function actOnOverride(
  context: Context,
  id: string,
  act: OverrideAct,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, (service, principal) =>
    service.actOnOverride(principal, id, act),
  )
  return tell(context, flags, view)
}
