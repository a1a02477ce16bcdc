// From the store to a keyring. The order is: whose it is, before a provider is bothered; the master key; the manifest's tag; what is listed; how
// old it is; and only then the signing keys.
import { equalBytes } from '../base/bytes.ts'
import type { KekProvider } from '../kek/kek.ts'
import type { StoredKeys } from '../store/store.ts'
import { publicKeyOf, type Identity } from './header.ts'
import { checkListed, describeKeys, readKeys, readSlots } from './inventory.ts'
import { Keyring } from './keyring.ts'
import { deriveManifestKey, parseManifest } from './manifest.ts'
import { refusal } from './record.ts'
import { OpenedKeys } from './signing-keys.ts'
import { unsealMaster } from './unseal-master.ts'

/** What is to be unsealed, by whom, and what is known about it from elsewhere. */
export interface UnsealOptions extends Identity {
  readonly stored: StoredKeys
  /** In the order to ask them. */
  readonly providers: readonly KekProvider[]
  /** The epoch in the pin: nothing older is opened. */
  readonly pinnedEpoch?: number | undefined
  /** The master public key demanded by configuration, 1216 bytes. */
  readonly masterPublic?: Uint8Array | undefined
}

/**
 * Opens the keys of a log.
 * @throws {@link Failure} KEY_STORE_REFUSED when the store is not what its manifest, the pin or the caller says, naming the part; OPEN_FAILED or
 * KEK_* when no provider opened the master key
 */
export async function unsealKeyring(options: UnsealOptions): Promise<Keyring> {
  const { instance, tenant, stored, pinnedEpoch = 0, masterPublic } = options
  const identity = { instance, tenant }
  const slots = readSlots(stored.slots, identity)
  const master = slots[0].header
  const rows = readKeys(stored.keys, identity, master)
  const masterPublicKey = publicKeyOf(master)
  if (masterPublic !== undefined && !equalBytes(masterPublic, masterPublicKey))
    throw refusal('Master public key is not the one demanded')

  const { seed: masterSeed, openedBy, refusals } = await unsealMaster(slots, options.providers)
  using seed = masterSeed
  using cleanup = new DisposableStack()
  const manifestKey = cleanup.use(deriveManifestKey(seed))
  const manifest = parseManifest(stored.manifest, manifestKey)
  const { epoch } = manifest
  checkListed(manifest, describeKeys(identity, epoch, masterPublicKey, stored))
  if (epoch < pinnedEpoch)
    throw refusal(`Key store is older than the pinned one: epoch ${epoch} < ${pinnedEpoch}`)
  const opened = OpenedKeys.open(rows, seed)
  cleanup.move()
  return new Keyring({
    identity,
    master,
    openedBy,
    refusals,
    epoch,
    manifestKey,
    stored,
    rows,
    opened,
  })
}
