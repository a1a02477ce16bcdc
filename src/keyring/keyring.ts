// The key hierarchy of one log: slots open the master key, the master key opens the signing keys, and the manifest says which of them count, and
// where. What the store holds is not believed until the manifest vouches for it. The master seed is gone again when unsealing ends; the keyring
// keeps signers, and the key of the manifest. It decides nothing about a key's life, it only makes sure that no record of it is forged.
import { invariant } from '../base/failure.ts'
import type { CompositeSigner } from '../crypto/composite.ts'
import type { Secret } from '../crypto/secret.ts'
import type { Signer } from '../crypto/signatures.ts'
import type { KekMetadata } from '../kek/kek.ts'
import type { StoredKey, StoredKeys, StoredSlot } from '../store/store.ts'
import { publicKeyOf, type Header, type Identity } from './header.ts'
import { checkListed, describeKeys, readKeys, type KeyRow } from './inventory.ts'
import { changeKeys, type KeyChange } from './key-change.ts'
import { listKey, type ListedKey } from './listed-key.ts'
import { formatManifest, parseManifest } from './manifest.ts'
import { refusal } from './record.ts'
import { openBeside, sealBeside } from './sealed-secret.ts'
import { destroySealedKey, formatSealedKey } from './sealed-key.ts'
import type { BundleKey, EntryKey, LogKey, OpenedKeys, SigningKeys } from './signing-keys.ts'

/** What a keyring is made of; it takes all of it over. */
export interface KeyringParts {
  readonly identity: Identity
  /** Header of the master key. */
  readonly master: Header
  readonly openedBy: KekMetadata
  readonly refusals: readonly string[]
  readonly epoch: number
  readonly manifestKey: Secret
  /** As the store holds it. */
  readonly stored: StoredKeys
  readonly rows: readonly KeyRow[]
  readonly opened: OpenedKeys
}

/** The master key, as far as it may be known. */
export interface MasterKey {
  /** UUID. */
  readonly keyId: string
  readonly version: number
}

/** What {@link Keyring.reseal} may put in besides changes. */
export interface NewMaterial {
  /** Pending keys. */
  readonly added?: readonly StoredKey[]
  /** In place of all slots before. */
  readonly slots?: readonly StoredSlot[]
}

/** The unsealed keys of one log. */
export class Keyring {
  readonly master: MasterKey
  /** X-Wing, 1216 bytes. */
  readonly masterPublicKey: Uint8Array
  /** The provider whose slot opened. */
  readonly openedBy: KekMetadata
  /** What the providers said that were asked before it: empty unless the node fell over. */
  readonly refusals: readonly string[]
  readonly #identity: Identity
  readonly #header: Header
  readonly #manifestKey: Secret
  readonly #opened: OpenedKeys
  #signingKeys: SigningKeys
  #stored: StoredKeys
  #epoch: number
  #rows: readonly KeyRow[]

  /** For {@link unsealKeyring}: the parts must have been checked against the manifest. */
  constructor(parts: KeyringParts) {
    const { keyId, version } = parts.master
    this.master = Object.freeze({ keyId, version })
    this.masterPublicKey = publicKeyOf(parts.master)
    this.openedBy = parts.openedBy
    this.refusals = parts.refusals
    this.#identity = parts.identity
    this.#header = parts.master
    this.#manifestKey = parts.manifestKey
    this.#stored = parts.stored
    this.#opened = parts.opened
    this.#signingKeys = parts.opened.choose(parts.rows)
    this.#epoch = parts.epoch
    this.#rows = parts.rows
  }

  /** The version of the key store that this keyring knows; belongs into the pin. */
  get epoch(): number {
    return this.#epoch
  }

  /** Signs entries of every kind. */
  get evidence(): EntryKey<CompositeSigner> {
    return this.#signingKeys.evidence
  }

  /** Signs decisions and executions in the `checkpoint` profile. */
  get fast(): EntryKey<Signer> {
    return this.#signingKeys.fast
  }

  /** Signs checkpoints. */
  get log(): LogKey {
    return this.#signingKeys.log
  }

  /** Signs copies for other verifiers, where there is such a key. */
  get bundle(): BundleKey | undefined {
    return this.#signingKeys.bundle
  }

  /** The key material as the store holds it, sealed. */
  get stored(): StoredKeys {
    return this.#stored
  }

  /** Header of the master key, to which new keys are sealed. */
  get masterHeader(): Header {
    return this.#header
  }

  /** Every signing key there ever was, in the store's order, with where it counts. */
  list(): readonly ListedKey[] {
    return this.#rows.map(listKey)
  }

  /** What {@link list} would say of material of {@link reseal}. */
  preview({ keys }: StoredKeys): readonly ListedKey[] {
    return readKeys(keys, this.#identity, this.#header).map(listKey)
  }

  /** What is left of a key's sealed record when it is destroyed. */
  bodyWithoutKey(keyId: string): Uint8Array {
    const key = this.#rows.find(({ row }) => row.keyId === keyId)
    invariant(key !== undefined, `No such key: ${keyId}`)
    return formatSealedKey(destroySealedKey(key.sealed))
  }

  /**
   * The sealed keys after the changes, under the next epoch. The keyring itself stays as it is until {@link adopt}: whether the store took
   * them is not known yet.
   * @throws {@link Failure} BUG when a change is not allowed, or once closed
   */
  reseal(changes: readonly KeyChange[], { added = [], slots }: NewMaterial = {}): StoredKeys {
    const keys = [
      ...changeKeys(
        this.#rows.map(({ row }) => row),
        changes,
      ),
      ...added,
    ]
    invariant(
      added.every(({ state }) => state === 'pending'),
      'New key is pending',
    )
    const material = { slots: slots ?? this.#stored.slots, keys }
    const manifest = describeKeys(this.#identity, this.#epoch + 1, this.masterPublicKey, material)
    return { ...material, manifest: formatManifest(manifest, this.#manifestKey) }
  }

  /**
   * Takes over what {@link reseal} gave, once it is durable. A key that became active must have been opened: pending keys are, by unsealing.
   * Nothing may be signing meanwhile, for the keys that stopped are given up.
   * @throws {@link Failure} KEY_STORE_REFUSED when the manifest does not vouch for it, it is not newer, or a key was not opened
   */
  adopt(stored: StoredKeys): void {
    const rows = readKeys(stored.keys, this.#identity, this.#header)
    const manifest = parseManifest(stored.manifest, this.#manifestKey)
    checkListed(
      manifest,
      describeKeys(this.#identity, manifest.epoch, this.masterPublicKey, stored),
    )
    if (manifest.epoch <= this.#epoch)
      throw refusal(`Key store is not newer: epoch ${manifest.epoch} <= ${this.#epoch}`)
    this.#signingKeys = this.#opened.choose(rows)
    this.#opened.prune(rows)
    this.#rows = rows
    this.#stored = stored
    this.#epoch = manifest.epoch
  }

  /** Seals a secret that is kept beside the keys, bound to a context; opens under this master key only. */
  sealSecret(secret: Secret, context: Uint8Array): Uint8Array {
    return sealBeside(this.#manifestKey, secret, context)
  }

  /** The secret that {@link sealSecret} sealed. @throws {@link Failure} OPEN_FAILED */
  openSecret(sealed: Uint8Array, context: Uint8Array): Secret {
    return openBeside(this.#manifestKey, sealed, context)
  }

  /** Gives up every private key; what was listed stays readable. */
  close(): void {
    this.#opened.close()
    this.#manifestKey.wipe()
  }
}
