// What the key store holds, and whether that is what the manifest says. The manifest that would describe the store is made and compared with the
// authenticated one as a whole; only the words for a difference are looked for afterwards.
import { z } from 'zod'
import { encodeBase64 } from '../base/base64.ts'
import { canonicalize } from '../base/canonical-json.ts'
import { keyStates, type StoredKey, type StoredKeys, type StoredSlot } from '../store/store.ts'
import { checkIdentity, nameOf, publicKeyOf, type Header, type Identity } from './header.ts'
import type { Manifest, ManifestRecord } from './manifest.ts'
import { purposes } from './purposes.ts'
import { hashOf, positionField, refusal } from './record.ts'
import { parseSealedKey, type SealedKey } from './sealed-key.ts'
import { parseSlot, type MasterSlot } from './slot.ts'

const standingSchema = z.object({
  state: z.enum(keyStates),
  from: positionField.nullable(),
  to: positionField.nullable(),
  revokedAt: positionField.nullable(),
})

/** A signing key of the store: how it is sealed, and the row that says where it counts. */
export interface KeyRow {
  readonly sealed: SealedKey
  readonly row: StoredKey
}

/**
 * The slots, all of one master key of this log.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export function readSlots(
  stored: readonly StoredSlot[],
  identity: Identity,
): readonly [MasterSlot, ...MasterSlot[]] {
  const slots = stored.map(({ id, body }) => {
    const slot = parseSlot(body)
    if (slot.id !== id) throw refusal(`Slot stands under another id: ${slot.id}`)
    checkIdentity(slot.header, identity)
    return slot
  })
  const [first, ...others] = slots
  if (first === undefined) throw refusal('Key store has no slot')
  const header = canonicalize(first.header)
  const stranger = others.find((slot) => canonicalize(slot.header) !== header)
  if (stranger !== undefined) throw refusal(`Slot is of another master key: ${stranger.id}`)
  return [first, ...others]
}

/**
 * The signing keys, each row agreeing with the header that it stands for.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export function readKeys(
  stored: readonly StoredKey[],
  identity: Identity,
  master: Header,
): readonly KeyRow[] {
  const sealedTo = hashOf(publicKeyOf(master))
  return stored.map((row) => {
    const sealed = parseSealedKey(row.body)
    const { header } = sealed
    checkIdentity(header, identity)
    const { keyId, purpose, version } = header
    if (row.keyId !== keyId || row.purpose !== purpose || row.version !== version)
      throw refusal(`Sealed key stands in the place of another: ${nameOf(header)}`)
    if (row.keyid !== purposes[purpose].keyid(publicKeyOf(header)))
      throw refusal(`Key id is not that of the public key: ${nameOf(header)}`)
    const destroyed = sealed.enc === null
    if (destroyed !== (row.state === 'destroyed'))
      throw refusal(`Key is destroyed or its record is, and not both: ${nameOf(header)}`)
    // What is left of a destroyed key names the master key of its time.
    if (!destroyed && header.sealedTo !== sealedTo)
      throw refusal(`Key is sealed to another master key: ${nameOf(header)}`)
    // A database column takes anything; what is compared and shown later must be what its type says.
    if (!standingSchema.safeParse(row).success)
      throw refusal(`State or position is not valid: ${nameOf(header)}`)
    return { sealed, row }
  })
}

const recordOf = (tenant: string, row: StoredKey): ManifestRecord => ({
  keyId: row.keyId,
  version: row.version,
  tenant,
  purpose: row.purpose,
  state: row.state,
  from: row.from,
  to: row.to,
  revokedAt: row.revokedAt,
  sha256: hashOf(row.body),
})

const byKeyId = (a: ManifestRecord, b: ManifestRecord): number => (a.keyId < b.keyId ? -1 : 1)

/** The manifest that describes exactly this material. */
export const describeKeys = (
  { instance, tenant }: Identity,
  epoch: number,
  masterPublicKey: Uint8Array,
  { slots, keys }: Pick<StoredKeys, 'slots' | 'keys'>,
): Manifest => ({
  v: 1,
  instance,
  tenant,
  epoch,
  masterPublicKey: encodeBase64(masterPublicKey),
  records: keys.map((row) => recordOf(tenant, row)).sort(byKeyId),
  slots: slots.map(({ body }) => hashOf(body)).sort(),
})

const positionsOf = ({ state, from, to, revokedAt }: ManifestRecord): string =>
  `${state}, from ${String(from)} to ${String(to)}, revoked at ${String(revokedAt)}`

/** The first difference in words. */
function difference(listed: Manifest, found: Manifest): string {
  for (const record of found.records) {
    const expected = listed.records.find(({ keyId }) => keyId === record.keyId)
    if (expected === undefined) return `Key is not listed: ${nameOf(record)}`
    if (expected.sha256 !== record.sha256) return `Sealed key was changed: ${nameOf(record)}`
    if (positionsOf(expected) !== positionsOf(record))
      return `Key is listed as ${positionsOf(expected)}, not ${positionsOf(record)}: ${nameOf(record)}`
  }
  const missing = listed.records.find(
    ({ keyId }) => !found.records.some((record) => record.keyId === keyId),
  )
  if (missing !== undefined) return `Key is listed and missing: ${nameOf(missing)}`
  const slot = found.slots.find((hash) => !listed.slots.includes(hash))
  if (slot !== undefined) return `Slot was changed or is not listed: SHA-256 ${slot}`
  const gone = listed.slots.find((hash) => !found.slots.includes(hash))
  if (gone !== undefined) return `Slot is listed and missing: SHA-256 ${gone}`
  return 'Manifest does not describe the key store'
}

/** @throws {@link Failure} KEY_STORE_REFUSED naming what the store holds and the manifest does not, or the other way */
export function checkListed(listed: Manifest, found: Manifest): void {
  if (canonicalize(listed) !== canonicalize(found)) throw refusal(difference(listed, found))
}
