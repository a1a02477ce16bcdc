import { rollback } from './pinned-head.ts'
import type { Pin, PinStore } from './pin.ts'

/** Where a missing pin is to be, and a look at it that makes none. */
export interface MissingPin {
  readonly store: PinStore
  readonly peek: () => Promise<Pin | undefined>
}

/**
 * A pin that is missing, and the tree head that its owner states in its place. Until {@link StatedPin.confirm} it is kept here alone: whoever is refused,
 * or killed, on the way leaves no pin behind by which a database would be believed that nobody has finished judging.
 */
export class StatedPin implements PinStore {
  readonly #missing: MissingPin
  #held: Pin | undefined

  constructor(missing: MissingPin, stated: Pin) {
    this.#missing = missing
    this.#held = stated
  }

  async read(): Promise<Pin | undefined> {
    return this.#held === undefined
      ? this.#missing.store.read()
      : ((await this.#missing.peek()) ?? this.#held)
  }

  async write(pin: Pin): Promise<void> {
    if (this.#held === undefined) await this.#missing.store.write(pin)
    else this.#held = pin
  }

  /** Makes the pin durable; from then on it is kept in its place. @throws {@link Failure} LOG_ROLLBACK when somebody else has made one, STORE_FAILED */
  async confirm(): Promise<void> {
    if (this.#held === undefined) return
    const { peek, store } = this.#missing
    if ((await peek()) !== undefined || (await store.read()) !== undefined)
      throw rollback(`Pin was made by somebody else, stop the other writer: ${this.#held.origin}`)
    await store.write(this.#held)
    this.#held = undefined
  }

  close(): Promise<void> {
    return this.#missing.store.close()
  }
}
