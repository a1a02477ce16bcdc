// What decisions rest on: that the policies of a log follow one another by the rules, and that each decision that was made here cites policies that
// decided where it stands.
import { z } from 'zod'
import { canonicalize } from '../base/canonical-json.ts'
import { asFailure } from '../base/failure.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import { scopeSchema } from '../policy/terms.ts'
import type { StoreReader } from '../store/store.ts'
import { advancePolicies, noPolicies } from '../verify/policy-story.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { row, type Found } from './fsck-findings.ts'

/** What is wrong with what a decision at an index cites, if anything. */
export type CheckCited = (matter: DecisionMatter, index: number) => string | undefined

/** The policies that decide from an index on: by digest, the index of each one's registration and the scope in which it decides, as text. */
interface Counting {
  readonly from: number
  readonly active: ReadonlyMap<string, { readonly index: number; readonly scope: string }>
}

/** The one text of a scope; undefined where it is none. */
function textOf(scope: unknown): string | undefined {
  const { data } = scopeSchema.safeParse(scope ?? {})
  return data && canonicalize(data)
}

const traceSchema = z.looseObject({ scopes: z.record(z.string(), z.unknown()) })

/** The scope in which a decision says that a policy decided. */
function saidScope({ trace }: DecisionMatter, sha256: string): unknown {
  const { data } = traceSchema.safeParse(trace)
  return data !== undefined && Object.hasOwn(data.scopes, sha256) ? data.scopes[sha256] : undefined
}

async function readCounting(store: StoreReader, tenant: string): Promise<readonly Counting[]> {
  const head = (await store.readTenant(tenant))?.head
  const counting: Counting[] = [{ active: new Map(), from: 0 }]
  if (head === undefined) return counting
  let story = noPolicies
  for (const entry of await readCheckedStream(store, tenant, 'policies', head)) {
    const { index, time } = entry
    const matter = matterOf(entry, 'policy')
    const next = matter === undefined ? 'erased' : advancePolicies(story, { index, matter, time })
    if (typeof next === 'string') throw new Error(`${next} at index ${index}`)
    story = next
    const active = [...story.policies.values()].filter(({ state }) => state === 'active')
    counting.push({
      active: new Map(
        active.map((policy) => [
          policy.sha256,
          { index: policy.index, scope: textOf(policy.scope) ?? '' },
        ]),
      ),
      from: index,
    })
  }
  return counting
}

/** Checks the stream of policies, and gives what checks decisions against it. */
export async function checkPolicies(
  store: StoreReader,
  tenant: string,
  found: Found,
): Promise<CheckCited> {
  let counting: readonly Counting[]
  try {
    counting = await readCounting(store, tenant)
  } catch (error) {
    const cause = asFailure(error)
    const what = cause.cause instanceof Error ? cause.cause.message : cause.message
    const [, index] = / at index (\d+)$/.exec(what) ?? []
    row(found, index === undefined ? null : Number(index), `Policies: ${what}`)
    return () => undefined
  }
  return (matter, index) => {
    if (matter.source !== 'evaluated') return undefined
    const there = counting.findLast(({ from }) => from < index)
    for (const { id, index: registered, sha256 = '' } of matter.policies) {
      const active = there?.active.get(sha256)
      if (active === undefined || active.index !== registered)
        return `Decision cites a policy that did not decide there: ${id}`
      if (textOf(saidScope(matter, sha256)) !== active.scope)
        return `Decision names another scope than the policy had there: ${id}`
    }
    return undefined
  }
}
