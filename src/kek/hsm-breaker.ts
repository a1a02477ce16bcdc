// When to leave a failing token alone. A few faults close to each other, or one hang, open the circuit: calls fail at once until a pause is over,
// and then one call tries. Pauses double up to a limit and are blurred, so that many nodes do not come back at the same moment.

/** How patient it is. */
export interface BreakerOptions {
  /** Faults in a row that open the circuit. */
  readonly faults: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  readonly clock: () => number
  /** In [0, 1). */
  readonly random: () => number
}

/** What a call was let in with. */
export interface Pass {
  /** Whether the circuit was open, and this call tries for all. */
  readonly isTrial: boolean
}

/** A circuit breaker with one trial call when half open. */
export class Breaker {
  readonly #options: BreakerOptions
  #faults = 0
  #opened = false
  #until = 0
  /** Who tries for all, until it leaves: what others meet meanwhile lets no second one try beside it. */
  #trial: Pass | undefined
  /** Whether nothing has failed since the trial was let in. */
  #trying = false

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  /** Lets a call in, as the trial where the circuit was open; undefined where it is to fail at once. Whoever was let in must {@link leave}. */
  enter(): Pass | undefined {
    if (!this.#opened) return { isTrial: false }
    if (this.#trial !== undefined || this.#options.clock() < this.#until) return undefined
    this.#trying = true
    this.#trial = { isTrial: true }
    return this.#trial
  }

  /** Whether the circuit is open now. */
  get isOpen(): boolean {
    return this.#opened && !this.#trying
  }

  /** How long to wait before a new attempt, in milliseconds. */
  get pauseMs(): number {
    return Math.max(0, this.#until - this.#options.clock())
  }

  succeed(): void {
    this.#faults = 0
    this.#opened = false
    this.#until = 0
  }

  /** Counts a fault; a `grave` one opens the circuit by itself. */
  fault(grave: boolean): void {
    const { clock, faults, firstPauseMs, longestPauseMs, random } = this.#options
    this.#faults++
    if (grave || this.#faults >= faults) this.#opened = true
    this.#trying = false
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#faults - 1))
    this.#until = clock() + longest * (0.5 + random() / 2)
  }

  /** A call is over. Where it was the trial and said nothing about the token, another may try. */
  leave(pass: Pass): void {
    if (this.#trial !== pass) return
    this.#trial = undefined
    this.#trying = false
  }
}
