// Dear work, for each tenant one piece after the other: whoever asks for much of it at once waits in his own line, and between two pieces the thread that
// signs does what others want of it. What nobody waits for any more is not done.
import { Lines } from '../base/lines.ts'
import type { Call } from './call.ts'

/** A line for each tenant. */
export class TenantLines {
  readonly #lines = new Lines()

  /**
   * Works once all is done that the tenant asked for before.
   * @throws {@link Failure} LOG_BUSY when nobody is there any more who could be told
   */
  run<T>(call: Call, tenant: string, work: () => Promise<T>): Promise<T> {
    return this.#lines.run(tenant, () => {
      call.expectThere()
      return work()
    })
  }
}
