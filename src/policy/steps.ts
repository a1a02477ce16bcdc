// What becomes of a request whose policies want it changed or sent elsewhere: the changed request is asked about again, until nothing changes any more.
// Each pass can only add opinions, so that no change makes weaker what was said before it.
import { canonicalize } from '../base/canonical-json.ts'
import { encodeHex, utf8 } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import { applyChanges } from './change.ts'
import { statusOf } from './lattice.ts'
import type { Obligation } from './obligations.ts'
import { engineOpinion, strongestOf, type Opinion } from './opinion.ts'
import { isReadable, type PolicyRequest } from './request.ts'

/** Changes and routes that one decision may take. */
const mostSteps = 4

/** An obligation of a decision; a change of the request or a route carries the digests of the request before and after the step it belongs to. */
export type Demand = Obligation & { readonly before?: string; readonly after?: string }

/** One step: hex SHA-256 of the canonical request before and after. */
export interface StepTrace {
  readonly kind: 'transform_input' | 'route'
  readonly before: string
  readonly after: string
}

/** What the steps come to. */
export interface Stepped {
  readonly demands: readonly Demand[]
  readonly steps: readonly StepTrace[]
  readonly problems: readonly Opinion[]
}

type Route = Extract<Obligation, { type: 'route' }>

const digestOf = (request: PolicyRequest): string => encodeHex(sha256(utf8(canonicalize(request))))

/** The request as all transformations of a pass leave it, in their order; undefined when one does not fit. */
function transform(
  request: PolicyRequest,
  obligations: readonly Obligation[],
): PolicyRequest | undefined {
  let changed: unknown = request
  for (const obligation of obligations)
    if (obligation.type === 'transform_input') changed = applyChanges(changed, obligation.changes)
  return changed === request || isReadable(changed) ? (changed as PolicyRequest) : undefined
}

function routed(request: PolicyRequest, { target }: Route): PolicyRequest {
  const { action, resource } = target
  return {
    ...request,
    ...(action === undefined ? {} : { action: { ...request.action, type: action } }),
    ...(resource === undefined ? {} : { resource: { ...request.resource, id: resource } }),
  }
}

/** Follows the steps of one request. */
class Walk {
  readonly #ask: (request: PolicyRequest) => readonly Opinion[]
  readonly #demands = new Map<string, Demand>()
  readonly #steps: StepTrace[] = []
  readonly #seen = new Set<string>()
  #problem: Opinion | undefined

  constructor(ask: (request: PolicyRequest) => readonly Opinion[]) {
    this.#ask = ask
  }

  run(request: PolicyRequest): Stepped {
    for (let at: PolicyRequest | undefined = request; at !== undefined;) at = this.#pass(at)
    return {
      demands: [...this.#demands.values()],
      steps: this.#steps,
      problems: this.#problem === undefined ? [] : [this.#problem],
    }
  }

  /** Asks about a request and gives the one to ask about next. */
  #pass(request: PolicyRequest): PolicyRequest | undefined {
    const opinions = this.#ask(request)
    const status = statusOf(strongestOf(opinions))
    if (status === 'BLOCK' || status === 'ERROR') return undefined
    const obligations = unique(opinions.flatMap((opinion) => opinion.obligations))
    const next = this.#next(request, obligations)
    for (const obligation of obligations) this.#demand(obligation, next)
    return next === undefined ? undefined : this.#step(next)
  }

  #next(request: PolicyRequest, obligations: readonly Obligation[]): Step | undefined {
    if (obligations.every(({ type }) => type !== 'transform_input' && type !== 'route'))
      return undefined
    const before = digestOf(request)
    this.#seen.add(before)
    const changed = transform(request, obligations)
    if (changed === undefined) {
      this.#fail('TRANSFORM_FAILED', 'A change does not fit the request')
      return undefined
    }
    const after = digestOf(changed)
    if (after !== before) return { kind: 'transform_input', request: changed, before, after }
    const routes = obligations.filter((one): one is Route => one.type === 'route')
    const targets = new Map(
      routes.map((one) => {
        const target = routed(request, one)
        return [digestOf(target), target]
      }),
    )
    if (targets.size > 1) this.#fail('ROUTE_CONFLICT', 'Rules route to different targets')
    const [only] = targets
    if (targets.size !== 1 || only === undefined || only[0] === before) return undefined
    return { kind: 'route', request: only[1], before, after: only[0] }
  }

  #demand(obligation: Obligation, step: Step | undefined): void {
    // What a changed request is routed to, its own pass says.
    if (obligation.type === 'route' && step?.kind !== 'route') return
    const text = canonicalize(obligation)
    if (step?.kind === obligation.type)
      this.#demands.set(text, { ...obligation, before: step.before, after: step.after })
    else if (!this.#demands.has(text)) this.#demands.set(text, obligation)
  }

  #step({ after, before, kind, request }: Step): PolicyRequest | undefined {
    this.#steps.push({ kind, before, after })
    const isLoop = this.#seen.has(after)
    if (!isLoop && this.#steps.length <= mostSteps) return request
    const what = isLoop ? 'comes back to where it was' : `takes more than ${mostSteps} steps`
    this.#fail(
      kind === 'route' ? 'ROUTE_LOOP' : 'TRANSFORM_UNSTABLE',
      kind === 'route' ? `The route ${what}` : `Transforming ${what}`,
    )
    return undefined
  }

  #fail(code: Parameters<typeof engineOpinion>[1], text: string): void {
    this.#problem = engineOpinion('error', code, text)
  }
}

interface Step extends StepTrace {
  readonly request: PolicyRequest
}

/** Each obligation once, as they came. */
const unique = (obligations: readonly Obligation[]): readonly Obligation[] =>
  obligations.length < 2
    ? obligations
    : [...new Map(obligations.map((one) => [canonicalize(one), one])).values()]

/** Asks about a request and whatever its policies make of it. */
export const applySteps = (
  request: PolicyRequest,
  ask: (request: PolicyRequest) => readonly Opinion[],
): Stepped => new Walk(ask).run(request)
