// By which kinds of provider the logs of an installation have slots: read once, until it is forgotten.
import { asFailure } from '../base/failure.ts'
import type { KekKind } from '../kek/kek.ts'
import { parseSlot } from '../keyring/slot.ts'
import type { StoreReader } from '../store/store.ts'

/** By which kinds of provider logs have slots. */
export interface KindsInUse {
  readonly kinds: ReadonlySet<KekKind>
  /** False where a slot cannot be read: it may be of any kind. */
  readonly isWhole: boolean
}

/** The kind of provider that a slot is of; undefined where it cannot be read, which is its own tenant's trouble. */
function kindOfSlot(body: Uint8Array): KekKind | undefined {
  try {
    return parseSlot(body).provider
  } catch (error) {
    if (asFailure(error).code === 'KEY_STORE_REFUSED') return undefined
    throw error
  }
}

async function readKinds(store: StoreReader): Promise<KindsInUse> {
  const kinds = new Set<KekKind>()
  let isWhole = true
  for (const { name } of await store.listTenants())
    for (const { body } of (await store.readKeys(name))?.slots ?? []) {
      const kind = kindOfSlot(body)
      if (kind === undefined) isWhole = false
      else kinds.add(kind)
    }
  return { isWhole, kinds }
}

/** Remembers the kinds in use. */
export class KeyKinds {
  readonly #store: () => StoreReader
  #reading: Promise<KindsInUse> | undefined

  /** @param store asked for every time, because it may be reopened */
  constructor(store: () => StoreReader) {
    this.#store = store
  }

  /** Reads them once, until they are forgotten. */
  read(): Promise<KindsInUse> {
    if (this.#reading !== undefined) return this.#reading
    const reading = readKinds(this.#store())
    this.#reading = reading
    // A failure is told to whoever waits for it, and not remembered; by then a newer reading may have taken its place.
    reading.catch(() => {
      if (this.#reading === reading) this.#reading = undefined
    })
    return reading
  }

  /** The next reading asks the store. */
  forget(): void {
    this.#reading = undefined
  }
}
