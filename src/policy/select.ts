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

type Found = Map<string, ActivePolicy>

const put = (found: Found, policy: ActivePolicy): unknown =>
  found.set(policy.compiled.digest, policy)

/** Chooses for one request. */
class Selecting {
  readonly #input: SelectionInput
  readonly #environment: string | undefined
  readonly #resource: string
  readonly #selected: Found = new Map()
  readonly #concerned: Found = new Map()
  readonly #passedOver: Found = new Map()
  readonly #problems: Reason[] = []

  constructor(input: SelectionInput) {
    this.#input = input
    this.#environment = environmentOf(input.request, input.facts)
    const id = input.request.resource?.['id']
    this.#resource = typeof id === 'string' ? id : ''
  }

  choose(): Selection {
    const { active, boundRefs, isChanged, request } = this.#input
    for (const policy of active) if (!wantsName(policy)) this.#take(policy, () => undefined)
    const refs = request.policyRefs ?? []
    const wanted = new Set(isChanged ? [] : refs)
    for (const ref of new Set([...boundRefs, ...refs])) this.#name(ref, wanted.has(ref))
    return {
      selected: [...this.#selected.values()].sort(byDigest),
      problems: this.#problems,
      concerned: this.#unselected(this.#concerned),
      passedOver: this.#unselected(this.#passedOver),
    }
  }

  #name(ref: string, isWanted: boolean): void {
    const named = this.#input.active.filter(({ compiled }) => isNamed(ref, compiled))
    const [only] = named
    if (only === undefined || named.length > 1) {
      const what = only === undefined ? 'No active policy' : 'More than one active policy'
      this.#blame('POLICY_REF_UNKNOWN', `${what}: ${ref}`, named)
    } else
      this.#take(only, () => {
        if (!isWanted) put(this.#passedOver, only)
        else
          this.#blame('POLICY_REF_OUT_OF_SCOPE', `Policy is not for such requests: ${ref}`, named)
      })
  }

  #take(policy: ActivePolicy, otherwise: () => void): void {
    const coverage = this.#coverage(policy)
    if (coverage === 'covers') put(this.#selected, policy)
    else if (coverage === 'outside') otherwise()
    else this.#blame('POLICY_SCOPE_UNKNOWN', 'The request does not say its environment', [policy])
  }

  #coverage({ compiled, scope }: ActivePolicy): Coverage {
    const action = this.#input.request.action.type
    const both = [compiled.bundle.applies, scope].map((one) =>
      coverageOf(one, action, this.#resource, this.#environment),
    )
    return (
      both.find((one) => one === 'outside') ?? both.find((one) => one === 'unknown') ?? 'covers'
    )
  }

  #blame(code: Reason['code'], text: string, policies: readonly ActivePolicy[]): void {
    this.#problems.push({ code, text })
    for (const policy of policies) put(this.#concerned, policy)
  }

  #unselected(found: Found): readonly ActivePolicy[] {
    return [...found.values()]
      .filter(({ compiled }) => !this.#selected.has(compiled.digest))
      .sort(byDigest)
  }
}

/** Chooses the policies that decide on a request. */
export const selectPolicies = (input: SelectionInput): Selection => new Selecting(input).choose()
