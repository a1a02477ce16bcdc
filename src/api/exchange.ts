// From request to answer: one deadline, one answer, one line in the log, whatever happens.
import { asFailure, Failure } from '../base/failure.ts'
import type { Call } from './call.ts'
import { problem } from './problems.ts'
import { logRequest, type Log } from './request-log.ts'
import type { Reply, Route } from './route.ts'

/** What every exchange needs. */
export interface ExchangeOptions {
  readonly clock: () => number
  readonly logger: Log
  readonly requestTimeoutMs: number
}

/** What it means that time is up: only a slow body is the caller's doing, and what was to be written may have been. */
function late({ phase }: Call, route: Route, timeoutMs: number): Failure {
  if (phase === 'body')
    return new Failure('INPUT_TIMEOUT', `Body was not complete after ${timeoutMs} ms`)
  return phase === 'work' && route.writes === true
    ? new Failure('LOG_STATE_UNKNOWN', `No answer within ${timeoutMs} ms`)
    : new Failure('LOG_BUSY', `No answer within ${timeoutMs} ms`)
}

/** No client of the gateway waits longer than 90 s. */
const mostMs = 85_000

/** How long a route may take: what everyone may, and what it keeps the caller waiting. */
const deadlineOf = ({ holdMs }: Route, timeoutMs: number): number =>
  holdMs === undefined ? timeoutMs : Math.max(timeoutMs, Math.min(timeoutMs + holdMs, mostMs))

async function answer(route: Route, call: Call, timeoutMs: number): Promise<Reply> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await Promise.race([
      route.answer(call),
      new Promise<never>((_, reject) => {
        timer = setTimeout(() => {
          reject(late(call, route, timeoutMs))
          call.giveUp()
        }, timeoutMs)
      }),
    ])
  } catch (error) {
    return problem(asFailure(error), call.requestId)
  } finally {
    clearTimeout(timer)
  }
}

/** How a route is answered. */
export const createExchange =
  ({ clock, logger, requestTimeoutMs }: ExchangeOptions) =>
  async (route: Route, call: Call): Promise<Reply> => {
    const began = clock()
    const reply = await answer(route, call, deadlineOf(route, requestTimeoutMs))
    logRequest(logger, route, call, reply, clock() - began)
    return reply
  }
