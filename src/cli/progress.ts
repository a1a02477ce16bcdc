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
