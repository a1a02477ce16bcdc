// Deciding on an intent by the policies of a tenant. The decision is made in the turn in which it goes on its way into the log, and is refused there when
// something has happened to the policies meanwhile: each decision follows from those that count where it stands.
import { z } from 'zod'
import { canonicalize } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import { escalationLimits } from '../dossier/escalation-events.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import { decide, type Decided } from '../policy/decide.ts'
import type { DecisionRequest, EvaluationRequest } from '../wire/decision.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { epochOf, readBook } from './policy-book.ts'
import type { Room } from './room.ts'
import type { Bound } from './service.ts'

/** A decision that was made, by whoever sends it or here. */
export interface MadeDecision extends Omit<DecisionRequest, 'confidence' | 'policies'> {
  readonly confidence?: DecisionMatter['confidence'] | undefined
  readonly policies?: DecisionMatter['policies'] | undefined
  /** When it was made, ms since 1970; now unless said. */
  readonly time?: number
  /** Why it may not be entered any more. */
  readonly refuseAt?: () => Failure | undefined
}

type Asked = Omit<EvaluationRequest, 'idempotencyKey'>

/** The canonical text of a request to decide, by which it is known again. */
export const canonicalIntent = ({
  intent,
  links = {},
  maxUses,
  mode = 'enforce',
  supports,
}: Asked): string =>
  canonicalize({
    evaluate: { intent, links, maxUses: maxUses ?? null, mode, supports: supports ?? null },
  })

/** How long a reviewer may take by what policies say, in seconds. */
const reviewSeconds = (deadline: number): number =>
  Math.min(Math.max(deadline, escalationLimits.least / 1000), escalationLimits.most / 1000)

/** How long a hold waits: who asks may shorten what policies give, and say it himself only where they say nothing. */
function withinSeconds(asked: number | undefined, deadline: number | null): number | undefined {
  if (deadline === null) return asked
  return Math.min(asked ?? Infinity, reviewSeconds(deadline))
}

/** What a caller is bound to that is bound to nothing. */
const free: Bound = Object.freeze({ environment: null, policies: [] })

function decideNow(
  active: readonly ActivePolicy[],
  { intent, supports }: Asked,
  time: number,
  { environment, policies }: Bound = free,
): Decided {
  return decide({
    active,
    boundRefs: policies,
    facts: environment === null ? {} : { environment },
    request: intent,
    time,
    ...(supports === undefined ? {} : { supports }),
  })
}

/** The decision on a request by policies at a time, ms since 1970. */
export function makeDecision(
  active: readonly ActivePolicy[],
  request: Asked,
  time: number,
  bound?: Bound,
): MadeDecision & { readonly time: number } {
  const { deadlineSeconds, ...decided } = decideNow(active, request, time, bound)
  const { decideWithinSeconds, intent, links, maxUses, mode } = request
  const within = withinSeconds(decideWithinSeconds, deadlineSeconds)
  return {
    ...decided,
    intent,
    obligations: [...decided.obligations],
    reasons: [...decided.reasons],
    policies: [...decided.policies],
    gates: [...decided.gates],
    mode: mode === 'shadow' ? 'shadow' : 'enforce',
    time,
    ...(links === undefined ? {} : { links }),
    ...(maxUses === undefined ? {} : { maxUses }),
    ...(within === undefined ? {} : { decideWithinSeconds: within }),
  }
}

const madeUnder = z.looseObject({
  boundRefs: z.array(z.string()),
  facts: z.looseObject({ environment: z.string().optional() }),
})

/** Whether a decision was made under what a caller is bound to: one owner may have keys with different bonds. Of what was not decided by policies there is none to tell. */
export function isMadeUnder(
  { source, status, trace }: DecisionMatter,
  { environment, policies }: Bound = free,
): boolean {
  const { data } = madeUnder.safeParse(trace)
  // A failed evaluation tells nothing of bonds, and allows nothing.
  if (source !== 'evaluated' || status === 'ERROR' || data === undefined) return true
  return (
    (data.facts.environment ?? null) === environment &&
    canonicalize(data.boundRefs) === canonicalize(policies)
  )
}

/** Why what was decided in an epoch may not be entered any more: other policies count. */
export const staleSince =
  (room: Room, epoch: string): (() => Failure | undefined) =>
  () =>
    epochOf(room) === epoch
      ? undefined
      : new Failure('LOG_CONFLICT', 'Policies have changed meanwhile: try again')

/** The decision on a request by the policies of now. @throws {@link Failure} STORE_CORRUPT */
export async function evaluateRequest(
  room: Room,
  request: Asked,
  bound?: Bound,
): Promise<MadeDecision> {
  const read = readBook(room)
  const { active, epoch } = read instanceof Promise ? await read : read
  return {
    ...makeDecision(active, request, room.clock(), bound),
    refuseAt: staleSince(room, epoch),
  }
}

/** JSON text of what a decision would be now. @throws {@link Failure} STORE_CORRUPT */
export async function dryRun(room: Room, request: Asked, bound?: Bound): Promise<string> {
  const { active } = await readBook(room)
  const decided = decideNow(active, request, room.clock(), bound)
  const { confidence, gates, obligations, overridable, policies, reasons, status, trace } = decided
  const told = { confidence, gates, obligations, overridable, policies, reasons, status, trace }
  return canonicalize({ ...told, dryRun: true })
}
