// What a decision's stream tells of overruling it: its steps are lived through again, each by the guards that the workflow had to ask, at the leaf time
// and under the roster that counted at its index.
import { parseChallenge } from '../dossier/challenge.ts'
import { matters, type Caller, type DecisionMatter } from '../dossier/matters.ts'
import { isOverrideEvent, type OverrideEvent } from '../dossier/override-events.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import { countingRosterAt, isLaterRoster } from './check-rosters.ts'
import { advanceOverride, type OverrideScene } from './override-story.ts'
import type { Checks, OverrideReport } from './report.ts'
import { isOpen, type TwoKeyRequest } from './two-key-story.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** A step as its entry tells it. */
interface OverrideStep {
  readonly event: OverrideEvent
  /** Who called; null when the log's own clock did it. */
  readonly by: Caller | null
}

/** The step of an entry's matter, or undefined when it is none. */
export function readOverrideStep(kind: string, matter: unknown): OverrideStep | undefined {
  const parsed =
    kind === 'approval' ? matters.approval.safeParse(matter) : matters.override.safeParse(matter)
  if (!parsed.success) return undefined
  const { by, ...told } = parsed.data
  return isOverrideEvent(told) ? { by, event: told } : undefined
}

/** All requests about one decision, by their nonces, in the order in which they were opened. */
export type OverrideRequests = ReadonlyMap<string, TwoKeyRequest>

/**
 * Whether requests other than one are open, or were executed.
 * @param approved whether a reviewer has made the decision an ALLOW, which is used once like that of two leads
 */
export function rivalsOf(
  requests: OverrideRequests,
  request: string,
  approved: boolean,
): OverrideScene['rivals'] {
  const others = [...requests].flatMap(([name, other]) => (name === request ? [] : [other]))
  return {
    executed: approved || others.some(({ status }) => status === 'executed'),
    open: others.some(isOpen),
  }
}

/** What came of the requests about a decision. */
export interface JudgedOverrides {
  /** The step from which on the decision is an ALLOW for one use; undefined where it is not. */
  readonly executedAt: number | undefined
  /** Whether it cannot be said what came of them. */
  readonly unknown: 'erased' | 'inconclusive' | undefined
  readonly report: OverrideReport | null
}

const nothing: JudgedOverrides = Object.freeze({
  executedAt: undefined,
  report: null,
  unknown: undefined,
})

const isStep = ({ leaf }: JudgedEntry): boolean =>
  leaf.kind === 'override' || leaf.kind === 'approval'

function reportOf(requests: OverrideRequests): OverrideReport | null {
  const all = [...requests]
  const told = all.find(([, { status }]) => status === 'executed') ?? all.at(-1)
  if (told === undefined) return null
  const [request, { challenge, signatures, status }] = told
  const { approveBy, executeBy, roster } = challenge
  return { approveBy, executeBy, request, roster: roster.version, signatures, status }
}

/** The log, and the rosters that count in it, as far as they are known. */
export type OverrideGround = Pick<
  OriginSection,
  'asOf' | 'instance' | 'origin' | 'rosters' | 'tenant'
>

/** Why a telling came to its end. */
interface Stop {
  readonly outcome: 'fail' | 'inconclusive'
  readonly reason: string
}

/** The telling of one stream, step by step. */
class Telling {
  readonly requests = new Map<string, TwoKeyRequest>()
  #open = 0
  #executed = 0
  readonly #ground: OverrideGround
  #decision: OverrideScene['decision']
  executedAt: number | undefined
  /** Whether a reviewer has made the decision an ALLOW; whether he could is judged by itself. */
  approved = false
  stop: Stop | undefined

  constructor(ground: OverrideGround, decision: OverrideScene['decision']) {
    this.#ground = ground
    this.#decision = decision
  }

  /** Whether the telling goes on. */
  tell(entry: JudgedEntry): boolean {
    const { leaf, statement } = entry
    const matter = statement?.predicate.matter
    if (leaf.kind === 'erasure') {
      if (matters.erasure.safeParse(matter).data?.seqs.includes(0) === true)
        this.#decision = undefined
      return true
    }
    if (leaf.kind === 'escalation') {
      this.approved ||= matters.escalation.safeParse(matter).data?.event === 'approved'
      return true
    }
    const step = readOverrideStep(leaf.kind, matter)
    if (step === undefined) {
      // What is there and cannot be read has failed already.
      if (matters.approval.safeParse(matter).success)
        this.stop = { outcome: 'fail', reason: `Step ${leaf.seq} is of a proposal` }
      return false
    }
    this.stop = this.#happen(entry, step)
    return this.stop === undefined
  }

