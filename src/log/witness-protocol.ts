// C2SP tlog-witness on the wire: what a log asks of a witness and what it is answered. This file only takes texts apart and puts them together;
// both sides talk to strangers, so what breaks a rule is a reason, never an exception.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { fromUtf8 } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseDecimal } from '../merkle/checkpoint.ts'
import { parseNoteLines, type NoteLine } from '../merkle/note.ts'

/** Bounds of what is sent, in bytes. */
export const witnessLimits = Object.freeze({
  /** Body of add-checkpoint: a proof, and a note with room for a good many cosignatures. */
  requestBytes: 262_144,
  /** Whatever a witness answers. */
  answerBytes: 262_144,
})

/** Media type of a 409's body, which tells the size that the witness has. */
export const sizeType = 'text/x.tlog.size'

/** What `add-checkpoint` asks: cosign this note, whose tree adds to the one of `old` leaves as the proof shows. */
export interface AddCheckpoint {
  readonly old: number
  /** Hashes of the consistency proof, 32 bytes each, at most 63. */
  readonly proof: readonly Uint8Array[]
  /** The signed note of the checkpoint. */
  readonly note: string
}

/**
 * The body of a request.
 * @throws {@link Failure} BUG when the size or a hash is none, or there are too many hashes
 */
export function formatAddCheckpoint({ note, old, proof }: AddCheckpoint): string {
  invariant(Number.isSafeInteger(old) && old >= 0, `Not a tree size: ${old}`)
  invariant(proof.length <= limits.proofHashes, `Too many hashes in a proof: ${proof.length}`)
  invariant(
    proof.every((hash) => hash.length === 32),
    'A hash of a proof must have 32 bytes',
  )
  return `old ${old}\n${proof.map((hash) => `${encodeBase64(hash)}\n`).join('')}\n${note}`
}

function readText(bytes: Uint8Array, maxBytes: number): string | undefined {
  if (bytes.length > maxBytes) return undefined
  try {
    return fromUtf8(bytes)
  } catch {
    return undefined
  }
}

function parseProof(lines: readonly string[]): readonly Uint8Array[] | string {
  if (lines.length > limits.proofHashes) return `Proof has more than ${limits.proofHashes} hashes`
  const hashes = lines.map(decodeBase64)
  return hashes.every((hash) => hash?.length === 32)
    ? hashes.filter((hash) => hash !== undefined)
    : 'A line of the proof is not 32 bytes in base64'
}

/** The request of a body, or what is wrong with it. Of the note only its place is known: whether it is one is not asked here. */
export function parseAddCheckpoint(body: Uint8Array): AddCheckpoint | string {
  const text = readText(body, witnessLimits.requestBytes)
  if (text === undefined) return `Body is not UTF-8 of at most ${witnessLimits.requestBytes} bytes`
  const end = text.indexOf('\n\n')
  if (end < 0) return 'Body has no blank line behind the proof'
  // Whoever sends a hundred thousand lines must not have them all made.
  const [first = '', ...lines] = text.slice(0, end).split('\n', limits.proofHashes + 2)
  const old = first.startsWith('old ') ? parseDecimal(first.slice(4)) : undefined
  if (old === undefined) return 'First line is not: old, and a tree size'
  const proof = parseProof(lines)
  return typeof proof === 'string' ? proof : { note: text.slice(end + 2), old, proof }
}

/** The body of a 409. */
export const formatTreeSize = (size: number): string => `${size}\n`

/** The tree size of a 409's body, or undefined. */
export function parseTreeSize(body: Uint8Array): number | undefined {
  const text = readText(body, 32)
  return text?.endsWith('\n') === true ? parseDecimal(text.slice(0, -1)) : undefined
}

/** The cosignature lines of a 200's body, or what is wrong with it. */
export function parseCosignatures(body: Uint8Array): readonly NoteLine[] | string {
  const text = readText(body, witnessLimits.answerBytes)
  return text === undefined
    ? `Answer is not UTF-8 of at most ${witnessLimits.answerBytes} bytes`
    : parseNoteLines(text)
}
