// The policies of a room: what the log tells of them, and those that decide, made ready. Read once; then it goes on with each act, which only this
// process can be the author of, and is read again where one failed, for it may stand in the log all the same.
import { encodeHex, utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { PolicyMatter } from '../dossier/matters.ts'
import type { ActivePolicy } from '../policy/select.ts'
import type { StoredEntry } from '../store/store.ts'
import { PolicyTelling, type PolicyStory } from '../verify/policy-story.ts'
import { matterOf, readCheckedStream } from './checked.ts'
import { openPolicy, type PolicyPlace } from './open-policies.ts'
import type { Room } from './room.ts'
import { inSlices } from './slices.ts'

type Registered = Extract<PolicyMatter, { event: 'registered' }>

/** What the log says of policies. */
export interface PolicyPages {
  /** The name of the time in which nothing happens to them. */
  readonly epoch: string
  readonly story: PolicyStory
  /** What was registered, by digest. */
  readonly records: ReadonlyMap<string, Registered['record']>
  /** Bytes of the records, by digest. */
  readonly sizes: ReadonlyMap<string, number>
}

/** What is known of the policies of a room. */
export interface PolicyBook extends PolicyPages {
  readonly active: readonly ActivePolicy[]
}

type Told = Omit<PolicyPages, 'epoch'>

const sizeOf = (record: Registered['record']): number => utf8(JSON.stringify(record)).length

const newEpoch = (): string => encodeHex(randomBytes(8))

/** The pages with one more step that the log has taken. */
const addStep = (
  { records, sizes }: Pick<PolicyPages, 'records' | 'sizes'>,
  matter: PolicyMatter,
): Pick<PolicyPages, 'records' | 'sizes'> =>
  matter.event !== 'registered'
    ? { records, sizes }
    : {
        records: new Map([...records, [matter.sha256, matter.record]]),
        sizes: new Map([...sizes, [matter.sha256, sizeOf(matter.record)]]),
      }

/** What the entries of the stream `policies` tell, each step held against the rules, with a stop behind each. */
function* tellStream(entries: readonly StoredEntry[]): Generator<undefined, Told> {
  const telling = new PolicyTelling()
  const records = new Map<string, Registered['record']>()
  const sizes = new Map<string, number>()
  for (const entry of entries) {
    const { index, time } = entry
    const matter = matterOf(entry, 'policy')
    if (matter === undefined || telling.add({ index, matter, time }) !== undefined)
      throw new Failure('STORE_CORRUPT', `Policy may not stand in its place: index ${index}`)
    if (matter.event === 'registered') {
      records.set(matter.sha256, matter.record)
      sizes.set(matter.sha256, sizeOf(matter.record))
    }
    yield
  }
  return { records, sizes, story: telling.story }
}

/** What is known of a room in one epoch, while it is being read too. */
interface Shelf {
  readonly epoch: string
  pages: Promise<PolicyPages> | undefined
  book: PolicyBook | undefined
  reading: Promise<PolicyBook> | undefined
}

const shelves = new WeakMap<Room, Shelf>()

const emptyShelf = (): Shelf => ({
  book: undefined,
  epoch: newEpoch(),
  pages: undefined,
  reading: undefined,
})

function shelfOf(room: Room): Shelf {
  const shelf = shelves.get(room) ?? emptyShelf()
  shelves.set(room, shelf)
  return shelf
}

/** The name of now: what was decided in another epoch is not decided by the policies of this one. */
export const epochOf = (room: Room): string => shelfOf(room).epoch

/** Forgets the book of a room, in which something may have happened: it is read anew when it is next wanted, in another epoch. */
export const forgetBook = (room: Room): void => void shelves.set(room, emptyShelf())

/** Writes into the book of a room what the log has taken, in another epoch: to read all of it again would stop the thread the longer the more there is. */
export function continueBook(
  room: Room,
  pages: PolicyPages,
  story: PolicyStory,
  matter: PolicyMatter,
): void {
  const shelf = emptyShelf()
  shelf.pages = Promise.resolve({ ...addStep(pages, matter), epoch: shelf.epoch, story })
  shelves.set(room, shelf)
}

async function readAnew({ log, store, tenant }: Room, shelf: Shelf): Promise<PolicyPages> {
  try {
    const entries = await readCheckedStream(store, tenant.name, 'policies', log.head)
    return { ...(await inSlices(tellStream(entries))), epoch: shelf.epoch }
  } catch (error) {
    shelf.pages = undefined
    throw error
  }
}

const pagesOf = (room: Room, shelf: Shelf): Promise<PolicyPages> =>
  (shelf.pages ??= readAnew(room, shelf))

/** What the log of a room says of policies; none of them is compiled for it. @throws {@link Failure} STORE_CORRUPT */
export const readPages = (room: Room): Promise<PolicyPages> => pagesOf(room, shelfOf(room))

async function openBook(room: Room, shelf: Shelf): Promise<PolicyBook> {
  try {
    const pages = await pagesOf(room, shelf)
    const active: ActivePolicy[] = []
    for (const policy of pages.story.policies.values())
      if (policy.state === 'active')
        active.push(await openPolicy(policy, pages.records.get(policy.sha256)))
    shelf.book = { ...pages, active }
    return shelf.book
  } finally {
    shelf.reading = undefined
  }
}

/** The book of a room; at once where it is at hand. @throws {@link Failure} STORE_CORRUPT */
export function readBook(room: Room): PolicyBook | Promise<PolicyBook> {
  const shelf = shelfOf(room)
  return shelf.book ?? (shelf.reading ??= openBook(room, shelf))
}

/** The policies that decide, as they go to another thread. */
export interface PolicyCopy {
  readonly epoch: string
  /** Each with the JSON text of its record. */
  readonly policies: readonly (PolicyPlace & { readonly record: string })[]
}

/** The policies of a room that decide. @throws {@link Failure} STORE_CORRUPT */
export async function copyPolicies(room: Room): Promise<PolicyCopy> {
  const { epoch, records, story } = await readPages(room)
  const policies = [...story.policies.values()].filter(({ state }) => state === 'active')
  return {
    epoch,
    policies: policies.map(({ index, scope, sha256 }) => ({
      index,
      record: JSON.stringify(records.get(sha256)),
      scope,
      sha256,
    })),
  }
}
