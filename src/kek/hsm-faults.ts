// What a fault of a token means, and what is done about it. The classes are those of experience with several vendors; a code that is not listed is
// an outage: it costs a child process and is never taken for an answer about a blob.
import { Failure, type FailureCode } from '../base/failure.ts'
import type { HsmFault, HsmRequest } from './hsm-messages.ts'

/**
 * What to do: open a new session and find the key again; start a new child; shed load; give up at once; or ask the canary whether the blob is to
 * blame.
 */
export type FaultClass = 'reconnect' | 'restart' | 'throttle' | 'never' | 'tamper'

interface Row {
  readonly name: string
  readonly class: FaultClass
  readonly failure: FailureCode
}

const rows = (
  of: FaultClass,
  failure: FailureCode,
  codes: Readonly<Record<string, number>>,
): [number, Row][] =>
  Object.entries(codes).map(([name, code]) => [code, { name: `CKR_${name}`, class: of, failure }])

const table: ReadonlyMap<number, Row> = new Map([
  ...rows('reconnect', 'KEK_UNAVAILABLE', {
    KEY_HANDLE_INVALID: 0x60,
    OBJECT_HANDLE_INVALID: 0x82,
    OPERATION_ACTIVE: 0x90,
    OPERATION_NOT_INITIALIZED: 0x91,
    SESSION_CLOSED: 0xb0,
    SESSION_HANDLE_INVALID: 0xb3,
    UNWRAPPING_KEY_HANDLE_INVALID: 0xf0,
    USER_NOT_LOGGED_IN: 0x101,
    WRAPPING_KEY_HANDLE_INVALID: 0x113,
  }),
  ...rows('restart', 'KEK_UNAVAILABLE', {
    GENERAL_ERROR: 0x05,
    FUNCTION_FAILED: 0x06,
    DEVICE_ERROR: 0x30,
    DEVICE_REMOVED: 0x32,
    TOKEN_NOT_PRESENT: 0xe0,
    CRYPTOKI_NOT_INITIALIZED: 0x190,
  }),
  ...rows('throttle', 'KEK_UNAVAILABLE', {
    HOST_MEMORY: 0x02,
    DEVICE_MEMORY: 0x31,
    SESSION_COUNT: 0xb1,
  }),
  ...rows('never', 'KEK_DENIED', {
    ATTRIBUTE_READ_ONLY: 0x10,
    ATTRIBUTE_SENSITIVE: 0x11,
    ATTRIBUTE_TYPE_INVALID: 0x12,
    ATTRIBUTE_VALUE_INVALID: 0x13,
    KEY_UNEXTRACTABLE: 0x6a,
    MECHANISM_INVALID: 0x70,
    PIN_INCORRECT: 0xa0,
    PIN_INVALID: 0xa1,
    PIN_LEN_RANGE: 0xa2,
    PIN_EXPIRED: 0xa3,
    PIN_LOCKED: 0xa4,
    USER_PIN_NOT_INITIALIZED: 0x102,
  }),
  ...rows('never', 'KEK_KEY_DISABLED', { KEY_FUNCTION_NOT_PERMITTED: 0x68 }),
  ...rows('tamper', 'OPEN_FAILED', {
    DATA_INVALID: 0x20,
    DATA_LEN_RANGE: 0x21,
    ENCRYPTED_DATA_INVALID: 0x40,
    ENCRYPTED_DATA_LEN_RANGE: 0x41,
    AEAD_DECRYPT_FAILED: 0x42,
    WRAPPED_KEY_INVALID: 0x110,
    WRAPPED_KEY_LEN_RANGE: 0x112,
  }),
])

const pinCodes: readonly number[] = [0xa0, 0xa1, 0xa2, 0xa3, 0xa4, 0x102]

const generalError = 0x05

/** Calls whose only answer to a changed blob may be the general error (SoftHSM 2.6). */
const opening: readonly string[] = ['C_UnwrapKey', 'C_Decrypt']

/** What to do about a fault that came while `op` was asked. */
export function classify(fault: HsmFault, op: HsmRequest['op']): FaultClass {
  if (fault.type === 'refusal') return 'never'
  if (fault.type !== 'code') return 'restart'
  const of = table.get(fault.code)?.class ?? 'restart'
  // Of our own blobs, which canary, probe and opening use, nobody can have changed a byte.
  if (of === 'tamper') return op === 'unwrap' ? 'tamper' : 'restart'
  const blamesBlob = op === 'unwrap' && fault.code === generalError && opening.includes(fault.call)
  return blamesBlob ? 'tamper' : of
}

const outages: readonly (FaultClass | undefined)[] = ['reconnect', 'restart', 'throttle']

/** Whether a fault is known to be about the state of the token, whatever was asked of it. */
export const isOutage = (fault: HsmFault): boolean =>
  fault.type === 'code' && outages.includes(table.get(fault.code)?.class)

/** Whether the token refused the PIN, so that the same PIN must not be tried again. */
export const refusesPin = (fault: HsmFault): boolean =>
  fault.type === 'code' && pinCodes.includes(fault.code)

function describe(fault: HsmFault): string {
  switch (fault.type) {
    case 'code': {
      const name = table.get(fault.code)?.name ?? `CKR 0x${fault.code.toString(16)}`
      return `${name} in ${fault.call}`
    }
    case 'hang':
      return `no answer to ${fault.op} in ${fault.timeoutMs} ms`
    case 'exit':
      return `its process ended by ${fault.how}`
    case 'refusal':
    case 'absent':
      return fault.message
  }
}

/** The failure that a caller meets. */
export function failureOf(fault: HsmFault): Failure {
  if (fault.type === 'refusal') return new Failure(fault.code, fault.message)
  if (refusesPin(fault))
    return new Failure(
      'KEK_DENIED',
      `HSM refused the PIN, and it is not tried again before a restart: ${describe(fault)}`,
    )
  const code = fault.type === 'code' ? table.get(fault.code)?.failure : undefined
  if (code === undefined || code === 'KEK_UNAVAILABLE' || code === 'OPEN_FAILED')
    return new Failure('KEK_UNAVAILABLE', `HSM is unavailable: ${describe(fault)}`)
  return new Failure(code, `HSM refused: ${describe(fault)}`)
}
