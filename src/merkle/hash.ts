// RFC 6962 §2.1: the two hashes of a Merkle tree. A leaf and a node never share an input, so nobody can pass an inner node off as an entry.
import { sha256 } from '../crypto/hash.ts'

const leafPrefix = Uint8Array.of(0)

/** SHA-256(00 ‖ entry), 32 bytes. */
export const leafHash = (entry: Uint8Array): Uint8Array => sha256(leafPrefix, entry)

const pair = new Uint8Array(65)
pair[0] = 1

/** SHA-256(01 ‖ left ‖ right), 32 bytes; both children are 32 bytes long. */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  pair.set(left, 1)
  pair.set(right, 33)
  return sha256(pair)
}

/** Root of the tree without leaves: SHA-256 of nothing. Never write to it. */
export const emptyRoot: Uint8Array = sha256()
