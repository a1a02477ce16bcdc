// Signals as the command line takes them: the first asks for an orderly end, a second one insists.
import type { Io } from './terminal.ts'

type Signal = 'SIGINT' | 'SIGTERM'

/** What a process that ends by a signal reports to its shell. */
export const signalExit: Readonly<Record<Signal, number>> = Object.freeze({
  SIGINT: 130,
  SIGTERM: 143,
})

// On Ctrl-C under npm the signal comes twice at once, from the terminal and from npm; that is one wish, not two.
const echoMs = 300

/** A signal has ended the work, and nothing of it is left. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted'
  /** What a shell expects. */
  readonly exit: number

  constructor(signal: Signal) {
    super(`Interrupted by ${signal}`)
    this.exit = signalExit[signal]
  }
}

/** Signals that come while something runs. */
export interface Interrupt {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal
  /** The first signal, once it came. */
  readonly received: Signal | undefined
  /** Resolves with the first signal. */
  readonly asked: Promise<Signal>
  /** Resolves when a second signal insists, with what a shell expects then. */
  readonly insisted: Promise<number>
  stop(): void
}

/** Listens for signals until stopped. */
export function listenForInterrupt(signals: Io['signals'], clock = Date.now): Interrupt {
  const controller = new AbortController()
  const { promise: asked, resolve: ask } = Promise.withResolvers<Signal>()
  const { promise: insisted, resolve: insist } = Promise.withResolvers<number>()
  let first: { readonly name: Signal; readonly at: number } | undefined
  const listener = (name: Signal): void => {
    if (first !== undefined) {
      if (clock() - first.at >= echoMs) insist(signalExit[name])
      return
    }
    first = { name, at: clock() }
    ask(name)
    controller.abort()
  }
  for (const name of ['SIGINT', 'SIGTERM'] as const) signals.on(name, listener)
  return {
    signal: controller.signal,
    get received() {
      return first?.name
    },
    asked,
    insisted,
    stop() {
      for (const name of ['SIGINT', 'SIGTERM'] as const) signals.off(name, listener)
    },
  }
}
