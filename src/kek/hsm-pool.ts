// The children that hold the token, as many as are needed at once. They are opened one after another, so that a wrong PIN is tried once and not once
// a child: after a refusal nobody logs in again until the process is started anew. What a fault costs is decided in hsm-faults.ts; here it is
// done: a new session, a new process, a pause, or an end. One file, for the children, their turns and the breaker are one state.
import { Failure } from '../base/failure.ts'
import type { Secret } from '../crypto/secret.ts'
import { Breaker, type Pass } from './hsm-breaker.ts'
import { classify, failureOf, refusesPin } from './hsm-faults.ts'
import type { HsmAnswer, HsmFault, HsmIdentity, HsmPlace, HsmRequest } from './hsm-messages.ts'
import { HsmProcess } from './hsm-process.ts'

/** How the pool behaves. */
export interface HsmPoolOptions {
  /** Most children at a time. */
  readonly poolSize: number
  /** Longest time for everything that a caller asked for: waiting, sessions that end, and a second attempt. */
  readonly totalMs: number
  /** Longest time for one call in a child. */
  readonly callTimeoutMs: number
  /** Longest time to open a token and to find and judge the key. */
  readonly openTimeoutMs: number
  /** Longest time that a caller waits for a child. */
  readonly waitMs: number
  /** Most callers that wait. */
  readonly queue: number
  /** Faults in a row after which calls fail at once for a while. */
  readonly faults: number
  readonly firstPauseMs: number
  readonly longestPauseMs: number
  readonly closeMs: number
}

/** What is done when nothing else is said. */
export const hsmPoolDefaults: HsmPoolOptions = Object.freeze({
  poolSize: 4,
  totalMs: 8000,
  callTimeoutMs: 3000,
  openTimeoutMs: 4000,
  waitMs: 5000,
  queue: 256,
  faults: 3,
  firstPauseMs: 100,
  longestPauseMs: 30_000,
  closeMs: 1000,
})

/** Requests of those who use the pool. */
export type HsmCall = Exclude<HsmRequest, { op: 'open' | 'create' }>

interface Waiting {
  give(child: HsmProcess): void
  refuse(failure: Failure): void
}

type Opening =
  | { readonly ok: true }
  /** `untried` when the token was not asked, so that the fault says nothing new of it. */
  | { readonly ok: false; readonly fault: HsmFault; readonly untried?: true }

const unavailable = (why: string): Failure =>
  new Failure('KEK_UNAVAILABLE', `HSM is unavailable: ${why}`)

const aMomentAgo = 'it failed a moment ago'

const untried = (message: string): Opening => ({
  ok: false,
  fault: { type: 'absent', message },
  untried: true,
})

/** Children that are started when they are needed, watched and replaced. */
export class HsmPool {
  readonly #place: HsmPlace
  readonly #pin: Secret
  readonly #options: HsmPoolOptions
  readonly #breaker: Breaker
  readonly #children = new Set<HsmProcess>()
  readonly #idle: HsmProcess[] = []
  readonly #waiting: Waiting[] = []
  #limit: number
  #growing = false
  #opening: Promise<unknown> = Promise.resolve()
  #identity: HsmIdentity | undefined
  #denied: Failure | undefined
  #last: Failure | undefined
  #closed = false

