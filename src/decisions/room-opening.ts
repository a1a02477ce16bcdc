// Opening the room of a tenant: its keys are unsealed, its log is held against pin and keys, its row against its log, its key store against its log,
// and what an order about keys left untold is told. Nothing of a tenant is answered before all of it has passed.
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { Profile } from '../dossier/kinds.ts'
import { standingAt } from '../dossier/trust-root.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { ListedKey } from '../keyring/listed-key.ts'
import { unsealKeyring } from '../keyring/unseal.ts'
import { Log } from '../log/log.ts'
import type { PinStore } from '../log/pin.ts'
import type { LogPublicKeys } from '../merkle/checkpoint.ts'
import type { Instance, Store } from '../store/store.ts'
import { Gate } from './gate.ts'
import { checkTenant, hasGenesis } from './genesis.ts'
import type { KeyDesk } from './key-desk.ts'
import type { KeyHolder, Room } from './room.ts'
import { logPublicKeys, readTrustedWitnesses } from './trust.ts'
import type { Witnessing } from './witnessing.ts'

/** What rooms are opened with. */
export interface OpeningParts {
  readonly instance: Instance
  readonly desk: KeyDesk
  readonly clock: () => number
  /** Where the pin of a tenant is kept. */
  readonly openPin: (tenant: string) => PinStore
  /** Master public key that every keyring must have, when one is demanded. */
  readonly masterPublic: Uint8Array | undefined
  /** The witness policy that every log is to have; each keeps the one of its trust root where none is given. */
  readonly witnessPolicy: string | undefined
  readonly witnessing: Witnessing
  /** Told when a log can no longer be believed. */
  readonly onBroken: (failure: Failure) => void
}

/** How long composite-signed entries wait for company; entries of the fast key are committed at once. */
const windowMs: Readonly<Record<Profile, number>> = { each: 10, checkpoint: 0 }

/** Opens rooms; keyrings stay unsealed when a room is opened anew over another store. */
export class RoomOpening {
  readonly #parts: OpeningParts
  readonly #holders = new Map<string, Promise<KeyHolder>>()

  constructor(parts: OpeningParts) {
    this.#parts = parts
  }

  /** Takes over the keys that were just made for a tenant. */
  keep(tenant: string, keyring: Keyring): void {
    this.#holders.set(tenant, Promise.resolve({ keyring }))
  }

  /**
   * Opens the room of a tenant; of one that is being founded without the checks of what it does not have yet.
   * @throws {@link Failure} INPUT_NOT_FOUND, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, LOG_ROLLBACK, STORE_*
   */
  async open(store: Store, name: string): Promise<Room> {
    const { clock, desk, instance, onBroken, openPin, witnessing, witnessPolicy } = this.#parts
    const found = await store.readTenant(name)
    if (found === undefined) throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${name}`)
    const pin = openPin(name)
    try {
      const holder = await this.#keyHolder(store, name, pin)
      const log = await Log.open({
        clock,
        epoch: () => holder.keyring.epoch,
        onBroken,
        origin: found.origin,
        pin,
        signers: () => holder.keyring.log,
        signersAt: (size) => logKeysAt(holder.keyring.list(), size),
        store,
        tenant: name,
        windowMs: windowMs[found.profile],
      })
      const room: Room = {
        clock,
        gate: new Gate(),
        holder,
        instance,
        get keyring() {
          return holder.keyring
        },
        log,
        store,
        tenant: found,
        witnesses: witnessPolicy ?? (await readTrustedWitnesses({ log, store, tenant: found })),
      }
      if (await hasGenesis(store, name)) {
        await checkTenant(room)
        // Before anything new is signed: whoever has seen more of this log says so now.
        await witnessing.open(room)
        await desk.admit(room)
      }
      return room
    } catch (error) {
      await pin.close()
      throw error
    }
  }

  /** Gives up a room that nobody uses: in this turn, for the next may be opened before its log has ended. */
  async close(room: Room): Promise<void> {
    this.#parts.desk.leave(room)
    this.#parts.witnessing.leave(room)
    this.#holders.delete(room.tenant.name)
    room.keyring.close()
    await room.log.close()
  }

  /** Gives up the keys of a tenant whose room did not open. */
  async drop(tenant: string): Promise<void> {
    const holder = await this.#holders.get(tenant)?.catch(() => undefined)
    this.#holders.delete(tenant)
    holder?.keyring.close()
  }

  /** Gives up all keys. */
  async closeKeys(): Promise<void> {
    const holders = [...this.#holders.values()]
    this.#holders.clear()
    for (const holder of holders) (await holder.catch(() => undefined))?.keyring.close()
  }

  /** Keys are unsealed once: a reopened store does not ask the providers again, unless it holds other keys than this process uses. */
  async #keyHolder(store: Store, name: string, pin: PinStore): Promise<KeyHolder> {
    const known = this.#holders.get(name)
    if (known !== undefined) {
      const holder = await known
      const stored = await store.readKeys(name)
      if (stored !== undefined && equalBytes(stored.manifest, holder.keyring.stored.manifest))
        return holder
      holder.keyring.close()
    }
    const unsealed = this.#unseal(store, name, pin).then((keyring) => ({ keyring }))
    this.#holders.set(name, unsealed)
    unsealed.catch(() => this.#holders.delete(name))
    return unsealed
  }

  async #unseal(store: Store, name: string, pin: PinStore): Promise<Keyring> {
    const stored = await store.readKeys(name)
    if (stored === undefined) throw new Failure('STORE_CORRUPT', `Tenant has no keys: ${name}`)
    const pinned = await pin.read()
    const { desk, instance, masterPublic } = this.#parts
    return unsealKeyring({
      instance: instance.id,
      masterPublic,
      pinnedEpoch: pinned?.epoch,
      providers: desk.providers,
      stored,
      tenant: name,
    })
  }
}

/** The log keys that count at a tree size. */
const logKeysAt = (listed: readonly ListedKey[], size: number): readonly LogPublicKeys[] =>
  listed.flatMap((key) =>
    key.purpose === 'log' &&
    key.from !== null &&
    standingAt({ ...key, from: key.from, revokedAt: null }, size) === 'valid'
      ? [logPublicKeys(key)]
      : [],
  )
