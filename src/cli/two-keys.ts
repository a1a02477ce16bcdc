// Commands that take two keys once a log is under dual control: each tries, and where two leads must sign it asks them, prints what they sign, and waits
// or comes again, with the id of the action or without: a request that is still open is not made twice. While it waits it holds nothing, so that the
// leads can sign at the same data directory.
import { Failure } from '../base/failure.ts'
import type { Service } from '../decisions/service.ts'
import { challengeLimits } from '../dossier/challenge.ts'
import { actionViewSchema, type ActionView, type ActionWish } from '../wire/actions.ts'
import { whileWriting } from './administer.ts'
import type { Context, TenantFlags } from './command.ts'
import { exitCodes, Usage } from './complain.ts'
import { listenForInterrupt, signalExit, type Interrupt } from './interrupt.ts'
import { findOpenRequest, sayingOf } from './open-request.ts'
import { localPrincipal } from './principal.ts'
import { date, jsonLine } from './terminal.ts'

/** Flags of a command that may take two keys. */
export interface TwoKeyFlags extends TenantFlags {
  /** Id of the action that was signed. */
  readonly action?: string
  readonly justification?: string
  readonly wait?: boolean
}

const pollMs = 1000

const isRequired = (error: unknown): boolean =>
  error instanceof Failure && error.code === 'ACTION_REQUIRED'

const howToSign = (id: string, tenant: string): string => {
  const of = tenant === 'default' ? '' : ` --tenant ${tenant}`
  return [
    'A risk lead and a security lead must sign this, neither of them you:',
    `  countersign action sign ${id}${of} --role risk_lead --key FILE`,
    `  countersign action sign ${id}${of} --role security_lead --ssh KEY`,
    `  or whatever signs the text that countersign action challenge ${id}${of} prints`,
    '',
  ].join('\n')
}

/** Tells of a request that goes on, and that what was said for it stays. */
function tellOfFound({ err }: Context, view: ActionView, justification: string | undefined): void {
  const { action, approveBy, executeBy, status } = view
  const until = date(status === 'approved' ? executeBy : approveBy)
  err.note(`Your request for exactly this is open already, ${status} until ${until}: ${action}\n`)
  if (justification !== undefined && justification !== sayingOf(view).justification)
    err.note(
      `Its justification stays as it was; for another one take it back first: countersign action revoke ${action} --reason TEXT\n`,
    )
}

/** The request of before where it is still open, or else another. */
async function open(
  context: Context,
  flags: TwoKeyFlags,
  wishOf: (service: Service) => Promise<ActionWish>,
): Promise<ActionView> {
  const view = await whileWriting(context, flags, async (service) => {
    const wish = await wishOf(service)
    const principal = await localPrincipal(service, flags.tenant)
    const found = await findOpenRequest(service, principal, wish)
    if (found !== undefined) {
      tellOfFound(context, found, flags.justification)
      return found
    }
    const said = 'reason' in wish ? wish.reason : undefined
    const justification = flags.justification ?? said?.slice(0, challengeLimits.justification)
    if (justification === undefined)
      throw new Usage('Two leads must sign this first: say why, for them: --justification')
    return actionViewSchema.parse(await service.openAction(principal, { justification, wish }))
  })
  const { err, out } = context
  if (view.status === 'approved') return view
  if (flags.json === true) await out.write(jsonLine(view))
  else await out.write(`action  ${view.action}  ${view.status}\n`)
  err.note(`${view.challenge}\n${howToSign(view.action, flags.tenant)}`)
  return view
}

/** Resolves after a while, or at once when somebody interrupts. */
const pause = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, pollMs)
    const stop = (): void => {
      clearTimeout(timer)
      resolve()
    }
    signal.addEventListener('abort', stop, { once: true })
  })

/** How it stands with an action; undefined while another process has the data directory. */
async function peek(
  context: Context,
  flags: TwoKeyFlags,
  id: string,
): Promise<ActionView | undefined> {
  try {
    return await whileWriting(context, flags, async (service) =>
      actionViewSchema.parse(await service.readAction(flags.tenant, id)),
    )
  } catch (error) {
    if (error instanceof Failure && error.code === 'STORE_LOCKED') return undefined
    throw error
  }
}

/** Waits until both have signed; false when somebody interrupts. @throws {@link Failure} ACTION_REFUSED when it is over */
async function waitFor(
  context: Context,
  flags: TwoKeyFlags,
  id: string,
  interrupt: Interrupt,
): Promise<boolean> {
  let signed = 0
  context.err.note('Waiting for their signatures; Ctrl-C leaves the request open\n')
  for (;;) {
    await pause(interrupt.signal)
    if (interrupt.received !== undefined) return false
    const view = await peek(context, flags, id)
    if (view === undefined) continue
    if (view.signatures.length > signed) {
      signed = view.signatures.length
      const newest = view.signatures.at(-1)
      context.err.note(`Signed by ${newest?.person ?? ''} as ${newest?.role ?? ''}\n`)
    }
    if (view.status === 'approved' && !view.void) return true
    if (view.void || (view.status !== 'pending' && view.status !== 'partial'))
      throw new Failure('ACTION_REFUSED', `Action is ${view.void ? 'void' : view.status}: ${id}`)
  }
}

function checkJustification(text: string | undefined): void {
  const most = challengeLimits.justification
  if (text !== undefined && (text === '' || text.length > most))
    throw new Usage(`A justification has 1 to ${most} characters: --justification`)
}

/**
 * Does something that may take two keys.
 * @param work does it, under an action where one is given
 */
export async function underTwoKeys(
  context: Context,
  flags: TwoKeyFlags,
  wishOf: (service: Service) => Promise<ActionWish>,
  work: (action: string | undefined) => Promise<number>,
): Promise<number> {
  checkJustification(flags.justification)
  try {
    return await work(flags.action)
  } catch (error) {
    if (!isRequired(error) || flags.action !== undefined) throw error
  }
  const { action, status } = await open(context, flags, wishOf)
  if (status === 'approved') return work(action)
  const again = `The request stays open. When both have signed: the same command with --action ${action}\n`
  if (flags.wait !== true) {
    context.err.note(again)
    return exitCodes.notNow
  }
  const interrupt = listenForInterrupt(context.io.signals)
  try {
    if (await waitFor(context, flags, action, interrupt)) return await work(action)
    context.err.note(again)
    return signalExit[interrupt.received ?? 'SIGINT']
  } finally {
    interrupt.stop()
  }
}
