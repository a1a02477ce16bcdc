// The stream `control` of a log: dual control begun, dual control ended, the tenant closed. What has begun ends by two leads alone: the host's own
// setting can only begin it, and whoever flips that finds it without effect.
import { Failure } from '../base/failure.ts'
import type { AdminMatter, Caller } from '../dossier/matters.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { advanceControl } from '../verify/control-story.ts'
import { enterAllowed, requireApprovedAction, type Leave } from './control.ts'
import { readControl } from './control-reading.ts'
import type { ControlView } from '../wire/actions.ts'
import { enterNow, expectNotClosed, type Room } from './room.ts'
import { publishNow, publishTrustRoot } from './trust.ts'

const alone = <T>(room: Room, work: () => Promise<T>): Promise<T> =>
  room.gate.alone(() => room.log.idle(), work)

const actOf = (
  { clock, tenant }: Room,
  action: AdminMatter['action'],
  detail: AdminMatter['detail'],
  by: Caller,
): AdminMatter => ({ action, by, detail, subject: tenant.name, time: clock() })

/** Begins dual control where it has not begun, and a roster counts; for whoever is alone with the log, and publishes the trust root then. */
export async function beginControlNow(room: Room, by: Caller): Promise<void> {
  const { place, roster, story } = await readControl(room)
  if (roster === undefined || story.from !== undefined) return
  const matter = actOf(room, 'control.set', { dualControl: 'all' }, by)
  await enterNow(room, { kind: 'admin', matter, ...place })
}

/** What of a room that was just opened follows from its stream `control`; begins dual control where the installation demands it. */
export async function admitControl(room: Room, demanded: boolean, by: Caller): Promise<void> {
  const { roster, story } = await readControl(room)
  if (story.closedAt !== undefined) room.gate.isClosed = true
  else if (demanded && roster !== undefined && story.from === undefined)
    await alone(room, async () => {
      await beginControlNow(room, by)
      await publishNow(room)
    })
}

/** Enters an act of the stream `control` that was allowed. */
const enterAct = (
  room: Room,
  leave: Leave,
  matter: AdminMatter,
): Promise<{ readonly index: number }> =>
  alone(room, async () => {
    const { place, roster, story } = await readControl(room)
    const told = { ...matter, control: leave.control }
    const next = advanceControl(story, told, room.log.head.size, roster !== undefined)
    if (typeof next === 'string') throw new Failure('ACTION_REFUSED', next)
    const { appended } = await enterAllowed(room, leave, { kind: 'admin', matter, ...place })
    // Before the gate opens again: whoever waits there is to find it so.
    if (next.closedAt !== undefined) room.gate.isClosed = true
    return { index: appended.index }
  })

/**
 * Closes a tenant for ever: nothing is decided there any more, and its log can be read as before.
 * @throws {@link Failure} TENANT_CLOSED when it is, ACTION_REQUIRED, ACTION_REFUSED
 */
export async function closeTenant(
  room: Room,
  reason: string,
  by: Caller,
  action?: string,
): Promise<{ readonly index: number }> {
  expectNotClosed(room)
  const leave = await requireApprovedAction(room, { action: 'tenant.close', reason }, by, action)
  return enterAct(room, leave, actOf(room, 'tenant.close', { reason }, by))
}

/**
 * Ends dual control of a log.
 * @throws {@link Failure} INPUT_INVALID where there is none, ACTION_REQUIRED, ACTION_REFUSED
 */
export async function endControl(
  room: Room,
  reason: string,
  by: Caller,
  action?: string,
): Promise<{ readonly index: number }> {
  if ((await readControl(room)).story.from === undefined)
    throw new Failure('INPUT_INVALID', `Tenant is not under dual control: ${room.tenant.name}`)
  const leave = await requireApprovedAction(room, { action: 'control.none', reason }, by, action)
  const detail = { dualControl: 'none', reason }
  const entered = await enterAct(room, leave, actOf(room, 'control.set', detail, by))
  await publishTrustRoot(room)
  return entered
}

/** Whether two leads are demanded, and how often nobody could be asked. */
export async function viewControl(room: Room): Promise<ControlView> {
  const { log, store, tenant } = room
  const { roster, story } = await readControl(room)
  const keys = await readCheckedStream(store, tenant.name, 'keys', log.head)
  const breakGlass = keys.filter((entry) => {
    const control = matterOf(entry, 'key')?.control
    return control !== undefined && 'waived' in control && control.waived === 'break-glass'
  }).length
  return {
    breakGlass,
    closedAt: story.closedAt ?? null,
    dualControl: story.from === undefined ? 'none' : 'all',
    from: story.from ?? null,
    roster: roster?.version ?? null,
  }
}
