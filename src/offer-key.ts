// Keys that are made while the master key is sealed: its public half is enough to seal a new one to it. What comes of it is a file that counts
// nowhere; whoever admits it compares its SHA-256, and it is then opened before it is taken in.
import { dirname } from 'node:path'
import { equalBytes } from './base/bytes.ts'
import { Failure } from './base/failure.ts'
import { createPrivateFile } from './kek/private-file.ts'
import type { KeyOffer } from './cli/composition.ts'
import { publicKeyOf } from './keyring/header.ts'
import { readSlots } from './keyring/inventory.ts'
import { makeKey } from './keyring/new-key.ts'
import { hashOf } from './keyring/record.ts'
import { offerPath } from './open-service.ts'
import { makeDirectory } from './store/make-directory.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { StoredKey } from './store/store.ts'

/** What an offer is made of. */
export interface OfferOptions {
  readonly data: string
  readonly keys: string
  readonly tenant: string
  readonly purpose: KeyOffer['purpose']
  /** The only master public key (1216 bytes) to seal to, when one is demanded. */
  readonly masterPublic: Uint8Array | undefined
}

interface Made {
  readonly instance: string
  readonly key: StoredKey
}

async function seal({ data, masterPublic, purpose, tenant }: OfferOptions): Promise<Made> {
  const store = await openSqliteStore({ mode: 'read', path: data })
  try {
    const instance = (await store.readInstance())?.id
    const stored = await store.readKeys(tenant)
    if (instance === undefined || stored === undefined)
      throw new Failure('INPUT_NOT_FOUND', `There is no such tenant: ${tenant}`)
    const [{ header }] = readSlots(stored.slots, { instance, tenant })
    if (masterPublic !== undefined && !equalBytes(masterPublic, publicKeyOf(header)))
      throw new Failure('KEY_STORE_REFUSED', 'Master public key is not the one demanded')
    const versions = stored.keys.map((key) => (key.purpose === purpose ? key.version : 0))
    const key = makeKey(header, purpose, 1 + Math.max(0, ...versions), Date.now())
    return { instance, key }
  } finally {
    await store.close()
  }
}

/**
 * Makes the next key of a purpose without opening anything, and writes its sealed record where `keys admit` finds it; durable when it returns.
 * @throws {@link Failure} INPUT_NOT_FOUND, KEY_STORE_REFUSED, STORE_*
 */
export async function offerKey(options: OfferOptions): Promise<KeyOffer> {
  const { keys, purpose, tenant } = options
  const { instance, key } = await seal(options)
  const sha256 = hashOf(key.body)
  const file = offerPath(keys, instance, tenant, sha256)
  try {
    makeDirectory(dirname(file))
  } catch (cause) {
    throw new Failure('STORE_FAILED', `Offer cannot be written: ${file}`, { cause })
  }
  createPrivateFile(file, key.body, 'Offer')
  const { keyId, version } = key
  return { file, keyId, purpose, sha256, tenant, version }
}
