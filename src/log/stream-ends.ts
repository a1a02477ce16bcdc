// Where the streams end that say what may be done: who has an API key or a role, which policies decide, whether two leads must sign. The tree proves of
// each entry that it stands, and of none that it is the last: whoever takes rows away at the end of a stream, or moves them to another name, makes the
// service forget. So these ends are pinned beside the head, and what is read must reach to them.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { systemStreams } from '../dossier/kinds.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import { leafHash } from '../merkle/hash.ts'
import { inclusionProof, verifyInclusion } from '../merkle/proof.ts'
import type { NewEntry, StoreReader } from '../store/store.ts'
import type { Pin, StreamEnds } from './pin.ts'
import type { PinnedLog } from './pinned-head.ts'
import { loadNodes } from './tree-reading.ts'

const ended: ReadonlySet<string> = new Set(systemStreams)
/** Leaves that are read at a time. */
const chunk = 1024

/** A refusal that says which stream does not end as it did. */
const cutOff = (stream: string): Failure =>
  new Failure(
    'STORE_CORRUPT',
    `Rows are gone from the end of a stream, or were moved: bring the database back that has them. Stream ${stream}`,
  )

/** Sees that a stream ends where it is known to; of streams whose ends nobody keeps nothing is known. @throws {@link Failure} STORE_CORRUPT */
export function expectEnd(
  ends: StreamEnds | undefined,
  stream: string,
  last: Pick<NewEntry, 'leafHash'> | undefined,
): void {
  if (ends === undefined || !ended.has(stream)) return
  if (ends[stream] !== (last && encodeHex(last.leafHash))) throw cutOff(stream)
}

/** The ends behind entries, in their order. */
export function advanceEnds(
  ends: StreamEnds,
  entries: readonly Pick<NewEntry, 'leafHash' | 'stream'>[],
): StreamEnds {
  const moved = entries.filter(({ stream }) => ended.has(stream))
  if (moved.length === 0) return ends
  return {
    ...ends,
    ...Object.fromEntries(moved.map(({ leafHash: end, stream }) => [stream, encodeHex(end)])),
  }
}

/** What the store's own rows say, for a log whose pin was made before ends were kept. */
async function learnEnds(store: StoreReader, tenant: string): Promise<StreamEnds> {
  let ends: StreamEnds = {}
  for (const stream of systemStreams) {
    const last = await store.readStreamHead(tenant, stream)
    if (last !== undefined) ends = advanceEnds(ends, [{ ...last, stream }])
  }
  return ends
}

/** The ends behind leaves that came after the pin, each proved to stand in the tree. @throws {@link Failure} STORE_CORRUPT */
async function followLeaves(log: PinnedLog, pinned: StreamEnds, from: number): Promise<StreamEnds> {
  const { head, store, tenant } = log
  let ends = pinned
  for (let start = from; start < head.size; start += chunk) {
    const leaves = await store.readLeaves(tenant, start, Math.min(start + chunk, head.size))
    const indexes = leaves.map((_, i) => start + i)
    const nodes = await loadNodes(store, tenant, head.size, indexes)
    const entries = leaves.map((leaf, i) => {
      const index = start + i
      const hash = leafHash(leaf)
      const proof = inclusionProof(index, head.size, nodes)
      const parsed = parseLeaf(leaf)
      if (typeof parsed === 'string' || !verifyInclusion(index, head.size, hash, proof, head.root))
        throw new Failure('STORE_CORRUPT', `Stored leaf is not the one of the log: index ${index}`)
      return { leafHash: hash, stream: parsed.stream }
    })
    if (entries.length < Math.min(chunk, head.size - start))
      throw new Failure('STORE_CORRUPT', `Rows of the log are gone from index ${start} on`)
    ends = advanceEnds(ends, entries)
  }
  return ends
}

/**
 * The ends of a log whose pinned head was found in it, held against the store.
 * @throws {@link Failure} STORE_CORRUPT
 */
export async function openEnds(log: PinnedLog, pinned: Pin | undefined): Promise<StreamEnds> {
  const { store, tenant } = log
  if (pinned?.streams === undefined) return learnEnds(store, tenant)
  const ends = await followLeaves(log, pinned.streams, pinned.size)
  for (const stream of systemStreams)
    expectEnd(ends, stream, await store.readStreamHead(tenant, stream))
  return ends
}

/** Whether two logs know the same ends. */
export const isSameEnds = (a: StreamEnds, b: StreamEnds | undefined): boolean =>
  b !== undefined && systemStreams.every((stream) => a[stream] === b[stream])
