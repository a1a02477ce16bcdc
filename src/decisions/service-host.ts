// The service across a channel, such as a message port: this side owns the real one. Requests come as arrays, so that one message carries a batch;
// answers that are ready in the same turn go back as one array.
import { asFailure, type FailureCode } from '../base/failure.ts'
import type { Service } from './service.ts'

/** A way for messages both ways, in order: a message port, or what behaves as one. */
export interface Channel {
  postMessage(message: readonly unknown[]): void
  on(event: 'message', listener: (message: readonly never[]) => void): unknown
  on(event: 'close', listener: () => void): unknown
  close(): void
}

/** A call on its way to the service. */
export interface Call {
  readonly id: number
  readonly method: keyof Service
  readonly args: readonly unknown[]
  /** Whether who calls may leave before the answer: the method is then given a signal that tells so, behind its other arguments. */
  readonly mayLeave?: true
}

/** That who made a call has left. */
export interface Leaving {
  readonly id: number
  readonly left: true
}

/** What became of a call. */
export type Answer =
  | { readonly id: number; readonly value: unknown }
  | {
      readonly id: number
      readonly failure: {
        readonly code: FailureCode
        readonly message: string
        readonly field: string | undefined
        /** Of a bug only: where it is. */
        readonly stack: string | undefined
      }
    }

/** The answer that a failure is. */
export function failed(id: number, error: unknown): Answer {
  const { cause, code, field, message, stack } = asFailure(error)
  const origin = code === 'BUG' ? (cause instanceof Error ? cause.stack : stack) : undefined
  return { id, failure: { code, field, message, stack: origin } }
}

/** Serves a service over a channel until it is closed. */
export function hostService(service: Service, port: Channel): void {
  const methods = service as unknown as Record<
    keyof Service,
    (...args: readonly unknown[]) => Promise<unknown>
  >
  /** Of calls that are not answered, by their ids. */
  const leavers = new Map<number, AbortController>()
  let ready: Answer[] = []
  let closed = false
  const answer = (one: Answer): void => {
    ready.push(one)
    if (ready.length > 1) return
    // Every entry of a commit is answered in the same turn: one message for all of them.
    process.nextTick(() => {
      const answers = ready
      ready = []
      port.postMessage(answers)
      // The thread that hosts the service ends when nothing is left to do.
      if (closed) port.close()
    })
  }
  const call = ({ args, id, mayLeave, method }: Call): void => {
    const signals: AbortSignal[] = []
    if (mayLeave === true) {
      const leaver = new AbortController()
      leavers.set(id, leaver)
      signals.push(leaver.signal)
    }
    // A method that throws at once must not end the thread that hosts it.
    const called = new Promise((resolve) => {
      resolve(methods[method](...args, ...signals))
    })
    called.then(
      (value) => {
        closed ||= method === 'close'
        leavers.delete(id)
        answer({ id, value })
      },
      (error: unknown) => {
        leavers.delete(id)
        answer(failed(id, error))
      },
    )
  }
  port.on('message', (messages: readonly (Call | Leaving)[]) => {
    for (const message of messages)
      if ('left' in message) leavers.get(message.id)?.abort()
      else call(message)
  })
}
