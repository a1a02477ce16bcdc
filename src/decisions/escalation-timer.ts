// Tells the log when the time of an escalation has run out, though nobody asks. What waits is read from the database, so that a restart forgets nothing;
// between two deadlines nothing is asked of it. Where the timer fails or is late no harm is done: nobody may answer behind a deadline, whether it was told
// or not.
import { asFailure } from '../base/failure.ts'
import type { WaitingStanding } from '../store/store.ts'

/** What the timer works with. */
export interface TimerParts {
  /** ms since 1970. */
  readonly clock: () => number
  /** What waits for the shortest time. */
  readonly list: (limit: number) => Promise<readonly WaitingStanding[]>
  /** Tells that the time of one has run out. */
  readonly timeOut: (tenant: string, id: string) => Promise<void>
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
}

const batch = 64
/** A clock that jumps is noticed within a minute; one that stands still, or a database that is away, is not asked without end. */
const delays = { least: 20, most: 60_000, afterTrouble: 2000 }

/** Ends escalations in time. */
export class EscalationTimer {
  readonly #parts: TimerParts
  #timer: NodeJS.Timeout | undefined
  /** When it looks next. */
  #at = Infinity
  #looking: Promise<void> | undefined
  /** How long it sleeps when the next look fails. */
  #backOff = delays.afterTrouble
  #closed = false

  constructor(parts: TimerParts) {
    this.#parts = parts
  }

  /** Looks at what waits now. */
  start(): void {
    this.#wake(0)
  }

  /** Takes notice of a deadline, ms since 1970. */
  expect(deadline: number): void {
    if (deadline < this.#at) this.#sleepUntil(deadline)
  }

  /** Ends the timer; resolves when it does nothing any more. */
  async close(): Promise<void> {
    this.#closed = true
    clearTimeout(this.#timer)
    await this.#looking
  }

  #sleepUntil(deadline: number): void {
    const delay = deadline + 1 - this.#parts.clock()
    this.#at = deadline
    this.#wake(Math.min(Math.max(delay, delays.least), delays.most))
  }

  #wake(delayMs: number): void {
    if (this.#closed) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => {
      // It has not read what it was just told of.
      if (this.#looking !== undefined) this.#wake(delays.least)
      else
        this.#looking = this.#look().finally(() => {
          this.#looking = undefined
        })
    }, delayMs).unref()
  }

  async #look(): Promise<void> {
    this.#at = Infinity
    try {
      const { clock, list, timeOut } = this.#parts
      const waiting = await list(batch)
      const due = waiting.filter(({ until }) => until < clock())
      const told = await Promise.allSettled(
        due.map(({ stream, tenant }) => timeOut(tenant, stream)),
      )
      const failed = told.find(({ status }) => status === 'rejected')
      if (failed?.status === 'rejected') throw failed.reason
      this.#backOff = delays.afterTrouble
      const next = waiting.find((one) => !due.includes(one))
      if (next !== undefined) this.expect(next.until)
      else if (due.length === batch) this.#wake(delays.least)
    } catch (error) {
      const { code, message } = asFailure(error)
      if (this.#closed) return
      this.#parts.report('escalations.late', { code, message })
      this.#wake(this.#backOff)
      this.#backOff = Math.min(2 * this.#backOff, delays.most)
    }
  }
}
