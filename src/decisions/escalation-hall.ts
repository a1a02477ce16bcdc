// Where escalations are waited for: those who ask how it stands, the requests that are held meanwhile, and the clock that ends what nobody answers.
import { asFailure, Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { Notarised } from '../wire/decision.ts'
import {
  mostWaitSeconds,
  type EscalationListRequest,
  type EscalationPage,
  type EscalationView,
} from '../wire/escalations.ts'
import type { GatewayAnswer, GatewayRequest } from '../wire/gateway.ts'
import { readEscalation } from './escalation-desk.ts'
import { listEscalations } from './escalation-list.ts'
import { EscalationTimer, type TimerParts } from './escalation-timer.ts'
import { EscalationWaits } from './escalation-waits.ts'
import {
  answerDecided,
  answerHeld,
  answerUsed,
  answerRefused,
  reasonOf,
  askedOf,
  decideByPolicies,
  isSameAsk,
  isUsedBy,
  Refusal,
  type GatewayDecider,
} from './gateway.ts'
import { claim } from './follow-up.ts'
import type { Notariser } from './notarise.ts'
import { expectNotClosed, type Room } from './room.ts'
import type { Principal } from './service.ts'

/** What the hall works with. */
export interface HallParts extends TimerParts {
  readonly notariser: Notariser
  readonly decide: GatewayDecider | undefined
  readonly mostWaits: number | undefined
  /** Works in the room of a tenant. */
  readonly use: <T>(tenant: string, work: (room: Room) => Promise<T>) => Promise<T>
  /** As `use`, where new entries may be signed. */
  readonly sign: <T>(tenant: string, work: (room: Room) => Promise<T>) => Promise<T>
}

const secondMs = 1000
const mostAttempts = 3
/** What the log is told of the one use of an approval: whether the request that was held has it, or who named the escalation. */
const notes = {
  held: 'Answered to a client that was held',
  resumed: 'Answered to a client that came back for it',
}

/** Waits, holds and ends. */
export class EscalationHall {
  readonly #parts: HallParts
  readonly #waits: EscalationWaits
  readonly #timer: EscalationTimer

  constructor(parts: HallParts) {
    this.#parts = parts
    this.#waits = new EscalationWaits(parts.mostWaits ?? limits.escalationWaits)
    this.#timer = new EscalationTimer({
      ...parts,
      timeOut: async (tenant, id) => {
        await parts.timeOut(tenant, id)
        this.ring(tenant, id)
      },
    })
  }

  /** Ends what has run out, now and whenever it does. */
  start(): void {
    this.#timer.start()
  }

  /** Takes notice of a deadline, ms since 1970. */
  expect(deadline: number): void {
    this.#timer.expect(deadline)
  }

  /** Lets those who wait for an escalation look again. */
  ring(tenant: string, id: string): void {
    this.#waits.ring(tenant, id)
  }

  /**
   * How it stands with an escalation, once it has ended, the time to wait is up, or who asked has left.
   * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED, LOG_BUSY
   */
  async read(
    tenant: string,
    id: string,
    waitMs: number,
    left?: AbortSignal,
  ): Promise<EscalationView> {
    const { timeOut, use } = this.#parts
    const look = (): Promise<EscalationView> =>
      use(tenant, (room) => readEscalation(room, id, (late) => timeOut(tenant, late)))
    if (waitMs <= 0) return look()
    const until = performance.now() + waitMs
    for (;;) {
      const wait = this.#waits.begin(tenant, id, Math.max(0, until - performance.now()), left)
      try {
        const view = await look()
        if (view.status !== 'pending' || view.overruled) return view
        await wait.over
        if (this.#waits.closed || left?.aborted === true) return view
      } finally {
        wait.leave()
      }
      if (performance.now() >= until) return look()
    }
  }

  /** Decisions that were held, newest first. @throws {@link Failure} INPUT_INVALID */
  list(tenant: string, request: EscalationListRequest): Promise<EscalationPage> {
    const { timeOut, use } = this.#parts
    return use(tenant, (room) =>
      listEscalations(room, request, async (id) => {
        await timeOut(tenant, id)
        this.ring(tenant, id)
      }),
    )
  }

  /** Decides what a client asks for, and holds the answer while a reviewer is asked. */
  async execute(
    principal: Principal,
    request: GatewayRequest,
    left?: AbortSignal,
  ): Promise<GatewayAnswer> {
    for (let attempt = 1; ; attempt++)
      try {
        return await this.#decide(principal, request, left)
      } catch (error) {
        if (error instanceof Refusal) return answerRefused(error.message)
        const { code, message } = asFailure(error)
        if (code === 'TENANT_CLOSED') return answerRefused(message)
        // Policies have changed before the decision got its place.
        if (code !== 'LOG_CONFLICT' || attempt === mostAttempts) throw error
      }
  }

  async #decide(
    principal: Principal,
    request: GatewayRequest,
    left: AbortSignal | undefined,
  ): Promise<GatewayAnswer> {
    const { decide = decideByPolicies, notariser, sign } = this.#parts
    const { tenant } = principal
    const { escalation_id: earlier } = request
    if (earlier != null) return this.#resume(principal, earlier, request, left)
    const key = request.idempotency_key ?? null
    const text = await sign(tenant, (room) =>
      notariser.evaluate(room, principal, askedOf(request), key, async () => {
        expectNotClosed(room)
        const decision = await decide(room, principal, request)
        if ('refused' in decision) throw new Refusal(decision.refused)
        return decision.decided
      }),
    )
    const made = JSON.parse(text) as Notarised
    if (made.status === 'ESCALATE' || made.status === 'REVIEW_REQUIRED')
      return this.#hold(principal, made.id, notes.held, left)
    return answerDecided(made, reasonOf(made))
  }

  /** Goes on waiting for what the same caller was told of before. */
  async #resume(
    principal: Principal,
    id: string,
    request: GatewayRequest,
    left: AbortSignal | undefined,
  ): Promise<GatewayAnswer> {
    const { tenant } = principal
    try {
      if (await this.#parts.use(tenant, (room) => isSameAsk(room, principal, id, request)))
        return await this.#hold(principal, id, notes.resumed, left)
    } catch (error) {
      if (asFailure(error).code !== 'INPUT_NOT_FOUND') throw error
    }
    throw new Refusal('escalation_id is not of this request')
  }

  async #hold(
    principal: Principal,
    id: string,
    note: string,
    left: AbortSignal | undefined,
  ): Promise<GatewayAnswer> {
    const { tenant } = principal
    let view: EscalationView
    let pending: string | undefined
    try {
      view = await this.read(tenant, id, mostWaitSeconds * secondMs, left)
      if (this.#waits.closed) pending = 'service is ending, ask again with the same idempotency_key'
    } catch (error) {
      // Too many wait: what was decided stands, and nobody may act on it yet.
      if (asFailure(error).code !== 'LOG_BUSY') throw error
      view = await this.read(tenant, id, 0)
      pending = 'too many are held, ask again later'
    }
    const answer = answerHeld(view, pending)
    if (answer.decision !== 'ALLOW') return answer
    // The one use is for whoever can still be told of it.
    if (left?.aborted === true) return answerRefused('Nobody was there to be answered')
    return (await this.#hasUse(principal, id, note)) ? answer : answerUsed(view)
  }

  /** Claims the one use that an approval is for, before its client may act: else one approval would do for as many actions as there are requests alike. */
  async #hasUse(principal: Principal, id: string, note: string): Promise<boolean> {
    const { sign, use } = this.#parts
    for (let attempt = 1; ; attempt++)
      try {
        await sign(principal.tenant, (room) => claim(room, principal, id, { note }))
        return true
      } catch (error) {
        const { code } = asFailure(error)
        if (code === 'INPUT_CLAIMED')
          // Who asks again by the same idempotency key asks for the same one use; somebody else may have had it meanwhile.
          return (
            note === notes.held &&
            use(principal.tenant, (room) => isUsedBy(room, principal, id, note))
          )
        // Something else was said in the stream meanwhile; beyond that it must not be taken for a decision to make anew.
        if (code !== 'LOG_CONFLICT') throw error
        if (attempt === mostAttempts) throw new Failure('LOG_BUSY', 'Try again', { cause: error })
      }
  }

  /** Sends everybody home, and lets nobody wait any more. */
  endWaits(): void {
    this.#waits.close()
  }

  /** Ends the waiting and the timer. */
  async close(): Promise<void> {
    this.endWaits()
    await this.#timer.close()
  }
}
