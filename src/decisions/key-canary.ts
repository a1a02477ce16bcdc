// Whether the slots in the store still open. Logs take turns, a few at a check; one whose slot did not open is asked again at every check until it
// does, so that what was found is not forgotten while the others have their turn.
import { asFailure, Failure } from '../base/failure.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import { readSlots } from '../keyring/inventory.ts'
import { openMasterSeed } from '../keyring/slot.ts'
import type { StoreReader } from '../store/store.ts'

/** What a canary is made of. */
export interface KeyCanaryParts {
  /** Asked for every time, because a writer may reopen it. */
  readonly store: () => StoreReader
  /** UUID of the instance. */
  readonly instance: string
  /** Told once when a slot does not open, and once when it opens again. */
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
  readonly clock: () => number
  /** Logs that have their turn at one check. */
  readonly turns?: number
  /** Time after which a check leaves the rest to the next one, in ms. */
  readonly budgetMs?: number
}

/** How far the checks of one provider have come. */
interface Round {
  /** The tenant that had the last turn. */
  last: string
  /** The tenants whose slot did not open when it was last tried. */
  readonly refused: Map<string, Failure>
}

const saysOfSlot = ({ code }: Failure): boolean =>
  code === 'OPEN_FAILED' || code === 'KEY_STORE_REFUSED'

/** The names behind `last` in the order of the alphabet, then those before it. */
function inTurn(names: readonly string[], last: string): readonly string[] {
  const at = names.findIndex((name) => name > last)
  return at < 0 ? names : [...names.slice(at), ...names.slice(0, at)]
}

/** Opens slots of providers as they stand in the store, and forgets what was in them. */
export class KeyCanary {
  readonly #parts: Required<KeyCanaryParts>
  readonly #rounds = new Map<KekProvider, Round>()

  constructor(parts: KeyCanaryParts) {
    this.#parts = { budgetMs: 4000, turns: 16, ...parts }
  }

  /** The kinds of provider whose slot of a tenant did not open when it was last tried. */
  refusedOf(tenant: string): readonly KekKind[] {
    return [...this.#rounds].flatMap(([{ metadata }, { refused }]) =>
      refused.has(tenant) ? [metadata.kind] : [],
    )
  }

  /** Has no more to say of a provider that no slot is opened by any longer. */
  forget(provider: KekProvider): void {
    this.#rounds.delete(provider)
  }

  /**
   * Opens slots of a provider: those that did not open before, and those of the logs whose turn it is; `opened` is called for each that does.
   * @throws {@link Failure} what the provider says of itself, at once; else OPEN_FAILED or KEY_STORE_REFUSED while any slot is known not to open
   */
  async check(provider: KekProvider, opened: () => void = () => undefined): Promise<void> {
    const round = this.#rounds.get(provider) ?? { last: '', refused: new Map<string, Failure>() }
    this.#rounds.set(provider, round)
    const names = (await this.#parts.store().listTenants()).map(({ name }) => name).sort()
    for (const name of round.refused.keys()) if (!names.includes(name)) round.refused.delete(name)
    await this.#take(provider, round, inTurn(names, round.last), opened)
    const [first] = round.refused.values()
    if (first === undefined) return
    // Names of tenants are not for other tenants: they stand in the report alone.
    const { size } = round.refused
    throw new Failure(first.code, size === 1 ? first.message : `${first.message} (${size} tenants)`)
  }

  async #take(
    provider: KekProvider,
    round: Round,
    names: readonly string[],
    opened: () => void,
  ): Promise<void> {
    const { budgetMs, clock, turns } = this.#parts
    const until = clock() + budgetMs
    const known = [...round.refused.keys()]
    const before = new Set(known)
    let left = turns
    for (const name of [...known.slice(0, turns), ...names.filter((one) => !before.has(one))]) {
      if (!before.has(name) && left-- === 0) return
      const met = await this.#try(provider, name, opened)
      this.#learn(provider, round, name, met)
      if (!before.has(name)) round.last = name
      if (clock() >= until) return
    }
  }

  /** What a slot of a tenant gave; undefined when all of the provider opened, or there is none. */
  async #try(
    provider: KekProvider,
    tenant: string,
    opened: () => void,
  ): Promise<Failure | undefined> {
    const { instance, store } = this.#parts
    const stored = await store().readKeys(tenant)
    if (stored === undefined) return undefined
    try {
      const slots = readSlots(stored.slots, { instance, tenant })
      for (const slot of slots.filter((one) => one.provider === provider.metadata.kind)) {
        ;(await openMasterSeed(slot, provider)).wipe()
        opened()
      }
      return undefined
    } catch (error) {
      const failure = asFailure(error)
      if (saysOfSlot(failure)) return failure
      throw failure
    }
  }

  #learn(
    provider: KekProvider,
    { refused }: Round,
    tenant: string,
    met: Failure | undefined,
  ): void {
    const was = refused.has(tenant)
    // Put last, so that of many each has its turn.
    refused.delete(tenant)
    if (met !== undefined) refused.set(tenant, met)
    if (was === (met !== undefined)) return
    const { kind } = provider.metadata
    if (met === undefined) this.#parts.report('slot.opens', { provider: kind, tenant })
    else
      this.#parts.report('slot.refused', {
        code: met.code,
        message: met.message,
        provider: kind,
        tenant,
      })
  }
}
