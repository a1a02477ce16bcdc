// C2SP tlog-checkpoint: what a log says of itself, signed. A log signs each checkpoint twice under its origin, by Ed25519 and by ML-DSA-44, and
// witnesses cosign it. Extension lines are refused: ML-DSA-44 does not sign them, so whoever holds only the Ed25519 key could write them.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { equalBytes } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import type { Signer } from '../crypto/signatures.ts'
import { createVkey, formatNote, parseNote, parseVkey, type NoteLine, type Vkey } from './note.ts'
import {
  ed25519Cosignature,
  ed25519Note,
  mlDsa44Cosignature,
  noteSignatureTypes,
  type CheckpointText,
  type NoteSignatureType,
} from './note-signature.ts'

/** A tree head: which log, how many leaves, which root (32 bytes). */
export interface Checkpoint {
  readonly origin: string
  readonly size: number
  readonly root: Uint8Array
}

/** The number of a decimal text without leading zeros, up to 2^53-1, else undefined. */
export function parseDecimal(text: string): number | undefined {
  const n = /^(?:0|[1-9]\d{0,15})$/.test(text) ? Number(text) : undefined
  return Number.isSafeInteger(n) ? n : undefined
}

/** The checkpoint of a note's text, or what is wrong with it. */
export function parseCheckpoint(text: string): Checkpoint | string {
  const [origin = '', sizeText = '', rootText = '', ...rest] = text.split('\n')
  if (rest.length > 1) return 'Checkpoint has extension lines'
  if (rest[0] !== '') return 'Checkpoint does not have three lines'
  if (origin === '') return 'Checkpoint has no origin'
  const size = parseDecimal(sizeText)
  if (size === undefined) return `Tree size is not a number up to 2^53-1`
  const root = decodeBase64(rootText)
  if (root?.length !== 32) return 'Root hash is not 32 bytes in base64'
  return { origin, size, root }
}

/**
 * The text that says a checkpoint, three lines.
 * @throws {@link Failure} BUG when the origin is not one line, or a number or length is wrong
 */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  invariant(origin !== '' && !origin.includes('\n'), `Not an origin: ${JSON.stringify(origin)}`)
  invariant(Number.isSafeInteger(size) && size >= 0, `Not a tree size: ${size}`)
  invariant(root.length === 32, `Root hash must have 32 bytes: ${root.length}`)
  return `${origin}\n${size}\n${encodeBase64(root)}\n`
}

/** The verifier key of a text when it is of a type that can sign checkpoints, with a key of that type's length; else what is wrong. */
export function parseCheckpointVkey(text: string): Vkey | string {
  const vkey = parseVkey(text)
  if (typeof vkey === 'string') return vkey
  const type = noteSignatureTypes.get(vkey.type)
  if (type === undefined) return `Signature type is not supported: ${vkey.type}`
  return vkey.publicKey.length === type.algorithm.publicKeyBytes
    ? vkey
    : `Public key of the verifier key has the wrong length: ${vkey.publicKey.length}`
}

function signLine(
  type: NoteSignatureType,
  signer: Signer,
  name: string,
  note: CheckpointText,
  timestamp: number,
): NoteLine {
  invariant(
    signer.algorithm.name === type.algorithm.name,
    `Signature type ${type.type} does not take ${signer.algorithm.name}`,
  )
  const { keyId } = createVkey(name, type.type, signer.publicKey)
  return { name, keyId, signature: type.sign(signer, name, note, timestamp) }
}

/** A log's two keys. */
export interface LogSigners {
  readonly ed25519: Signer
  readonly mlDsa44: Signer
}

/** The public halves of a log's two keys, raw. */
export interface LogPublicKeys {
  readonly ed25519: Pick<Signer, 'publicKey'>
  readonly mlDsa44: Pick<Signer, 'publicKey'>
}

/** The verifier keys under which a log's checkpoints stand: Ed25519, ML-DSA-44. */
export const logVkeys = (origin: string, keys: LogPublicKeys): [Vkey, Vkey] => [
  createVkey(origin, ed25519Note.type, keys.ed25519.publicKey),
  createVkey(origin, mlDsa44Cosignature.type, keys.mlDsa44.publicKey),
]

