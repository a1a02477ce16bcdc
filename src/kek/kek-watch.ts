// Asks providers now and then whether they still work, so that an outage is known before the next restart needs them. Two questions tell outage from
// tampering: whether the provider wraps and unwraps at all, and then whether it opens a real slot. It decides nothing: running nodes keep signing, and
// for how long is up to whoever asks for the time of the last good answer.
import { asFailure, Failure, type FailureCode } from '../base/failure.ts'
import { within } from './deadline.ts'
import type { KekKind, KekProvider } from './kek.ts'

/** How it stands with a provider. */
export interface KekHealth {
  readonly provider: KekKind
  readonly kekId: string
  /** `tampered`: the provider works and a slot that it made does not open. */
  readonly state: 'healthy' | 'failing' | 'tampered' | 'unknown'
  /** What it failed with; null when healthy or unknown. */
  readonly code: FailureCode | null
  /** One sentence for people. */
  readonly message: string
  /** When it was last asked, ms since 1970; null when never. */
  readonly checkedAt: number | null
  /** Since when it is in this state; null when unknown. */
  readonly since: number | null
}

/** What a watch is made of. */
export interface KekWatchOptions {
  readonly providers: readonly KekProvider[]
  /** Opens real slots of the provider, and calls `opened` for each; rejects with the {@link Failure} that one met. */
  readonly canary: (provider: KekProvider, opened: () => void) => Promise<void>
  /** Milliseconds since 1970. */
  readonly clock: () => number
  /** Told once of each change: `kek.failing`, `kek.tampered`, and `kek.healthy` when it is well again. */
  readonly report: (event: string, detail: Readonly<Record<string, string | number>>) => void
  /** The kinds that have just opened a slot. */
  readonly proved?: readonly KekKind[]
  /** Time between two checks of a provider that is healthy. */
  readonly healthyEveryMs?: number
  /** Time until the first check of one that has not shown yet that it works. */
  readonly firstAfterMs?: number
  /** Time between two checks of one that is not healthy. */
  readonly failingEveryMs?: number
  /** Longest time for both questions of a check together. */
  readonly timeoutMs?: number
}

type Finding = Pick<KekHealth, 'state' | 'code' | 'message'>

interface Watched {
  readonly provider: KekProvider
  finding: Finding
  checkedAt: number | null
  since: number | null
  running: Promise<void> | undefined
  timer: NodeJS.Timeout | undefined
}

const unknown: Finding = { state: 'unknown', code: null, message: 'It was not asked yet' }
const healthy: Finding = { state: 'healthy', code: null, message: 'It works and opens its slots' }

const failing = ({ code, message }: Failure): Finding => ({ state: 'failing', code, message })

const tampered = ({ code, message }: Failure): Finding => ({
  state: 'tampered',
  code,
  message: `It works, and a slot that it made does not open: ${message}`,
})

/** What a slot that did not open says of a provider that works. */
function judge(error: unknown): Finding {
  const failure = asFailure(error)
  const { code } = failure
  return code === 'OPEN_FAILED' || code === 'KEY_STORE_REFUSED'
    ? tampered(failure)
    : failing(failure)
}

/** Providers under watch; nothing is asked before {@link start} or {@link check}. */
export class KekWatch {
  readonly #options: Required<KekWatchOptions>
  readonly #watched: Watched[] = []
  readonly #closing = new AbortController()
  #started = false
  #lastHealthyAt = 0

