// What the stream of an action tells: its steps are lived through again, each by the guards that the workflow had to ask, at the leaf time and under the
// roster that counted at its index. That the effect was carried out once stands in the entry that names it, and is held against it by fsck.
import { readEffect, type ActionEffect } from '../dossier/action-effects.ts'
import { parseChallenge } from '../dossier/challenge.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import { advanceAction } from './action-story.ts'
import { countingRosterAt, isLaterRoster } from './check-rosters.ts'
import { readOverrideStep, type OverrideGround } from './judge-overrides.ts'
import type { ActionReport, Checks } from './report.ts'
import { isOpen, type TwoKeyRequest } from './two-key-story.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** What the stream of an action tells. */
export interface ToldAction {
  /** The request, as far as it could be told; undefined when its opening may not have happened. */
  readonly request: TwoKeyRequest | undefined
  /** Leaf index of its execution. */
  readonly executedAt: number | undefined
  /** Why it could not be told to the end. */
  readonly stop: { readonly outcome: 'fail' | 'inconclusive'; readonly reason: string } | undefined
}

type Stop = NonNullable<ToldAction['stop']>

const failed = (seq: number, what: string): Stop => ({
  outcome: 'fail',
  reason: `Step ${seq}${what}`,
})

/** Why an event is under a roster that a trust root may not know yet. */
function laterRoster(
  ground: OverrideGround,
  before: TwoKeyRequest | undefined,
  event: OverrideEvent,
  index: number,
): Stop | undefined {
  const named = event.event === 'opened' ? parseChallenge(event.challenge) : before?.challenge
  if (typeof named !== 'object' || !isLaterRoster(ground, named.roster.version, index))
    return undefined
  return {
    outcome: 'inconclusive',
    reason: `Roster is not known to a trust root of size ${ground.asOf.size}: version ${named.roster.version}`,
  }
}

/** Lives through the stream of an action. */
export function tellAction(
  ground: OverrideGround,
  stream: string,
  entries: readonly JudgedEntry[],
): ToldAction {
  const requests = new Map<string, TwoKeyRequest>()
  let executedAt: number | undefined
  const told = (stop?: Stop): ToldAction => ({
    executedAt,
    request: [...requests.values()][0],
    stop,
  })
  for (const { index, leaf, statement } of entries) {
    const step = readOverrideStep(leaf.kind, statement?.predicate.matter)
    if (step === undefined) return told(failed(leaf.seq, ' cannot be read'))
    const { by, event } = step
    const before = requests.get(event.request)
    const later = laterRoster(ground, before, event, index)
    if (later !== undefined) return told(later)
    const counting = countingRosterAt(ground, index)
    if (counting === undefined)
      return told(failed(leaf.seq, `: no roster counts at index ${index}`))
    const others = [...requests].flatMap(([name, other]) => (name === event.request ? [] : [other]))
    const next = advanceAction(before, event, {
      owner: by?.owner ?? null,
      place: ground,
      // One that is over takes its stream with it.
      rivals: { executed: others.some((other) => !isOpen(other)), open: others.some(isOpen) },
      roster: counting.roster,
      rosterSha256: counting.sha256,
      stream,
      time: leaf.time,
    })
    if (typeof next === 'string') return told(failed(leaf.seq, ` (${event.event}): ${next}`))
    requests.set(event.request, next)
    if (event.event === 'executed') executedAt = index
  }
  return told()
}

/** The effect that a request asks for; its opening has made sure that it is one. */
export function effectOfRequest({ challenge }: TwoKeyRequest): ActionEffect | undefined {
  const effect = readEffect(challenge.effect)
  return typeof effect === 'string' ? undefined : effect
}

/** Judges the entries of the stream of an action. */
export function judgeAction(
  checks: Checks,
  section: OriginSection,
  stream: string,
  entries: readonly JudgedEntry[],
): ActionReport | null {
  const name = 'stream.action'
  const { request, stop } = tellAction(section, stream, entries)
  if (stop !== undefined) checks.add(name, stop.outcome, stop.reason)
  const effect = request && effectOfRequest(request)
  if (stop !== undefined || request === undefined || effect === undefined) return null
  const { challenge, signatures, status } = request
  checks.add(name, 'pass', `${entries.length} steps, the action ${effect.action} is ${status}`)
  const { approveBy, executeBy, nonce, roster } = challenge
  return {
    approveBy,
    effect,
    executeBy,
    request: nonce,
    roster: roster.version,
    signatures,
    status,
  }
}
