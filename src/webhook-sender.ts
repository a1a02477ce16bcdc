// Sends what waits in the outbox: one POST each, some at a time, no redirect followed, nothing of the answer read but its status. Whatever goes wrong is
// told to the outbox, which tries again later; this file remembers nothing.
import { request as requestHttp, type RequestOptions } from 'node:http'
import { request as requestHttps } from 'node:https'
import type { DeliveryOutcome, OutgoingDelivery, Service } from './decisions/service.ts'
import { AddressRefused, lookupPublic, urlProblem } from './webhook-address.ts'

/** How long the outbox is left alone between two looks into it. */
const pollMs = 1000
const atATime = 16

/** How announcements are sent. */
export interface SenderOptions {
  /** Allows http and private addresses. */
  readonly allowPrivate: boolean
  /** Whole time of an attempt; 10 s unless given. */
  readonly timeoutMs?: number
  readonly version: string
}

/** In a few words why there was no answer; nothing of an answer is in it. */
function inWords(error: unknown, timeout: AbortSignal): string {
  if (timeout.aborted) return 'No answer in time'
  if (error instanceof AddressRefused) return error.message
  return error instanceof Error && 'code' in error ? String(error.code) : 'No connection'
}

/** Status of the answer to a POST; the answer itself is dropped unread. */
function post(
  url: URL,
  { body, headers }: OutgoingDelivery,
  { allowPrivate, version }: SenderOptions,
  signal: AbortSignal,
): Promise<number> {
  const options: RequestOptions = {
    agent: false,
    headers: {
      ...headers,
      'content-length': Buffer.byteLength(body),
      'content-type': 'application/json',
      'user-agent': `countersign/${version}`,
    },
    method: 'POST',
    signal,
    ...(allowPrivate ? {} : { lookup: lookupPublic }),
  }
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? requestHttps : requestHttp)(
      url,
      options,
      (response) => {
        resolve(response.statusCode ?? 0)
        response.destroy()
      },
    )
    request.on('error', reject)
    request.end(body)
  })
}

/** Tries to send one announcement. Never rejects. */
export async function sendOnce(
  delivery: OutgoingDelivery,
  options: SenderOptions,
): Promise<DeliveryOutcome> {
  const url = URL.canParse(delivery.url) ? new URL(delivery.url) : undefined
  const problem = url === undefined ? 'Not a URL' : urlProblem(url, options.allowPrivate)
  if (url === undefined || problem !== undefined)
    return { gone: false, ok: false, said: problem ?? 'Not a URL' }
  const timeout = AbortSignal.timeout(options.timeoutMs ?? 10_000)
  try {
    const status = await post(url, delivery, options, timeout)
    const ok = status >= 200 && status < 300
    return { gone: status === 410, ok, said: `HTTP ${status}` }
  } catch (error) {
    return { gone: false, ok: false, said: inWords(error, timeout) }
  }
}

/** Empties the outbox of a service as long as it runs. */
export class WebhookSender {
  readonly #service: Pick<Service, 'settleDelivery' | 'takeDeliveries'>
  readonly #options: SenderOptions
  readonly #timer: NodeJS.Timeout
  readonly #underWay = new Set<Promise<void>>()
  #looking = false
  #closed = false

  constructor(service: Pick<Service, 'settleDelivery' | 'takeDeliveries'>, options: SenderOptions) {
    this.#service = service
    this.#options = options
    this.#timer = setInterval(() => void this.#look(), pollMs)
    this.#timer.unref()
  }

  /** Takes what is due, as much as there are hands for. A service in trouble is asked again later. */
  async #look(): Promise<void> {
    const hands = atATime - this.#underWay.size
    if (this.#looking || this.#closed || hands < 1) return
    this.#looking = true
    try {
      for (const delivery of await this.#service.takeDeliveries(hands)) this.#start(delivery)
    } catch {
      // What waits stays where it is; the service has told of its trouble itself.
    } finally {
      this.#looking = false
    }
  }

  #start(delivery: OutgoingDelivery): void {
    const work = sendOnce(delivery, this.#options)
      .then((outcome) => this.#service.settleDelivery(delivery.id, outcome))
      // Not written down, so it is sent again: receivers know it by its id.
      .catch(() => undefined)
      .finally(() => this.#underWay.delete(work))
    this.#underWay.add(work)
  }

  /** Takes nothing more and waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true
    clearInterval(this.#timer)
    await Promise.all(this.#underWay)
  }
}
