// Decisions at a fixed rate over HTTP, as clients give them that do not know of any order about keys: what is late is caught up, nothing is tried again,
// and whatever is not an acknowledgement with its proof counts as failed.
import { Agent, request } from 'node:http'
import { text } from 'node:stream/consumers'
import { notarisedSchema, type Notarised } from '../../src/wire/decision.ts'
import { requestOf } from './service.ts'

/** What a load is made of. */
export interface LoadOptions {
  /** Where the server listens. */
  readonly url: string
  /** Whose decisions they are, in turn: one tenant for each. */
  readonly tokens: Readonly<Record<string, string>>
  readonly perSecond: number
  /** Kept alive, all together. */
  readonly connections: number
}

/** A decision that was acknowledged. */
export interface Acknowledged extends Pick<Notarised, 'id' | 'index'> {
  readonly tenant: string
  /** From sending to the whole answer. */
  readonly ms: number
}

/** What became of a load. */
export interface LoadReport {
  readonly acknowledged: readonly Acknowledged[]
  /** Status and body, or what the connection met. */
  readonly failed: readonly string[]
  readonly sent: number
  readonly seconds: number
  /** Longest time to an answer, ms. */
  readonly slowestMs: number
}

const tickMs = 10

/** Asks a server for one decision after the other until it is stopped. */
export class DecisionLoad {
  readonly #options: LoadOptions
  readonly #agent: Agent
  readonly #acknowledged: Acknowledged[] = []
  readonly #failed: string[] = []
  readonly #underWay = new Set<Promise<void>>()
  readonly #began = performance.now()
  readonly #timer: NodeJS.Timeout
  #sent = 0

  constructor(options: LoadOptions) {
    this.#options = options
    this.#agent = new Agent({ keepAlive: true, maxSockets: options.connections })
    this.#timer = setInterval(() => {
      this.#catchUp()
    }, tickMs)
  }

  /** The next decision that is acknowledged. @throws when one fails before */
  async next(): Promise<Acknowledged> {
    const before = this.#acknowledged.length
    for (;;) {
      const [failure] = this.#failed
      if (failure !== undefined) throw new Error(`Decision failed: ${failure}`)
      const one = this.#acknowledged[before]
      if (one !== undefined) return one
      await new Promise((resolve) => setTimeout(resolve, tickMs))
    }
  }

  /** Sends nothing more and waits for every answer. */
  async stop(): Promise<LoadReport> {
    clearInterval(this.#timer)
    const seconds = (performance.now() - this.#began) / 1000
    await Promise.all(this.#underWay)
    this.#agent.destroy()
    return {
      acknowledged: this.#acknowledged,
      failed: this.#failed,
      seconds,
      sent: this.#sent,
      slowestMs: Math.max(0, ...this.#acknowledged.map(({ ms }) => ms)),
    }
  }

  #catchUp(): void {
    const due = ((performance.now() - this.#began) / 1000) * this.#options.perSecond
    while (this.#sent < due) {
      const sending = this.#send(this.#sent++).finally(() => this.#underWay.delete(sending))
      this.#underWay.add(sending)
    }
  }

  async #send(n: number): Promise<void> {
    const tenants = Object.entries(this.#options.tokens)
    const [tenant, token] = tenants[n % tenants.length] ?? ['', '']
    const began = performance.now()
    try {
      const { body, status } = await this.#post(token, requestOf(n))
      const parsed = status === 201 ? notarisedSchema.safeParse(JSON.parse(body)).data : undefined
      // An entry that is alone in its tree needs no hashes; none of these is.
      if (parsed === undefined || parsed.proof.length === 0 || parsed.checkpoint === '')
        this.#failed.push(`${tenant}: ${status} ${body}`)
      else {
        const { id, index } = parsed
        this.#acknowledged.push({ id, index, ms: performance.now() - began, tenant })
      }
    } catch (error) {
      this.#failed.push(`${tenant}: ${String(error)}`)
    }
  }

  #post(token: string, body: string): Promise<{ status: number | undefined; body: string }> {
    return new Promise((resolve, reject) => {
      const asking = request(`${this.#options.url}/v1/decisions`, {
        agent: this.#agent,
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        method: 'POST',
      })
      asking.once('error', reject)
      asking.once('response', (response) => {
        text(response).then((answer) => {
          resolve({ body: answer, status: response.statusCode })
        }, reject)
      })
      asking.end(body)
    })
  }
}
