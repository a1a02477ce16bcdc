import { canonicalBytes, parseCanonical } from '../../../src/base/canonical-json.ts'
import { fromUtf8, utf8 } from '../../../src/base/bytes.ts'
import { encodeBase64Url } from '../../../src/base/base64.ts'
import { Failure } from '../../../src/base/failure.ts'
import { Secret } from '../../../src/crypto/secret.ts'
import { createEnvironmentKek } from '../../../src/kek/environment.ts'
import type { KekProvider } from '../../../src/kek/kek.ts'
import { createKeyring, type CreateOptions } from '../../../src/keyring/create.ts'
import { unsealKeyring, type UnsealOptions } from '../../../src/keyring/unseal.ts'
import { publicKeyOf } from '../../../src/keyring/header.ts'
import { describeKeys } from '../../../src/keyring/inventory.ts'
import { deriveManifestKey, formatManifest } from '../../../src/keyring/manifest.ts'
import { openMasterSeed, parseSlot } from '../../../src/keyring/slot.ts'
import type { StoredKey, StoredKeys } from '../../../src/store/store.ts'

export const identity = { instance: '01890a5d-ac96-774b-bcce-b302099a8057', tenant: 'acme' }
export const positions = { evidence: 0, fast: 3, log: 1 }
export const clock = (): number => 1_760_000_000_000

/** The environment provider of 32 bytes that count up from `first`. */
export const environmentKek = (first = 100): KekProvider => {
  const bytes = Uint8Array.from({ length: 32 }, (_, i) => first + i)
  return createEnvironmentKek(new Secret(utf8(encodeBase64Url(bytes))))
}

export const provider = environmentKek()

export const create = (changes: Partial<CreateOptions> = {}) =>
  createKeyring({ ...identity, providers: [provider], clock, positions, ...changes })

export const unseal = (stored: StoredKeys, changes: Partial<UnsealOptions> = {}) =>
  unsealKeyring({ ...identity, stored, providers: [provider], ...changes })

/** The failure of what must fail. */
export async function failureOf(promise: Promise<unknown>): Promise<Failure> {
  const outcome: unknown = await promise.then(
    () => new Error('It did not fail'),
    (error: unknown) => error,
  )
  if (outcome instanceof Failure) return outcome
  throw outcome
}

/** `CODE: message` of what must fail. */
export async function refusalOf(promise: Promise<unknown>): Promise<string> {
  const { code, message } = await failureOf(promise)
  return `${code}: ${message}`
}

export function keyOf(stored: StoredKeys, purpose: StoredKey['purpose']): StoredKey {
  const key = stored.keys.find((candidate) => candidate.purpose === purpose)
  if (key === undefined) throw new Error(`No key for ${purpose}`)
  return key
}

/** The store with one key's row changed. */
export const withKey = (
  stored: StoredKeys,
  purpose: StoredKey['purpose'],
  changes: Partial<StoredKey>,
): StoredKeys => ({
  ...stored,
  keys: stored.keys.map((key) => (key.purpose === purpose ? { ...key, ...changes } : key)),
})

/** The store with its first slot's body changed. */
export const withSlot = (stored: StoredKeys, body: Uint8Array, id?: string): StoredKeys => ({
  ...stored,
  slots: stored.slots.map((slot, i) => (i === 0 ? { id: id ?? slot.id, body } : slot)),
})

/** The store with a manifest that describes it as it is: what only a holder of the master key can make. */
export async function relist(stored: StoredKeys, epoch = 1): Promise<StoredKeys> {
  const [slot] = stored.slots.map(({ body }) => parseSlot(body))
  if (slot === undefined) throw new Error('No slot')
  using seed = await openMasterSeed(slot, provider)
  using key = deriveManifestKey(seed)
  const manifest = describeKeys(identity, epoch, publicKeyOf(slot.header), stored)
  return { ...stored, manifest: formatManifest(manifest, key) }
}

type Members = Record<string, unknown>

export const parse = (body: Uint8Array): Members => parseCanonical(body) as Members

/** The record with members changed, canonical again. */
export const edit = (body: Uint8Array, change: (record: Members) => void): Uint8Array => {
  const record = JSON.parse(fromUtf8(body)) as Members
  change(record)
  return canonicalBytes(record)
}

/** Copies of `body`, each with one bit of another byte changed. */
export function* flips(body: Uint8Array): Generator<Uint8Array> {
  for (const at of body.keys()) {
    const copy = body.slice()
    copy[at] = (copy[at] ?? 0) ^ (1 << (at % 7))
    yield copy
  }
}
