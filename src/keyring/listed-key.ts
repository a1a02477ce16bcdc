import type { Kind } from '../dossier/kinds.ts'
import type { KeyState } from '../store/store.ts'
import { publicKeyOf } from './header.ts'
import type { KeyRow } from './inventory.ts'
import { purposes, type SigningPurpose } from './purposes.ts'

interface Listed<P extends SigningPurpose> {
  /** UUID. */
  readonly keyId: string
  readonly purpose: P
  readonly version: number
  readonly algorithm: (typeof purposes)[P]['algorithm']
  readonly profile: (typeof purposes)[P]['profile']
  /** The kinds of entry it signs; none for keys of logs and bundles. */
  readonly kinds: readonly Kind[]
  /** Hex SHA-256 of the SPKI; null for keys that sign no entries. */
  readonly keyid: P extends 'log' | 'bundle' ? null : string
  /** Raw; of a log key Ed25519 (32 bytes) ‖ ML-DSA-44 (1312 bytes). */
  readonly publicKey: Uint8Array
  readonly state: KeyState
  readonly from: number | null
  readonly to: number | null
  readonly revokedAt: number | null
  readonly createdAt: number
}

/** A signing key as anybody may know it, in whatever state: for the trust root, and for people. */
export type ListedKey = { [P in SigningPurpose]: Readonly<Listed<P>> }[SigningPurpose]

/** What may be known of a key. */
export function listKey({ sealed: { header }, row }: KeyRow): ListedKey {
  const { algorithm, profile, kinds } = purposes[header.purpose]
  const { keyId, version, createdAt } = header
  const { keyid, state, from, to, revokedAt } = row
  // The purposes table and the check of `keyid` when the row was read make the members belong together, which the type cannot see.
  return Object.freeze({
    keyId,
    purpose: header.purpose,
    version,
    algorithm,
    profile,
    kinds,
    keyid,
    publicKey: publicKeyOf(header),
    state,
    from,
    to,
    revokedAt,
    createdAt,
  }) as ListedKey
}
