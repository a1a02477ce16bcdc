// Of the check of a tenant: that decisions are found by what they say, and that idempotency keys stand for them.
import type { DecisionMatter } from '../dossier/matters.ts'
import type { StoredEntry, StoreReader } from '../store/store.ts'
import { matterOf } from './checked.ts'
import type { FsckRequest } from './fsck.ts'
import { breathe, row, type Counted, type Found } from './fsck-findings.ts'
import { checkPolicies } from './fsck-policies.ts'
import { isMemoryOf, nameOf } from './notarise.ts'

const page = 100

/** That every decision can be found by what it says and by its idempotency key, and nothing else is listed. */
export async function checkDecisions(
  { progress, signal, store, tenant }: FsckRequest,
  found: Found,
  counted: Counted,
  unsure: (what: string) => void,
): Promise<void> {
  const policies = await checkPolicies(store, tenant, found)
  let before: number | undefined
  let listed = 0
  for (;;) {
    await breathe(signal)
    const query = before === undefined ? { limit: page } : { before, limit: page }
    const rows = await store.listDecisions(tenant, query)
    for (const { filter, index, stream } of rows) {
      const entry = await store.readEntry(tenant, index)
      const matter = entry === undefined ? undefined : tryMatter(entry)
      const said =
        matter === undefined
          ? null
          : {
              action: matter.intent.action.type,
              actor: matter.intent.actor.id,
              status: matter.status,
            }
      const same =
        filter?.action === said?.action &&
        filter?.actor === said?.actor &&
        filter?.status === said?.status
      if (!same || entry?.stream !== stream)
        row(found, index, 'Decision is listed as what it does not say')
      if (matter === undefined) continue
      policies.check({ index, matter, stream })
      await checkMemory(store, tenant, index, stream, matter, found)
    }
    listed += rows.length
    progress('decisions', listed, counted.decisions)
    const last = rows.at(-1)
    if (last === undefined) break
    // A broken index can give the same rows for ever.
    if (last.index >= (before ?? Infinity)) {
      row(found, last.index, 'Decisions are not listed in their order')
      break
    }
    before = last.index
  }
  policies.unsure.forEach(unsure)
  if (listed !== counted.decisions)
    row(found, null, `Decisions in the list: ${listed}, in the log: ${counted.decisions}`)
}

/** That the idempotency key of a decision stands for it: one that is forgotten, or stands for another, would notarise the same request twice. */
async function checkMemory(
  store: StoreReader,
  tenant: string,
  index: number,
  stream: string,
  { caller: { owner }, idempotencyKey }: DecisionMatter,
  found: Found,
): Promise<void> {
  if (idempotencyKey === null) return
  const memory = await store.readIdempotency(tenant, owner, nameOf(owner, idempotencyKey))
  if (memory === undefined) row(found, index, 'Idempotency key of the decision is not remembered')
  else if (memory.stream !== stream)
    row(found, index, `Idempotency key of the decision stands for another: ${memory.stream}`)
}

/** What a decision says, where it can be read; that it cannot is told elsewhere. */
function tryMatter(entry: StoredEntry) {
  try {
    return matterOf(entry, 'decision')
  } catch {
    return undefined
  }
}

/** That every memory of an idempotency key is the one of its decision. */
export async function checkIdempotency(
  { signal, store, tenant }: FsckRequest,
  found: Found,
): Promise<void> {
  let cursor = 0
  for (;;) {
    await breathe(signal)
    const records = await store.listIdempotency(tenant, cursor, page)
    for (const record of records) {
      const { fingerprint: print, stream } = record
      const [first] = await store.readStream(tenant, stream)
      const matter = first === undefined ? undefined : tryMatter(first)
      if (first?.kind !== 'decision') row(found, null, `Idempotency key of no decision: ${stream}`)
      else if ((print === null) !== (first.payload === null))
        row(found, first.index, 'Idempotency key is erased or its decision is, and not both')
      else if (matter?.source === 'submitted' && !isMemoryOf(record, matter))
        row(found, first.index, 'Idempotency key is not the one of its decision')
    }
    const last = records.at(-1)
    if (last === undefined) return
    if (last.cursor <= cursor) {
      row(found, null, 'Idempotency keys are not listed in their order')
      return
    }
    cursor = last.cursor
  }
}
