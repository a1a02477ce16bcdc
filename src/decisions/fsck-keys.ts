// Of the check of a tenant: the key store, by its manifest and by what the log told of keys.
import { Failure } from '../base/failure.ts'
import { publicKeyOf } from '../keyring/header.ts'
import { checkListed, describeKeys, readKeys, readSlots } from '../keyring/inventory.ts'
import { parseManifestUnchecked } from '../keyring/manifest.ts'
import { parseSealedKey } from '../keyring/sealed-key.ts'
import type { Instance, StoredKeys, StoreReader, Tenant } from '../store/store.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { FsckRequest } from './fsck.ts'
import { row, type Found } from './fsck-findings.ts'

async function readKeyStore(store: StoreReader, tenant: string): Promise<StoredKeys> {
  const keys = await store.readKeys(tenant)
  if (keys === undefined) throw new Failure('STORE_CORRUPT', `Tenant has no keys: ${tenant}`)
  return keys
}

/** That the key store holds what its manifest lists, is no older than what is pinned, and with the keys at hand that the manifest is genuine. */
export async function checkKeyStore(
  { store, unseal }: FsckRequest,
  { name }: Tenant,
  instance: Instance,
  pinnedEpoch: number,
  found: Found,
): Promise<void> {
  const keys = await readKeyStore(store, name)
  if (unseal !== undefined) await unseal(keys)
  const identity = { instance: instance.id, tenant: name }
  const { header: master } = readSlots(keys.slots, identity)[0]
  readKeys(keys.keys, identity, master)
  const listed = parseManifestUnchecked(keys.manifest)
  checkListed(listed, describeKeys(identity, listed.epoch, publicKeyOf(master), keys))
  if (listed.epoch < pinnedEpoch)
    row(
      found,
      null,
      `Key store is older than the pinned one: epoch ${listed.epoch} < ${pinnedEpoch}`,
    )
}

/** That the key store tells what the log told of keys. */
export async function checkKeyLife(
  { store }: FsckRequest,
  { head, name }: Tenant,
  found: Found,
): Promise<void> {
  const keys = await readKeyStore(store, name)
  const told = new Map<string, Record<string, number | null>>()
  for (const entry of await readCheckedStream(store, name, 'keys', head)) {
    const matter = matterOf(entry, 'key')
    if (matter === undefined) continue
    const events = told.get(matter.keyId) ?? {}
    told.set(matter.keyId, { ...events, [matter.event]: matter.from })
  }
  for (const { body, from, keyId, revokedAt, state, to } of keys.keys) {
    const { header } = parseSealedKey(body)
    const events = told.get(keyId)
    const is = [header.keyId, from, to, revokedAt, state === 'destroyed']
    const said = [
      keyId,
      events?.['activated'] ?? null,
      events?.['retired'] ?? null,
      events?.['revoked'] ?? null,
      events !== undefined && 'destroyed' in events,
    ]
    if (events === undefined || JSON.stringify(is) !== JSON.stringify(said))
      row(found, null, `Key is not what the log says of it: ${header.purpose} v${header.version}`)
    told.delete(keyId)
  }
}
