// Answering escalations at the command line. Whoever is at it is known by the name that the operating system gives; whoever signs, by the signature.
import { utf8 } from '../base/bytes.ts'
import type { Principal, Service } from '../decisions/service.ts'
import type { EscalationAnswer } from '../dossier/escalation-challenge.ts'
import {
  escalationPageSchema,
  escalationViewSchema,
  type EscalationDeciding,
  type EscalationView,
} from '../wire/escalations.ts'
import { whileWriting } from './administer.ts'
import { briefOnEscalation } from './briefing.ts'
import { signAs, type ApproverFlags } from './approver.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { expectReviewer } from './expect-signer.ts'
import { writeWhole } from './files.ts'
import { localPrincipal } from './principal.ts'
import { pageOf, tellPage, type PageFlags } from './paging.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of what answers. */
export interface AnswerFlags extends TenantFlags {
  readonly reason: string
}

/** Flags of `escalation challenge`. */
export interface ChallengeFlags extends AnswerFlags {
  readonly answer: EscalationAnswer
  readonly out?: string
}

/** Flags of `escalation sign`. */
export interface SignFlags extends AnswerFlags, ApproverFlags {
  readonly answer: EscalationAnswer
}

/** Flags of `escalation list`. */
export interface ListFlags extends TenantFlags, PageFlags {
  readonly status?: EscalationView['status']
}

function formatView(view: EscalationView): string {
  const { action, actor, deadline, endedAt, id, index, person, reason, status, vouchedBy } = view
  const answered =
    person === null
      ? []
      : [
          [
            'by',
            `${printable(person)}, ${vouchedBy === 'signature' ? 'signed' : 'not signed: the service’s word'}`,
          ],
          ['reason', printable(reason ?? '')],
        ]
  return formatTable([
    ['decision', id],
    ['actor', printable(actor)],
    ['action', printable(action)],
    ['status', view.overruled ? `${status}, overruled by two leads` : status],
    ...answered,
    ['deadline', date(deadline)],
    ...(endedAt === null ? [] : [['ended', date(endedAt)]]),
    ['last step', `index ${index}`],
  ])
}

const whatNext: Readonly<Record<EscalationView['status'], string>> = {
  approved: 'The decision is an ALLOW for one use now; claim it before the effect\n',
  pending:
    'What is asked for: countersign decision show ID\nA reviewer is wanted: countersign escalation approve|reject ID --reason TEXT\n',
  rejected: '',
  'timed-out': '',
}

async function tell(context: Context, flags: TenantFlags, view: EscalationView): Promise<number> {
  await context.out.write(flags.json === true ? jsonLine(view) : formatView(view))
  context.err.note(whatNext[view.status].replaceAll(' ID', ` ${view.id}`))
  return exitCodes.done
}

/** Does something as whoever is at the command line. */
const whileActing = (
  context: Context,
  flags: TenantFlags,
  work: (service: Service, principal: Principal) => Promise<EscalationView>,
): Promise<EscalationView> =>
  whileWriting(context, flags, async (service) =>
    escalationViewSchema.parse(await work(service, await localPrincipal(service, flags.tenant))),
  )

/** `escalation show ID` */
export async function showEscalation(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileActing(context, flags, (service) =>
    service.readEscalation(flags.tenant, id, 0),
  )
  return tell(context, flags, view)
}

/** `escalation list` */
export async function listEscalations(context: Context, flags: ListFlags): Promise<number> {
  const { json, status, tenant } = flags
  const page = await whileWriting(context, flags, async (service) =>
    escalationPageSchema.parse(
      await service.listEscalations(tenant, {
        ...pageOf(flags),
        ...(status === undefined ? {} : { status }),
      }),
    ),
  )
  const rows = page.escalations.map(({ action, actor, deadline, id, status: state }) => [
    id,
    state ?? 'erased',
    printable(actor ?? '-'),
    printable(action ?? '-'),
    deadline === null ? '-' : date(deadline),
  ])
  const head = ['decision', 'status', 'actor', 'action', 'deadline']
  await tellPage(context, json, page, head, rows)
  return exitCodes.done
}

/** `escalation approve|reject ID` */
export async function answerEscalation(
  context: Context,
  id: string,
  answer: EscalationAnswer,
  flags: AnswerFlags,
): Promise<number> {
  const { reason } = flags
  const view = await whileActing(context, flags, async (service, principal) => {
    await briefOnEscalation(context, service, flags.tenant, id)
    return service.decideEscalation(principal, id, { answer, reason })
  })
  return tell(context, flags, view)
}

/** `escalation challenge ID`: the exact bytes that are signed, and nothing else. */
export async function printChallenge(
  context: Context,
  id: string,
  { answer, out = '-', reason, ...flags }: ChallengeFlags,
): Promise<number> {
  const { challenge } = await whileWriting(context, flags, async (service) => {
    const due = await service.challengeEscalation(flags.tenant, id, { answer, reason })
    await briefOnEscalation(context, service, flags.tenant, id)
    return due
  })
  if (out === '-') await context.out.write(challenge)
  else await writeWhole(context.io.cwd, out, utf8(challenge))
  return exitCodes.done
}

/** `escalation sign ID` */
export async function signEscalation(
  context: Context,
  id: string,
  flags: SignFlags,
): Promise<number> {
  const { answer, person, reason } = flags
  const view = await whileActing(context, flags, async (service, principal) => {
    const said = { answer, reason }
    const { challenge } = await service.challengeEscalation(flags.tenant, id, said)
    await briefOnEscalation(context, service, flags.tenant, id)
    await expectReviewer(context, service, id, { ...said, challenge }, flags)
    context.err.note(challenge)
    const { by, signature } = await signAs(context, flags, challenge)
    const deciding: EscalationDeciding = {
      ...said,
      signature: {
        challenge,
        signature,
        ...(by === undefined ? {} : { key: by.key, kind: by.kind }),
        ...(person === undefined ? {} : { person }),
      },
    }
    return service.decideEscalation(principal, id, deciding)
  })
  return tell(context, flags, view)
}
