// One line a request: who asked for which route and what came of it. Never a header, a query, a path as sent, or a body; of a foreign error only
// its name and where it was thrown, for its message may quote what was sent.
import { Failure } from '../base/failure.ts'
import { isUuid } from '../base/uuid.ts'
import type { Call } from './call.ts'
import type { Reply, Route } from './route.ts'

/** The part of a pino logger that is used here. */
export interface Log {
  info(fields: Readonly<Record<string, unknown>>, message: string): void
  error(fields: Readonly<Record<string, unknown>>, message: string): void
}

const maxCauses = 4

interface CauseOfFailure {
  readonly name: string
  readonly code?: string
  readonly message?: string
  readonly frames: readonly string[]
}

function describe(error: Error): CauseOfFailure {
  const { code } = error as { code?: unknown }
  return {
    name: error.name,
    ...(typeof code === 'string' ? { code } : {}),
    ...(error instanceof Failure ? { message: error.message } : {}),
    frames: (error.stack ?? '')
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => line.startsWith('at '))
      .slice(0, 12),
  }
}

/** What is told of a failure and its causes, outermost first. */
function describeCauses(failure: Failure): readonly CauseOfFailure[] {
  const causes: CauseOfFailure[] = []
  for (
    let error: unknown = failure;
    error instanceof Error && causes.length < maxCauses;
    error = error.cause
  )
    causes.push(describe(error))
  return causes
}

/** Writes the line of a request. */
export function logRequest(
  log: Log,
  route: Route,
  call: Call,
  reply: Reply,
  durationMs: number,
): void {
  const { failure, status } = reply
  const { principal, requestId } = call
  const id = route.path.includes('{id}') ? call.param('id') : ''
  const fields = {
    requestId,
    method: route.method === 'ALL' ? undefined : route.method,
    route: route.path,
    status,
    code: failure?.code,
    durationMs,
    tenant: principal?.tenant,
    apiKey: principal?.caller.id,
    decision: isUuid(id) ? id : undefined,
  }
  if (failure === undefined || status < 500) log.info(fields, 'request')
  else log.error({ ...fields, causes: describeCauses(failure) }, 'request failed')
}
