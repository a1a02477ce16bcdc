// Policies made ready to be asked, from what the log holds of them. Bundles are compiled once in each thread and kept by their digests, a bounded number
// of them for all tenants together.
import { Failure } from '../base/failure.ts'
import type { PolicyScope } from '../dossier/policy-events.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import { compileRecord } from '../policy/open-record.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { compileScope, scopeSchema } from '../policy/terms.ts'

/** The one asked for longest ago goes first. */
const mostCompiled = 256
const compiled = new Map<string, CompiledBundle>()

function compileOnce(digest: string, record: unknown): CompiledBundle {
  const known = compiled.get(digest)
  compiled.delete(digest)
  const bundle = known ?? compileRecord(record)
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

/** A policy that decides. @throws {@link Failure} STORE_CORRUPT, POLICY_INVALID */
export const openPolicy = (
  { index, scope, sha256 }: PolicyPlace,
  record: unknown,
): ActivePolicy => ({
  compiled: compileOnce(sha256, record),
  index,
  ...(scope === null || Object.keys(scope).length === 0
    ? {}
    : { scope: compileScope(scopeSchema.parse(scope)) }),
})
