// Actions that take two keys, at the command line. Whoever is at it is known by the name that the operating system gives; whoever signs, by the signature.
import { utf8 } from '../base/bytes.ts'
import { canonicalize } from '../base/canonical-json.ts'
import type { Principal, Service } from '../decisions/service.ts'
import type { LeadRole } from '../verify/two-key-story.ts'
import {
  actionPageSchema,
  actionViewSchema,
  controlViewSchema,
  type ActionAct,
  type ActionView,
} from '../wire/actions.ts'
import { whileWriting } from './administer.ts'
import { signAs, type ApproverFlags } from './approver.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { writeWhole } from './files.ts'
import { localCaller, localPrincipal } from './principal.ts'
import { formatTable, jsonLine, printable } from './terminal.ts'
import { underTwoKeys, type TwoKeyFlags } from './two-keys.ts'

const date = (ms: number): string => new Date(ms).toISOString()

function formatView(view: ActionView): string {
  const { action, approveBy, effect, executeBy, index, signatures, status } = view
  const signed = signatures.map(({ person, role }) => `${printable(person)} (${role})`)
  return formatTable([
    ['action', action],
    ['effect', printable(canonicalize(effect))],
    ['status', view.void ? `${status}, void: the roster has changed` : status],
    ['signed by', signed.join(', ') || 'nobody'],
    ['approve by', date(approveBy)],
    ['execute by', date(executeBy)],
    ['last step', `index ${index}`],
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

const usualRows = 50

/** `action list` */
export async function listActions(
  context: Context,
  flags: TenantFlags & { readonly limit?: number },
): Promise<number> {
  const { json, limit = usualRows, tenant } = flags
  const { actions, cursor } = await whileWriting(context, flags, async (service) =>
    actionPageSchema.parse(await service.listActions(tenant, { limit })),
  )
  const rows = actions.map(({ action, approveBy, effect, executeBy, status }) => [
    action,
    effect.action,
    status,
    date(approveBy),
    date(executeBy),
  ])
  const head = ['action', 'effect', 'status', 'approve by', 'execute by']
  await context.out.write(
    json === true ? jsonLine(actions) : rows.length === 0 ? '' : formatTable([head, ...rows]),
  )
  if (cursor !== null) context.err.note('There are more: --limit\n')
  return exitCodes.done
}

/** `action challenge ID`: the exact bytes that are signed, and nothing else. */
export async function printChallenge(
  context: Context,
  id: string,
  flags: TenantFlags & { readonly out?: string },
): Promise<number> {
  const { challenge } = await whileActing(context, flags, (service) =>
    service.readAction(flags.tenant, id),
  )
  if (flags.out === undefined) await context.out.write(challenge)
  else await writeWhole(context.io.cwd, flags.out, utf8(challenge))
  return exitCodes.done
}

/** Flags of `action sign`. */
export interface SignFlags extends TenantFlags, ApproverFlags {
  readonly role: LeadRole
}

/** `action sign ID` */
export async function signAction(context: Context, id: string, flags: SignFlags): Promise<number> {
  const view = await whileActing(context, flags, async (service, principal) => {
    const { challenge } = actionViewSchema.parse(await service.readAction(flags.tenant, id))
    context.err.note(challenge)
    const { by, signature } = await signAs(context, flags, challenge)
    const { person, role } = flags
    const signing = {
      challenge,
      role,
      signature,
      ...(by === undefined ? {} : { key: by.key, kind: by.kind }),
      ...(person === undefined ? {} : { person }),
    }
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
