// The first keys of a log. Each slot is opened again before it is relied on: a provider that wraps and cannot unwrap would cost all evidence.
import { invariant } from '../base/failure.ts'
import { Secret } from '../crypto/secret.ts'
import type { KekProvider } from '../kek/kek.ts'
import type { StoredKeys, StoredSlot } from '../store/store.ts'
import { createHeader, type Header, type Identity } from './header.ts'
import { describeKeys } from './inventory.ts'
import type { Keyring } from './keyring.ts'
import { deriveManifestKey, formatManifest } from './manifest.ts'
import { makeKey, newId } from './new-key.ts'
import { neededPurposes, purposes, type NeededPurpose } from './purposes.ts'
import { createSlot, formatSlot, openMasterSeed } from './slot.ts'
import { unsealKeyring } from './unseal.ts'

/** What the first keys of a log are made for. */
export interface CreateOptions extends Identity {
  /** One slot is made for each; the first is asked first. */
  readonly providers: readonly KekProvider[]
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** The position from which each key counts. */
  readonly positions: Readonly<Record<NeededPurpose, number>>
}

/**
 * A slot for the master key of a seed, proved to open again.
 * @throws {@link Failure} KEK_* as the provider says
 */
export async function makeSlot(
  seed: Secret,
  master: Header,
  provider: KekProvider,
  now: number,
): Promise<StoredSlot> {
  const id = newId(now)
  const slot = await createSlot(seed, master, id, provider)
  using opened = await openMasterSeed(slot, provider)
  invariant(opened.length === seed.length, 'Slot does not give back what it was made of')
  return { id, body: formatSlot(slot) }
}

/**
 * Makes master key and signing keys of a log, all of version 1 and active, under epoch 1; nothing is stored yet.
 * @throws {@link Failure} KEK_* as the providers say
 */
export async function createKeyring(
  options: CreateOptions,
): Promise<{ readonly stored: StoredKeys; readonly keyring: Keyring }> {
  const { instance, tenant, providers, clock, positions } = options
  invariant(providers.length > 0, 'Keys that no provider can open must not be made')
  const createdAt = clock()
  using seed = Secret.random(purposes.master.seedBytes)
  const publicKey = seed.use(purposes.master.publicKey)
  const master = createHeader({
    instance,
    tenant,
    purpose: 'master',
    keyId: newId(createdAt),
    version: 1,
    publicKey,
    sealedTo: null,
    createdAt,
  })
  const material = {
    slots: await Promise.all(
      providers.map((provider) => makeSlot(seed, master, provider, createdAt)),
    ),
    keys: neededPurposes.map((purpose) => ({
      ...makeKey(master, purpose, 1, createdAt),
      state: 'active' as const,
      from: positions[purpose],
    })),
  }
  using manifestKey = deriveManifestKey(seed)
  const manifest = describeKeys({ instance, tenant }, 1, publicKey, material)
  const stored = { ...material, manifest: formatManifest(manifest, manifestKey) }
  return { stored, keyring: await unsealKeyring({ instance, tenant, stored, providers }) }
}
