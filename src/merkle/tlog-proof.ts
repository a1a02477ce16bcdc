// C2SP tlog-proof: an inclusion proof and the signed checkpoint it leads to, in one text file that needs nothing of ours to be read. Parsing
// believes nothing: verify the checkpoint by known keys and the path by `verifyInclusion`.
import { decodeBase64, encodeBase64 } from '../base/base64.ts'
import { invariant } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { parseCheckpoint, parseDecimal } from './checkpoint.ts'
import { parseNote } from './note.ts'

/** What a proof file holds. */
export interface TlogProof {
  /** Opaque bytes that nothing authenticates; at least 1 byte where present. */
  readonly extra?: Uint8Array
  readonly index: number
  /** Inclusion proof, lowest sibling first, 32 bytes each. */
  readonly proof: readonly Uint8Array[]
  /** Signed note of the checkpoint, verbatim. */
  readonly checkpoint: string
}

const header = 'c2sp.org/tlog-proof@v1'

/** The most that can stand before the checkpoint, in UTF-16 code units: extra data in base64, 63 hashes and two short lines, and some room. */
const mostBefore = 2 * limits.payloadBytes

/** The text of a proof file. */
export function formatTlogProof({ extra, index, proof, checkpoint }: TlogProof): string {
  invariant(Number.isSafeInteger(index) && index >= 0, `Not a leaf index: ${index}`)
  const lines = [
    header,
    ...(extra === undefined ? [] : [`extra ${encodeBase64(extra)}`]),
    `index ${index}`,
    ...proof.map(encodeBase64),
  ]
  return `${lines.join('\n')}\n\n${checkpoint}`
}

function parseExtra(line: string | undefined): Uint8Array | undefined {
  const extra = line === undefined ? undefined : decodeBase64(line.slice('extra '.length))
  return extra !== undefined && extra.length >= 1 && extra.length <= limits.payloadBytes
    ? extra
    : undefined
}

/** What a proof file says, or what is wrong with it; each has one text only. */
export function parseTlogProof(text: string): TlogProof | string {
  const end = text.indexOf('\n\n')
  if (end < 0) return 'Proof has no blank line before its checkpoint'
  // Before it is taken to lines: millions of empty ones would take a gigabyte.
  if (end > mostBefore) return `Proof has more than ${mostBefore} characters before its checkpoint`
  const [first, ...lines] = text.slice(0, end).split('\n')
  if (first !== header) return `Proof does not begin with ${header}`
  const extraLine = lines[0]?.startsWith('extra ') === true ? lines.shift() : undefined
  const extra = parseExtra(extraLine)
  if (extraLine !== undefined && extra === undefined)
    return `Extra data is not 1 to ${limits.payloadBytes} bytes in base64`
  const indexLine = lines.shift() ?? ''
  const index = indexLine.startsWith('index ') ? parseDecimal(indexLine.slice(6)) : undefined
  if (index === undefined) return 'Proof has no index up to 2^53-1'
  if (lines.length > limits.proofHashes) return `Proof has more than ${limits.proofHashes} hashes`
  const proof = lines.flatMap((line) => {
    const hash = decodeBase64(line)
    return hash?.length === 32 ? [hash] : []
  })
  if (proof.length !== lines.length) return 'A hash of the proof is not 32 bytes in base64'
  const checkpoint = text.slice(end + 2)
  const note = parseNote(checkpoint)
  if (typeof note === 'string') return note
  const head = parseCheckpoint(note.text)
  if (typeof head === 'string') return head
  return { ...(extra === undefined ? {} : { extra }), index, proof, checkpoint }
}
