// C2SP signed-note: text with signature lines under it, and the verifier keys that name who may sign. This file only takes notes apart and puts
// them together; what a signature means is said in note-signature.ts. A note from a stranger that breaks a rule is a reason, never an exception.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { concat, decodeHex, encodeHex, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { sha256 } from '../crypto/hash.ts'

/** One signature line. The name and the id say which key it claims, no more. */
export interface NoteLine {
  readonly name: string
  /** First four bytes of a hash, as an unsigned big-endian number. */
  readonly keyId: number
  /** What stands behind the id, at least 1 byte. */
  readonly signature: Uint8Array
}

/** A signed note taken apart; nothing in it is verified. */
export interface SignedNote {
  /** The signed text with its final newline. */
  readonly text: string
  readonly lines: readonly NoteLine[]
}

/** A verifier key: whose signatures of one type are believed. */
export interface Vkey {
  readonly name: string
  readonly keyId: number
  /** Signature type byte, see `noteSignatureTypes`. */
  readonly type: number
  /** Raw public key. */
  readonly publicKey: Uint8Array
}

const control = /[\0-\x09\x0b-\x1f]/

/** Whether a text may stand as a key name: not empty, no Unicode space, no plus, no control character. */
const isKeyName = (name: string): boolean =>
  name !== '' && name.isWellFormed() && !/[\p{White_Space}+]/u.test(name) && !control.test(name)

const readId = (bytes: Uint8Array): number =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0)

function writeId(keyId: number): Uint8Array {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, keyId)
  return bytes
}

/** Key id of a verifier key: the first four bytes of SHA-256(name ‖ 0A ‖ type ‖ public key). */
export const noteKeyId = (name: string, type: number, publicKey: Uint8Array): number =>
  readId(sha256(utf8(`${name}\n`), Uint8Array.of(type), publicKey))

function parseLine(line: string): NoteLine | undefined {
  const [mark, name, signature, ...rest] = line.split(' ')
  if (mark !== '—' || name === undefined || signature === undefined || rest.length > 0)
    return undefined
  const blob = decodeBase64(signature)
  if (blob === undefined || blob.length < 5 || !isKeyName(name)) return undefined
  return { name, keyId: readId(blob), signature: blob.subarray(4) }
}

/** Takes a signed note apart (at most {@link limits}.noteBytes, 1 to noteLines lines), or says what is wrong with it. */
export function parseNote(note: string): SignedNote | string {
  // In UTF-8 a text is never shorter than in UTF-16, so what is far too long is not even encoded.
  if (note.length > limits.noteBytes || utf8(note).length > limits.noteBytes)
    return `Note is longer than ${limits.noteBytes} bytes`
  if (!note.isWellFormed()) return 'Note is not Unicode text'
  if (control.test(note)) return 'Note holds a control character'
  const end = note.lastIndexOf('\n\n')
  if (end < 0) return 'Note has no blank line before its signatures'
  const lines = parseNoteLines(note.slice(end + 2))
  return typeof lines === 'string' ? lines : { text: note.slice(0, end + 1), lines }
}

/** The signature lines of a text that holds nothing else, each with its newline, or what is wrong with them. */
export function parseNoteLines(text: string): readonly NoteLine[] | string {
  const parts = text.split('\n')
  if (parts.pop() !== '') return 'Signature lines do not end with a newline'
  if (parts.length === 0) return 'There is no signature line'
  if (parts.length > limits.noteLines)
    return `There are more than ${limits.noteLines} signature lines`
  const lines = parts.map(parseLine)
  return lines.every((line) => line !== undefined)
    ? lines
    : `Signature line ${lines.indexOf(undefined) + 1} is malformed`
}

/** A signature line with its final newline. */
export const formatNoteLine = ({ name, keyId, signature }: NoteLine): string =>
  `— ${name} ${encodeBase64(concat(writeId(keyId), signature))}\n`

/** The signed note of a text that ends with a newline. */
export const formatNote = (text: string, lines: readonly NoteLine[]): string =>
  `${text}\n${lines.map(formatNoteLine).join('')}`

/**
 * The verifier key of a name and a raw public key.
 * @throws {@link Failure} INPUT_INVALID when the name may not stand as a key name
 */
export function createVkey(name: string, type: number, publicKey: Uint8Array): Vkey {
  if (!isKeyName(name))
    throw new Failure('INPUT_INVALID', `Not a key name: ${JSON.stringify(name)}`)
  return { name, keyId: noteKeyId(name, type, publicKey), type, publicKey }
}

/** The text of a verifier key: name, id in hex and type with public key in base64, joined by plus. */
export const formatVkey = ({ name, keyId, type, publicKey }: Vkey): string =>
  `${name}+${encodeHex(writeId(keyId))}+${encodeBase64(concat(Uint8Array.of(type), publicKey))}`

/** The verifier key of a text, or what is wrong with it. Its id is recomputed; its type may still be one that we do not know. */
export function parseVkey(text: string): Vkey | string {
  // The base64 may hold plus signs too; the name and the id cannot.
  const [name = '', id = ''] = text.split('+', 2)
  const keyId = id.length === 8 ? decodeHex(id) : undefined
  if (!isKeyName(name) || keyId === undefined) return 'Verifier key has no name or no id'
  const key = decodeBase64(text.slice(name.length + id.length + 2))
  const [type] = key ?? []
  if (key === undefined || type === undefined || key.length < 2)
    return 'Verifier key has no public key'
  const vkey = createVkey(name, type, key.subarray(1))
  return vkey.keyId === readId(keyId) ? vkey : `Id of the verifier key is wrong: ${id}`
}
