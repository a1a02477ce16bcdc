// The leaf: what the Merkle tree holds of an entry. It commits to payload and signature without holding them, so that both can be erased.
import { z } from 'zod'
import { parseCanonical } from '../base/canonical-json.ts'
import { utf8 } from '../base/bytes.ts'
import { asFailure, invariant } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { kinds } from './kinds.ts'
import { firstIssue } from './statement.ts'

const hex32 = z.string().regex(/^[0-9a-f]{64}$/)

const leafSchema = z.strictObject({
  keyid: hex32,
  kind: z.enum(kinds),
  /** Hex SHA-512 of the DSSE pre-authentication encoding. */
  pae: z.string().regex(/^[0-9a-f]{128}$/),
  prev: hex32.nullable(),
  seq: z.int().min(0),
  /** Hex SHA-256 of the raw signature. */
  sig: hex32,
  stream: z.string().regex(/^[a-z0-9-]{1,64}$/),
  /** The sequencer's clock, ms since 1970; never decreasing with the index. */
  time: z.int().min(0),
  v: z.literal(1),
})

/** A parsed leaf. */
export type Leaf = Readonly<z.infer<typeof leafSchema>>

/** The canonical bytes of a leaf, at most 1024. */
export function formatLeaf(leaf: Leaf): Uint8Array {
  const prev = leaf.prev === null ? 'null' : `"${leaf.prev}"`
  // Every member is plain ASCII without characters that JSON escapes, so the text is canonical as it stands; a test holds it to canonicalize().
  const text =
    `{"keyid":"${leaf.keyid}","kind":"${leaf.kind}","pae":"${leaf.pae}","prev":${prev},"seq":${leaf.seq},` +
    `"sig":"${leaf.sig}","stream":"${leaf.stream}","time":${leaf.time},"v":1}`
  invariant(text.length <= limits.leafBytes, `Leaf is too long: ${text.length}`)
  return utf8(text)
}

/** The leaf of its exact bytes, or the reason why they are none. */
export function parseLeaf(bytes: Uint8Array): Leaf | string {
  if (bytes.length > limits.leafBytes) return `Leaf is longer than ${limits.leafBytes} bytes`
  try {
    const parsed = leafSchema.safeParse(parseCanonical(bytes))
    return parsed.success ? parsed.data : `Leaf is not v1: ${firstIssue(parsed.error)}`
  } catch (error) {
    return `Leaf: ${asFailure(error).message}`
  }
}
