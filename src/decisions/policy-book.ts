// The policies of a room: what the log tells of them, and those that decide, made ready. Read once, and anew after every act, which only this process
// can be the author of.
import { Failure } from '../base/failure.ts'
import type { PolicyMatter } from '../dossier/matters.ts'
import type { CompiledBundle } from '../policy/compile.ts'
import { compileRecord } from '../policy/open-record.ts'
import type { ActivePolicy } from '../policy/select.ts'
import { compileScope, scopeSchema } from '../policy/terms.ts'
import type { LogHead, StoreReader } from '../store/store.ts'
import {
  advancePolicies,
  noPolicies,
  type PolicyStory,
  type StoriedPolicy,
} from '../verify/policy-story.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import type { Room } from './room.ts'

type Registered = Extract<PolicyMatter, { event: 'registered' }>

/** What the log says of policies. */
interface PolicyPages {
  readonly story: PolicyStory
  /** What was registered, by digest. */
  readonly records: ReadonlyMap<string, Registered['record']>
}

/** What is known of the policies of a room. */
export interface PolicyBook extends PolicyPages {
  readonly active: readonly ActivePolicy[]
}

/** Compiled bundles that are kept, of all tenants together; the one asked for longest ago goes first. */
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

/** What the stream `policies` tells, each step held against the rules. @throws {@link Failure} STORE_CORRUPT */
export async function readPolicyPages(
  store: StoreReader,
  tenant: string,
  head: LogHead,
): Promise<PolicyPages> {
  let story = noPolicies
  const records = new Map<string, Registered['record']>()
  for (const entry of await readCheckedStream(store, tenant, 'policies', head)) {
    const { index, time } = entry
    const matter = matterOf(entry, 'policy')
    const next = matter && advancePolicies(story, { index, matter, time })
    if (matter === undefined || next === undefined || typeof next === 'string')
      throw new Failure('STORE_CORRUPT', `Policy may not stand in its place: index ${index}`)
    if (matter.event === 'registered') records.set(matter.sha256, matter.record)
    story = next
  }
  return { records, story }
}

function activate({ index, scope, sha256 }: StoriedPolicy, record: unknown): ActivePolicy {
  const stated = scope === null ? {} : scope
  return {
    compiled: compileOnce(sha256, record),
    index,
    ...(Object.keys(stated).length === 0 ? {} : { scope: compileScope(scopeSchema.parse(stated)) }),
  }
}

const books = new WeakMap<Room, PolicyBook>()

/** The book of a room, where it has been read and nothing has happened since. */
export const knownBook = (room: Room): PolicyBook | undefined => books.get(room)

/** Forgets the book of a room: it is read anew when it is next wanted. */
export const forgetBook = (room: Room): void => void books.delete(room)

/** The book of a room. @throws {@link Failure} STORE_CORRUPT */
export async function readBook(room: Room): Promise<PolicyBook> {
  const known = books.get(room)
  if (known !== undefined) return known
  const { log, store, tenant } = room
  const pages = await readPolicyPages(store, tenant.name, log.head)
  const active = [...pages.story.policies.values()]
    .filter(({ state }) => state === 'active')
    .map((policy) => activate(policy, pages.records.get(policy.sha256)))
  const book = { ...pages, active }
  books.set(room, book)
  return book
}
