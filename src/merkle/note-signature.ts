// What signature lines of a checkpoint mean, by type byte: what is signed, by which algorithm, with or without a time (C2SP signed-note and
// tlog-cosignature). Verifying is total. The labels of the signed messages belong to the standard and so stand here.
import { concat, u64, utf8 } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { signatureAlgorithms, type SignatureAlgorithm, type Signer } from '../crypto/signatures.ts'
import type { Checkpoint } from './checkpoint.ts'
import type { Vkey } from './note.ts'

/** A checkpoint and the text that says it. */
export interface CheckpointText {
  readonly checkpoint: Checkpoint
  readonly text: string
}

/** What a signature says; `timestamp` in seconds since 1970, for types that have one. */
interface NoteSignatureVerdict {
  readonly ok: boolean
  readonly timestamp?: number
}

/** One signature type. */
export interface NoteSignatureType {
  /** Its byte in key ids and verifier keys. */
  readonly type: number
  readonly algorithm: SignatureAlgorithm
  /** Whether `signature` (what stands behind the key id) is one by `vkey`; all arguments may be hostile. */
  verify(vkey: Vkey, note: CheckpointText, signature: Uint8Array): NoteSignatureVerdict
  /** A signature under a key name; the timestamp counts only where the type has one. */
  sign(signer: Signer, name: string, note: CheckpointText, timestamp: number): Uint8Array
}

/** The time in front of a signature. The standard ends at 2^63-1; what a number cannot hold lies 285 million years ahead and is refused. */
function readTime(signature: Uint8Array): number | undefined {
  const time = new DataView(signature.buffer, signature.byteOffset, 8).getBigUint64(0)
  return time <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(time) : undefined
}

/** What a cosigner states of the leaves from `start` up to `end`; for a checkpoint these are 0 and its size. */
export interface CosignedTree {
  readonly cosigner: string
  /** Seconds since 1970; 0 makes no statement that this is the largest tree seen. */
  readonly timestamp: number | bigint
  readonly origin: string
  readonly start: number | bigint
  readonly end: number | bigint
  /** Root hash, 32 bytes. */
  readonly hash: Uint8Array
}

const subtreeLabel = utf8('subtree/v1\n\0')

const hasRoom = (name: string): boolean => name !== '' && utf8(name).length <= 255

function withLength(name: string): Uint8Array {
  invariant(hasRoom(name), `Name must have 1 to 255 bytes: ${name.slice(0, 40)}`)
  const bytes = utf8(name)
  return concat(Uint8Array.of(bytes.length), bytes)
}

/**
 * The message that an ML-DSA-44 cosignature signs (tlog-cosignature, `cosigned_message`).
 * @throws {@link Failure} BUG when a name is not 1 to 255 bytes long
 */
export const cosignedMessage = (tree: CosignedTree): Uint8Array =>
  concat(
    subtreeLabel,
    withLength(tree.cosigner),
    u64(tree.timestamp),
    withLength(tree.origin),
    u64(tree.start),
    u64(tree.end),
    tree.hash,
  )

/** What is signed under a key name, or undefined where the format has no room for it. */
type Message = (name: string, note: CheckpointText, timestamp: number) => Uint8Array | undefined

const signedText: Message = (_name, { text }) => utf8(text)

const timedText: Message = (_name, { text }, timestamp) =>
  utf8(`cosignature/v1\ntime ${timestamp}\n${text}`)

const timedTree: Message = (cosigner, { checkpoint }, timestamp) => {
  const { origin, size, root } = checkpoint
  return hasRoom(cosigner) && hasRoom(origin)
    ? cosignedMessage({ cosigner, timestamp, origin, start: 0, end: size, hash: root })
    : undefined
}

const bad: NoteSignatureVerdict = { ok: false }

/** A signature type; `minTimestamp` where an 8-byte time stands in front of the signature. */
function signatureType(
  type: number,
  algorithm: SignatureAlgorithm,
  message: Message,
  minTimestamp?: number,
): NoteSignatureType {
  const timestamped = minTimestamp !== undefined
  const timeBytes = timestamped ? 8 : 0
  return {
    type,
    algorithm,
    verify(vkey, note, signature) {
      if (signature.length !== timeBytes + algorithm.signatureBytes) return bad
      const timestamp = timestamped ? readTime(signature) : 0
      if (timestamp === undefined || timestamp < (minTimestamp ?? 0)) return bad
      const signed = message(vkey.name, note, timestamp)
      if (signed === undefined) return bad
      if (!algorithm.verify(vkey.publicKey, signed, signature.subarray(timeBytes))) return bad
      return timestamped ? { ok: true, timestamp } : { ok: true }
    },
    sign(signer, name, note, timestamp) {
      const signed = message(name, note, timestamp)
      invariant(signed !== undefined, `Name must have 1 to 255 bytes: ${name.slice(0, 40)}`)
      const signature = signer.sign(signed)
      return timestamped ? concat(u64(timestamp), signature) : signature
    },
  }
}

const { Ed25519: ed25519, 'ML-DSA-44': mlDsa44 } = signatureAlgorithms

/** 0x01: Ed25519 over the note's text. */
export const ed25519Note = signatureType(0x01, ed25519, signedText)

/** 0x04: Ed25519 cosignature, whose only statement is of a time; time 0 is refused. */
export const ed25519Cosignature = signatureType(0x04, ed25519, timedText, 1)

/** 0x06: ML-DSA-44 cosignature, also a log's own signature; at time 0 it states consistency only. */
export const mlDsa44Cosignature = signatureType(0x06, mlDsa44, timedTree, 0)

/** The signature types that we know, by byte. */
export const noteSignatureTypes: ReadonlyMap<number, NoteSignatureType> = new Map(
  [ed25519Note, ed25519Cosignature, mlDsa44Cosignature].map((entry) => [entry.type, entry]),
)
