// Private bytes that know they are private: lent for the length of a call, wiped when done, and refusing every road by which an object becomes
// text. Wiping is best effort, for an engine may have copied; it bounds how long a key lies in our own memory.
/// <reference lib="esnext.disposable" preserve="true" />
import { Failure, invariant } from '../base/failure.ts'
import { randomBytes } from './hash.ts'
import { privateCopy } from './private-bytes.ts'

const refusal = (): Failure => new Failure('BUG', 'A secret must not be written')

/** Owner of private bytes. */
export class Secret {
  readonly #bytes: Uint8Array
  #borrowers = 0
  #wiped = false

  /** Takes the bytes over: copies them into a buffer of their own and wipes `source`. */
  constructor(source: Uint8Array) {
    this.#bytes = privateCopy(source)
    source.fill(0)
  }

  /** A secret of `length` random bytes. */
  static random(length: number): Secret {
    return new Secret(randomBytes(length))
  }

  /**
   * A secret of its own made of the bytes from `start` to `end`.
   * @throws {@link Failure} BUG once wiped
   */
  part(start: number, end?: number): Secret {
    return this.use((bytes) => new Secret(privateCopy(bytes.subarray(start, end))))
  }

  /** Length in bytes, also after it was wiped. */
  get length(): number {
    return this.#bytes.length
  }

  /**
   * Lends the bytes to `fn`, which must neither keep nor change them, and gives what it returns.
   * @throws {@link Failure} BUG once wiped, or when `fn` is async (it would read after the loan)
   */
  use<T>(fn: (bytes: Uint8Array) => T): T {
    const bytes = this.#borrow()
    try {
      const result = fn(bytes)
      invariant(!(result instanceof Promise), 'A secret is lent to a promise by useAsync only')
      return result
    } finally {
      this.#giveBack()
    }
  }

  /**
   * Lends the bytes until the promise of `fn` settles; a {@link wipe} meanwhile takes effect after it.
   * @throws {@link Failure} BUG once wiped
   */
  async useAsync<T>(fn: (bytes: Uint8Array) => Promise<T>): Promise<T> {
    const bytes = this.#borrow()
    try {
      return await fn(bytes)
    } finally {
      this.#giveBack()
    }
  }

  /** Overwrites the bytes with zeros, now or when the last borrower is done; nothing can be borrowed from here on. */
  wipe(): void {
    this.#wiped = true
    // A borrower that found zeros would encrypt or sign with a key that anybody knows.
    if (this.#borrowers === 0) this.#bytes.fill(0)
  }

  [Symbol.dispose](): void {
    this.wipe()
  }

  #borrow(): Uint8Array {
    invariant(!this.#wiped, 'Secret was used after it was wiped')
    this.#borrowers++
    return this.#bytes
  }

  #giveBack(): void {
    this.#borrowers--
    if (this.#wiped && this.#borrowers === 0) this.#bytes.fill(0)
  }

  toJSON(): never {
    throw refusal()
  }

  toString(): never {
    throw refusal()
  }

  [Symbol.toPrimitive](): never {
    throw refusal()
  }

  // Does not throw: an error on its way to the log must arrive even when a secret hangs on it.
  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return '[Secret]'
  }
}
