import type { Output } from './terminal.ts'

const everyMs = 200

/** A line on a terminal that says how far the work is; nothing anywhere else. */
export class Progress {
  readonly #err: Output
  readonly #wanted: boolean
  #shownAt = 0
  #shown = false

  /** @param out when it is a terminal too, its lines are progress enough */
  constructor(err: Output, out: Output) {
    this.#err = err
    this.#wanted = err.isTerminal && !out.isTerminal
  }

  show(done: number, refused: number): void {
    const now = Date.now()
    if (!this.#wanted || now - this.#shownAt < everyMs) return
    this.#shownAt = now
    this.#shown = true
    const bad = refused === 0 ? '' : `, ${refused} refused`
    this.#err.note(`\r\x1b[K${done} notarised${bad}`)
  }

  /** Takes the line away, so that other output does not stand behind it. */
  clear(): void {
    if (this.#shown) this.#err.note('\r\x1b[K')
    this.#shown = false
  }
}

/** A number with its thousands apart, for people. */
export const counted = (value: number): string => value.toLocaleString('en')

function formatLeft(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.ceil(seconds / 60)
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`
}

/** Before that the speed is a guess. */
const knownAfterMs = 2000

/** A line on a terminal that says how far work of a known size is, and how long it will still take; nothing anywhere else. */
export class Meter {
  readonly #err: Output
  #what: string
  #startedAt = Date.now()
  #startedWith = 0
  #shownAt = 0

  /** @param what of which the work has so many, such as `entries` */
  constructor(err: Output, what: string) {
    this.#err = err
    this.#what = what
  }

  /** @param what where the work comes in parts */
  show(done: number, total: number, what = this.#what): void {
    const now = Date.now()
    if (what !== this.#what) {
      this.#what = what
      this.#startedAt = now
      this.#startedWith = done
    }
    if (!this.#err.isTerminal || now - this.#shownAt < everyMs) return
    this.#shownAt = now
    const spent = now - this.#startedAt
    const rate = (done - this.#startedWith) / spent
    const left =
      spent < knownAfterMs || rate <= 0 ? '' : `, ${formatLeft((total - done) / rate)} left`
    this.#err.note(`\r\x1b[K${counted(done)} of ${counted(total)} ${what}${left}`)
  }

  /** Takes the line away, so that other output does not stand behind it. */
  clear(): void {
    if (this.#shownAt > 0) this.#err.note('\r\x1b[K')
    this.#shownAt = 0
  }
}
