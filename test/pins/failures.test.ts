import { expect, it } from 'vitest'
import { Failure, failureCodes } from '../../src/base/failure.ts'

it('keeps its codes: a code may be added, never renamed or given another meaning', () => {
  expect(
    Object.entries(failureCodes).map(
      ([code, { status, exit, retryable }]) =>
        `${code} ${status} ${exit}${retryable ? ' retry' : ''}`,
    ),
  ).toMatchInlineSnapshot(`
    [
      "INPUT_MALFORMED 400 2",
      "INPUT_INVALID 422 2",
      "INPUT_TOO_LARGE 413 2",
      "INPUT_MEDIA_TYPE 415 2",
      "INPUT_METHOD 405 2",
      "INPUT_NOT_FOUND 404 1",
      "INPUT_ERASED 410 1",
      "INPUT_CONFLICT 409 1",
      "INPUT_EXISTS 409 1",
      "INPUT_NOT_CLAIMABLE 409 1",
      "INPUT_CLAIMED 409 1",
      "INPUT_TIMEOUT 408 75 retry",
      "INPUT_KEY_STATE 409 1",
      "AUTH_MISSING 401 1",
      "AUTH_INVALID 401 1",
      "AUTH_SCOPE 403 1",
      "KEK_UNAVAILABLE 503 75 retry",
      "KEK_DENIED 503 1",
      "KEK_KEY_MISSING 503 1",
      "KEK_KEY_DISABLED 503 1",
      "OPEN_FAILED 500 1",
      "KEY_STORE_REFUSED 503 1",
      "LOG_CONFLICT 409 75 retry",
      "LOG_BUSY 503 75 retry",
      "LOG_CLOSED 503 75 retry",
      "LOG_STATE_UNKNOWN 503 75 retry",
      "LOG_KEY_STALE 503 75 retry",
      "LOG_CLOCK 503 75 retry",
      "LOG_ROLLBACK 503 1",
      "STORE_LOCKED 503 75 retry",
      "STORE_FULL 503 75 retry",
      "STORE_FAILED 503 75 retry",
      "STORE_CORRUPT 500 1",
      "OVERRIDE_REFUSED 409 1",
      "OVERRIDE_LIMIT 429 75 retry",
      "ACTION_REQUIRED 428 1",
      "ACTION_REFUSED 409 1",
      "TENANT_CLOSED 409 1",
      "ESCALATION_REFUSED 409 1",
      "PROPOSAL_REFUSED 409 1",
      "ROSTER_REFUSED 409 1",
      "POLICY_INVALID 422 2",
      "POLICY_RAISED 422 1",
      "POLICY_REFUSED 409 1",
      "CONFIG_INVALID 500 2",
      "BUG 500 70",
    ]
  `)
})

it('takes status, exit code and title from the table', () => {
  const failure = new Failure('LOG_BUSY', 'Entries waiting: 4096')
  expect([failure.status, failure.exit, failure.retryable, failure.title]).toEqual([
    503,
    75,
    true,
    'The log has too much to do',
  ])
})
