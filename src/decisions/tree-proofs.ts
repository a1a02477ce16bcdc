// Proofs that anybody may ask for: that a leaf stands in the tree, that one tree is a prefix of another, and the C2SP file that carries a leaf away.
// Each is verified before it is given out: what does not lead to the signed root is a damaged database, and nobody's proof.
import { encodeBase64 } from '../base/base64.ts'
import { decodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { leafHash } from '../merkle/hash.ts'
import { formatTlogProof } from '../merkle/tlog-proof.ts'
import {
  consistencyProof,
  inclusionProof,
  verifyConsistency,
  verifyInclusion,
} from '../merkle/proof.ts'
import { findLeafHash, loadNodes, readProvedRootAt } from '../log/tree-reading.ts'
import type { StoredCheckpoint, StoreReader } from '../store/store.ts'
import type { ConsistencyProofView, InclusionProofView, InclusionQuery } from '../wire/log.ts'
import { preferWitnessed } from './prove.ts'

async function lastCheckpoint(store: StoreReader, tenant: string): Promise<StoredCheckpoint> {
  const checkpoint = await store.readLastCheckpoint(tenant)
  if (checkpoint === undefined) throw new Failure('INPUT_NOT_FOUND', `No checkpoint: ${tenant}`)
  return checkpoint
}

const beyond = (field: string, at: number, size: number): Failure =>
  new Failure(
    'INPUT_NOT_FOUND',
    `Log has no more than ${size} entries, beyond which this is: ${at}`,
    { field },
  )

/** The checkpoint's note of exactly a size, where there is one. */
async function noteAt(
  store: StoreReader,
  tenant: string,
  last: StoredCheckpoint,
  size: number,
): Promise<string | null> {
  if (size === last.size) return last.note
  return (await store.readKeptCheckpoint(tenant, size))?.note ?? null
}

async function indexOf(
  store: StoreReader,
  tenant: string,
  size: number,
  query: InclusionQuery,
): Promise<number> {
  if (query.index !== undefined) return query.index
  const hash = decodeHex(query.leafHash ?? '')
  const index = hash === undefined ? undefined : await findLeafHash(store, tenant, size, hash)
  if (index === undefined) throw new Failure('INPUT_NOT_FOUND', 'No leaf has this hash')
  return index
}

/**
 * That a leaf stands in the tree of a size, the newest unless told otherwise.
 * @throws {@link Failure} INPUT_NOT_FOUND for a leaf that the tree has not, or a tree that the log has not
 */
export async function proveInclusion(
  store: StoreReader,
  tenant: string,
  query: InclusionQuery,
): Promise<InclusionProofView> {
  const last = await lastCheckpoint(store, tenant)
  const size = query.size ?? last.size
  if (size > last.size) throw beyond('size', size, last.size)
  const index = await indexOf(store, tenant, size, query)
  if (index >= size) throw beyond('index', index, size)
  const root = await readProvedRootAt(store, tenant, last, size)
  const [leaf] = await store.readLeaves(tenant, index, index + 1)
  const nodes = await loadNodes(store, tenant, last.size, [index, size, size - 1])
  const path = inclusionProof(index, size, nodes)
  if (leaf === undefined || !verifyInclusion(index, size, leafHash(leaf), path, root))
    throw new Failure('STORE_CORRUPT', `Leaf is not the one of the tree: ${index}`)
  return {
    checkpoint: await noteAt(store, tenant, last, size),
    inclusionPath: path.map(encodeBase64),
    leaf: encodeBase64(leaf),
    leafIndex: index,
    rootHash: encodeBase64(root),
    treeSize: size,
  }
}

/**
 * That the tree of a size is a prefix of a larger one.
 * @throws {@link Failure} INPUT_NOT_FOUND for a size beyond the log, INPUT_INVALID when the first is larger
 */
export async function proveConsistency(
  store: StoreReader,
  tenant: string,
  first: number,
  second: number,
): Promise<ConsistencyProofView> {
  const last = await lastCheckpoint(store, tenant)
  if (first > second)
    throw new Failure('INPUT_INVALID', 'First size must not exceed the second', { field: 'first' })
  if (second > last.size) throw beyond('second', second, last.size)
  const firstRoot = await readProvedRootAt(store, tenant, last, first)
  const secondRoot = await readProvedRootAt(store, tenant, last, second)
  const nodes = await loadNodes(store, tenant, last.size, [
    ...[first, second].flatMap((size) => [size, Math.max(0, size - 1)]),
  ])
  const path = first === 0 || first === second ? [] : consistencyProof(first, second, nodes)
  if (first !== 0 && !verifyConsistency(first, second, firstRoot, secondRoot, path))
    throw new Failure(
      'STORE_CORRUPT',
      `Tiles are wrong, countersign log rebuild makes them again: no way from size ${first} to ${second}`,
    )
  return {
    consistencyPath: path.map(encodeBase64),
    firstRoot: encodeBase64(firstRoot),
    firstSize: first,
    secondRoot: encodeBase64(secondRoot),
    secondSize: second,
  }
}

/**
 * A leaf with its proof under the newest checkpoint, one that witnesses have cosigned where it stands under one, as a C2SP tlog-proof, the leaf's bytes as its extra data.
 * @throws {@link Failure} INPUT_NOT_FOUND
 */
export async function exportTlogProof(
  store: StoreReader,
  tenant: string,
  index: number,
): Promise<string> {
  const newest = await lastCheckpoint(store, tenant)
  if (index >= newest.size) throw beyond('index', index, newest.size)
  const last = await preferWitnessed(store, tenant, newest, { index })
  const [leaf] = await store.readLeaves(tenant, index, index + 1)
  const nodes = await loadNodes(store, tenant, last.size, [index])
  const proof = inclusionProof(index, last.size, nodes)
  if (leaf === undefined || !verifyInclusion(index, last.size, leafHash(leaf), proof, last.root))
    throw new Failure('STORE_CORRUPT', `Leaf is not the one of the tree: ${index}`)
  return formatTlogProof({ checkpoint: last.note, extra: leaf, index, proof })
}
