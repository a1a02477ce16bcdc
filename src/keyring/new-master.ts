// Slots made again, and a new master key: both need the master seed, which is opened by whoever can and is gone again when this ends. What comes
// out is proved by unsealing it before anybody stores it.
import { invariant } from '../base/failure.ts'
import { Secret } from '../crypto/secret.ts'
import type { KekProvider } from '../kek/kek.ts'
import type { StoredKey, StoredKeys, StoredSlot } from '../store/store.ts'
import { makeSlot } from './create.ts'
import { createHeader, publicKeyOf, type Header, type Identity } from './header.ts'
import { describeKeys, readKeys, readSlots, type KeyRow } from './inventory.ts'
import { deriveManifestKey, formatManifest } from './manifest.ts'
import { newId } from './new-key.ts'
import { purposes } from './purposes.ts'
import { hashOf } from './record.ts'
import { formatSealedKey, openSigningKey, sealSigningKey } from './sealed-key.ts'
import { unsealMaster } from './unseal-master.ts'

/** Whose master key it is, and who may open it. */
export interface MasterOptions extends Identity {
  readonly stored: StoredKeys
  /** In the order to ask them. */
  readonly openers: readonly KekProvider[]
  /** One slot is made for each. */
  readonly providers: readonly KekProvider[]
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * New slots of the present master key, one for each provider, each proved to open.
 * @throws {@link Failure} KEK_*, OPEN_FAILED, KEY_STORE_REFUSED
 */
export async function makeSlots(options: MasterOptions): Promise<readonly StoredSlot[]> {
  const { now, openers, providers, stored } = options
  const slots = readSlots(stored.slots, options)
  const { seed: masterSeed } = await unsealMaster(slots, openers)
  using seed = masterSeed
  const made: StoredSlot[] = []
  for (const provider of providers) made.push(await makeSlot(seed, slots[0].header, provider, now))
  return made
}

/** The row with its private half sealed to the new master key. */
function sealAgain({ sealed, row }: KeyRow, seed: Secret, publicKey: Uint8Array): StoredKey {
  // What was destroyed has nothing left to seal.
  if (row.state === 'destroyed') return row
  using signingSeed = openSigningKey(sealed, seed)
  const header = { ...sealed.header, sealedTo: hashOf(publicKey) }
  return { ...row, body: formatSealedKey(sealSigningKey(header, signingSeed, publicKey)) }
}

/**
 * The key material under a new master key, in the epoch given.
 * @throws {@link Failure} KEK_*, OPEN_FAILED, KEY_STORE_REFUSED
 */
export async function renewMaster(
  options: MasterOptions & { readonly epoch: number },
): Promise<StoredKeys> {
  const { epoch, instance, now, openers, providers, stored, tenant } = options
  invariant(providers.length > 0, 'Keys that no provider can open must not be made')
  const slots = readSlots(stored.slots, options)
  const old = slots[0].header
  const rows = readKeys(stored.keys, options, old)
  const { seed: oldSeed } = await unsealMaster(slots, openers)
  using before = oldSeed
  using seed = Secret.random(purposes.master.seedBytes)
  const publicKey = seed.use(purposes.master.publicKey)
  const master: Header = createHeader({
    instance,
    tenant,
    purpose: 'master',
    keyId: newId(now),
    version: old.version + 1,
    publicKey,
    sealedTo: null,
    createdAt: now,
  })
  const made: StoredSlot[] = []
  for (const provider of providers) made.push(await makeSlot(seed, master, provider, now))
  const keys = rows.map((row) => sealAgain(row, before, publicKey))
  using manifestKey = deriveManifestKey(seed)
  const manifest = describeKeys({ instance, tenant }, epoch, publicKeyOf(master), {
    keys,
    slots: made,
  })
  return { keys, slots: made, manifest: formatManifest(manifest, manifestKey) }
}