  constructor(options: KekWatchOptions) {
    this.#options = {
      proved: [],
      healthyEveryMs: 600_000,
      failingEveryMs: 60_000,
      firstAfterMs: 1000,
      timeoutMs: 8000,
      ...options,
    }
    const { proved, providers } = this.#options
    for (const provider of providers) this.add(provider, proved.includes(provider.metadata.kind))
  }

  /** Watches one more provider; `proved` when it has just wrapped or opened a slot. One that is watched already stays as it is. */
  add(provider: KekProvider, proved: boolean): void {
    if (this.#watched.some((watched) => watched.provider === provider)) return
    const watched: Watched = {
      provider,
      finding: unknown,
      checkedAt: null,
      since: null,
      running: undefined,
      timer: undefined,
    }
    this.#watched.push(watched)
    if (proved) this.#keep(watched, healthy)
    if (this.#started) this.#schedule(watched)
  }

  /** Watches a provider no more: no slot is opened by it any longer. */
  drop(provider: KekProvider): void {
    const at = this.#watched.findIndex((one) => one.provider === provider)
    if (at < 0) return
    clearTimeout(this.#watched[at]?.timer)
    this.#watched.splice(at, 1)
  }

  /** Learns that a provider has just opened a slot. */
  note(provider: KekProvider): void {
    const watched = this.#watched.find((one) => one.provider === provider)
    if (watched !== undefined && !this.#isClosed()) this.#learn(watched, healthy)
  }

  /** How it stood when each was last asked; nothing is asked now. */
  health(): readonly KekHealth[] {
    return this.#watched.map(({ provider, finding, checkedAt, since }) => ({
      provider: provider.metadata.kind,
      kekId: provider.metadata.kekId,
      ...finding,
      checkedAt,
      since,
    }))
  }

  /** The newest time at which any provider was healthy or opened a slot, ms since 1970; 0 when none ever did. */
  lastHealthyAt(): number {
    return this.#lastHealthyAt
  }

  /** Asks every provider now, or waits for the answer where it is being asked; what it says is in {@link health}, it never rejects. */
  async check(): Promise<void> {
    await Promise.all(this.#watched.map((watched) => this.#check(watched)))
  }

  /** Asks from now on by itself. It keeps no process alive between two checks. */
  start(): void {
    if (this.#started) return
    this.#started = true
    for (const watched of this.#watched) this.#schedule(watched)
  }

  /** Asks nobody any more; what is being asked is given up. Providers are not closed. */
  close(): void {
    this.#closing.abort()
    for (const { timer } of this.#watched) clearTimeout(timer)
  }

  #isClosed(): boolean {
    return this.#closing.signal.aborted
  }

  #schedule(watched: Watched): void {
    clearTimeout(watched.timer)
    if (this.#isClosed()) return
    const { failingEveryMs, firstAfterMs, healthyEveryMs } = this.#options
    const { state } = watched.finding
    const ms =
      state === 'healthy' ? healthyEveryMs : state === 'unknown' ? firstAfterMs : failingEveryMs
    watched.timer = setTimeout(() => void this.#check(watched), ms).unref()
  }

  #check(watched: Watched): Promise<void> {
    watched.running ??= this.#run(watched).finally(() => {
      watched.running = undefined
    })
    return watched.running
  }

  async #run(watched: Watched): Promise<void> {
    if (this.#isClosed()) return
    const finding = await this.#ask(watched.provider)
    // What was given up says nothing of the provider, and one that was dropped meanwhile is nobody's concern.
    if (this.#isClosed() || !this.#watched.includes(watched)) return
    this.#learn(watched, finding)
  }

  #learn(watched: Watched, finding: Finding): void {
    const before = watched.finding
    this.#keep(watched, finding)
    if (this.#started) this.#schedule(watched)
    const { code, message, state } = finding
    const isNews = state !== before.state && !(before === unknown && state === 'healthy')
    if (!isNews) return
    const { kekId, kind } = watched.provider.metadata
    this.#options.report(`kek.${state}`, {
      provider: kind,
      kekId,
      ...(code === null ? {} : { code }),
      message,
    })
  }

  #keep(watched: Watched, finding: Finding): void {
    const now = this.#options.clock()
    if (watched.finding.state !== finding.state) watched.since = now
    watched.finding = finding
    watched.checkedAt = now
    if (finding.state === 'healthy') this.#saw()
  }

  /** A slot was opened now, or as good as. */
  #saw(): void {
    this.#lastHealthyAt = Math.max(this.#lastHealthyAt, this.#options.clock())
  }

  async #ask(provider: KekProvider): Promise<Finding> {
    const { canary, timeoutMs } = this.#options
    try {
      return await within(timeoutMs, this.#closing.signal, async (signal) => {
        await provider.probe()
        signal.throwIfAborted()
        // One log whose slot was changed says nothing of the others', which may go on signing.
        const opened = (): void => {
          this.#saw()
        }
        return canary(provider, opened).then(() => healthy, judge)
      })
    } catch (error) {
      if (!(error instanceof Error && error.name === 'DeadlineError'))
        return failing(asFailure(error))
      const { kind } = provider.metadata
      const message = `Key provider gave no answer in ${timeoutMs} ms: ${kind}`
      return failing(new Failure('KEK_UNAVAILABLE', message))
    }
  }
}
