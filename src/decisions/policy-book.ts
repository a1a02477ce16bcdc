// The policies of a room: what the log tells of them, and those that decide, made ready. Read once, and anew after every act, which only this process
// can be the author of.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { PolicyMatter } from '../dossier/matters.ts'
import type { ActivePolicy } from '../policy/select.ts'
import type { LogHead, StoreReader } from '../store/store.ts'
import { advancePolicies, noPolicies, type PolicyStory } from '../verify/policy-story.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { openPolicy, type PolicyPlace } from './open-policies.ts'
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

/** What the stream `policies` tells, each step held against the rules. @throws {@link Failure} STORE_CORRUPT */
async function readPolicyPages(
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

/** What is known of a room: its book, while it is being read too, and a name for the time in which nothing happens to its policies. */
interface Shelf {
  book: PolicyBook | undefined
  reading: Promise<PolicyBook> | undefined
  readonly epoch: string
}

const shelves = new WeakMap<Room, Shelf>()

const emptyShelf = (): Shelf => ({
  book: undefined,
  epoch: encodeHex(randomBytes(8)),
  reading: undefined,
})

function shelfOf(room: Room): Shelf {
  const shelf = shelves.get(room) ?? emptyShelf()
  shelves.set(room, shelf)
  return shelf
}

/** The name of now: what was decided in another epoch is not decided by the policies of this one. */
export const epochOf = (room: Room): string => shelfOf(room).epoch

/** Forgets the book of a room, in which something has happened: it is read anew when it is next wanted, in another epoch. */
export const forgetBook = (room: Room): void => void shelves.set(room, emptyShelf())

async function readAnew(room: Room, shelf: Shelf): Promise<PolicyBook> {
  const { log, store, tenant } = room
  try {
    const pages = await readPolicyPages(store, tenant.name, log.head)
    const active = [...pages.story.policies.values()]
      .filter(({ state }) => state === 'active')
      .map((policy) => openPolicy(policy, pages.records.get(policy.sha256)))
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

/** The policies that decide, as they go to another thread. */
export interface PolicyCopy {
  readonly epoch: string
  /** Each with the JSON text of its record. */
  readonly policies: readonly (PolicyPlace & { readonly record: string })[]
}

/** The policies of a room that decide. @throws {@link Failure} STORE_CORRUPT */
export async function copyPolicies(room: Room): Promise<PolicyCopy> {
  const { records, story } = await readBook(room)
  const policies = [...story.policies.values()].filter(({ state }) => state === 'active')
  return {
    epoch: epochOf(room),
    policies: policies.map(({ index, scope, sha256 }) => ({
      index,
      record: JSON.stringify(records.get(sha256)),
      scope,
      sha256,
    })),
  }
}
