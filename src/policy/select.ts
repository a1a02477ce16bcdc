// Which policies decide on a request. The rule, in order:
// 1. Every active bundle whose scope covers the request decides, unless it wants to be named (`select: referenced`).
// 2. So do the bundles that the API key is bound to and those that the request names, where they cover it. Naming adds, it never takes away: nobody escapes
//    a policy by naming another. What is named must be active, and what a request names must cover it as it came, else the answer is an error.
// 3. A scope by environment or by resource cannot be judged where the request does not say which: an error, for leaving it out must not be a way round.
import type { CompiledBundle } from './compile.ts'
import type { Reason } from './reason-codes.ts'
import { engineVersion, rulesOf, type EngineName } from './engine.ts'
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
  /** The newest unless said. */
  readonly engine?: EngineName | undefined
}

/** What a request may leave out. */
type Unsaid = 'resource' | 'environment'

type Coverage = 'covers' | 'outside' | Unsaid

/** What of a request scopes are about. */
interface Asked {
  readonly action: string
  readonly resource: string | undefined
  readonly environment: string | undefined
}

function coverageOf(scope: Scope | undefined, asked: Asked): Coverage {
  const { action, environment, resource } = asked
  if (scope === undefined) return 'covers'
  // What takes any resource takes none as well.
  const known = resource ?? (scope.resource?.('') === true ? '' : undefined)
  const isOutside =
    scope.action?.(action) === false ||
    (known !== undefined && scope.resource?.(known) === false) ||
    (environment !== undefined && scope.environment?.(environment) === false)
  if (isOutside) return 'outside'
  if (scope.environment !== undefined && environment === undefined) return 'environment'
  return scope.resource !== undefined && known === undefined ? 'resource' : 'covers'
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
  readonly #asked: Asked
  readonly #selected: Found = new Map()
  readonly #concerned: Found = new Map()
  readonly #passedOver: Found = new Map()
  readonly #problems: Reason[] = []

  constructor(input: SelectionInput) {
    this.#input = input
    const { engine = engineVersion, facts, request } = input
    const id = request.resource?.['id']
    const { needsResource } = rulesOf(engine)
    const said = typeof id === 'string' && id !== '' ? id : undefined
    this.#asked = {
      action: request.action.type,
      environment: environmentOf(request, facts),
      resource: said ?? (needsResource ? undefined : ''),
    }
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
    else this.#blame('POLICY_SCOPE_UNKNOWN', `The request does not say its ${coverage}`, [policy])
  }

  #coverage({ compiled, scope }: ActivePolicy): Coverage {
    const both = [compiled.bundle.applies, scope].map((one) => coverageOf(one, this.#asked))
    return both.find((one) => one === 'outside') ?? both.find((one) => one !== 'covers') ?? 'covers'
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
