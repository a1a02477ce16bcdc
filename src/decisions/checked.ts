// Reading back what we once wrote, believing none of it: whoever can write the database could else decide what may be done. A row counts only if its
// leaf stands in the tree whose head this process holds and has pinned, and if payload, signature and columns are the ones of that leaf.
import { encodeHex, equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { sha256, sha512 } from '../crypto/hash.ts'
import { preAuthEncoding } from '../dossier/dsse.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import { matters, type KnownKind } from '../dossier/matters.ts'
import { parseStatement } from '../dossier/statement.ts'
import { leafHash } from '../merkle/hash.ts'
import { inclusionProof, verifyInclusion } from '../merkle/proof.ts'
import type { OpenHead } from '../log/log.ts'
import { expectEnd } from '../log/stream-ends.ts'
import { loadNodes } from '../log/tree-reading.ts'
import type { LogHead, StoredEntry, StoreReader } from '../store/store.ts'
import type { z } from 'zod'

/** A head, and where streams end, as far as that is known: of a log that is open it is. */
type KnownHead = LogHead & Partial<Pick<OpenHead, 'streams'>>

const corrupt = (entry: StoredEntry, what: string): Failure =>
  new Failure(
    'STORE_CORRUPT',
    `Stored entry is not the one of the log: ${what} at index ${entry.index}`,
  )

/** What of a row contradicts its leaf, if anything. */
function contradiction(entry: StoredEntry): string | undefined {
  const leaf = parseLeaf(entry.leaf)
  if (typeof leaf === 'string') return 'leaf'
  if (!equalBytes(leafHash(entry.leaf), entry.leafHash)) return 'leaf hash'
  if (leaf.kind !== entry.kind || leaf.stream !== entry.stream || leaf.seq !== entry.seq)
    return 'place'
  if (leaf.keyid !== entry.keyid || leaf.time !== entry.time) return 'key or time'
  if (leaf.sig !== encodeHex(sha256(entry.signature))) return 'signature'
  if (entry.payload !== null && leaf.pae !== encodeHex(sha512(preAuthEncoding(entry.payload))))
    return 'payload'
  return undefined
}

function checkChain(entries: readonly StoredEntry[], stream: string): void {
  for (const [seq, entry] of entries.entries()) {
    const wrong = contradiction(entry)
    if (wrong !== undefined) throw corrupt(entry, wrong)
    const leaf = parseLeaf(entry.leaf)
    const before = entries[seq - 1]
    const prev = before === undefined ? null : encodeHex(before.leafHash)
    if (
      typeof leaf === 'string' ||
      leaf.stream !== stream ||
      leaf.seq !== seq ||
      leaf.prev !== prev
    )
      throw corrupt(entry, 'step')
  }
}

async function checkInclusion(
  store: StoreReader,
  tenant: string,
  entries: readonly StoredEntry[],
  head: LogHead,
): Promise<void> {
  const indexes = entries.map(({ index }) => index)
  const nodes = await loadNodes(store, tenant, head.size, indexes)
  for (const entry of entries) {
    const proof = inclusionProof(entry.index, head.size, nodes)
    if (!verifyInclusion(entry.index, head.size, entry.leafHash, proof, head.root))
      throw corrupt(entry, 'inclusion')
  }
}

/**
 * All entries of a stream, each held against its leaf and the leaf against the head; of a stream whose end is kept it is seen that none is missing.
 * @throws {@link Failure} STORE_CORRUPT naming the first index that is wrong
 */
export async function readCheckedStream(
  store: StoreReader,
  tenant: string,
  stream: string,
  head: KnownHead,
): Promise<readonly StoredEntry[]> {
  const entries = (await store.readStream(tenant, stream)).filter(({ index }) => index < head.size)
  checkChain(entries, stream)
  expectEnd(head.streams, stream, entries.at(-1))
  if (entries.length === 0) return entries
  await checkInclusion(store, tenant, entries, head)
  return entries
}

/** As {@link readCheckedStream}, of the first entry alone, however long the stream. @throws {@link Failure} STORE_CORRUPT */
export async function readCheckedStart(
  store: StoreReader,
  tenant: string,
  stream: string,
  head: LogHead,
): Promise<StoredEntry | undefined> {
  const first = await store.readStreamStart(tenant, stream)
  if (first === undefined || first.index >= head.size) return undefined
  checkChain([first], stream)
  await checkInclusion(store, tenant, [first], head)
  return first
}

/** The matter of a checked entry, or undefined when it is erased. @throws {@link Failure} STORE_CORRUPT */
export function matterOf<K extends KnownKind>(
  entry: StoredEntry,
  kind: K,
): z.infer<(typeof matters)[K]> | undefined {
  if (entry.payload === null) return undefined
  const statement = parseStatement(entry.payload)
  const matter =
    typeof statement === 'string' || statement.predicate.kind !== kind
      ? undefined
      : matters[kind].safeParse(statement.predicate.matter).data
  if (matter === undefined) throw corrupt(entry, kind)
  return matter as z.infer<(typeof matters)[K]>
}
