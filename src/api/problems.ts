// RFC 9457 problem details, from the failure table alone. What went wrong inside is for the log: a stranger reads the table's sentence.
import type { Failure, FailureCode } from '../base/failure.ts'
import type { Problem } from '../wire/decision.ts'
import type { Reply } from './route.ts'

/** Media type of a problem. */
export const problemType = 'application/problem+json'

const maxFieldLength = 256
const maxDetailLength = 512

const challenges: Partial<Readonly<Record<FailureCode, string>>> = {
  AUTH_MISSING: 'Bearer realm="countersign"',
  AUTH_INVALID: 'Bearer realm="countersign", error="invalid_token"',
  AUTH_SCOPE: 'Bearer realm="countersign", error="insufficient_scope"',
}

/** The document of a failure. */
function problemOf(failure: Failure, requestId: string | undefined): Problem {
  const { code, field, message, retryable, status, title } = failure
  return {
    type: `urn:countersign:problem:${code}`,
    title,
    status,
    detail: status < 500 ? message.slice(0, maxDetailLength) : title,
    code,
    retryable,
    ...(field === undefined || status >= 500 ? {} : { field: field.slice(0, maxFieldLength) }),
    ...(requestId === undefined ? {} : { requestId }),
  }
}

/** The answer that a failure is. */
export function problem(
  failure: Failure,
  requestId: string | undefined,
  headers: Readonly<Record<string, string>> = {},
): Reply {
  const challenge = challenges[failure.code]
  return {
    status: failure.status,
    body: JSON.stringify(problemOf(failure, requestId)),
    type: problemType,
    headers: {
      ...headers,
      ...(challenge === undefined ? {} : { 'WWW-Authenticate': challenge }),
      ...(failure.status === 503 && failure.retryable ? { 'Retry-After': '1' } : {}),
    },
    failure,
  }
}
