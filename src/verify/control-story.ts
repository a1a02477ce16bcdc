// Whether a log is under dual control, told by its stream `control`: from a setting on it takes two leads to do what could undo evidence, and two leads
// to end that. The host's own setting can only begin it.
import { z } from 'zod'
import type { Control } from '../dossier/control.ts'
import type { AdminMatter, KeyMatter } from '../dossier/matters.ts'

/** What the stream has told. */
export interface ControlStory {
  /** Leaf index from which on two leads are demanded; undefined while they are not. */
  readonly from: number | undefined
  /** Leaf index of the entry that closed the tenant; undefined while it is open. */
  readonly closedAt: number | undefined
}

/** The story before anything has happened. */
export const notControlled: ControlStory = Object.freeze({ closedAt: undefined, from: undefined })

const setting = z.strictObject({
  dualControl: z.enum(['all', 'none']),
  reason: z.string().min(1).max(2048).optional(),
})
const closing = z.strictObject({ reason: z.string().min(1).max(2048) })

/** By what right something guarded is done that is told in a place, or why it lacks one; `hasRoster` says whether a roster counts there. */
export function controlProblem(
  { from }: ControlStory,
  hasRoster: boolean,
  control: Control | undefined,
): string | undefined {
  if (control !== undefined && 'action' in control) return undefined
  if (control?.waived === 'no roster' && hasRoster)
    return 'It says that there was no roster, and there was one'
  if (from === undefined || !hasRoster) return undefined
  const said = control === undefined ? 'no approved action' : control.waived
  return `Two leads must sign such a thing from index ${from} on, and it names ${said}`
}

/** What an entry of the stream makes of the story, or why it may not stand there. */
export function advanceControl(
  story: ControlStory,
  { action, control, detail }: AdminMatter,
  index: number,
  hasRoster: boolean,
): ControlStory | string {
  if (action === 'tenant.close') {
    if (story.closedAt !== undefined) return 'Tenant was closed already'
    if (!closing.safeParse(detail).success) return 'Why the tenant was closed cannot be read'
    return controlProblem(story, hasRoster, control) ?? { ...story, closedAt: index }
  }
  if (action !== 'control.set') return `Not an act of this stream: ${action}`
  const set = setting.safeParse(detail)
  if (!set.success) return 'Setting of dual control cannot be read'
  if (set.data.dualControl === 'all')
    return story.from === undefined
      ? { ...story, from: index }
      : 'Log is under dual control already'
  if (story.from === undefined) return 'Log is not under dual control'
  return controlProblem(story, hasRoster, control) ?? { ...story, from: undefined }
}

/** Why slots that say `rewrap` are none of that, or undefined: `before` are the kinds of provider that opened the master key until then, where that is told. */
export function rewrapProblem(
  before: readonly string[] | undefined,
  now: readonly string[],
): string | undefined {
  const same =
    before === undefined ||
    (before.every((provider) => now.includes(provider)) &&
      now.every((provider) => before.includes(provider)))
  return same ? undefined : 'It says that the providers are those of before, and they are others'
}

/** Whether what an entry of the stream `keys` tells is guarded: it takes two keys, or a word why it takes none. */
export const isGuardedKeyEvent = ({
  event,
  purpose,
}: Pick<KeyMatter, 'event' | 'purpose'>): boolean =>
  event === 'revoked' ||
  event === 'slots' ||
  (event === 'activated' && purpose === 'master') ||
  (event === 'destroyed' && purpose !== 'master' && purpose !== 'log')
