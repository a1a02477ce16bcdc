// What a decision's stream tells of overruling it: its steps are lived through again, each by the guards that the workflow had to ask, at the leaf time
// and under the roster that counted at its index.
import { parseChallenge } from '../dossier/challenge.ts'
import { matters, type Caller, type DecisionMatter } from '../dossier/matters.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import { rosterDigest } from '../dossier/roster.ts'
import type { OriginSection } from '../dossier/trust-root.ts'
import { isLaterRoster, rosterAt } from './check-rosters.ts'
import {
  advanceOverride,
  isOpen,
  type OverrideRequest,
  type OverrideScene,
} from './override-story.ts'
import type { Checks, OverrideReport } from './report.ts'
import type { JudgedEntry } from './verify-entry.ts'

/** A step as its entry tells it. */
export interface OverrideStep {
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
  return { by, event: told }
}

/** All requests about one decision, by their nonces, in the order in which they were opened. */
export type OverrideRequests = ReadonlyMap<string, OverrideRequest>

/** Whether requests other than one are open, or were executed. */
export function rivalsOf(requests: OverrideRequests, request: string): OverrideScene['rivals'] {
  const others = [...requests].flatMap(([name, other]) => (name === request ? [] : [other]))
  return {
    executed: others.some(({ status }) => status === 'executed'),
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

/** The telling of one stream, step by step. */
class Telling {
  readonly #checks: Checks
  readonly #section: OriginSection
  readonly #requests = new Map<string, OverrideRequest>()
  #decision: OverrideScene['decision']
  executedAt: number | undefined
  unknown: JudgedOverrides['unknown']

  constructor(checks: Checks, section: OriginSection, decision: OverrideScene['decision']) {
    this.#checks = checks
    this.#section = section
    this.#decision = decision
  }

  get requests(): OverrideRequests {
    return this.#requests
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
    const step = readOverrideStep(leaf.kind, matter)
    // What is there and cannot be read has failed already.
    if (step === undefined) return false
    return this.#happen(entry, step)
  }

  #happen({ index, leaf }: JudgedEntry, { by, event }: OverrideStep): boolean {
    const before = this.#requests.get(event.request)
    const named = event.event === 'opened' ? parseChallenge(event.challenge) : before?.challenge
    if (typeof named === 'object' && isLaterRoster(this.#section, named.roster.version, index)) {
      this.unknown = 'inconclusive'
      this.#checks.add(
        'stream.override',
        'inconclusive',
        `Roster is not known to a trust root of size ${this.#section.asOf.size}: version ${named.roster.version}`,
      )
      return false
    }
    const next = this.#advance(index, leaf.time, before, by, event)
    if (typeof next === 'string') {
      this.#checks.add('stream.override', 'fail', `Step ${leaf.seq} (${event.event}): ${next}`)
      return false
    }
    this.#requests.set(event.request, next)
    if (event.event === 'executed') this.executedAt = leaf.seq
    return true
  }

  #advance(
    index: number,
    time: number,
    before: OverrideRequest | undefined,
    by: Caller | null,
    event: OverrideEvent,
  ): OverrideRequest | string {
    const counting = rosterAt(this.#section, index)
    if (counting === undefined) return `No roster counts at index ${index}`
    return advanceOverride(before, event, {
      decision: this.#decision,
      owner: by?.owner ?? null,
      place: this.#section,
      rivals: rivalsOf(this.#requests, event.request),
      roster: counting.roster,
      rosterSha256: rosterDigest(counting.roster),
      time,
    })
  }
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
  const [first] = entries
  if (first?.erased === true || steps.some(({ erased }) => erased)) {
    checks.add('stream.override', 'erased', 'What was overruled, or how, cannot be judged any more')
    return { ...nothing, unknown: 'erased' }
  }
  const told =
    decision === undefined || first === undefined
      ? undefined
      : { leaf: first.leafHash, matter: decision }
  const telling = new Telling(checks, section, told)
  const whole = entries
    .filter((entry) => isStep(entry) || entry.leaf.kind === 'erasure')
    .every((entry) => telling.tell(entry))
  const { executedAt, requests, unknown } = telling
  if (!whole) return { ...nothing, unknown }
  const report = reportOf(requests)
  checks.add(
    'stream.override',
    'pass',
    `${steps.length} steps, the request is ${report?.status ?? 'none'}`,
  )
  return { executedAt, report, unknown }
}
