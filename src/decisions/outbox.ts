// What is on its way to webhooks. It stands in the database from the transaction of its entry on, so that nothing is lost by a crash and something may be
// told twice: receivers know it by its id. The secrets stay in this thread; whoever sends gets a finished request, and says what became of it.
import { encodeBase64 } from '../base/base64.ts'
import { utf8 } from '../base/bytes.ts'
import { asFailure, type Failure } from '../base/failure.ts'
import { hmacSha256, randomBytes } from '../crypto/hash.ts'
import type { Store, StoredDelivery } from '../store/store.ts'
import type { Room } from './room.ts'
import type { DeliveryOutcome, OutgoingDelivery } from './service.ts'
import { openWebhook, readWebhook } from './webhook-record.ts'

const secondMs = 1000
/** When the next attempt is, by how many there were: 5 s, three times as long each time, nine hours at the end; some 14 in all. */
const retry = Object.freeze({ attempts: 10, factor: 3, firstMs: 5000, jitter: 0.2 })
/** How long an attempt may be on its way before another begins. */
const leaseMs = 60_000
/** Attempts of one tenant that are on their way at a time: half of the sender's hands. */
const mostOfTenant = 8

/** How long to wait after so many attempts, ms; by a fifth more or less, so that those who failed together do not come back together. */
export function retryDelayMs(attempts: number, random: number): number {
  const { factor, firstMs, jitter } = retry
  return Math.round(firstMs * factor ** (attempts - 1) * (1 - jitter + 2 * jitter * random))
}

/** The headers of Standard Webhooks 1.0: HMAC-SHA-256 over id, timestamp and body. */
function signDelivery(
  { body, event }: Pick<StoredDelivery, 'body' | 'event'>,
  time: number,
  key: Uint8Array,
): Readonly<Record<string, string>> {
  const timestamp = String(Math.floor(time / secondMs))
  const tag = hmacSha256(key, utf8(`${event}.${timestamp}.${body}`))
  return {
    'webhook-id': event,
    'webhook-signature': `v1,${encodeBase64(tag)}`,
    'webhook-timestamp': timestamp,
  }
}

const random = (): number => (randomBytes(1)[0] ?? 0) / 255

interface OutboxParts {
  readonly clock: () => number
  readonly store: () => Store
  readonly useRoom: <T>(tenant: string, work: (room: Room) => Promise<T>) => Promise<T>
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
}

/** What waits to be told, and to whom. */
export class Outbox {
  readonly #parts: OutboxParts
  /** Until when each that was handed out is left alone. */
  readonly #out = new Map<number, { readonly until: number; readonly delivery: StoredDelivery }>()

  constructor(parts: OutboxParts) {
    this.#parts = parts
  }

  /** Finished requests that are due, at most so many; none is handed out twice at a time. */
  async take(limit: number): Promise<readonly OutgoingDelivery[]> {
    const { clock, store } = this.#parts
    const now = clock()
    for (const [id, { until }] of this.#out) if (until <= now) this.#out.delete(id)
    const taken: OutgoingDelivery[] = []
    // Tenants of whom nothing is on its way come first: one whose receivers never answer would else have all hands for as long as anything of it waits.
    for (const most of [1, mostOfTenant]) {
      const isBusy = (tenant: string): boolean => this.#countOut(tenant) >= most
      const except = this.#tenantsOut().filter(isBusy)
      for (const delivery of await store().listDue(now, limit + this.#out.size, except)) {
        if (this.#out.has(delivery.id) || taken.length >= limit || isBusy(delivery.tenant)) continue
        this.#out.set(delivery.id, { delivery, until: now + leaseMs })
        const ready = await this.#prepare(delivery, now)
        if (ready === undefined) this.#out.delete(delivery.id)
        else taken.push(ready)
      }
    }
    return taken
  }

  #tenantsOut(): readonly string[] {
    return [...new Set([...this.#out.values()].map(({ delivery: { tenant } }) => tenant))]
  }

  #countOut(tenant: string): number {
    return [...this.#out.values()].filter(({ delivery }) => delivery.tenant === tenant).length
  }

  /** A request, or undefined where there is none to be made; what is wrong with its webhook counts as an attempt. */
  async #prepare(delivery: StoredDelivery, now: number): Promise<OutgoingDelivery | undefined> {
    try {
      return await this.#parts.useRoom(delivery.tenant, async (room) => {
        const rows = await room.store.listWebhooks(delivery.tenant)
        const row = rows.find(({ id }) => id === delivery.hook)
        if (row === undefined) return undefined
        const { secret: opened, url } = openWebhook(room, readWebhook(row))
        using secret = opened
        const headers = secret.use((key) => signDelivery(delivery, now, key))
        return { body: delivery.body, headers, id: delivery.id, url }
      })
    } catch (error) {
      await this.#blame(delivery, asFailure(error))
      return undefined
    }
  }

  /** Keys that do not open are nobody's fault out there: it is tried again without end. */
  async #blame(delivery: StoredDelivery, { code }: Failure): Promise<void> {
    const isRecord = code === 'OPEN_FAILED' || code === 'STORE_CORRUPT'
    const { attempts } = delivery
    if (isRecord) await this.#fail(delivery, attempts + 1, code, false)
    else await this.#fail(delivery, attempts, code, false)
  }

  /** Takes down what became of an attempt. */
  async settle(id: number, { gone, ok, said }: DeliveryOutcome): Promise<void> {
    const out = this.#out.get(id)
    this.#out.delete(id)
    if (out === undefined) return
    if (ok) await this.#parts.store().settleDelivery(id, 'delivered')
    else await this.#fail(out.delivery, out.delivery.attempts + 1, said, gone)
  }

  async #fail(
    { event, hook, id, tenant }: StoredDelivery,
    attempts: number,
    said: string,
    gone: boolean,
  ): Promise<void> {
    const { clock, report, store } = this.#parts
    const dead = gone || attempts >= retry.attempts
    const due = clock() + retryDelayMs(Math.max(1, attempts), random())
    await store().settleDelivery(id, { attempts, dead, due, last: said.slice(0, 256) })
    if (dead)
      report('webhook.given-up', { attempts, event, hook, said: said.slice(0, 256), tenant })
  }
}
