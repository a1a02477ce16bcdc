// The providers that the settings describe, each made when it is first asked for and at most once: one that the node was not told to open slots by
// may still be needed, to move the master key to it. So the shelf keeps the secrets that providers are made of, until it is closed.
import { Failure } from '../base/failure.ts'
import type { KekKind, KekProvider } from './kek.ts'
import { createKek, type KekCircumstances } from './kek-kinds.ts'
import { wipeSecrets, type KekSettings } from './kek-settings.ts'

/** Owns the secrets of the settings it is given, and the providers it gives out. */
export class KekShelf {
  readonly settings: KekSettings
  readonly circumstances: KekCircumstances
  readonly #made = new Map<KekKind, KekProvider>()
  #closed = false

  constructor(settings: KekSettings, circumstances: KekCircumstances) {
    this.settings = settings
    this.circumstances = circumstances
  }

  /**
   * The provider of a kind, always the same one; it is not asked anything yet.
   * @throws {@link Failure} CONFIG_INVALID when the settings do not describe it well enough, KEK_UNAVAILABLE once closed
   */
  open(kind: KekKind): KekProvider {
    if (this.#closed) throw new Failure('KEK_UNAVAILABLE', `Key provider is closed: ${kind}`)
    const provider = this.#made.get(kind) ?? createKek(kind, this.settings, this.circumstances)
    this.#made.set(kind, provider)
    return provider
  }

  /** Closes every provider that was given out and wipes the secrets; closing twice does no harm. */
  async close(): Promise<void> {
    this.#closed = true
    wipeSecrets(this.settings)
    await Promise.all([...this.#made.values()].map((provider) => provider.close()))
  }
}
