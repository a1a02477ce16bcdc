// What lies beside the database in a backup: which moment it shows, and the hash by which damage is noticed. It proves nothing to others; the signed
// checkpoints in it do.
import { z } from 'zod'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'

/** A log as a backup has it. */
export interface BackedUpLog {
  readonly name: string
  readonly origin: string
  readonly size: number
  /** 32 bytes. */
  readonly root: Uint8Array
  /** The signed note of this size; null where the log is empty. */
  readonly checkpoint: string | null
}

/** A backup: its moment and its file. */
export interface BackupManifest {
  /** ms since 1970. */
  readonly createdAt: number
  /** Version of the program that made it. */
  readonly producer: string
  /** UUID of the instance. */
  readonly instance: string
  readonly database: { readonly bytes: number; readonly sha256: string }
  readonly logs: readonly BackedUpLog[]
}

const schema = z.strictObject({
  createdAt: z.int().min(0),
  database: z.strictObject({
    bytes: z.int().min(1),
    sha256: z.string().regex(/^[0-9a-f]{64}$/),
  }),
  instance: z.string(),
  logs: z.array(
    z.strictObject({
      checkpoint: z.string().nullable(),
      name: z.string(),
      origin: z.string(),
      root: z
        .string()
        .refine((text) => decodeBase64(text)?.length === 32, '32 bytes in base64 expected'),
      size: z.int().min(0),
    }),
  ),
  producer: z.string(),
  type: z.literal('countersign-backup'),
  v: z.literal(1),
})

/** The manifest's exact bytes. */
export const formatBackupManifest = (manifest: BackupManifest): Uint8Array =>
  canonicalBytes({
    ...manifest,
    logs: manifest.logs.map((log) => ({ ...log, root: encodeBase64(log.root) })),
    type: 'countersign-backup',
    v: 1,
  })

/** @throws {@link Failure} STORE_CORRUPT */
export function parseBackupManifest(bytes: Uint8Array): BackupManifest {
  try {
    const { createdAt, database, instance, logs, producer } = schema.parse(parseCanonical(bytes))
    return {
      createdAt,
      database,
      instance,
      logs: logs.map((log) => ({ ...log, root: decodeBase64(log.root) ?? new Uint8Array() })),
      producer,
    }
  } catch (cause) {
    throw new Failure('STORE_CORRUPT', 'Manifest of the backup is damaged: use another backup', {
      cause,
    })
  }
}
