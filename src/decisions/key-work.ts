// The hands of key life: one entry of the stream `keys` with the key store that becomes true in its transaction. The store takes both or neither, so
// that the log never tells of keys that are not there, and the key store never holds what the log does not tell.
import { encodeBase64 } from '../base/base64.ts'
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { Caller, KeyMatter } from '../dossier/matters.ts'
import type { KekKind, KekProvider } from '../kek/kek.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { unsealKeyring } from '../keyring/unseal.ts'
import type { Effect, StoredKeys } from '../store/store.ts'
import type { KeyStep } from '../wire/keys.ts'
import { enterAllowed, type Leave } from './control.ts'
import { isGuardedKeyEvent } from '../verify/control-story.ts'
import { enterNow, type Draft, type Room } from './room.ts'
import { publishNow, vkeysOf, type KeyExchange } from './trust.ts'

/** What key life needs besides the room. */
export interface KeyTools {
  /** The providers that this node opens slots by, in their order. */
  readonly providers: () => readonly KekProvider[]
  /** A provider that the settings describe, whether or not this node opens by it. @throws {@link Failure} CONFIG_INVALID */
  readonly openProvider: (kind: KekKind) => KekProvider
  /** From now on slots are opened by this provider first. */
  readonly prefer: (provider: KekProvider) => void
  /** Opens the master key by the slots of one kind in a process of its own. @throws {@link Failure} KEK_*, OPEN_FAILED, KEY_STORE_REFUSED */
  readonly openInFreshProcess: (tenant: string, kind: KekKind) => Promise<void>
  /** A sealed record that was made while the master key was sealed, by its hex SHA-256. */
  readonly findOffer: (tenant: string, fingerprint: string) => Promise<Uint8Array | undefined>
  /** Master public key that the configuration demands. */
  readonly masterPublic: Uint8Array | undefined
}

/** What an entry says of a key; the rest of its matter follows from the room. */
export type KeyEvent = Omit<KeyMatter, 'time' | 'by'>

/** What an entry says of a signing key. */
export function keyEvent(
  room: Room,
  event: KeyMatter['event'],
  key: ListedKey,
  from: number | null,
): KeyEvent {
  const { algorithm, keyId, keyid, publicKey, purpose, version } = key
  return {
    algorithm,
    event,
    from,
    keyId,
    keyid,
    publicKey: encodeBase64(publicKey),
    purpose,
    version,
    vkeys: key.purpose === 'log' ? [...vkeysOf(room.tenant.origin, key)] : [],
  }
}

/** What an entry says of the master key. */
export function masterEvent(
  { masterHeader: header }: Keyring,
  event: KeyMatter['event'],
): KeyEvent {
  const { algorithm, keyId, publicKey, version } = header
  return {
    algorithm,
    event,
    from: null,
    keyId,
    keyid: null,
    publicKey,
    purpose: 'master',
    version,
    vkeys: [],
  }
}

/** One order being carried out on one log. */
export class KeyWork {
  readonly room: Room
  readonly tools: KeyTools
  readonly by: Caller
  /** The entries so far. */
  readonly steps: KeyStep[] = []
  /** What whoever ordered it must know. */
  readonly notes: string[] = []
  /** What lets it do what takes two keys; undefined where it does nothing of that. */
  leave: Leave | undefined

  constructor(room: Room, tools: KeyTools, by: Caller) {
    this.room = room
    this.tools = tools
    this.by = by
  }

  get keyring(): Keyring {
    return this.room.keyring
  }

  /**
   * Unseals the key material that is to be stored: what no provider opens must not take the place of what one does.
   * @throws {@link Failure} KEK_*, OPEN_FAILED, KEY_STORE_REFUSED
   */
  prove(stored: StoredKeys, providers = this.tools.providers()): Promise<Keyring> {
    const { instance, tenant } = this.room
    return unsealKeyring({
      instance: instance.id,
      pinnedEpoch: this.keyring.epoch + 1,
      providers,
      stored,
      tenant: tenant.name,
    })
  }

  /** Works while nobody signs and nothing is on its way into the log. */
  alone<T>(work: () => Promise<T>): Promise<T> {
    return this.room.gate.alone(() => this.room.log.idle(), work)
  }

  /** Enters what happened to a key; nothing else changes. */
  tell(event: KeyEvent): Promise<void> {
    return this.alone(() => this.#enter(event, []))
  }

  /**
   * Enters what happened to a key together with the key store in which it has happened.
   * @param next the keyring of that key store, where the present one cannot go on with it
   * @param effects what else becomes true in it, asked for while nothing else enters the log
   */
  async commit(
    event: KeyEvent,
    stored: StoredKeys,
    next?: Keyring,
    effects: () => Promise<readonly Effect[]> = () => Promise.resolve([]),
  ): Promise<void> {
    await this.alone(async () => this.commitNow(event, stored, next, await effects()))
  }

  /** As {@link commit}, for whoever is alone already. */
  async commitNow(
    event: KeyEvent,
    stored: StoredKeys,
    next?: Keyring,
    effects: readonly Effect[] = [],
  ): Promise<void> {
    const epoch = this.keyring.epoch + 1
    await this.#enter(event, [{ type: 'keys', keys: stored, epoch }, ...effects])
    this.#take(stored, next)
  }

  /** Publishes a trust root; where keys are exchanged it is the commit in which they are. */
  async publish(about: KeyEvent | ListedKey, stored?: StoredKeys): Promise<void> {
    const exchange: KeyExchange | undefined =
      stored === undefined ? undefined : { epoch: this.keyring.epoch + 1, stored }
    const { index } = await publishNow(this.room, exchange)
    this.#step('published', about, index)
    if (stored !== undefined) this.#take(stored)
  }

  #take(stored: StoredKeys, next?: Keyring): void {
    const { holder } = this.room
    if (next === undefined) {
      holder.keyring.adopt(stored)
      return
    }
    const before = holder.keyring
    holder.keyring = next
    before.close()
  }

  async #enter(event: KeyEvent, effects: readonly Effect[]): Promise<void> {
    const { clock, store, tenant } = this.room
    const head = await store.readStreamHead(tenant.name, 'keys')
    const draft: Draft = {
      kind: 'key',
      stream: 'keys',
      seq: head === undefined ? 0 : head.seq + 1,
      prev: head === undefined ? null : encodeHex(head.leafHash),
      matter: { ...event, by: this.by, time: clock() },
      effects,
    }
    const { appended } = isGuardedKeyEvent(event)
      ? await enterAllowed(this.room, this.#expectLeave(), draft)
      : await enterNow(this.room, draft)
    this.#step(event.event, event, appended.index)
  }

  #expectLeave(): Leave {
    if (this.leave === undefined) throw new Failure('BUG', 'Order does what nobody allowed')
    return this.leave
  }

  #step(
    event: string,
    { keyId, purpose, version }: Pick<KeyEvent, 'keyId' | 'purpose' | 'version'>,
    index: number,
  ): void {
    this.steps.push({ event, index, keyId, purpose, version })
  }
}

/** A failure that says why a key is not in a state for an order. */
export const keyState = (message: string): Failure => new Failure('INPUT_KEY_STATE', message)
