// Whether a decision went by all policies that had to decide on it, and by no other: they are chosen again, from those that were active where it stands, for
// the intent that it records. What the engine answered is not asked here but where a policy may have changed or routed the request, for the changed one has
// policies of its own. A fault is told only where an honest log cannot have it.
import { z } from 'zod'
import { canonicalize } from '../base/canonical-json.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import { most } from '../policy/citations.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import { decide } from '../policy/decide.ts'
import { engineNames, type EngineName } from '../policy/engine.ts'
import { selectPolicies } from '../policy/select.ts'
import { scopeSchema, type Terms } from '../policy/terms.ts'
import { claimsProposal } from './judge-proposal.ts'
import type { Bonds } from './key-bonds.ts'
import type { PolicyTime, PolicyTimes } from './policy-times.ts'

/** What was found. */
export interface JudgedSelection {
  /** What is wrong, each said of the decision: `leaves out …`. */
  readonly faults: readonly string[]
  /** Why the choice could not be made again, if so; there may be faults beside it. */
  readonly unknown: string | undefined
}

/** A policy as a decision lists it. */
interface Named {
  readonly id: string
  readonly version?: string | undefined
  readonly sha256?: string | undefined
}

const nameOf = ({ id, sha256 = '', version = '' }: Named): string =>
  [id, version, `sha256:${sha256}`].filter((part) => part !== '').join(' ')

const traceSchema = z.looseObject({
  engine: z.enum(engineNames),
  facts: z.record(z.string(), z.unknown()),
  boundRefs: z.array(z.string()),
  scopes: z.record(z.string(), z.unknown()),
  gates: z.unknown(),
})

type Trace = z.infer<typeof traceSchema>

/** The one text of a scope; undefined where it is none. */
function textOf(scope: unknown): string | undefined {
  const { data } = scopeSchema.safeParse(scope ?? {})
  return data && canonicalize(data)
}

