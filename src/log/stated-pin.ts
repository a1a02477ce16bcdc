import type { Pin, PinStore } from './pin.ts'

/** A pin that is missing, and the tree head that its owner states in its place until it is written. */
export class StatedPin implements PinStore {
  readonly #store: PinStore
  readonly #stated: Pin

  constructor(store: PinStore, stated: Pin) {
    this.#store = store
    this.#stated = stated
  }

  async read(): Promise<Pin | undefined> {
    return (await this.#store.read()) ?? this.#stated
  }

  write(pin: Pin): Promise<void> {
    return this.#store.write(pin)
  }

  close(): Promise<void> {
    return this.#store.close()
  }
}
