// Which policies decide on a request. The rule, in order:
// 1. Every active bundle whose scope covers the request decides, unless it wants to be named (`select: referenced`).
// 2. So do the bundles that the API key is bound to and those that the request names, where they cover it. Naming adds, it never takes away: nobody escapes
//    a policy by naming another. What is named must be active, and what a request names must cover it as it came, else the answer is an error.
// 3. A scope by environment cannot be judged where the request has none: an error, for leaving it out must not be a way round.
import type { CompiledBundle } from './compile.ts'
import type { Reason } from './reason-codes.ts'
import { environmentOf, type PolicyRequest } from './request.ts'
import type { Scope } from './terms.ts'

/** A bundle that is active for a tenant. */
export interface ActivePolicy {
  readonly compiled: CompiledBundle
  /** Log index of the entry that registered it; null where there is no log. */
  readonly index: number | null
  /** A scope given at activation; a request must be in it and in the bundle's own. */
  readonly scope?: Scope | undefined
}

/** The policies that decide, and what is wrong with choosing them. */
export interface Selection {
  /** In the order of their digests, each once. */
  readonly selected: readonly ActivePolicy[]
  readonly problems: readonly Reason[]
  /** Policies that do not decide but on which a problem rests, in the order of their digests. */
  readonly concerned: readonly ActivePolicy[]
  /** Policies that were named and are not for this request, in the same order. */
  readonly passedOver: readonly ActivePolicy[]
}

/** Whom policies are chosen for. */
export interface SelectionInput {
  readonly request: PolicyRequest
  readonly facts: Readonly<Record<string, unknown>>
  readonly active: readonly ActivePolicy[]
  /** What the API key is bound to. */
  readonly boundRefs: readonly string[]
  /** Whether the request is one that a step has changed: what it names need not be for that. */
  readonly isChanged: boolean
}

type Coverage = 'covers' | 'outside' | 'unknown'

function coverageOf(
  scope: Scope | undefined,
  action: string,
  resource: string,
  environment: string | undefined,
): Coverage {
  if (scope === undefined) return 'covers'
  if (scope.action?.(action) === false || scope.resource?.(resource) === false) return 'outside'
  if (scope.environment === undefined) return 'covers'
  if (environment === undefined) return 'unknown'
  return scope.environment(environment) ? 'covers' : 'outside'
}

/** Whether a name is of a bundle: its id, `id@version`, or `sha256:` with its digest. */
export function isNamed(ref: string, { bundle, digest }: CompiledBundle): boolean {
  return ref === bundle.id || ref === `${bundle.id}@${bundle.version}` || ref === `sha256:${digest}`
}

const wantsName = ({ compiled, scope }: ActivePolicy): boolean =>
  compiled.bundle.applies.select === 'referenced' || scope?.select === 'referenced'

const byDigest = (a: ActivePolicy, b: ActivePolicy): number =>
  a.compiled.digest < b.compiled.digest ? -1 : Number(a.compiled.digest > b.compiled.digest)

/** Chooses the policies that decide on a request. */
export function selectPolicies(input: SelectionInput): Selection {
  const { active, boundRefs, facts, isChanged, request } = input
  const environment = environmentOf(request, facts)
  const id = request.resource?.['id']
  const resource = typeof id === 'string' ? id : ''
  const action = request.action.type
  const cover = (policy: ActivePolicy): Coverage => {
    const own = coverageOf(policy.compiled.bundle.applies, action, resource, environment)
    return own === 'covers' ? coverageOf(policy.scope, action, resource, environment) : own
  }
  const selected = new Map<string, ActivePolicy>()
  const concerned = new Map<string, ActivePolicy>()
  const passedOver = new Map<string, ActivePolicy>()
  const problems: Reason[] = []
  const add = (policy: ActivePolicy): void => {
    selected.set(policy.compiled.digest, policy)
  }
  const blame = (code: Reason['code'], text: string, policies: readonly ActivePolicy[]): void => {
    problems.push({ code, text })
    for (const policy of policies) concerned.set(policy.compiled.digest, policy)
  }
  const noEnvironment = 'The request does not say its environment'
  for (const policy of active) {
    if (wantsName(policy)) continue
    const coverage = cover(policy)
    if (coverage === 'covers') add(policy)
    else if (coverage === 'unknown') blame('POLICY_SCOPE_UNKNOWN', noEnvironment, [policy])
  }
  const wanted = new Set(isChanged ? [] : request.policyRefs)
  for (const ref of new Set([...boundRefs, ...(request.policyRefs ?? [])])) {
    const named = active.filter(({ compiled }) => isNamed(ref, compiled))
    const [only] = named
    if (only === undefined || named.length > 1) {
      blame(
        'POLICY_REF_UNKNOWN',
        `${only === undefined ? 'No active policy' : 'More than one active policy'}: ${ref}`,
        named,
      )
      continue
    }
    const coverage = cover(only)
    if (coverage === 'covers') add(only)
    else if (coverage === 'unknown') blame('POLICY_SCOPE_UNKNOWN', noEnvironment, [only])
    else if (wanted.has(ref))
      blame('POLICY_REF_OUT_OF_SCOPE', `Policy is not for such requests: ${ref}`, [only])
    else passedOver.set(only.compiled.digest, only)
  }
  const unselected = (policies: ReadonlyMap<string, ActivePolicy>): readonly ActivePolicy[] =>
    [...policies.values()].filter(({ compiled }) => !selected.has(compiled.digest)).sort(byDigest)
  return {
    selected: [...selected.values()].sort(byDigest),
    problems,
    concerned: unselected(concerned),
    passedOver: unselected(passedOver),
  }
}
