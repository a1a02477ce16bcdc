// Witnesses of all logs, asked in the background: a log goes on without them, and what they have not seen is a debt that everybody can see and that is
// paid as soon as they answer. When a log is first opened they are asked before anything new is signed: one that has seen more of it, or another history,
// is a refusal; one that does not answer in time is not.
import { asFailure, Failure } from '../base/failure.ts'
import { endpointsOf, WitnessClient, type Asked } from '../log/witness-client.ts'
import { parseWitnessPolicy, type WitnessPolicy } from '../merkle/witness-policy.ts'
import type { Store, StoredCheckpoint } from '../store/store.ts'
import { LogWitnesses } from './log-witnesses.ts'
import type { Room } from './room.ts'

/** What witnesses are asked with. */
export interface WitnessingParts {
  readonly store: () => Store
  /** ms since 1970. */
  readonly clock: () => number
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
  /** Time between rounds. */
  readonly everyMs?: number
  /** For each request to a witness. */
  readonly timeoutMs?: number
}

/** A policy that asks for nobody. */
export const noWitnesses = 'quorum none\n'

const defaultEveryMs = 2000
const defaultTimeoutMs = 3000
/** How long a witness that cannot be reached is left alone, at most. */
const mostWaitMs = 5000
const lanes = 8

/** The policy of a text. @throws {@link Failure} CONFIG_INVALID, also for a witness whose address is none */
export function readWitnessPolicy(text: string): WitnessPolicy {
  const policy = parseWitnessPolicy(text)
  if (typeof policy === 'string')
    throw new Failure('CONFIG_INVALID', `Witness policy cannot be used: ${policy}`)
  endpointsOf(policy)
  return policy
}

interface Witnessed {
  readonly witnesses: LogWitnesses
  /** What was last said of each witness, so that it is said once. */
  readonly said: Map<string, string>
  /** Of a closed room it holds the checkpoint alone. */
  newest: () => StoredCheckpoint | undefined
}

const newestOf =
  ({ log }: Room): Witnessed['newest'] =>
  () =>
    log.checkpoint

const always =
  (checkpoint: StoredCheckpoint | undefined): Witnessed['newest'] =>
  () =>
    checkpoint

/** The witnesses of an installation. */
export class Witnessing {
  readonly #parts: WitnessingParts
  readonly #logs = new Map<string, Witnessed>()
  /** Witnesses that cannot be reached, by address, and until when they are left alone. */
  readonly #away = new Map<string, { readonly until: number; readonly waitMs: number }>()
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #running: Promise<void> | undefined

  constructor(parts: WitnessingParts) {
    this.#parts = parts
  }

