// The one class of failure and the closed table of its codes. The API answers RFC 9457 problem details from this table alone, the CLI exits
// from it. A message is for the person who must act: capital, no final period, the value last, never a secret.

interface Code {
  /** HTTP status of the problem document. */
  readonly status: number
  /** Exit code of the CLI: 1 refused, 2 usage or configuration, 70 a bug, 75 try again. */
  readonly exit: number
  /** Whether the same call may succeed later without a change by the caller. */
  readonly retryable: boolean
  /** What a stranger may read. */
  readonly title: string
}

const row = (status: number, exit: number, retryable: boolean, title: string): Code =>
  Object.freeze({ status, exit, retryable, title })

/** Every failure Countersign can give, by code. Pinned by a test: codes are never renamed, only added. */
export const failureCodes = Object.freeze({
  INPUT_MALFORMED: row(400, 2, false, 'The input is not well-formed'),
  INPUT_INVALID: row(422, 2, false, 'The input does not fit its schema'),
  INPUT_TOO_LARGE: row(413, 2, false, 'The input is larger than allowed'),
  INPUT_MEDIA_TYPE: row(415, 2, false, 'The media type is not supported'),
  INPUT_METHOD: row(405, 2, false, 'The method is not allowed here'),
  INPUT_NOT_FOUND: row(404, 1, false, 'There is no such thing'),
  INPUT_ERASED: row(410, 1, false, 'The content was erased'),
  INPUT_CONFLICT: row(409, 1, false, 'The idempotency key stands for another request'),
  INPUT_EXISTS: row(409, 1, false, 'It exists already'),
  INPUT_NOT_CLAIMABLE: row(409, 1, false, 'The decision cannot be claimed'),
  INPUT_CLAIMED: row(409, 1, false, 'The decision was claimed already'),
  INPUT_TIMEOUT: row(408, 75, true, 'The request took too long'),
  INPUT_KEY_STATE: row(409, 1, false, 'The key is not in a state for this'),
  AUTH_MISSING: row(401, 1, false, 'An API key is required'),
  AUTH_INVALID: row(401, 1, false, 'The API key is not valid'),
  AUTH_SCOPE: row(403, 1, false, 'The API key lacks the scope'),
  KEK_UNAVAILABLE: row(503, 75, true, 'The key provider cannot be reached'),
  KEK_DENIED: row(503, 1, false, 'The key provider refused access'),
  KEK_KEY_MISSING: row(503, 1, false, 'The key provider does not have the key'),
  KEK_KEY_DISABLED: row(503, 1, false, 'The key provider has disabled the key'),
  OPEN_FAILED: row(500, 1, false, 'Sealed material did not open'),
  KEY_STORE_REFUSED: row(503, 1, false, 'The key store is not the one it claims to be'),
  LOG_CONFLICT: row(409, 75, true, 'Another entry took this place in the stream'),
  LOG_BUSY: row(503, 75, true, 'The log has too much to do'),
  LOG_CLOSED: row(503, 75, true, 'The log is closing'),
  LOG_STATE_UNKNOWN: row(503, 75, true, 'It is unknown whether the entry was persisted'),
  LOG_KEY_STALE: row(503, 75, true, 'The signing key is no longer valid at this index'),
  LOG_CLOCK: row(503, 75, true, 'The clock went backwards'),
  LOG_ROLLBACK: row(503, 1, false, 'The log is not the one that was pinned'),
  STORE_LOCKED: row(503, 75, true, 'Another writer holds the data directory'),
  STORE_FULL: row(503, 75, true, 'The disk is full'),
  STORE_FAILED: row(503, 75, true, 'The database failed'),
  STORE_CORRUPT: row(500, 1, false, 'The database holds what it must not'),
  OVERRIDE_REFUSED: row(409, 1, false, 'This may not happen to the override'),
  OVERRIDE_LIMIT: row(429, 75, true, 'As many decisions were overruled as may be in a day'),
  ACTION_REQUIRED: row(428, 1, false, 'Two leads must sign this first'),
  ACTION_REFUSED: row(409, 1, false, 'This may not happen to the action'),
  TENANT_CLOSED: row(409, 1, false, 'The tenant is closed'),
  ESCALATION_REFUSED: row(409, 1, false, 'This may not happen to the escalation'),
  PROPOSAL_REFUSED: row(409, 1, false, 'This may not happen to the proposal'),
  ROSTER_REFUSED: row(409, 1, false, 'The roster may not follow the one that counts'),
  POLICY_INVALID: row(422, 2, false, 'The policy is not one that can be evaluated'),
  POLICY_RAISED: row(422, 1, false, 'The policy gave no answer'),
  POLICY_REFUSED: row(409, 1, false, 'This may not happen to the policy'),
  CONFIG_INVALID: row(500, 2, false, 'The configuration is not valid'),
  BUG: row(500, 70, false, 'An internal error occurred'),
})

/** The name of a row of the table. */
export type FailureCode = keyof typeof failureCodes

/** What can go wrong, by code; `field` names the part of the input that is to blame, in a JSON value mostly by its path, such as `/intent/actor/id`. */
export class Failure extends Error {
  override readonly name = 'Failure'
  readonly code: FailureCode
  readonly field: string | undefined

  constructor(
    code: FailureCode,
    message: string,
    options: { cause?: unknown; field?: string | undefined } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.field = options.field
  }

  get status(): number {
    return failureCodes[this.code].status
  }

  get exit(): number {
    return failureCodes[this.code].exit
  }

  get retryable(): boolean {
    return failureCodes[this.code].retryable
  }

  get title(): string {
    return failureCodes[this.code].title
  }
}

/** The error itself when it is a {@link Failure}, else a `BUG` around it. */
export const asFailure = (error: unknown): Failure =>
  error instanceof Failure ? error : new Failure('BUG', 'Unexpected error', { cause: error })

/** Throws `BUG` unless the condition holds: for what only our own mistake can break. */
export function invariant(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Failure('BUG', message)
}
