// How the records of this room are read: canonical JSON byte for byte, of a strict schema. Whoever can write the database writes them, so that
// anything else is KEY_STORE_REFUSED and never a crash.
import { z } from 'zod'
import { encodeBase64, decodeBase64 } from '../base/base64.ts'
import { parseCanonical } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { asFailure, Failure } from '../base/failure.ts'
import { isUuid } from '../base/uuid.ts'
import { sha256 } from '../crypto/hash.ts'
import { firstIssue } from '../dossier/statement.ts'

/** A UUID in lower case. */
export const uuidField = z.string().refine(isUuid, 'UUID in lower case expected')

/** A SHA-256 in lower-case hex. */
export const hashField = z.string().regex(/^[0-9a-f]{64}$/)

/** A tenant's name. */
export const tenantField = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/)

/** A position in the log: a leaf index or a tree size. */
export const positionField = z.int().min(0)

/** Base64 of bytes, at most so many, or exactly so many. */
export const bytesField = (maxBytes: number, minBytes = maxBytes) =>
  z.string().transform((text, context) => {
    const bytes = decodeBase64(text)
    if (bytes !== undefined && bytes.length >= minBytes && bytes.length <= maxBytes) return bytes
    context.addIssue({ code: 'custom', message: 'Base64 of the right length expected' })
    return z.NEVER
  })

/** A failure that says why the key store is not believed. */
export const refusal = (message: string, cause?: unknown): Failure =>
  new Failure('KEY_STORE_REFUSED', message, { cause })

/**
 * The record of its exact bytes; `what` names it in messages.
 * @throws {@link Failure} KEY_STORE_REFUSED
 */
export function parseRecord<T>(schema: z.ZodType<T>, bytes: Uint8Array, what: string): T {
  let value: unknown
  try {
    value = parseCanonical(bytes)
  } catch (cause) {
    throw refusal(`${what}: ${asFailure(cause).message}`.slice(0, 240), cause)
  }
  const parsed = schema.safeParse(value)
  // The issue may quote a name out of the record.
  if (!parsed.success) throw refusal(`${what} is not v1: ${firstIssue(parsed.error)}`.slice(0, 240))
  return parsed.data
}

/** Hex SHA-256 of bytes. */
export const hashOf = (bytes: Uint8Array): string => encodeHex(sha256(bytes))

/** The members with every byte array in base64. */
export const encodeBytes = (
  members: Readonly<Record<string, Uint8Array>>,
): Record<string, string> =>
  Object.fromEntries(Object.entries(members).map(([name, bytes]) => [name, encodeBase64(bytes)]))
