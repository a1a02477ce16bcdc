// What an export of a period is to hold, settled before it begins: both ends, by position. Whatever is logged meanwhile lies behind the last.
import { Failure } from '../base/failure.ts'
import { ProofReader } from '../log/proof-reader.ts'
import { parseNote } from '../merkle/note.ts'
import { verifyConsistency } from '../merkle/proof.ts'
import type { PeriodHead, Status } from '../dossier/period.ts'
import type { StoredCheckpoint, StoreReader } from '../store/store.ts'
import { lastCheckpoint } from './prove.ts'

/** A place in a log: a tree size, which is the index of the entry that follows, or the first entry of a time (ms since 1970) or later. */
export type Position = { readonly size: number } | { readonly time: number }

/** What period is wanted. */
export interface PeriodRequest {
  /** The beginning of the log unless given. */
  readonly from?: Position
  /** The newest checkpoint unless given. */
  readonly to?: Position
  /** Null for all decisions. */
  readonly statuses: readonly Status[] | null
}

/** The number of entries before a time; times never decrease, so halving finds it. */
async function sizeBefore(
  store: StoreReader,
  tenant: string,
  size: number,
  time: number,
): Promise<number> {
  let [low, high] = [0, size]
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    const entry = await store.readEntry(tenant, middle)
    if (entry === undefined) throw new Failure('STORE_CORRUPT', `Entry is missing: ${middle}`)
    if (entry.time < time) low = middle + 1
    else high = middle
  }
  return low
}

async function sizeAt(
  store: StoreReader,
  tenant: string,
  { size }: StoredCheckpoint,
  position: Position,
  field: 'from' | 'to',
): Promise<number> {
  if ('time' in position) return sizeBefore(store, tenant, size, position.time)
  if (position.size <= size) return position.size
  throw new Failure('INPUT_INVALID', `Log has ${size} entries, not ${position.size}`, { field })
}

const pageCheckpoints = 64

/** How many signature lines of a note are not the log's own. */
export function cosignatures(note: string): number {
  const parsed = parseNote(note)
  const origin = note.slice(0, note.indexOf('\n'))
  return typeof parsed === 'string' ? 0 : parsed.lines.filter(({ name }) => name !== origin).length
}

/** The first checkpoint from a size on that was kept with as many cosignatures as one that the quorum has cosigned. */
async function firstCosigned(
  store: StoreReader,
  tenant: string,
  witnessed: StoredCheckpoint,
  size: number,
): Promise<StoredCheckpoint> {
  const enough = cosignatures(witnessed.note)
  for (let after = Math.max(0, size - 1); after < witnessed.size;) {
    const page = await store.listKeptCheckpoints(tenant, after, pageCheckpoints)
    const found = page.find((one) => cosignatures(one.note) >= enough)
    const last = page.at(-1)
    if (found !== undefined || last === undefined) return found ?? witnessed
    after = last.size
  }
  return witnessed
}

/**
 * The checkpoint under which the period stands: the first that was kept and covers a size, the newest when there is none or no size is named. Where
 * witnesses have cosigned one that covers it, only such count.
 */
async function coveringCheckpoint(
  store: StoreReader,
  tenant: string,
  last: StoredCheckpoint,
  { named, size }: { readonly named: boolean; readonly size: number },
): Promise<StoredCheckpoint> {
  const witnessed = await store.readWitnessedCheckpoint(tenant)
  if (witnessed !== undefined && size <= witnessed.size && witnessed.size <= last.size)
    return named ? firstCosigned(store, tenant, witnessed, size) : witnessed
  if (!named || size >= last.size) return last
  const [kept] = await store.listKeptCheckpoints(tenant, Math.max(0, size - 1), 1)
  return kept !== undefined && kept.size < last.size ? kept : last
}

/** The note of exactly a size, where one was kept. */
async function noteAt(
  store: StoreReader,
  tenant: string,
  to: StoredCheckpoint,
  size: number,
): Promise<string | null> {
  if (size === 0) return null
  if (size === to.size) return to.note
  return (await store.readKeptCheckpoint(tenant, size))?.note ?? null
}

/**
 * The head of the period file that a request asks for.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_INVALID when the period is beyond the log or ends before it begins, STORE_CORRUPT when the tree is not the signed one
 */
export async function planPeriod(
  store: StoreReader,
  tenant: string,
  request: PeriodRequest,
): Promise<PeriodHead> {
  const instance = await store.readInstance()
  const found = await store.readTenant(tenant)
  if (instance === undefined || found === undefined)
    throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${tenant}`)
  const last = await lastCheckpoint(store, tenant)
  const { from = { size: 0 }, to } = request
  const start = await sizeAt(store, tenant, last, from, 'from')
  const size = to === undefined ? start : await sizeAt(store, tenant, last, to, 'to')
  if (size < start)
    throw new Failure('INPUT_INVALID', `Period ends before it begins: ${size} < ${start}`, {
      field: 'to',
    })
  const end = await coveringCheckpoint(store, tenant, last, { named: to !== undefined, size })
  const tree = new ProofReader(store, tenant, end.size)
  const frontier = await tree.frontierAt(start)
  const consistency = await tree.proveGrowthFrom(start)
  const grows =
    start === 0 || verifyConsistency(start, end.size, frontier.root(), end.root, consistency)
  if (!grows)
    throw new Failure(
      'STORE_CORRUPT',
      `Tiles are wrong, countersign log rebuild makes them again: no signed tree of size ${end.size}`,
    )
  return {
    consistency,
    from: {
      checkpoint: await noteAt(store, tenant, end, start),
      frontier: frontier.hashes(),
      size: start,
    },
    instance: instance.id,
    origin: found.origin,
    statuses: request.statuses === null ? null : [...new Set(request.statuses)].sort(),
    tenant,
    to: end.note,
  }
}
