// Of the check of a tenant: that every decision is listed as what its stream has made of it.
import type { StoredEntry, StoredStanding } from '../store/store.ts'
import type { FsckRequest } from './fsck.ts'
import { breathe, row, type Found } from './fsck-findings.ts'
import { standingsOf } from './standing.ts'

const page = 100

/** What is told in a stream, where it can be read; that it cannot is told elsewhere. */
function tryStandings(entries: readonly StoredEntry[]): ReturnType<typeof standingsOf> | undefined {
  try {
    return standingsOf(entries)
  } catch {
    return undefined
  }
}

/** Whether a row is what the stream of its decision says. */
function isAsTold(standing: StoredStanding, entries: readonly StoredEntry[]): boolean {
  const { decidedAt, index, state, status, step, until, way } = standing
  const [first] = entries
  if (first?.kind !== 'decision' || first.index !== index) return false
  const erased = entries.some(({ index: at, payload }) => at === step && payload === null)
  if (erased) return state === 'erased' && status === null && until === null
  const told = tryStandings(entries)?.find((one) => one.way === way)
  if (told === undefined) return false
  const time = entries.find(({ index: at }) => at === told.step)?.time ?? null
  return (
    told.state === state &&
    told.status === status &&
    told.step === step &&
    told.until === until &&
    decidedAt === (status === null ? null : time)
  )
}

/** That every decision that was held is listed as held: one that is forgotten would wait past its deadline until somebody asks. */
async function checkHeld(
  { signal, store, tenant }: FsckRequest,
  found: Found,
  listed: ReadonlySet<string>,
): Promise<void> {
  for (const status of ['ESCALATE', 'REVIEW_REQUIRED'])
    for (let before = Number.MAX_SAFE_INTEGER; ;) {
      await breathe(signal)
      const rows = await store.listDecisions(tenant, { before, limit: page, status })
      for (const { index, stream } of rows) {
        if (listed.has(`escalation ${stream}`)) continue
        const entries = await store.readStream(tenant, stream)
        if (entries.some(({ kind }) => kind === 'escalation'))
          row(found, index, 'Decision is not listed as one that was held for a reviewer')
      }
      const last = rows.at(-1)
      if (last === undefined || last.index >= before) break
      before = last.index
    }
}

/** That every standing is the one of its decision, and that none is missing. */
export async function checkStandings(request: FsckRequest, found: Found): Promise<void> {
  const { signal, store, tenant } = request
  const listed = new Set<string>()
  for (let after = -1; ;) {
    await breathe(signal)
    // A decision has a row for each way, and the last one's may stand on both sides of the end of a page.
    const rows = await store.listStandings(tenant, after, page)
    for (const standing of rows) {
      listed.add(`${standing.way} ${standing.stream}`)
      if (!isAsTold(standing, await store.readStream(tenant, standing.stream)))
        row(found, standing.index, 'Decision is not listed as what it has come to be')
    }
    const last = rows.at(-1)
    if (last === undefined || last.index <= after) break
    after = rows.length < page ? last.index : last.index - 1
    if (rows.length < page) break
  }
  await checkHeld(request, found, listed)
  for (let before = Number.MAX_SAFE_INTEGER; ;) {
    await breathe(signal)
    const rows = await store.listOverrides(tenant, before, page)
    for (const { index, stream } of rows) {
      const first = await store.readStreamStart(tenant, stream)
      if (first?.kind === 'decision' && !listed.has(`override ${stream}`))
        row(found, index, 'Decision is not listed as one that somebody asked to overrule')
    }
    const last = rows.at(-1)
    if (last === undefined || last.index >= before) break
    before = last.index
  }
}
