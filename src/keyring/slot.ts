// A slot: the master seed under a data key of the slot's own, and that data key wrapped by one provider. Any one slot opens the master key.
import { z } from 'zod'
import { canonicalBytes } from '../base/canonical-json.ts'
import { equalBytes } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { openSlot, sealSlot, type SealedSlot } from '../crypto/slot.ts'
import { Secret } from '../crypto/secret.ts'
import { kekKinds, type KekContext, type KekProvider } from '../kek/kek.ts'
import { headerBytes, headerSchema, nameOf, publicKeyOf, type Header } from './header.ts'
import { purposes } from './purposes.ts'
import { bytesField, encodeBytes, hashOf, parseRecord, refusal, uuidField } from './record.ts'

const dekBytes = 32
const { seedBytes } = purposes.master

// Printable, because it is shown before it is known to be true.
const label = z.string().regex(/^[\x20-\x7e]{1,512}$/)

const schema = z.strictObject({
  v: z.literal(1),
  header: headerSchema.refine(({ purpose }) => purpose === 'master', 'Master key expected'),
  /** UUIDv7. */
  id: uuidField,
  provider: z.enum(kekKinds),
  kekId: label,
  mechanism: label,
  salt: bytesField(32),
  /** The data key as the provider wrapped it. */
  wrapped: bytesField(8192, 1),
  ciphertext: bytesField(seedBytes + 16),
  commitment: bytesField(32),
})

/** A slot. */
export type MasterSlot = Readonly<z.infer<typeof schema>>

/** The canonical bytes of a slot. */
export const formatSlot = (slot: MasterSlot): Uint8Array => {
  const { salt, wrapped, ciphertext, commitment, ...rest } = slot
  return canonicalBytes({ ...rest, ...encodeBytes({ salt, wrapped, ciphertext, commitment }) })
}

/**
 * The slot of its exact bytes.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export const parseSlot = (bytes: Uint8Array): MasterSlot => parseRecord(schema, bytes, 'Slot')

const contextOf = (header: Header, id: string): KekContext => ({
  header: hashOf(headerBytes(header)),
  slot: id,
  purpose: 'master',
})

/**
 * A new slot for the master key of a seed.
 * @throws {@link Failure} what {@link KekProvider.wrap} throws
 */
export async function createSlot(
  seed: Secret,
  header: Header,
  id: string,
  provider: KekProvider,
): Promise<MasterSlot> {
  invariant(seed.length === seedBytes, `Master seed has the wrong length: ${seed.length}`)
  using dek = Secret.random(dekBytes)
  const { kekId, mechanism, blob } = await provider.wrap(dek, contextOf(header, id))
  const place = { id, provider: provider.metadata.kind, kekId, mechanism }
  const { salt, ciphertext, commitment }: SealedSlot = sealSlot(
    dek,
    headerBytes(header),
    place,
    seed,
  )
  return { v: 1, header, ...place, salt, wrapped: blob, ciphertext, commitment }
}

/**
 * The master seed.
 * @throws {@link Failure} OPEN_FAILED when slot and provider do not belong together, KEK_* as the provider says, KEY_STORE_REFUSED when the seed
 * is not that of the header's public key
 */
export async function openMasterSeed(slot: MasterSlot, provider: KekProvider): Promise<Secret> {
  const { header, id, kekId, mechanism, wrapped } = slot
  using dek = await provider.unwrap({ kekId, mechanism, blob: wrapped }, contextOf(header, id))
  const seed = openSlot(dek, headerBytes(header), slot, slot)
  if (equalBytes(seed.use(purposes.master.publicKey), publicKeyOf(header))) return seed
  seed.wipe()
  throw refusal(`Public key is not that of the sealed seed: ${nameOf(header)}`)
}
