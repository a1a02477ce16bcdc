// Deciding away from the thread that owns the log, which has enough to do: by a copy of the policies that is as old as its epoch. What was decided by an
// old one is refused where the entry gets its place, and decided again by a new copy; so each decision follows from the policies that count where it stands.
import { Failure } from '../base/failure.ts'
import type { ActivePolicy } from '../policy/select.ts'
import type { EvaluationRequest } from '../wire/decision.ts'
import { canonicalIntent, makeDecision } from './evaluate.ts'
import { openPolicy } from './open-policies.ts'
import type { Principal, Service } from './service.ts'
import { submissionOf } from './submission.ts'

interface Copy {
  readonly epoch: string
  readonly active: readonly ActivePolicy[]
}

/** Tenants whose policies are kept; the one asked for longest ago goes first. */
const mostTenants = 256
/** How often a decision is made anew because policies change under it. */
const mostAttempts = 8

/** Decides by copies of the policies that a service gives. */
export class Evaluator {
  readonly #service: Pick<Service, 'readActivePolicies' | 'submitEvaluated'>
  readonly #clock: () => number
  readonly #copies = new Map<string, Copy | Promise<Copy>>()

  constructor(
    service: Pick<Service, 'readActivePolicies' | 'submitEvaluated'>,
    clock: () => number,
  ) {
    this.#service = service
    this.#clock = clock
  }

  /**
   * The JSON text of a `Notarised`, of a decision that is made here.
   * @throws {@link Failure} as `Service.notarise`
   */
  async decide(
    principal: Principal,
    request: Omit<EvaluationRequest, 'idempotencyKey'>,
    idempotencyKey: string | null,
  ): Promise<string> {
    // Without a key nobody asks for it.
    const asked = idempotencyKey === null ? '' : canonicalIntent(request)
    for (let attempt = 1; ; attempt++) {
      const known = this.#copyOf(principal.tenant)
      const copy = known instanceof Promise ? await known : known
      const { time, ...made } = makeDecision(copy.active, request, this.#clock(), principal.bound)
      const said = submissionOf(made, idempotencyKey)
      try {
        const evaluated = { asked, epoch: copy.epoch, said, time }
        return await this.#service.submitEvaluated(principal, evaluated)
      } catch (error) {
        const raced = error instanceof Failure && error.code === 'LOG_CONFLICT'
        if (!raced || attempt === mostAttempts) throw error
        if (this.#copies.get(principal.tenant) === copy) this.#copies.delete(principal.tenant)
      }
    }
  }

  #copyOf(tenant: string): Copy | Promise<Copy> {
    const known = this.#copies.get(tenant)
    if (known !== undefined && this.#copies.size < mostTenants) return known
    this.#copies.delete(tenant)
    const copy = known ?? this.#read(tenant)
    this.#copies.set(tenant, copy)
    const [oldest] = this.#copies.keys()
    if (this.#copies.size > mostTenants && oldest !== undefined) this.#copies.delete(oldest)
    return copy
  }

  async #read(tenant: string): Promise<Copy> {
    try {
      const { epoch, policies } = await this.#service.readActivePolicies(tenant)
      const active: ActivePolicy[] = []
      for (const { record, ...place } of policies)
        active.push(await openPolicy(place, JSON.parse(record)))
      const copy = { active, epoch }
      this.#copies.set(tenant, copy)
      return copy
    } catch (error) {
      this.#copies.delete(tenant)
      throw error
    }
  }
}
