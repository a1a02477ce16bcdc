// The header of a key: who it is and what it is for. Everything sealed under it has it as associated data, so that a sealed key opens only as
// the key of this instance, tenant, purpose and version.
import { z } from 'zod'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { invariant } from '../base/failure.ts'
import { purposes, type Purpose, type PurposeName } from './purposes.ts'
import { hashField, hashOf, refusal, tenantField, uuidField } from './record.ts'

/** The log that keys belong to. */
export interface Identity {
  /** UUID of the instance. */
  readonly instance: string
  readonly tenant: string
}

const names = Object.keys(purposes) as PurposeName[]

interface HeaderFields {
  readonly publicKey: string
  readonly purpose: PurposeName
  readonly algorithm: string
  readonly profile: string | null
  readonly sealedTo: string | null
}

function fitsPurpose(header: HeaderFields): boolean {
  const purpose: Purpose = purposes[header.purpose]
  return (
    header.algorithm === purpose.algorithm &&
    header.profile === purpose.profile &&
    decodeBase64(header.publicKey)?.length === purpose.publicKeyBytes &&
    (header.sealedTo === null) === (header.purpose === 'master')
  )
}

/** The schema of a header. */
export const headerSchema = z
  .strictObject({
    v: z.literal(1),
    instance: uuidField,
    tenant: tenantField,
    purpose: z.enum(names),
    /** UUIDv7. */
    keyId: uuidField,
    version: z.int().min(1),
    algorithm: z.string(),
    profile: z.string().nullable(),
    /** Base64 of the raw public key. */
    publicKey: z.string(),
    /** Hex SHA-256 of the master public key that it is sealed to; null for a master key. */
    sealedTo: hashField.nullable(),
    /** Milliseconds since 1970. */
    createdAt: z.int().min(0),
  })
  .refine(fitsPurpose, 'Header does not fit its purpose')

/** A header. */
export type Header = Readonly<z.infer<typeof headerSchema>>

/** What is particular to a new key. */
export interface NewKey extends Identity {
  readonly purpose: PurposeName
  readonly keyId: string
  readonly version: number
  readonly publicKey: Uint8Array
  /** The master public key that it will be sealed to; null for a master key. */
  readonly sealedTo: Uint8Array | null
  readonly createdAt: number
}

/** The header of a new key. */
export function createHeader(key: NewKey): Header {
  const { algorithm, profile } = purposes[key.purpose]
  const header = {
    ...key,
    v: 1 as const,
    algorithm,
    profile,
    publicKey: encodeBase64(key.publicKey),
    sealedTo: key.sealedTo && hashOf(key.sealedTo),
  }
  return headerSchema.parse(header)
}

/** The canonical bytes of a header. */
export const headerBytes = (header: Header): Uint8Array => canonicalBytes(header)

/** The raw public key of a header. */
export function publicKeyOf(header: Header): Uint8Array {
  const publicKey = decodeBase64(header.publicKey)
  invariant(publicKey !== undefined, 'Header was not parsed')
  return publicKey
}

/** How a key is called in messages. */
export const nameOf = (key: {
  readonly purpose: string
  readonly version: number
  readonly keyId: string
}): string => `${key.purpose} v${key.version} (${key.keyId})`

/** @throws {@link Failure} KEY_STORE_REFUSED when a header is of another log */
export function checkIdentity(header: Header, { instance, tenant }: Identity): void {
  if (header.instance !== instance)
    throw refusal(`Key is of another instance: ${nameOf(header)}, ${header.instance}`)
  if (header.tenant !== tenant)
    throw refusal(`Key is of another tenant: ${nameOf(header)}, ${header.tenant}`)
}
