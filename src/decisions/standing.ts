// What a decision is now, besides what it was made as: an override or an escalation may have made it something else. Lists have it from the database,
// which each step tells in the transaction that appends it; one decision's from its own stream.
import { leadRoles, parseChallenge, type Challenge } from '../dossier/challenge.ts'
import { isOverrideEvent } from '../dossier/override-events.ts'
import type { Effect, Standing, StandingWay, StoredEntry } from '../store/store.ts'
import type { EscalationStatus } from '../verify/escalation-story.ts'
import type { RequestStatus } from '../verify/two-key-story.ts'
import { matterOf } from './checked.ts'

/** What a decision is now, and by what; both null where it was erased. */
export interface InForce {
  readonly inForce: string | null
  readonly by: 'decision' | StandingWay | null
  /** State of the newest request to overrule it. */
  readonly override: string | null
  /** State of its escalation. */
  readonly escalation: string | null
}

/** The state in which one ends up whose time has passed without anybody telling. */
const lapsed: Readonly<Record<StandingWay, string>> = {
  escalation: 'timed-out',
  override: 'expired',
}

function stateOf(standings: readonly Standing[], way: StandingWay, now: number): string | null {
  const standing = standings.find((one) => one.way === way)
  if (standing === undefined) return null
  const { state, until } = standing
  return until !== null && until < now ? lapsed[way] : state
}

/**
 * What a decision is now.
 * @param status as it was made; null when it was erased
 * @param standings the one that was stepped last at the end
 * @param now ms since 1970
 */
export function inForceOf(
  status: string | null,
  standings: readonly Standing[],
  now: number,
): InForce {
  const last = standings.findLast((one) => one.status !== null)
  const erased = status === null
  return {
    by: erased ? null : (last?.way ?? 'decision'),
    escalation: erased ? null : stateOf(standings, 'escalation', now),
    inForce: erased ? null : (last?.status ?? status),
    override: erased ? null : stateOf(standings, 'override', now),
  }
}

/** How it stands with a request to overrule. */
export function overrideStanding(
  { approveBy, executeBy }: Pick<Challenge, 'approveBy' | 'executeBy'>,
  status: RequestStatus,
): Standing {
  const waits = status === 'pending' || status === 'partial'
  return {
    state: status,
    status: status === 'executed' ? 'ALLOW' : null,
    until: waits ? approveBy : status === 'approved' ? executeBy : null,
    way: 'override',
  }
}

const forced = {
  approved: 'ALLOW',
  pending: null,
  rejected: 'BLOCK',
  'timed-out': 'BLOCK',
} as const

/**
 * How it stands with an escalation.
 * @param deadline null where it does not wait
 */
export const escalationStanding = (state: EscalationStatus, deadline: number | null): Standing => ({
  state,
  status: forced[state],
  until: state === 'pending' ? deadline : null,
  way: 'escalation',
})

/** Tells the database how it stands with a decision after a step of its stream. */
export const stands = (stream: string, standing: Standing): Effect => ({
  standing,
  stream,
  type: 'standing',
})

/** How it stands with overruling a decision, as its checked entries tell it; undefined where nobody asked. */
function overrideOf(entries: readonly StoredEntry[]): (Standing & { step: number }) | undefined {
  let standing: (Standing & { step: number }) | undefined
  let challenge: Challenge | string = ''
  let signed = 0
  for (const entry of entries) {
    const matter =
      entry.kind === 'override'
        ? matterOf(entry, 'override')
        : entry.kind === 'approval'
          ? matterOf(entry, 'approval')
          : undefined
    if (matter === undefined || !isOverrideEvent(matter)) continue
    if (matter.event === 'opened') [challenge, signed] = [parseChallenge(matter.challenge), 0]
    if (matter.event === 'signed') signed++
    if (typeof challenge === 'string') continue
    const { event } = matter
    const after = signed < leadRoles.length ? 'partial' : 'approved'
    const status = event === 'opened' ? 'pending' : event === 'signed' ? after : event
    standing = { ...overrideStanding(challenge, status), step: entry.index }
  }
  return standing
}

/** How it stands with the escalation of a decision, as its checked entries tell it; undefined where it was not held. */
function escalationOf(entries: readonly StoredEntry[]): (Standing & { step: number }) | undefined {
  let standing: (Standing & { step: number }) | undefined
  for (const entry of entries) {
    const matter = entry.kind === 'escalation' ? matterOf(entry, 'escalation') : undefined
    if (matter === undefined) continue
    const { event } = matter
    const state = event === 'opened' ? 'pending' : event
    const deadline = event === 'opened' ? matter.deadline : null
    standing = { ...escalationStanding(state, deadline), step: entry.index }
  }
  return standing
}

/** How it stands with a decision in each way, as its checked entries tell it, the one that was stepped last at the end. */
export const standingsOf = (
  entries: readonly StoredEntry[],
): readonly (Standing & { readonly step: number })[] =>
  [overrideOf(entries), escalationOf(entries)]
    .flatMap((one) => one ?? [])
    .sort((a, b) => a.step - b.step)
