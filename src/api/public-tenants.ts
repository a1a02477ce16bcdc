// Which tenants let anybody read their log. Asked on every read of a tile, so the list is remembered for a few seconds.
import type { Service } from '../decisions/service.ts'

const rememberMs = 5000

/** Names of the public tenants, as of a few seconds ago. */
export class PublicTenants {
  readonly #service: Pick<Service, 'listTenants'>
  readonly #clock: () => number
  #names: Promise<ReadonlySet<string>> | undefined
  #at = 0

  constructor(service: Pick<Service, 'listTenants'>, clock: () => number) {
    this.#service = service
    this.#clock = clock
  }

  async isPublic(name: string): Promise<boolean> {
    const age = this.#clock() - this.#at
    const names =
      this.#names === undefined || age < 0 || age >= rememberMs ? this.#ask() : this.#names
    return (await names).has(name)
  }

  #ask(): Promise<ReadonlySet<string>> {
    const asked = this.#service
      .listTenants()
      .then((tenants) => new Set(tenants.filter((tenant) => tenant.public).map(({ name }) => name)))
    this.#names = asked
    this.#at = this.#clock()
    // A failure is told to whoever waits for it, and not remembered.
    asked.catch(() => {
      if (this.#names === asked) this.#names = undefined
    })
    return asked
  }
}
