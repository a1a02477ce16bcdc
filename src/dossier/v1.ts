// The dossier file, version 1 (`application/vnd.countersign.dossier+json`): entries with their proofs under one checkpoint. It carries no keys;
// those come from the trust root alone. It is canonical JSON byte for byte, so that no changed byte is a harmless one.
import { z } from 'zod'
import { canonicalBytes, parseCanonical } from '../base/canonical-json.ts'
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { equalBytes, utf8 } from '../base/bytes.ts'
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
  proof: z
    .custom(
      (value) => Array.isArray(value) && value.length <= limits.proofHashes,
      `Array of at most ${limits.proofHashes} expected`,
    )
    .pipe(z.array(bytes)),
  signature: bytes,
})

// A schema looks at every item of an array that is far too long; these lists are counted before they are looked at.
const list = z.custom<readonly unknown[]>(
  (value) => Array.isArray(value) && value.length <= limits.dossierEntries,
  `Array of at most ${limits.dossierEntries} expected`,
)

const schema = z.strictObject({
  checkpoint: z.string().max(limits.noteBytes),
  cited: list,
  entries: list.refine(({ length }) => length > 0, 'At least one entry expected'),
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

const opening = utf8('{"checkpoint":"')
/** From this size on junk is refused by how it looks, before memory is spent on it. */
const largeBytes = 65_536
// Members and hashes of as many entries as may be; a note may hold any character.
const maxMarks = 2 * limits.dossierEntries * (limits.proofHashes + 8) + limits.noteBytes + 16

/** Whether a large file can be a dossier at all: it begins like one, and has no more members and items than one. */
function looksLikeOne(file: Uint8Array): boolean {
  if (!equalBytes(file.subarray(0, opening.length), opening)) return false
  let marks = 0
  for (const byte of file) if (byte === 0x2c || byte === 0x5b || byte === 0x7b) marks++
  return marks <= maxMarks
}

/** Reads entries one by one up to the first that is none. */
function readEntries(name: string, items: readonly unknown[]): readonly DossierEntry[] | string {
  const entries: DossierEntry[] = []
  for (const [i, item] of items.entries()) {
    const parsed = entry.safeParse(item)
    if (!parsed.success)
      return `Not a v1 dossier: /${name}/${i}${firstIssue(parsed.error).replace(/^\/ /, ' ')}`
    entries.push(parsed.data)
  }
  return entries
}

/** The dossier of a file's bytes, or the reason why it is none. */
export function parseDossier(file: Uint8Array): Dossier | string {
  if (file.length > limits.dossierBytes)
    return `Dossier is larger than ${limits.dossierBytes} bytes`
  if (file.length > largeBytes && !looksLikeOne(file))
    return 'Not a v1 dossier: it does not look like one'
  try {
    const parsed = schema.safeParse(parseCanonical(file))
    if (!parsed.success) return `Not a v1 dossier: ${firstIssue(parsed.error)}`
    const entries = readEntries('entries', parsed.data.entries)
    if (typeof entries === 'string') return entries
    const cited = readEntries('cited', parsed.data.cited)
    return typeof cited === 'string' ? cited : { ...parsed.data, cited, entries }
  } catch (error) {
    return asFailure(error).message
  }
}
