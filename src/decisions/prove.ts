// Proofs for entries that stand in the log already, under its newest checkpoint.
import { Failure } from '../base/failure.ts'
import { formatDossier, type DossierEntry } from '../dossier/v1.ts'
import { inclusionProof } from '../merkle/proof.ts'
import { loadNodes } from '../log/tree-reading.ts'
import type { StoreReader, StoredCheckpoint, StoredEntry } from '../store/store.ts'

/** An entry under the newest checkpoint. */
export interface ProvedEntry {
  readonly entry: StoredEntry
  readonly proof: readonly Uint8Array[]
  readonly checkpoint: string
}

async function lastCheckpoint(store: StoreReader, tenant: string): Promise<StoredCheckpoint> {
  const checkpoint = await store.readLastCheckpoint(tenant)
  if (checkpoint === undefined)
    throw new Failure('STORE_CORRUPT', `Log has entries but no checkpoint: ${tenant}`)
  return checkpoint
}

/**
 * One step of a stream with its proof.
 * @throws {@link Failure} INPUT_NOT_FOUND
 */
export async function proveEntry(
  store: StoreReader,
  tenant: string,
  stream: string,
  seq: number,
): Promise<ProvedEntry> {
  const entry = (await store.readStream(tenant, stream))[seq]
  if (entry === undefined) throw new Failure('INPUT_NOT_FOUND', `No such entry: ${stream}`)
  const { note, size } = await lastCheckpoint(store, tenant)
  const nodes = await loadNodes(store, tenant, size, [entry.index])
  return { entry, proof: inclusionProof(entry.index, size, nodes), checkpoint: note }
}

async function keptCheckpoint(
  store: StoreReader,
  tenant: string,
  size: number,
): Promise<StoredCheckpoint> {
  const checkpoint = await store.readKeptCheckpoint(tenant, size)
  if (checkpoint === undefined)
    throw new Failure('INPUT_NOT_FOUND', `No checkpoint was kept at size ${size}`)
  return checkpoint
}

/**
 * The bytes of the dossier of a stream: all its entries under the newest checkpoint, or under the one that was kept at a size.
 * @throws {@link Failure} INPUT_NOT_FOUND when the stream has no entry
 */
export async function exportDossier(
  store: StoreReader,
  tenant: string,
  stream: string,
  at?: number,
): Promise<Uint8Array> {
  // The checkpoint is read first: whatever is appended meanwhile is beyond it and left out, rather than in it without a proof.
  const { note, size } =
    at === undefined ? await lastCheckpoint(store, tenant) : await keptCheckpoint(store, tenant, at)
  const stored = (await store.readStream(tenant, stream)).filter(({ index }) => index < size)
  if (stored.length === 0) throw new Failure('INPUT_NOT_FOUND', `No such stream: ${stream}`)
  const nodes = await loadNodes(
    store,
    tenant,
    size,
    stored.map(({ index }) => index),
  )
  const entries: readonly DossierEntry[] = stored.map(({ index, leaf, payload, signature }) => ({
    index,
    leaf,
    payload,
    signature,
    proof: inclusionProof(index, size, nodes),
  }))
  return formatDossier({ stream, entries, cited: [], checkpoint: note })
}
