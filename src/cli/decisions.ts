// Decisions at the command line, read beside a server that may run. What they say of themselves is shown as it was signed.
import { z } from 'zod'
import { decisionPageSchema, decisionViewSchema } from '../wire/decision.ts'
import type { InForce } from '../decisions/standing.ts'
import type { ListRequest } from '../decisions/service.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes } from './complain.ts'
import { whileReading } from './evidence.ts'
import { pageOf, tellPage, type PageFlags } from './paging.ts'
import { date, formatTable, jsonLine, printable } from './terminal.ts'

/** Flags of `decision list`. */
export interface DecisionListFlags
  extends TenantFlags, PageFlags, Omit<ListRequest, keyof PageFlags | 'since' | 'until'> {}

/** What a decision is now in words, as reports say it. */
const inForceText = ({ by, inForce }: InForce): string =>
  inForce === null ? 'erased' : by === 'decision' || by === null ? inForce : `${inForce} by ${by}`

/** `decision list` */
export async function listDecisions(context: Context, flags: DecisionListFlags): Promise<number> {
  const { action, actor, by, escalation, inForce, json } = flags
  const { override, status, tenant } = flags
  const wanted = { action, actor, by, escalation, inForce, override, status }
  const request = Object.fromEntries(
    Object.entries(wanted).filter(([, value]) => value !== undefined),
  )
  const page = await whileReading(context, flags, async (service) =>
    decisionPageSchema.parse(await service.listDecisions(tenant, { ...request, ...pageOf(flags) })),
  )
  const rows = page.decisions.map((row) => [
    row.id,
    date(row.time),
    row.status ?? '-',
    inForceText(row),
    row.override ?? '-',
    row.escalation ?? '-',
    printable(row.actor ?? '-'),
    printable(row.action ?? '-'),
  ])
  const head = ['decision', 'time', 'made as', 'in force', 'override', 'escalation', 'actor']
  await tellPage(context, json, page, [...head, 'action'], rows)
  return exitCodes.done
}

const groundsSchema = z.object({
  reasons: z.array(z.object({ code: z.string(), text: z.string().default('') })),
  policies: z.array(
    z.object({ effect: z.string().default('-'), id: z.string(), version: z.string().default('-') }),
  ),
})

/** Why a decision was made as it was, in short. */
function becauseRows(decision: unknown): string[][] {
  const parsed = groundsSchema.safeParse(decision)
  if (!parsed.success) return []
  const { policies, reasons } = parsed.data
  return [
    ...reasons.map(({ code, text }) => [
      'because',
      printable(text === '' ? code : `${code}: ${text}`),
    ]),
    ...policies
      .filter(({ effect }) => effect !== 'not_applicable')
      .map(({ effect, id, version }) => ['policy', printable(`${id} ${version}: ${effect}`)]),
  ]
}

/** `decision show ID` */
export async function showDecision(
  context: Context,
  id: string,
  flags: TenantFlags,
): Promise<number> {
  const view = await whileReading(context, flags, async (service) => {
    const { decision, ...told } = await service.readDecision(flags.tenant, id)
    const said: unknown = decision === null ? null : JSON.parse(decision)
    return decisionViewSchema.parse({ ...told, decision: said })
  })
  const { decision, erased, escalation, executions, index, override, status, time } = view
  const text = formatTable([
    ['decision', view.id],
    ['made as', status ?? 'erased'],
    ['in force', inForceText(view)],
    ['override', override ?? 'none'],
    ['escalation', escalation ?? 'none'],
    ...becauseRows(decision),
    ['used', String(executions)],
    ['time', date(time)],
    ['entry', `index ${index}`],
    ...(erased ? [] : [['dossier', view.dossierUrl]]),
  ])
  const said = decision === null ? '' : `${printable(JSON.stringify(decision))}\n`
  await context.out.write(flags.json === true ? jsonLine(view) : text + said)
  return exitCodes.done
}