const own = (members: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(members, name) ? members[name] : undefined

const scopesSchema = z.looseObject({ scopes: z.record(z.string(), z.unknown()) })

/** What is wrong with the policies that are cited, each for itself. */
function* citedFaults({ policies, trace }: DecisionMatter, { active }: PolicyTime) {
  const scopes = scopesSchema.safeParse(trace).data?.scopes ?? {}
  for (const cited of policies) {
    const { index, sha256 = '' } = cited
    const there = active.get(sha256)
    if (there?.index !== index) yield `cites a policy that did not decide there: ${nameOf(cited)}`
    else if (textOf(own(scopes, sha256)) !== textOf(there?.scope))
      yield `names another scope than the policy had there: ${nameOf(cited)}`
  }
}

/** What of its API key's bonds a decision tells otherwise. */
function* bondFaults({ boundRefs, facts }: Trace, { environment, policies }: Bonds) {
  const said = own(facts, 'environment')
  if (said !== (environment ?? undefined))
    yield `went by another environment than its API key is bound to: ${canonicalize(said ?? null)} instead of ${canonicalize(environment)}`
  if (canonicalize(boundRefs) !== canonicalize(policies))
    yield `went by other policies than its API key is bound to: ${canonicalize(boundRefs)} instead of ${canonicalize(policies)}`
}

/** The facts with the environment that counts. */
function factsUnder({ facts }: Trace, bonds: Bonds | undefined): Trace['facts'] {
  if (bonds === undefined) return facts
  const others = Object.fromEntries(
    Object.entries(facts).filter(([name]) => name !== 'environment'),
  )
  return bonds.environment === null ? others : { ...others, environment: bonds.environment }
}

const changes = ({ obligations }: Terms): boolean =>
  obligations.some(({ type }) => type === 'transform_input' || type === 'route')

const changing = new WeakMap<CompiledBundle, boolean>()

/** Whether a bundle can change what is asked for. */
function mayChange(compiled: CompiledBundle): boolean {
  const known = changing.get(compiled)
  if (known !== undefined) return known
  const may = compiled.bundle.policies.some(
    ({ rules, terms }) => changes(terms) || rules.some((rule) => changes(rule.terms)),
  )
  changing.set(compiled, may)
  return may
}

/** Nothing was asked, and nothing is allowed: what is cited says nothing then. */
const isFailed = ({
  overridable,
  policies,
  reasons,
  status,
}: Pick<DecisionMatter, 'overridable' | 'status'> & {
  readonly policies: readonly unknown[]
  readonly reasons: readonly { readonly code: string }[]
}): boolean =>
  status === 'ERROR' &&
  !overridable &&
  policies.length === 0 &&
  reasons.length === 1 &&
  reasons.every(({ code }) => code === 'EVALUATION_FAILED' || code === 'REQUEST_UNREADABLE')

/** The policies that a decision cites when none is left out, or why that is unknown. */
function expectedOf(
  { intent: request, time }: DecisionMatter,
  active: Exclude<ReturnType<PolicyTimes['open']>, string>,
  facts: Trace['facts'],
  boundRefs: readonly string[],
  { engine, gates }: { readonly engine: EngineName; readonly gates?: unknown },
): ReadonlyMap<string, Named> | string {
  const { concerned, passedOver, selected } = selectPolicies({
    active,
    boundRefs,
    engine,
    facts,
    isChanged: false,
    request,
  })
  if (!selected.some(({ compiled }) => mayChange(compiled))) {
    // In the order in which they are cited, should there be more than are.
    const all = [...concerned, ...passedOver, ...selected].map(
      ({ compiled: { bundle, digest } }) =>
        [digest, { id: bundle.id, sha256: digest, version: bundle.version }] as const,
    )
    return new Map([...new Map(all)].slice(0, most.policies))
  }
  if ((gates ?? null) !== null) return 'Decision rests on gates, whose settings are not in the log'
  const decided = decide({ active, boundRefs, engine, facts, request, time })
  if (isFailed(decided)) return 'Decision cannot be made again here'
  return new Map(decided.policies.map((policy) => [policy.sha256, policy]))
}

/** What of the choice is wrong. */
function* choiceFaults(
  { policies }: DecisionMatter,
  expected: ReadonlyMap<string, Named>,
  { active }: PolicyTime,
) {
  const cited = new Set(policies.map(({ sha256 }) => sha256))
  for (const [sha256, policy] of expected)
    if (!cited.has(sha256)) yield `leaves out a policy that had to decide: ${nameOf(policy)}`
  for (const policy of policies) {
    const { sha256 = '' } = policy
    // Of others it is told that they did not decide there at all.
    if (active.has(sha256) && !expected.has(sha256))
      yield `cites a policy that is not for it: ${nameOf(policy)}`
  }
}

/**
 * Judges which policies a decision went by.
 * @param times of the policies of its log
 * @param index of the decision
 * @param bonds of its caller; where they are not known, what the decision says of them is taken for true
 */
export function judgeSelection(
  decision: DecisionMatter,
  times: PolicyTimes,
  index: number,
  bonds: Bonds | undefined,
): JudgedSelection {
  if (decision.source !== 'evaluated') return { faults: [], unknown: undefined }
  const time = times.at(index)
  const faults = [...citedFaults(decision, time)]
  // What follows from a vote goes by no policy; that it does is for fsck-proposals to say.
  if (claimsProposal(decision) || isFailed(decision)) return { faults, unknown: undefined }
  const { data: trace } = traceSchema.safeParse(decision.trace)
  if (trace === undefined)
    return { faults, unknown: 'Decision was made by another engine, or does not say how' }
  if (bonds !== undefined) faults.push(...bondFaults(trace, bonds))
  const active = times.open(time)
  const expected =
    typeof active === 'string'
      ? active
      : expectedOf(
          decision,
          active,
          factsUnder(trace, bonds),
          bonds?.policies ?? trace.boundRefs,
          trace,
        )
  if (typeof expected === 'string') return { faults, unknown: expected }
  return { faults: [...faults, ...choiceFaults(decision, expected, time)], unknown: undefined }
}