  /**
   * Takes a log in. The first time its witnesses are asked at once.
   * @throws {@link Failure} LOG_ROLLBACK when one of them has seen another history
   */
  async open(room: Room): Promise<void> {
    const { name, origin } = room.tenant
    const known = this.#logs.get(name)
    if (known !== undefined) {
      known.newest = newestOf(room)
      return
    }
    const policy = readWitnessPolicy(room.witnesses)
    const contradictions: string[] = []
    const log = this.#meet(name, policy, newestOf(room), (asked) => {
      if (asked.outcome === 'contradicted') contradictions.push(`${asked.url}: ${asked.reason}`)
    })
    if (log === undefined) return
    await log.witnesses.load()
    await log.witnesses.round(this.#closing.signal)
    const [contradiction] = contradictions
    if (contradiction !== undefined)
      throw new Failure(
        'LOG_ROLLBACK',
        `A witness of ${origin} has seen another history than this database holds; bring the newest back, or take the witness out of the policy if it is wrong: ${contradiction}`,
      )
    this.#logs.set(name, log)
    const { everyMs = defaultEveryMs } = this.#parts
    this.#timer ??= setInterval(() => void this.round(), everyMs).unref()
  }

  /** The witnesses of a log, or undefined where none has an address. */
  #meet(
    tenant: string,
    policy: WitnessPolicy,
    newest: Witnessed['newest'],
    told: (asked: Asked) => void,
  ): Witnessed | undefined {
    const { clock, store, timeoutMs = defaultTimeoutMs } = this.#parts
    const endpoints = endpointsOf(policy)
    if (endpoints.length === 0) return undefined
    const said = new Map<string, string>()
    const log: Witnessed = {
      newest,
      said,
      witnesses: new LogWitnesses({
        clients: endpoints.map((endpoint) => new WitnessClient(endpoint, { timeoutMs })),
        mayAsk: (url) => (this.#away.get(url)?.until ?? 0) <= clock(),
        newest: () => log.newest(),
        policy,
        store,
        tenant,
        told: (asked) => {
          told(asked)
          this.#note(tenant, said, asked)
        },
      }),
    }
    return log
  }

  /** A room was closed: what it said last is asked about from now on. */
  leave(room: Room): void {
    const log = this.#logs.get(room.tenant.name)
    if (log !== undefined) log.newest = always(room.log.checkpoint)
  }

  /** Asks for all that is missing; a call during a round waits for that. */
  round(): Promise<void> {
    return (this.#running ??= this.#round().finally(() => {
      this.#running = undefined
    }))
  }

  async #round(): Promise<void> {
    const left = [...this.#logs.entries()]
    const lane = async (): Promise<void> => {
      for (let next = left.pop(); next !== undefined; next = left.pop()) {
        const [tenant, { said, witnesses }] = next
        try {
          await witnesses.round(this.#closing.signal)
          said.delete('')
        } catch (error) {
          const { code, message } = asFailure(error)
          if (said.get('') !== code && !this.#closing.signal.aborted)
            this.#parts.report('witness.round', { code, message, tenant })
          said.set('', code)
        }
      }
    }
    await Promise.all(Array.from({ length: lanes }, lane))
  }

  /** How the logs stand with their witnesses, in one sentence without names; undefined where no log has any. */
  get summary(): string | undefined {
    const { clock, everyMs = defaultEveryMs } = this.#parts
    const logs = [...this.#logs.values()].map(({ witnesses }) => witnesses)
    if (logs.length === 0) return undefined
    const alarmed = logs.filter(({ alarms }) => alarms > 0).length
    if (alarmed > 0) return `ALARM: a witness has seen another history of logs: ${alarmed}`
    const now = clock()
    const usualMs = 2 * everyMs
    const owing = logs.flatMap(({ debt, owedSince }) =>
      debt > 0 && owedSince !== undefined && now - owedSince > usualMs ? [{ debt, owedSince }] : [],
    )
    if (owing.length === 0) return `ok (${logs.length} logs)`
    const entries = Math.max(...owing.map(({ debt }) => debt))
    const seconds = Math.round((now - Math.min(...owing.map(({ owedSince }) => owedSince))) / 1000)
    return `quorum is missing for ${owing.length} of ${logs.length} logs: up to ${entries} entries for ${seconds} s`
  }

  /** Ends without asking any more. */
  abandon(): void {
    clearInterval(this.#timer)
    this.#timer = undefined
    this.#closing.abort()
  }

  /** Asks once more for what is owed, within the time of a request, and ends. */
  async close(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    const { timeoutMs = defaultTimeoutMs } = this.#parts
    const enough = setTimeout(() => {
      this.#closing.abort()
    }, timeoutMs)
    await this.#running
    await this.round()
    clearTimeout(enough)
    this.#closing.abort()
  }

  #note(tenant: string, said: Map<string, string>, asked: Asked): void {
    const { outcome, url } = asked
    const { clock, everyMs = defaultEveryMs, report } = this.#parts
    if (this.#closing.signal.aborted) return
    if (outcome === 'failed' && asked.status === null) {
      const waitMs = Math.min(mostWaitMs, 2 * (this.#away.get(url)?.waitMs ?? everyMs / 2))
      this.#away.set(url, { until: clock() + waitMs, waitMs })
    } else this.#away.delete(url)
    const reason = 'reason' in asked ? asked.reason : ''
    if ((said.get(url) ?? '') === reason) return
    said.set(url, reason)
    if (outcome === 'contradicted')
      report('witness.contradicts', { reason, size: asked.size, tenant, witness: url })
    else if (outcome === 'failed') report('witness.failed', { reason, tenant, witness: url })
    else report('witness.recovered', { tenant, witness: url })
  }
}
