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

/** What is known of a room: its book, while it is being read too, and how often something happened to its policies. */
interface Shelf {
  book: PolicyBook | undefined
  reading: Promise<PolicyBook> | undefined
  acts: number
}

const shelves = new WeakMap<Room, Shelf>()

function shelfOf(room: Room): Shelf {
  const shelf = shelves.get(room) ?? { acts: 0, book: undefined, reading: undefined }
  shelves.set(room, shelf)
  return shelf
}

/** How many acts there have been: what was decided before another one is not decided by the policies of now. */
export const countActs = (room: Room): number => shelfOf(room).acts

/** Forgets the book of a room, in which something has happened: it is read anew when it is next wanted. */
export function forgetBook(room: Room): void {
  const { acts } = shelfOf(room)
  shelves.set(room, { acts: acts + 1, book: undefined, reading: undefined })
}

async function readAnew(room: Room, shelf: Shelf): Promise<PolicyBook> {
  const { log, store, tenant } = room
  try {
    const pages = await readPolicyPages(store, tenant.name, log.head)
    const active = [...pages.story.policies.values()]
      .filter(({ state }) => state === 'active')
      .map((policy) => activate(policy, pages.records.get(policy.sha256)))
    shelf.book = { ...pages, active }
    return shelf.book
  } finally {
    shelf.reading = undefined
  }
}

/** The book of a room; at once where it is at hand. @throws {@link Failure} STORE_CORRUPT */
export function readBook(room: Room): PolicyBook | Promise<PolicyBook> {
  const shelf = shelfOf(room)
  return shelf.book ?? (shelf.reading ??= readAnew(room, shelf))
}
