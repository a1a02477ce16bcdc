// Those who wait for the end of an escalation. Nobody holds a thread or asks the database meanwhile: whoever brings the end about rings, and who waited
// reads anew. They are so many at most, and when the service ends all of them are sent home with what is known.
import { Failure } from '../base/failure.ts'

/** Somebody who waits. */
export interface Wait {
  /** Resolves when something may have happened, time is up, or the service ends. */
  readonly over: Promise<void>
  /** Goes without waiting any longer. */
  leave(): void
}

/** Everybody who waits, by what they wait for. */
export class EscalationWaits {
  readonly #most: number
  readonly #waiting = new Map<string, Set<() => void>>()
  #count = 0
  #closed = false

  /** @param most how many may wait at a time */
  constructor(most: number) {
    this.#most = most
  }

  /** How many wait. */
  get size(): number {
    return this.#count
  }

  /** Whether all were sent home for good. */
  get closed(): boolean {
    return this.#closed
  }

  /**
   * Begins to wait; begun before reading, so that nothing is missed between.
   * @param left aborts when nobody is there any more who could be told
   * @throws {@link Failure} LOG_BUSY when too many wait
   */
  begin(tenant: string, id: string, waitMs: number, left?: AbortSignal): Wait {
    if (this.#count >= this.#most)
      throw new Failure('LOG_BUSY', `Too many wait for escalations: ${this.#count}`)
    const name = nameOf(tenant, id)
    const { promise, resolve } = Promise.withResolvers<undefined>()
    const wake = (): void => {
      clearTimeout(timer)
      left?.removeEventListener('abort', wake)
      if (!this.#remove(name, wake)) return
      resolve(undefined)
    }
    const timer = setTimeout(wake, waitMs)
    const others = this.#waiting.get(name) ?? new Set()
    this.#waiting.set(name, others.add(wake))
    this.#count++
    left?.addEventListener('abort', wake)
    if (this.#closed || left?.aborted === true) wake()
    return { leave: wake, over: promise }
  }

  /** Wakes everybody who waits for an escalation. */
  ring(tenant: string, id: string): void {
    for (const wake of [...(this.#waiting.get(nameOf(tenant, id)) ?? [])]) wake()
  }

  /** Sends everybody home, and lets nobody wait any more. */
  close(): void {
    this.#closed = true
    for (const wakes of [...this.#waiting.values()]) for (const wake of [...wakes]) wake()
  }

  #remove(name: string, wake: () => void): boolean {
    const others = this.#waiting.get(name)
    if (others?.delete(wake) !== true) return false
    if (others.size === 0) this.#waiting.delete(name)
    this.#count--
    return true
  }
}

const nameOf = (tenant: string, id: string): string => `${tenant} ${id}`
