// What a service says of itself. Anybody may ask: it comes from the table of failures and from counts; paths and causes are for the log.
import { asFailure, type Failure, type FailureCode } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import type { StoreReader } from '../store/store.ts'
import type { Health } from './service.ts'

/** What the health of a service is told from. */
export interface HealthSources {
  readonly clock: () => number
  /** What stops everything now. */
  readonly trouble: Failure | undefined
  readonly closing: boolean
  readonly keys: {
    readonly summary: string
    /** @throws {@link Failure} when signing has stopped because of the key providers */
    checkOutage(): void
  }
  readonly overridesPerDay: number
  /** Whose rooms are open. */
  readonly tenants: () => readonly string[]
  /** What the rooms that did not open were refused with. */
  readonly refused: ReadonlyMap<string, FailureCode>
  /** Undefined while it cannot be asked. */
  readonly store: () => StoreReader | undefined
  readonly witnesses: string | undefined
}

const dayMs = 86_400_000

/** Whether work can be done now, and what is wrong. */
export async function tellHealth(sources: HealthSources): Promise<Health> {
  const { closing, keys, trouble, witnesses } = sources
  const outage = outageOf(keys)
  const keysSaid = outage === undefined ? keys.summary : `${outage.code}: ${outage.title}`
  const webhooks = await webhookSummary(sources)
  const overrides = await overrideSummary(sources)
  const administration = await adminSummary(sources)
  return {
    ready: trouble === undefined && !closing && outage === undefined,
    parts: {
      ...(administration === undefined ? {} : { administration }),
      keys: keysSaid,
      log: trouble === undefined ? 'ok' : `${trouble.code}: ${trouble.title}`,
      ...(overrides === undefined ? {} : { overrides }),
      tenants: tenantSummary(sources),
      ...(webhooks === undefined ? {} : { webhooks }),
      ...(witnesses === undefined ? {} : { witnesses }),
    },
  }
}

function outageOf(keys: HealthSources['keys']): Failure | undefined {
  try {
    keys.checkOutage()
    return undefined
  } catch (error) {
    return asFailure(error)
  }
}

/** How many of the tenants that are open have so many acts told in their log that webhooks are refused; undefined where none has, or nobody can say. */
async function adminSummary({ store, tenants }: HealthSources): Promise<string | undefined> {
  let nearly = 0
  for (const tenant of tenants()) {
    const head = await store()
      ?.readStreamHead(tenant, 'admin')
      .catch(() => undefined)
    if (head !== undefined && head.seq + 1 >= limits.webhookEntries) nearly++
  }
  return nearly === 0 ? undefined : `${nearly} with too many entries for webhooks`
}

/** How many decisions were overruled within 24 hours in the tenants that are open; undefined where none was, or nobody can say. */
async function overrideSummary({
  clock,
  overridesPerDay,
  store: storeNow,
  tenants,
}: HealthSources): Promise<string | undefined> {
  const store = storeNow()
  if (store === undefined) return undefined
  let [all, limited] = [0, 0]
  for (const tenant of tenants()) {
    const count = await store.countDecided(tenant, 'override', clock() - dayMs + 1).catch(() => 0)
    all += count
    if (count >= overridesPerDay) limited++
  }
  if (all === 0) return undefined
  const told = `${all} in 24 h`
  return limited === 0 ? `ok (${told})` : `limit reached by ${limited} (${told})`
}

/** How many announcements wait and were given up; undefined where there are none, or nobody can say. */
async function webhookSummary({ store }: HealthSources): Promise<string | undefined> {
  const count = await store()
    ?.countDeliveries()
    .catch(() => undefined)
  if (count === undefined || count.waiting + count.dead === 0) return undefined
  const { dead, waiting } = count
  return `${dead === 0 ? 'ok' : `${dead} given up`} (${waiting} waiting)`
}

/** How many rooms are open, and what those that are not were refused with. */
function tenantSummary({ refused, tenants }: HealthSources): string {
  const open = `${tenants().length} open`
  const codes = [...new Set(refused.values())].sort().join(', ')
  return refused.size === 0 ? `ok (${open})` : `${refused.size} refused (${codes}), ${open}`
}
