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

const secondMs = 1000

/** A line on a terminal that says how far work of a known size is, and how long it will still take; nothing anywhere else. */
export class Meter {
  readonly #err: Output
  readonly #what: string
  readonly #startedAt = Date.now()
  #shownAt = 0

  /** @param what of which the work has so many, such as `entries` */
  constructor(err: Output, what: string) {
    this.#err = err
    this.#what = what
  }

  show(done: number, total: number): void {
    const now = Date.now()
    if (!this.#err.isTerminal || now - this.#shownAt < everyMs) return
    this.#shownAt = now
    const spent = now - this.#startedAt
    const left = done === 0 ? 0 : Math.ceil((spent / done) * ((total - done) / secondMs))
    const eta = spent < 2 * secondMs ? '' : `, ${left} s left`
    const figures = [done, total].map((n) => n.toLocaleString('en'))
    this.#err.note(`\r\x1b[K${figures.join(' of ')} ${this.#what}${eta}`)
  }

  /** Takes the line away, so that other output does not stand behind it. */
  clear(): void {
    if (this.#shownAt > 0) this.#err.note('\r\x1b[K')
    this.#shownAt = 0
  }
}
