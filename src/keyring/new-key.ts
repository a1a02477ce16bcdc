// New keys: their seed is drawn, sealed to the master public key, and forgotten. That needs no private key, so it also works while the master key is
// sealed; a key counts only when the manifest lists it.
import { uuidv7 } from '../base/uuid.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import type { StoredKey } from '../store/store.ts'
import { createHeader, publicKeyOf, type Header } from './header.ts'
import { purposes, type SigningPurpose } from './purposes.ts'
import { formatSealedKey, sealSigningKey, type SigningHeader } from './sealed-key.ts'

/** A fresh id, a UUIDv7. */
export const newId = (timeMs: number): string => uuidv7(timeMs, randomBytes(10))

/** A new pending key, sealed to the master key of the header. */
export function makeKey(
  master: Header,
  purpose: SigningPurpose,
  version: number,
  createdAt: number,
): StoredKey {
  const masterPublicKey = publicKeyOf(master)
  using seed = Secret.random(purposes[purpose].seedBytes)
  const publicKey = seed.use(purposes[purpose].publicKey)
  const header = createHeader({
    instance: master.instance,
    tenant: master.tenant,
    purpose,
    keyId: newId(createdAt),
    version,
    publicKey,
    sealedTo: masterPublicKey,
    createdAt,
  }) as SigningHeader
  return pendingKey(
    header,
    formatSealedKey(sealSigningKey(header, seed, masterPublicKey)),
    publicKey,
  )
}

/** The row of a sealed key that counts nowhere yet. */
export const pendingKey = (
  { keyId, purpose, version }: SigningHeader,
  body: Uint8Array,
  publicKey: Uint8Array,
): StoredKey => ({
  keyId,
  purpose,
  version,
  state: 'pending',
  keyid: purposes[purpose].keyid(publicKey),
  body,
  from: null,
  to: null,
  revokedAt: null,
})
