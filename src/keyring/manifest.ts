// The manifest: the list of all key material of a log, authenticated by whoever could open the master key. HPKE in base mode authenticates nobody, so
// that a sealed key counts only because it is listed here, with its state and its positions. The epoch grows with each change and is pinned
// outside the database, so that yesterday's key store is not today's.
import { z } from 'zod'
import { encodeBase64 } from '../base/base64.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { utf8 } from '../base/bytes.ts'
import { equalConstantTime, hkdfSha256, hmacSha256 } from '../crypto/hash.ts'
import { labels } from '../crypto/labels.ts'
import { Secret } from '../crypto/secret.ts'
import { keyStates } from '../store/store.ts'
import { signingPurposes } from './purposes.ts'
import {
  bytesField,
  hashField,
  parseRecord,
  positionField,
  refusal,
  tenantField,
  uuidField,
} from './record.ts'

const record = z.strictObject({
  keyId: uuidField,
  version: z.int().min(1),
  tenant: tenantField,
  purpose: z.enum(signingPurposes),
  state: z.enum(keyStates),
  from: positionField.nullable(),
  to: positionField.nullable(),
  revokedAt: positionField.nullable(),
  /** Hex SHA-256 of the sealed key's exact bytes. */
  sha256: hashField,
})

const schema = z.strictObject({
  v: z.literal(1),
  instance: uuidField,
  tenant: tenantField,
  epoch: z.int().min(1),
  /** Base64. */
  masterPublicKey: z.string(),
  /** By `keyId`. */
  records: z.array(record),
  /** Hex SHA-256 of each slot's exact bytes, sorted. */
  slots: z.array(hashField),
})

const taggedSchema = schema.extend({ tag: bytesField(32) })

/** A manifest without its tag. */
export type Manifest = Readonly<z.infer<typeof schema>>
/** What a manifest says of one signing key. */
export type ManifestRecord = Readonly<z.infer<typeof record>>

const noSalt = new Uint8Array(0)

/** The key that authenticates manifests, 32 bytes. */
export const deriveManifestKey = (masterSeed: Secret): Secret =>
  masterSeed.use((ikm) => new Secret(hkdfSha256(ikm, noSalt, utf8(labels.manifest), 32)))

const tagOf = (manifest: Manifest, key: Secret): Uint8Array =>
  key.use((bytes) => hmacSha256(bytes, canonicalBytes(manifest)))

/** The canonical bytes of a manifest with its tag. */
export const formatManifest = (manifest: Manifest, key: Secret): Uint8Array =>
  canonicalBytes({ ...manifest, tag: encodeBase64(tagOf(manifest, key)) })

function parseTagged(bytes: Uint8Array): { manifest: Manifest; tag: Uint8Array } {
  const { tag, ...manifest } = parseRecord(taggedSchema, bytes, 'Manifest')
  return { manifest, tag }
}

/**
 * The manifest of its exact bytes, its tag checked.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export function parseManifest(bytes: Uint8Array, key: Secret): Manifest {
  const { manifest, tag } = parseTagged(bytes)
  if (!equalConstantTime(tagOf(manifest, key), tag))
    throw refusal('Manifest was not made by a holder of the master key: its tag is wrong')
  return manifest
}

/**
 * The manifest of its exact bytes, its tag not checked: for whoever has no key, and may believe nothing of it.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export function parseManifestUnchecked(bytes: Uint8Array): Manifest {
  return parseTagged(bytes).manifest
}
