// The dossier file, version 1 (`application/vnd.countersign.dossier+json`): entries with their proofs under one checkpoint. It carries no keys;
// those come from the trust root alone. It is canonical JSON byte for byte, so that no changed byte is a harmless one.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { asFailure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { firstIssue } from './statement.ts'

/** Media type of a dossier file. */
export const dossierMediaType = 'application/vnd.countersign.dossier+json'

/** One entry with its proof. */
export interface DossierEntry {
  readonly index: number
  /** Exact leaf bytes. */
  readonly leaf: Uint8Array
  /** DSSE payload, or null when it was erased. */
  readonly payload: Uint8Array | null
  /** Raw signature. */
  readonly signature: Uint8Array
  /** Inclusion path under the dossier's checkpoint, 32-byte hashes from the leaf's sibling upward. */
  readonly proof: readonly Uint8Array[]
}

/** A dossier. */
export interface Dossier {
  readonly stream: string
  /** Every entry of the stream so far, by seq. */
  readonly entries: readonly DossierEntry[]
  /** `policy` entries that the decision cites, by index. */
  readonly cited: readonly DossierEntry[]
  /** A signed note. */
  readonly checkpoint: string
}

const bytes = z.string().transform((text, context) => {
  const decoded = decodeBase64(text)
  if (decoded !== undefined) return decoded
  context.addIssue({ code: 'custom', message: 'Standard padded base64 expected' })
  return z.NEVER
})

const entry = z.strictObject({
  index: z.int().min(0),
  leaf: bytes,
  payload: bytes.nullable(),
  proof: z.array(bytes).max(limits.proofHashes),
  signature: bytes,
})

const schema = z.strictObject({
  checkpoint: z.string().max(limits.noteBytes),
  cited: z.array(entry).max(limits.dossierEntries),
  entries: z.array(entry).min(1).max(limits.dossierEntries),
  mediaType: z.literal(dossierMediaType),
  stream: z.string(),
  v: z.literal(1),
})

const encodeEntry = (from: DossierEntry): Record<string, unknown> => ({
  index: from.index,
  leaf: encodeBase64(from.leaf),
  payload: from.payload === null ? null : encodeBase64(from.payload),
  proof: from.proof.map(encodeBase64),
  signature: encodeBase64(from.signature),
})

/** The bytes of a dossier file. */
export const formatDossier = (dossier: Dossier): Uint8Array =>
  canonicalBytes({
    checkpoint: dossier.checkpoint,
    cited: dossier.cited.map(encodeEntry),
    entries: dossier.entries.map(encodeEntry),
    mediaType: dossierMediaType,
    stream: dossier.stream,
    v: 1,
  })

/** The dossier of a file's bytes, or the reason why it is none. */
export function parseDossier(file: Uint8Array): Dossier | string {
  if (file.length > limits.dossierBytes)
    return `Dossier is larger than ${limits.dossierBytes} bytes`
  try {
    const parsed = schema.safeParse(parseCanonical(file))
    return parsed.success ? parsed.data : `Not a v1 dossier: ${firstIssue(parsed.error)}`
  } catch (error) {
    return asFailure(error).message
  }
}
