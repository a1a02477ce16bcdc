// The Merkle tree of RFC 6962 §2.1 over any reader of its perfect subtrees: roots and proofs, and their verifiers (RFC 9162 §2.1.3.2, §2.1.4.2).
// Everything counts in JavaScript numbers up to 2^53-1, hence divisions where the standards shift. Making trusts its arguments; verifying
// trusts none and answers false.
import { equalBytes } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { emptyRoot, nodeHash } from './hash.ts'

/** Gives the hash of the perfect subtree of 2^level leaves that starts at leaf index · 2^level. */
export type NodeReader = (level: number, index: number) => Uint8Array

/** By level, the hash over the last size mod 2^level leaves, or undefined where there are none; its last element is the root. */
export type RightEdge = readonly (Uint8Array | undefined)[]

const isSize = (n: number): boolean => Number.isSafeInteger(n) && n >= 0
const half = (n: number): number => Math.floor(n / 2)
const isOdd = (n: number): boolean => n % 2 === 1

/** Folds the right edge of a tree, so that many proofs at one size share the work. */
export function rightEdge(size: number, node: NodeReader): RightEdge {
  invariant(isSize(size), `Not a tree size: ${size}`)
  const edge: (Uint8Array | undefined)[] = [undefined]
  let fold: Uint8Array | undefined
  for (let level = 0, count = size; count > 0; level++, count = half(count)) {
    if (isOdd(count)) {
      const left = node(level, count - 1)
      fold = fold === undefined ? left : nodeHash(left, fold)
    }
    edge.push(fold)
  }
  return edge
}

/** Root hash of the tree of the first `size` leaves, 32 bytes. */
export const rootAt = (size: number, node: NodeReader): Uint8Array =>
  rightEdge(size, node).at(-1) ?? emptyRoot

/** Siblings on the way from a node to the root, lowest first. A last node that is not perfect is read from the edge. */
function siblings(
  start: { level: number; index: number },
  size: number,
  node: NodeReader,
  edge: RightEdge,
): Uint8Array[] {
  const path: Uint8Array[] = []
  let { level, index } = start
  let last = Math.floor((size - 1) / 2 ** level)
  for (; last > 0; level++, index = half(index), last = half(last)) {
    const sibling = isOdd(index) ? index - 1 : index + 1
    if (sibling < last) path.push(node(level, sibling))
    else if (sibling === last) path.push(edge[level] ?? node(level, sibling))
  }
  return path
}

/**
 * Inclusion proof of leaf `index` in the tree of `size` leaves (RFC 6962 §2.1.1), lowest sibling first.
 * The hashes may be shared with other proofs: never write to them.
 * @throws {@link Failure} BUG unless 0 ≤ index < size
 */
export function inclusionProof(
  index: number,
  size: number,
  node: NodeReader,
  edge: RightEdge = rightEdge(size, node),
): Uint8Array[] {
  invariant(isSize(index) && index < size, `Leaf is not in the tree: ${index} of ${size}`)
  return siblings({ level: 0, index }, size, node, edge)
}

/**
 * Consistency proof between the trees of `size1` and `size2` leaves (RFC 6962 §2.1.2). From size 0 it is empty and proves nothing.
 * @throws {@link Failure} BUG unless 0 ≤ size1 ≤ size2
 */
export function consistencyProof(size1: number, size2: number, node: NodeReader): Uint8Array[] {
  invariant(
    isSize(size1) && isSize(size2) && size1 <= size2,
    `Tree size must not shrink: ${size2} < ${size1}`,
  )
  if (size1 === 0 || size1 === size2) return []
  let level = 0
  let index = size1 - 1
  for (; isOdd(index); level++) index = half(index)
  const path = siblings({ level, index }, size2, node, rightEdge(size2, node))
  // Where size1 is a power of two the verifier starts from root1, which it has.
  return index === 0 ? path : [node(level, index), ...path]
}

const areHashes = (a: Uint8Array, b: Uint8Array, proof: readonly Uint8Array[]): boolean =>
  proof.length <= limits.proofHashes && [a, b, ...proof].every((bytes) => bytes.length === 32)

/** Whether `proof` leads from the leaf hash at `index` to the root of the tree of `size` leaves. All arguments may be hostile. */
export function verifyInclusion(
  index: number,
  size: number,
  leafHash: Uint8Array,
  proof: readonly Uint8Array[],
  root: Uint8Array,
): boolean {
  if (!isSize(index) || !isSize(size) || index >= size) return false
  if (!areHashes(root, leafHash, proof)) return false
  let fn = index
  let sn = size - 1
  let hash = leafHash
  for (const sibling of proof) {
    if (sn === 0) return false
    if (isOdd(fn) || fn === sn) {
      hash = nodeHash(sibling, hash)
      for (; !isOdd(fn) && fn !== 0; fn = half(fn)) sn = half(sn)
    } else hash = nodeHash(hash, sibling)
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && equalBytes(hash, root)
}

/**
 * Whether `proof` shows that the tree (size2, root2) only adds leaves to (size1, root1). All arguments may be hostile. From size 0 nothing
 * can be shown, so that is refused; equal sizes want equal roots and an empty proof.
 */
export function verifyConsistency(
  size1: number,
  size2: number,
  root1: Uint8Array,
  root2: Uint8Array,
  proof: readonly Uint8Array[],
): boolean {
  if (!isSize(size1) || !isSize(size2) || size1 === 0 || size1 > size2) return false
  if (size1 === size2) return proof.length === 0 && equalBytes(root1, root2)
  if (!areHashes(root2, root1, proof)) return false
  let fn = size1 - 1
  let sn = size2 - 1
  for (; isOdd(fn); fn = half(fn)) sn = half(sn)
  const [first, ...rest] = fn === 0 ? [root1, ...proof] : proof
  if (first === undefined) return false
  let hash1 = first
  let hash2 = first
  for (const sibling of rest) {
    if (sn === 0) return false
    if (isOdd(fn) || fn === sn) {
      hash1 = nodeHash(sibling, hash1)
      hash2 = nodeHash(sibling, hash2)
      for (; !isOdd(fn) && fn !== 0; fn = half(fn)) sn = half(sn)
    } else hash2 = nodeHash(hash2, sibling)
    fn = half(fn)
    sn = half(sn)
  }
  return sn === 0 && equalBytes(hash1, root1) && equalBytes(hash2, root2)
}
