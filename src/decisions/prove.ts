// Proofs for entries that stand in the log already, under its newest checkpoint.
import { fromUtf8 } from '../base/bytes.ts'
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

/** The newest checkpoint of a log that has entries. @throws {@link Failure} STORE_CORRUPT */
export async function lastCheckpoint(
  store: StoreReader,
  tenant: string,
): Promise<StoredCheckpoint> {
  const checkpoint = await store.readLastCheckpoint(tenant)
  if (checkpoint === undefined)
    throw new Failure('STORE_CORRUPT', `Log has entries but no checkpoint: ${tenant}`)
  return checkpoint
}

/**
 * The first step of a stream with its proof.
 * @throws {@link Failure} INPUT_NOT_FOUND
 */
export async function proveStart(
  store: StoreReader,
  tenant: string,
  stream: string,
): Promise<ProvedEntry> {
  const entry = await store.readStreamStart(tenant, stream)
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

interface Citing {
  readonly predicate: { readonly matter: { readonly policies: readonly { index?: number }[] } }
}

/** The indexes of the policy entries that the decision of a stream names, rising; none where it is erased. */
function citationsOf([first]: readonly StoredEntry[]): readonly number[] {
  if (first?.kind !== 'decision' || first.payload === null) return []
  try {
    const { policies } = (JSON.parse(fromUtf8(first.payload)) as Citing).predicate.matter
    const indexes = policies.flatMap(({ index }) => index ?? [])
    return [...new Set(indexes)].sort((a, b) => a - b)
  } catch (cause) {
    throw new Failure('STORE_CORRUPT', `Payload is not that of a decision: ${first.index}`, {
      cause,
    })
  }
}

/** The policy entries that the decision among a stream's entries cites. @throws {@link Failure} STORE_CORRUPT */
export async function readCited(
  store: StoreReader,
  tenant: string,
  stored: readonly StoredEntry[],
): Promise<readonly StoredEntry[]> {
  const cited: StoredEntry[] = []
  for (const index of citationsOf(stored)) {
    const entry = await store.readEntry(tenant, index)
    if (entry?.kind !== 'policy')
      throw new Failure('STORE_CORRUPT', `Decision cites what is no policy: index ${index}`)
    cited.push(entry)
  }
  return cited
}

/** The bytes of a dossier of the entries of a stream, each with the proof that `prove` finds for it in the tree of the note. */
export async function assembleDossier(
  stream: string,
  stored: readonly StoredEntry[],
  cited: readonly StoredEntry[],
  note: string,
  prove: (entry: StoredEntry) => readonly Uint8Array[] | Promise<readonly Uint8Array[]>,
): Promise<Uint8Array> {
  const proved = async (all: readonly StoredEntry[]): Promise<DossierEntry[]> => {
    const entries: DossierEntry[] = []
    for (const entry of all) {
      const { index, leaf, payload, signature } = entry
      entries.push({ index, leaf, payload, proof: await prove(entry), signature })
    }
    return entries
  }
  return formatDossier({
    stream,
    entries: await proved(stored),
    cited: await proved(cited),
    checkpoint: note,
  })
}

/** The newest checkpoint that the quorum of witnesses has cosigned where an entry stands under it, else the newest. */
export async function preferWitnessed(
  store: StoreReader,
  tenant: string,
  newest: StoredCheckpoint,
  entry: Pick<StoredEntry, 'index'> | undefined,
): Promise<StoredCheckpoint> {
  const witnessed = await store.readWitnessedCheckpoint(tenant)
  const covers = witnessed !== undefined && entry !== undefined && entry.index < witnessed.size
  return covers && witnessed.size <= newest.size ? witnessed : newest
}

/**
 * The bytes of the dossier of a stream: all its entries under the newest checkpoint, one that witnesses have cosigned where there is one behind
 * them, or under the one that was kept at a size.
 * @throws {@link Failure} INPUT_NOT_FOUND when the stream has no entry
 */
export async function exportDossier(
  store: StoreReader,
  tenant: string,
  stream: string,
  at?: number,
): Promise<Uint8Array> {
  // The checkpoint is read first: whatever is appended meanwhile is beyond it and left out, rather than in it without a proof.
  const newest =
    at === undefined ? await lastCheckpoint(store, tenant) : await keptCheckpoint(store, tenant, at)
  const stored = (await store.readStream(tenant, stream)).filter(({ index }) => index < newest.size)
  const { note, size } =
    at === undefined ? await preferWitnessed(store, tenant, newest, stored.at(-1)) : newest
  if (stored.length === 0) throw new Failure('INPUT_NOT_FOUND', `No such stream: ${stream}`)
  const cited = await readCited(store, tenant, stored)
  const nodes = await loadNodes(
    store,
    tenant,
    size,
    [...cited, ...stored].map(({ index }) => index),
  )
  return assembleDossier(stream, stored, cited, note, ({ index }) =>
    inclusionProof(index, size, nodes),
  )
}