/**
 * The signed note of a checkpoint with both lines of its log. The caller answers for never signing two that are inconsistent.
 * @throws {@link Failure} INPUT_INVALID when the origin may not stand as a key name
 */
export function signCheckpoint(checkpoint: Checkpoint, signers: LogSigners): string {
  const note = { checkpoint, text: formatCheckpoint(checkpoint) }
  const { origin } = checkpoint
  return formatNote(note.text, [
    signLine(ed25519Note, signers.ed25519, origin, note, 0),
    signLine(mlDsa44Cosignature, signers.mlDsa44, origin, note, 0),
  ])
}

/**
 * A witness's line under a checkpoint whose consistency it has checked and stored; the signature type follows from the signer's algorithm.
 * An Ed25519 key must belong to one witness only, since that type does not sign the name.
 * @throws {@link Failure} BUG unless the time in seconds since 1970 is at least 1, or when the algorithm has no cosignature type
 */
export function cosign(
  checkpoint: Checkpoint,
  name: string,
  signer: Signer,
  timestamp: number,
): NoteLine {
  const type = [ed25519Cosignature, mlDsa44Cosignature].find(
    ({ algorithm }) => algorithm.name === signer.algorithm.name,
  )
  invariant(type !== undefined, `No cosignature type for ${signer.algorithm.name}`)
  invariant(
    Number.isSafeInteger(timestamp) && timestamp >= 1,
    `Not a time to cosign at: ${timestamp}`,
  )
  const note = { checkpoint, text: formatCheckpoint(checkpoint) }
  return signLine(type, signer, name, note, timestamp)
}

/** A line that verified. */
export interface VerifiedLine {
  readonly vkey: Vkey
  /** Seconds since 1970, as the cosigner says; absent for type 0x01. */
  readonly timestamp?: number
}

/** What a note proves: this checkpoint, by these keys. Whether they suffice is for the caller to say. */
export interface VerifiedCheckpoint {
  readonly checkpoint: Checkpoint
  readonly lines: readonly VerifiedLine[]
}

const lineKey = ({ name, keyId }: Pick<Vkey, 'name' | 'keyId'>): string => `${keyId} ${name}`

/** The keys by name and id, or a reason when two different keys share both, because a line would not say which one it means. */
function byLine(vkeys: readonly Vkey[]): ReadonlyMap<string, Vkey> | string {
  const known = new Map<string, Vkey>()
  for (const vkey of vkeys) {
    const twin = known.get(lineKey(vkey))
    if (twin !== undefined && !equalBytes(twin.publicKey, vkey.publicKey))
      return `Two keys share name and id: ${vkey.name}`
    known.set(lineKey(vkey), vkey)
  }
  return known
}

/**
 * Verifies a signed checkpoint by the keys one knows. Lines of other keys mean nothing. One line of a known key that does not verify, or that
 * stands twice, refuses the whole note, as does a note without a line of a known key.
 */
export function verifyCheckpoint(
  noteText: string,
  vkeys: readonly Vkey[],
): VerifiedCheckpoint | { readonly reason: string } {
  const parsed = parseNote(noteText)
  if (typeof parsed === 'string') return { reason: parsed }
  const checkpoint = parseCheckpoint(parsed.text)
  if (typeof checkpoint === 'string') return { reason: checkpoint }
  const known = byLine(vkeys)
  if (typeof known === 'string') return { reason: known }
  const lines = new Map<Vkey, VerifiedLine>()
  for (const line of parsed.lines) {
    const vkey = known.get(lineKey(line))
    if (vkey === undefined) continue
    if (lines.has(vkey)) return { reason: `Key has two lines: ${vkey.name}` }
    const type = noteSignatureTypes.get(vkey.type)
    const verdict = type?.verify(vkey, { checkpoint, text: parsed.text }, line.signature)
    if (verdict?.ok !== true) return { reason: `Signature of a known key is wrong: ${vkey.name}` }
    const { timestamp } = verdict
    lines.set(vkey, timestamp === undefined ? { vkey } : { vkey, timestamp })
  }
  if (lines.size === 0) return { reason: 'No line is by a known key' }
  return { checkpoint, lines: [...lines.values()] }
}
