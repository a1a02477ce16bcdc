// Actions that take two keys, at the command line. Whoever is at it is known by the name that the operating system gives; whoever signs, by the signature.
import { canonicalize } from '../base/canonical-json.ts'
import type { Principal, Service } from '../decisions/service.ts'
import {
  actionPageSchema,
  actionViewSchema,
  controlViewSchema,
  type ActionAct,
  type ActionView,
} from '../wire/actions.ts'
import { whileWriting } from './administer.ts'
import { briefOnAction } from './briefing.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { localCaller, localPrincipal } from './principal.ts'
import { pageOf, tellPage, type PageFlags } from './paging.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'
import { signChallenge, standingRows, writeChallenge, type SignFlags } from './two-key-request.ts'
import { underTwoKeys, type TwoKeyFlags } from './two-keys.ts'

function formatView(view: ActionView): string {
  const { action, effect } = view
  return formatTable([
    ['action', action],
    ['effect', printable(canonicalize(effect))],
    ...standingRows(view),
  ])
}

const whatNext: Readonly<Record<ActionView['status'], string>> = {
  approved: 'Both have signed: countersign action execute ID does it\n',
  executed: '',
  expired: '',
  partial: 'One more signature is wanted\n',
  pending: 'Two signatures are wanted: countersign action sign ID --role ROLE\n',
  rejected: '',
  revoked: '',
}

async function tell(context: Context, flags: TenantFlags, view: ActionView): Promise<number> {
  await context.out.write(flags.json === true ? jsonLine(view) : formatView(view))
  for (const note of view.done?.keys?.notes ?? []) context.err.note(`${printable(note)}\n`)
  context.err.note(whatNext[view.status].replaceAll(' ID', ` ${view.action}`))
  return exitCodes.done
}

/** Does something as whoever is at the command line. */
const whileActing = (
  context: Context,
  flags: TenantFlags,
  work: (service: Service, principal: Principal) => Promise<ActionView>,
): Promise<ActionView> =>
  whileWriting(context, flags, async (service) =>
    actionViewSchema.parse(await work(service, await localPrincipal(service, flags.tenant))),
  )

/** `action show ID` */
export async function showAction(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, (service) => service.readAction(flags.tenant, id))
  return tell(context, flags, view)
}

/** `action list` */
export async function listActions(
  context: Context,
  flags: TenantFlags & PageFlags,
): Promise<number> {
  const page = await whileWriting(context, flags, async (service) =>
    actionPageSchema.parse(await service.listActions(flags.tenant, pageOf(flags))),
  )
  const rows = page.actions.map(({ action, approveBy, effect, executeBy, status }) => [
    action,
    effect.action,
    status,
    date(approveBy),
    date(executeBy),
  ])
  const head = ['action', 'effect', 'status', 'approve by', 'execute by']
  await tellPage(context, flags.json, page, head, rows)
  return exitCodes.done
}

/** `action challenge ID`: the exact bytes that are signed, and nothing else. */
export async function printChallenge(
  context: Context,
  id: string,
  flags: TenantFlags & { readonly out?: string },
): Promise<number> {
  const { challenge } = await whileActing(context, flags, (service) =>
    briefOnAction(context, service, flags.tenant, id),
  )
  return writeChallenge(context, challenge, flags.out)
}

/** `action sign ID` */
export async function signAction(context: Context, id: string, flags: SignFlags): Promise<number> {
  const view = await whileActing(context, flags, async (service, principal) => {
    const view = await briefOnAction(context, service, flags.tenant, id)
    const signing = await signChallenge(context, service, flags, view, 'ACTION_REFUSED')
    return service.actOnAction(principal, id, { act: 'sign', signing })
  })
  return tell(context, flags, view)
}

/** `action reject|revoke|execute ID` */
export async function actOnAction(
  context: Context,
  id: string,
  act: ActionAct,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, (service, principal) =>
    service.actOnAction(principal, id, act),
  )
  return tell(context, flags, view)
}

/** `control show` */
export async function showControl(context: Context, flags: TenantFlags): Promise<number> {
  const view = await whileWriting(context, flags, async (service) =>
    controlViewSchema.parse(await service.readControl(flags.tenant)),
  )
  const { breakGlass, closedAt, dualControl, from, roster } = view
  const rows = [
    ['dual control', from === null ? dualControl : `${dualControl}, from index ${from}`],
    ['roster', roster === null ? 'none' : `version ${roster}`],
    ['break-glass', `${breakGlass} times`],
    ['tenant', closedAt === null ? 'open' : `closed at index ${closedAt}`],
  ]
  await context.out.write(flags.json === true ? jsonLine(view) : formatTable(rows))
  return exitCodes.done
}

/** Flags of what is done to a tenant for a reason. */
export interface ReasonFlags extends TwoKeyFlags {
  readonly reason: string
}

/** `control end` */
export const endControl = (context: Context, flags: ReasonFlags): Promise<number> =>
  underTwoKeys(
    context,
    flags,
    () => Promise.resolve({ action: 'control.none', reason: flags.reason }),
    (action) =>
      enterAct(context, flags, 'dual control ended', (service) =>
        service.endControl(flags.tenant, flags.reason, localCaller(), action),
      ),
  )

/** `tenant close` */
export const closeTenant = (context: Context, flags: ReasonFlags): Promise<number> =>
  underTwoKeys(
    context,
    flags,
    () => Promise.resolve({ action: 'tenant.close', reason: flags.reason }),
    (action) =>
      enterAct(context, flags, 'closed', (service) =>
        service.closeTenant(flags.tenant, flags.reason, localCaller(), action),
      ),
  )

async function enterAct(
  context: Context,
  flags: TenantFlags,
  what: string,
  work: (service: Service) => Promise<{ readonly index: number }>,
): Promise<number> {
  const { index } = await whileWriting(context, flags, work)
  await context.out.write(
    flags.json === true
      ? jsonLine({ index, tenant: flags.tenant })
      : `${flags.tenant}  ${what}  index ${index}\n`,
  )
  return exitCodes.done
}
