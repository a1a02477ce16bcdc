// Dear work, for each tenant one piece after the other: whoever asks for much of it at once waits in his own line, and between two pieces the thread that
// signs does what others want of it. What nobody waits for any more is not done.
import type { Call } from './call.ts'

/** A line for each tenant. */
export class TenantLines {
  readonly #last = new Map<string, Promise<unknown>>()

  /**
   * Works once all is done that the tenant asked for before.
   * @throws {@link Failure} LOG_BUSY when nobody is there any more who could be told
   */
  async run<T>(call: Call, tenant: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(tenant)
    const turn = (async () => {
      // What became of it is for its own caller to hear.
      await before?.catch(() => undefined)
      call.expectThere()
      return work()
    })()
    this.#last.set(tenant, turn)
    try {
      return await turn
    } finally {
      if (this.#last.get(tenant) === turn) this.#last.delete(tenant)
    }
  }
}
