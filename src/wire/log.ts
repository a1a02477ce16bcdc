// Proofs about the log as JSON, named as RFC 9162 names their parts. Nothing in them is to be believed: a verifier computes.
import { z } from 'zod'
import { limits } from '../base/limits.ts'

const position = z.int().min(0)
const hash = z.string().meta({ description: '32 bytes in base64' })
const hashes = z.array(hash).max(limits.proofHashes)

/** Which leaf, and in which tree; without a size in the newest. */
export const inclusionQuerySchema = z
  .strictObject({
    index: position.exactOptional(),
    leafHash: z
      .string()
      .regex(/^[0-9a-f]{64}$/, '64 lower-case hexadecimal digits expected')
      .exactOptional(),
    size: position.exactOptional(),
  })
  .refine(({ index, leafHash }) => (index === undefined) !== (leafHash === undefined), {
    message: 'Either index or leafHash expected',
    path: ['index'],
  })

/** Which leaf to take out as a proof file. */
export const tlogProofQuerySchema = z.strictObject({ index: position })

/** Between which two sizes. */
export const consistencyQuerySchema = z.strictObject({ first: position, second: position })

/** That a leaf stands in a tree (RFC 9162 §2.1.3). */
export const inclusionProofSchema = z
  .strictObject({
    leafIndex: position,
    treeSize: position,
    /** The leaf's exact bytes. */
    leaf: z.string().meta({ description: 'The leaf in base64' }),
    inclusionPath: hashes,
    rootHash: hash,
    checkpoint: z.string().nullable().meta({
      description: 'Signed note of a checkpoint of this size, where one was kept',
    }),
  })
  .meta({ id: 'InclusionProof' })

/** That a tree is a prefix of another (RFC 9162 §2.1.4). */
export const consistencyProofSchema = z
  .strictObject({
    firstSize: position,
    secondSize: position,
    consistencyPath: hashes,
    firstRoot: hash,
    secondRoot: hash,
  })
  .meta({ id: 'ConsistencyProof' })

/** A leaf, by its index or by its hash (lower-case hex), and the size of the tree. */
export type InclusionQuery = z.infer<typeof inclusionQuerySchema>
/** See {@link inclusionProofSchema}. */
export type InclusionProofView = z.infer<typeof inclusionProofSchema>
/** See {@link consistencyProofSchema}. */
export type ConsistencyProofView = z.infer<typeof consistencyProofSchema>