  /** Owns the PIN from here on. */
  constructor(place: HsmPlace, pin: Secret, options: HsmPoolOptions) {
    this.#place = place
    this.#pin = pin
    this.#options = options
    this.#limit = options.poolSize
    const { faults, firstPauseMs, longestPauseMs } = options
    this.#breaker = new Breaker({
      faults,
      firstPauseMs,
      longestPauseMs,
      clock: () => performance.now(),
      random: Math.random,
    })
  }

  /** What is known of the key; undefined until a child has seen it. */
  get identity(): HsmIdentity | undefined {
    return this.#identity
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Process ids of the children, for tests and for whoever looks after the machine. */
  get pids(): readonly number[] {
    return [...this.#children].flatMap(({ pid }) => pid ?? [])
  }

  /** When a call that begins now must be over, on the clock of `performance`. */
  deadline(): number {
    return performance.now() + this.#options.totalMs
  }

  /**
   * Asks a child; what may succeed in another session or process is tried there once more. It is over by `until`, whatever the token does.
   * @throws {@link Failure} KEK_*, OPEN_FAILED, CONFIG_INVALID
   */
  async run(request: HsmCall, until = this.deadline()): Promise<Uint8Array | undefined> {
    const pass = this.#admit()
    const work = this.#work(request, until).finally(() => {
      this.#breaker.leave(pass)
    })
    const late = Promise.withResolvers<never>()
    // A child that is asked is not given up with its caller: its own time shows whether it hangs.
    const timer = setTimeout(() => {
      work.then(
        (bytes) => bytes?.fill(0),
        () => undefined,
      )
      late.reject(this.#late())
    }, until - performance.now())
    try {
      return await Promise.race([work, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  async #work(request: HsmCall, until: number): Promise<Uint8Array | undefined> {
    for (let again = true; ; again = false) {
      const outcome = await this.#attempt(request, until)
      if (outcome.ok) return outcome.bytes
      const { fault } = outcome
      const mayHelp = classify(fault, request.op) === 'reconnect' || fault.type !== 'hang'
      const hopeless = ['never', 'tamper', 'throttle'].includes(classify(fault, request.op))
      if (!again || hopeless || !mayHelp || this.#breaker.isOpen) throw this.#told(fault, request)
    }
  }

  #late(): Failure {
    return this.#last ?? unavailable(`no answer in ${this.#options.totalMs} ms`)
  }

  /** Lets children end in peace; the PIN is wiped. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#refuseAll(unavailable('it was closed'))
    const { closeMs } = this.#options
    await Promise.all([...this.#children].map((child) => child.close(closeMs)))
    await this.#opening
    this.#pin.wipe()
  }

  #admit(): Pass {
    if (this.#closed) throw new Failure('KEK_UNAVAILABLE', 'Key provider is closed: hsm')
    if (this.#denied !== undefined) throw this.#denied
    const pass = this.#breaker.enter()
    if (pass === undefined) throw this.#last ?? unavailable(aMomentAgo)
    return pass
  }

  #told(fault: HsmFault, { op }: HsmCall): Failure {
    // A blob is to blame only where the canary has cleared the token.
    if (classify(fault, op) === 'tamper')
      return new Failure('OPEN_FAILED', 'Wrapped key did not open')
    return failureOf(fault)
  }

  async #attempt(request: HsmCall, until: number): Promise<HsmAnswer> {
    const child = await this.#acquire(until)
    if (performance.now() >= until) {
      this.#release(child)
      throw this.#late()
    }
    const { callTimeoutMs } = this.#options
    const answer = await child.ask(request, callTimeoutMs)
    if (answer.ok) {
      this.#succeed()
      this.#release(child)
      return answer
    }
    switch (classify(answer.fault, request.op)) {
      case 'reconnect':
        return this.#reconnect(child, answer)
      case 'tamper':
        return this.#examine(child, answer)
      case 'restart':
        this.#discard(child, answer.fault)
        return answer
      case 'never':
      case 'throttle':
        this.#release(child)
        return answer
    }
  }

  /** A new login in the same process, for the fault may be the end of a session only. */
  async #reconnect(child: HsmProcess, answer: HsmAnswer): Promise<HsmAnswer> {
    const opening = await this.#open(child)
    if (!opening.ok) {
      this.#discard(child, opening.untried ? undefined : opening.fault)
      return opening
    }
    this.#release(child)
    return answer
  }

  /** Tells a changed blob from a token that opens nothing. */
  async #examine(child: HsmProcess, answer: HsmAnswer): Promise<HsmAnswer> {
    const canary = await child.ask({ op: 'canary' }, this.#options.callTimeoutMs)
    if (!canary.ok) {
      const message = 'it opens no more what it wrapped itself'
      // Not the canary's own fault: its code would be taken for a word about the caller's blob.
      const fault: HsmFault =
        canary.fault.type === 'code' ? { type: 'absent', message } : canary.fault
      this.#discard(child, fault)
      return { ok: false, fault }
    }
    this.#succeed()
    this.#release(child)
    return answer
  }

  #succeed(): void {
    this.#last = undefined
    this.#breaker.succeed()
  }

  #acquire(until: number): Promise<HsmProcess> {
    if (this.#closed) return Promise.reject(unavailable('it was closed'))
    const child = this.#idle.pop()
    if (child !== undefined) return Promise.resolve(child)
    const { queue, waitMs } = this.#options
    if (this.#waiting.length >= queue)
      return Promise.reject(unavailable(`${queue} callers wait for it`))
    return new Promise((resolve, reject) => {
      const done = (): void => {
        clearTimeout(timer)
        const at = this.#waiting.indexOf(waiting)
        if (at >= 0) this.#waiting.splice(at, 1)
      }
      const waiting: Waiting = {
        give(given) {
          done()
          resolve(given)
        },
        refuse(failure) {
          done()
          reject(failure)
        },
      }
      const timer = setTimeout(
        () => {
          waiting.refuse(this.#last ?? unavailable(`nothing was free in ${waitMs} ms`))
        },
        Math.min(waitMs, until - performance.now()),
      )
      this.#waiting.push(waiting)
      void this.#grow()
    })
  }

  /** Gives a child to who waits longest, or keeps it. */
  #release(child: HsmProcess): void {
    if (!this.#children.has(child)) return
    const next = this.#waiting[0]
    if (next !== undefined) next.give(child)
    else this.#idle.push(child)
  }

  #discard(child: HsmProcess, fault: HsmFault | undefined): void {
    this.#forget(child)
    child.kill()
    if (fault !== undefined) this.#count(fault)
    void this.#grow()
  }

  #forget(child: HsmProcess): void {
    this.#children.delete(child)
    const at = this.#idle.indexOf(child)
    if (at >= 0) this.#idle.splice(at, 1)
  }

  #count(fault: HsmFault): void {
    if (classify(fault, 'open') !== 'restart' && classify(fault, 'open') !== 'reconnect') return
    this.#last = failureOf(fault)
    this.#breaker.fault(fault.type === 'hang')
    if (this.#breaker.isOpen && this.#children.size === 0) this.#refuseAll(this.#last)
  }

  #refuseAll(failure: Failure): void {
    for (const waiting of [...this.#waiting]) waiting.refuse(failure)
  }

  /** Starts children, one after another, while callers wait for more than there are. */
  async #grow(): Promise<void> {
    if (this.#growing) return
    this.#growing = true
    try {
      while (this.#waiting.length > 0 && this.#children.size < this.#limit && !this.#closed) {
        const { pauseMs } = this.#breaker
        if (pauseMs > 0 && this.#children.size > 0) break
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs))
        if (this.#waiting.length > 0) await this.#start()
      }
    } finally {
      this.#growing = false
    }
  }

  async #start(): Promise<void> {
    const child: HsmProcess = new HsmProcess(() => {
      this.#forget(child)
    })
    this.#children.add(child)
    const opening = await this.#open(child)
    if (opening.ok) {
      this.#release(child)
      return
    }
    const { fault } = opening
    const others = this.#children.size - (this.#children.has(child) ? 1 : 0)
    this.#forget(child)
    child.kill()
    if (opening.untried) {
      this.#refuseAll(failureOf(fault))
      return
    }
    switch (classify(fault, 'open')) {
      case 'never':
        this.#refuseAll(failureOf(fault))
        break
      case 'throttle':
        // The token gives no more sessions: those that are there must do.
        if (others > 0) this.#limit = others
        else this.#refuseAll(failureOf(fault))
        break
      case 'reconnect':
      case 'restart':
      case 'tamper':
        this.#count(fault)
    }
  }

  /** Opens the token in a child, after all others that are being opened. */
  #open(child: HsmProcess): Promise<Opening> {
    const opening = this.#opening.then(() => this.#openNow(child))
    this.#opening = opening
    return opening
  }

  async #openNow(child: HsmProcess): Promise<Opening> {
    const denied = this.#denied
    if (denied !== undefined)
      return { ok: false, fault: { type: 'refusal', code: denied.code, message: denied.message } }
    if (this.#closed) return untried('it was closed')
    // The one before has hung: the next would take as long again.
    if (this.#breaker.isOpen) return untried(aMomentAgo)
    const answer = await this.#pin.useAsync((pin) =>
      child.ask(
        { op: 'open', known: this.#identity, pin, place: this.#place },
        this.#options.openTimeoutMs,
      ),
    )
    if (answer.ok) {
      this.#identity ??= answer.identity
      return { ok: true }
    }
    if (refusesPin(answer.fault)) {
      this.#denied = failureOf(answer.fault)
      this.#refuseAll(this.#denied)
    }
    return answer
  }
}
