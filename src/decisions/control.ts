// Two keys for what could undo evidence. Whether a log is under dual control stands in its stream `control`; whoever carries out something guarded asks
// here first, and gets what its entry says of who allowed it together with the step that uses the approval up, which stands in the same commit:
//
//   const leave = await requireApprovedAction(room, effect, caller, action)     throws ACTION_REQUIRED where two leads must sign and have not
//   await room.gate.alone(() => room.log.idle(), () => enterAllowed(room, leave, draft))
//
// An activation of a policy plugs in like that, with the effect { action: 'policy.activate', bundle, scope }; `control` must be a member of its matter
// (`controlSchema.optional()`), and `action` is the id that its caller gives along. What is told of the entry later is checked by `fsck-control.ts`.
import { Failure } from '../base/failure.ts'
import { canonicalize } from '../base/canonical-json.ts'
import {
  challengeDigest,
  effectDifference,
  isSameEffect,
  type ActionEffect,
} from '../dossier/action-effects.ts'
import type { Control, Waiver } from '../dossier/control.ts'
import type { Caller } from '../dossier/matters.ts'
import { rosterDigest } from '../dossier/roster.ts'
import { advanceAction } from '../verify/action-story.ts'
import { announce } from './announce.ts'
import { readStandingAction, type StandingAction } from './action-reading.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { readControl } from './control-reading.ts'
import { nextPlace } from './follow-up.ts'
import { enterTogether, type Draft, type Entered, type Room } from './room.ts'
import { placeOf } from './roster-story.ts'

/** What lets something guarded be done. */
export interface Leave {
  /** What the entry that does it says of that. */
  readonly control: Control
  /**
   * The step that uses the approval up, if any, which must stand in the commit of that entry; for whoever is alone with the log.
   * @throws {@link Failure} ACTION_REFUSED when it was taken back, expired or used since, ACTION_REQUIRED when two leads are demanded since
   */
  readonly using: () => Promise<readonly Draft[]>
}

/** Leave for what must not wait for anybody, or takes nobody. */
export const waived = (why: Waiver): Leave => ({
  control: { waived: why },
  using: () => Promise.resolve([]),
})

const refused = (why: string): Failure => new Failure('ACTION_REFUSED', why)

/** That two leads must sign, and how to ask them. */
const required = (effect: ActionEffect): Failure =>
  new Failure(
    'ACTION_REQUIRED',
    `Two leads must sign this first: ask them by countersign or POST /v1/actions, and come again with the id of the action. ${canonicalize(effect)}`,
  )

/** Leave without anybody's signature, asked again when it is used: a roster may have come meanwhile. */
async function waivedLeave(room: Room, effect: ActionEffect): Promise<Leave> {
  const waive = async (): Promise<Control> => {
    const { roster, story } = await readControl(room)
    if (roster === undefined) return { waived: 'no roster' }
    if (story.from === undefined) return { waived: 'not controlled' }
    throw required(effect)
  }
  const control = await waive()
  return {
    control,
    using: async () => {
      if (canonicalize(await waive()) !== canonicalize(control))
        throw new Failure('LOG_CONFLICT', 'A roster has come meanwhile: try again')
      return []
    },
  }
}

/** An action that was approved for exactly this. @throws {@link Failure} ACTION_REFUSED, INPUT_NOT_FOUND */
async function readFor(room: Room, effect: ActionEffect, id: string): Promise<StandingAction> {
  const standing = await readStandingAction(room, id)
  if (isSameEffect(standing.effect, effect)) return standing
  const other = effectDifference(effect, standing.effect) ?? ''
  const done = standing.request.status === 'executed' ? ', and is executed already' : ''
  throw refused(`Action was signed for something else, by its ${other}${done}: ${id}`)
}

/** Where that stands which is guarded, but for the content of decisions, which is erased once anyhow. */
const guarded = [
  ['control', 'admin'],
  ['keys', 'key'],
  ['policies', 'policy'],
] as const

/** Whether an entry has come by an action: the action's own last step may be gone from the database, but not the ends of these streams. */
async function isUsed({ log, store, tenant }: Room, action: string): Promise<boolean> {
  for (const [stream, kind] of guarded)
    for (const entry of await readCheckedStream(store, tenant.name, stream, log.head)) {
      const matter = matterOf(entry, kind)
      const control = matter !== undefined && 'control' in matter ? matter.control : undefined
      if (control !== undefined && 'action' in control && control.action === action) return true
    }
  return false
}

/** The step by which an approved action is used up. @throws {@link Failure} ACTION_REFUSED */
function executedDraft(room: Room, standing: StandingAction, by: Caller): Draft {
  const { entries, id, request, roster, stream } = standing
  if (roster === undefined) throw refused('There is no roster')
  const event = {
    event: 'executed' as const,
    maxUses: 1 as const,
    request: request.challenge.nonce,
    status: 'ALLOW' as const,
  }
  const refuseAt = (time: number): Failure | undefined => {
    const next = advanceAction(request, event, {
      owner: by.owner,
      place: placeOf(room),
      rivals: { executed: false, open: false },
      roster,
      rosterSha256: rosterDigest(roster),
      stream,
      time,
    })
    return typeof next === 'string' ? refused(next) : undefined
  }
  const time = Math.max(room.clock(), room.log.head.time)
  const refusal = refuseAt(time)
  if (refusal !== undefined) throw refusal
  return {
    effects: [announce(room, 'action.executed', { action: id, request: event.request })],
    kind: 'override',
    matter: { ...event, by, time },
    refuseAt,
    ...nextPlace(entries),
  }
}

/**
 * What lets an effect be carried out: two leads have signed exactly it, or nobody need sign.
 * @param action id of the action that was signed
 * @param mayResume whether what was begun under the action and cut off may go on
 * @throws {@link Failure} ACTION_REQUIRED, ACTION_REFUSED, INPUT_NOT_FOUND
 */
export async function requireApprovedAction(
  room: Room,
  effect: ActionEffect,
  by: Caller,
  action?: string,
  mayResume: (stream: string) => Promise<boolean> = () => Promise.resolve(false),
): Promise<Leave> {
  if (action === undefined) return waivedLeave(room, effect)
  const using = async (): Promise<readonly Draft[]> => {
    const standing = await readFor(room, effect, action)
    const isBegun = standing.request.status === 'executed'
    if (isBegun && (await mayResume(standing.stream))) return []
    if (!isBegun && (await isUsed(room, standing.stream)))
      throw refused(`Action was used already: ${action}`)
    return [executedDraft(room, standing, by)]
  }
  await using()
  const { request, stream } = await readFor(room, effect, action)
  return { control: { action: stream, sha256: challengeDigest(request.text) }, using }
}

/**
 * Enters what was allowed, together with the step that uses the approval up; for whoever is alone with the log.
 * @throws {@link Failure} as `Leave.using` and {@link enterTogether}
 */
export async function enterAllowed(room: Room, leave: Leave, draft: Draft): Promise<Entered> {
  const { control } = leave
  const allowed = { ...draft, matter: { ...draft.matter, control } }
  const entered = await enterTogether(room, [...(await leave.using()), allowed])
  const last = entered.at(-1)
  if (last === undefined) throw new Failure('BUG', 'Nothing was entered')
  return last
}
