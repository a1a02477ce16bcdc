// Policies made ready to be asked, from what the log holds of them. Bundles are compiled once in each thread and kept by their digests, a bounded number
// of them for all tenants together.
import { Failure } from '../base/failure.ts'
import type { PolicyScope } from '../dossier/policy-events.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import { recordInSteps, weighRecord } from '../policy/open-record.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { compileScope, scopeSchema } from '../policy/terms.ts'
import { inSlices } from './slices.ts'

/** The one asked for longest ago goes first. */
const mostCompiled = 256
const compiled = new Map<string, CompiledBundle>()

async function compileOnce(digest: string, record: unknown): Promise<CompiledBundle> {
  const bundle = compiled.get(digest) ?? (await inSlices(recordInSteps(record)))
  compiled.delete(digest)
  if (bundle.digest !== digest)
    throw new Failure('STORE_CORRUPT', `Registered policy is another one now: ${digest}`)
  compiled.set(digest, bundle)
  const [oldest] = compiled.keys()
  if (compiled.size > mostCompiled && oldest !== undefined) compiled.delete(oldest)
  return bundle
}

/** Where a policy was registered, and where it decides. */
export interface PolicyPlace {
  readonly sha256: string
  readonly index: number
  readonly scope: PolicyScope | null
}

const mostWeights = 4096
const weights = new Map<string, number>()

/** What the patterns of a registered bundle weigh. @throws {@link Failure} POLICY_INVALID */
export async function weighOnce(digest: string, record: unknown): Promise<number> {
  const weight = weights.get(digest) ?? (await inSlices(weighRecord(record)))
  weights.set(digest, weight)
  const [oldest] = weights.keys()
  if (weights.size > mostWeights && oldest !== undefined) weights.delete(oldest)
  return weight
}

/** A policy that decides. @throws {@link Failure} STORE_CORRUPT, POLICY_INVALID */
export const openPolicy = async (
  { index, scope, sha256 }: PolicyPlace,
  record: unknown,
): Promise<ActivePolicy> => ({
  compiled: await compileOnce(sha256, record),
  index,
  ...(scope === null || Object.keys(scope).length === 0
    ? {}
    : { scope: compileScope(scopeSchema.parse(scope)) }),
})