  /** As {@link rivalsOf}, by counting: a stream may hold thousands of requests. */
  #rivalsOf(own: TwoKeyRequest | undefined): OverrideScene['rivals'] {
    const executed = this.#executed - (own?.status === 'executed' ? 1 : 0)
    return {
      executed: this.approved || executed > 0,
      open: this.#open - (isOpen(own) ? 1 : 0) > 0,
    }
  }

  #happen({ index, leaf }: JudgedEntry, { by, event }: OverrideStep): Stop | undefined {
    const before = this.requests.get(event.request)
    const named = event.event === 'opened' ? parseChallenge(event.challenge) : before?.challenge
    if (typeof named === 'object' && isLaterRoster(this.#ground, named.roster.version, index))
      return {
        outcome: 'inconclusive',
        reason: `Roster is not known to a trust root of size ${this.#ground.asOf.size}: version ${named.roster.version}`,
      }
    const next = this.#advance(index, leaf.time, before, by, event)
    if (typeof next === 'string')
      return { outcome: 'fail', reason: `Step ${leaf.seq} (${event.event}): ${next}` }
    this.requests.set(event.request, next)
    this.#open += (isOpen(next) ? 1 : 0) - (isOpen(before) ? 1 : 0)
    if (event.event === 'executed') {
      this.#executed++
      this.executedAt = leaf.seq
    }
    return undefined
  }

  #advance(
    index: number,
    time: number,
    before: TwoKeyRequest | undefined,
    by: Caller | null,
    event: OverrideEvent,
  ): TwoKeyRequest | string {
    const counting = countingRosterAt(this.#ground, index)
    if (counting === undefined) return `No roster counts at index ${index}`
    return advanceOverride(before, event, {
      decision: this.#decision,
      owner: by?.owner ?? null,
      place: this.#ground,
      rivals: this.#rivalsOf(before),
      roster: counting.roster,
      rosterSha256: counting.sha256,
      time,
    })
  }
}

/** The requests about a decision, as a stream tells them. */
export interface ToldOverrides {
  readonly requests: OverrideRequests
  /** The step from which on the decision is an ALLOW for one use; undefined where it is not. */
  readonly executedAt: number | undefined
  /** Whether a reviewer has made the decision an ALLOW. */
  readonly approved: boolean
  /** Whether every step could be read and may have happened. */
  readonly whole: boolean
  readonly stop: Stop | undefined
}

/** Lives through the steps of a stream of which nothing is erased. */
export function tellOverrides(
  ground: OverrideGround,
  entries: readonly JudgedEntry[],
  decision: DecisionMatter | undefined,
): ToldOverrides {
  const leaf = entries[0]?.leafHash
  const decided =
    decision === undefined || leaf === undefined ? undefined : { leaf, matter: decision }
  const telling = new Telling(ground, decided)
  const whole = entries
    .filter((entry) => isStep(entry) || ['erasure', 'escalation'].includes(entry.leaf.kind))
    .every((entry) => telling.tell(entry))
  const { approved, executedAt, requests, stop } = telling
  return { approved, executedAt, requests, stop, whole }
}

/** Judges what a decision's stream tells of overruling it. */
export function judgeOverrides(
  checks: Checks,
  section: OriginSection,
  entries: readonly JudgedEntry[],
  decision: DecisionMatter | undefined,
): JudgedOverrides {
  const steps = entries.filter(isStep)
  if (steps.length === 0) return nothing
  if (entries[0]?.erased === true || steps.some(({ erased }) => erased)) {
    checks.add('stream.override', 'erased', 'What was overruled, or how, cannot be judged any more')
    return { ...nothing, unknown: 'erased' }
  }
  const { executedAt, requests, stop, whole } = tellOverrides(section, entries, decision)
  if (stop !== undefined) checks.add('stream.override', stop.outcome, stop.reason)
  if (!whole)
    return { ...nothing, unknown: stop?.outcome === 'inconclusive' ? 'inconclusive' : undefined }
  const report = reportOf(requests)
  checks.add(
    'stream.override',
    'pass',
    `${steps.length} steps, the request is ${report?.status ?? 'none'}`,
  )
  return { executedAt, report, unknown: undefined }
}
