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

/** A circuit breaker with one trial call when half open. */
export class Breaker {
  readonly #options: BreakerOptions
  #faults = 0
  #opened = 0
  #until = 0
  #trying = false

  constructor(options: BreakerOptions) {
    this.#options = options
  }

  /** Whether calls fail at once; false lets the caller in, as the trial where the circuit was open. */
  refuses(): boolean {
    if (this.#opened === 0) return false
    if (this.#trying || this.#options.clock() < this.#until) return true
    this.#trying = true
    return false
  }

  /** Whether the circuit is open now. */
  get isOpen(): boolean {
    return this.#opened > 0 && !this.#trying
  }

  /** How long to wait before a new attempt, in milliseconds. */
  get pauseMs(): number {
    return Math.max(0, this.#until - this.#options.clock())
  }

  succeed(): void {
    this.#faults = 0
    this.#opened = 0
    this.#until = 0
    this.#trying = false
  }

  /** Counts a fault; a `grave` one opens the circuit by itself. */
  fault(grave: boolean): void {
    const { clock, faults, firstPauseMs, longestPauseMs, random } = this.#options
    this.#faults++
    if (grave || this.#trying || this.#faults >= faults) this.#opened++
    this.#trying = false
    const longest = Math.min(longestPauseMs, firstPauseMs * 2 ** (this.#faults - 1))
    this.#until = clock() + longest * (0.5 + random() / 2)
  }

  /** The trial ended without saying anything about the token. */
  release(): void {
    this.#trying = false
  }
}
