// PKCS#11 as the child speaks it: calls that fail as data, and the constants of version 2.40 that are used.
import type * as Pkcs11 from 'pkcs11js'
import type { FailureCode } from '../base/failure.ts'
import type { HsmFault } from './hsm-messages.ts'

/** The binding. */
export type Lib = Pkcs11.PKCS11
/** Handle of a slot, session or object. */
export type Handle = Buffer
type Template = Parameters<Lib['C_CreateObject']>[1]

/** A fault on its way out of the child. */
export class TokenFault extends Error {
  readonly fault: HsmFault

  constructor(fault: HsmFault) {
    super(fault.type)
    this.fault = fault
  }
}

/** What the child itself decided. */
export const refusal = (code: FailureCode, message: string): TokenFault =>
  new TokenFault({ type: 'refusal', code, message })

/** Runs one PKCS#11 function and names it, which the binding itself does not always do. */
export function call<T>(name: string, fn: () => T): T {
  try {
    return fn()
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined
    if (typeof code === 'number' && code > 0)
      throw new TokenFault({ type: 'code', call: name, code })
    throw new TokenFault({ type: 'absent', message: `${name} failed without a code` })
  }
}

/** The code that a PKCS#11 function gave, if this is such a fault. */
export const codeOf = (error: unknown): number | undefined =>
  error instanceof TokenFault && error.fault.type === 'code' ? error.fault.code : undefined

// Constants of PKCS#11 2.40.
export const CKO_SECRET_KEY = 4
export const CKK_AES = 0x1f
/** Bits of slots, tokens and mechanisms. */
export const flags = {
  hwSlot: 0x4,
  pinFinalTry: 0x2_0000,
  pinLocked: 0x4_0000,
  encryptDecrypt: 0x300,
  wrapUnwrap: 0x6_0000,
} as const
/** CK_ATTRIBUTE_TYPE by name. */
export const attribute = {
  class: 0x000,
  token: 0x001,
  private: 0x002,
  label: 0x003,
  value: 0x011,
  checkValue: 0x090,
  keyType: 0x100,
  id: 0x102,
  sensitive: 0x103,
  encrypt: 0x104,
  decrypt: 0x105,
  wrap: 0x106,
  unwrap: 0x107,
  valueLength: 0x161,
  extractable: 0x162,
  local: 0x163,
  neverExtractable: 0x164,
  alwaysSensitive: 0x165,
} as const

/** Length of every key here. */
export const keyBytes = 32
/** Attributes of an object, by name. */
export const template = (
  values: Partial<Record<keyof typeof attribute, number | boolean | string | Buffer>>,
) =>
  Object.entries(values).map(([name, value]) => ({
    type: attribute[name as keyof typeof attribute],
    value,
  })) satisfies Template

/** A label in a message. */
export const quoted = (text: string): string => JSON.stringify(text)

/** A token on which the user is logged in. */
export interface LoggedIn {
  readonly lib: Lib
  readonly session: Handle
  readonly slot: Handle
  readonly serial: string
  readonly manufacturer: string
  readonly hardware: boolean
}

/** An attribute's bytes; undefined where the token does not know it or has no value. */
export function read({ lib, session }: LoggedIn, key: Handle, type: number): Buffer | undefined {
  try {
    const [found] = call('C_GetAttributeValue', () =>
      lib.C_GetAttributeValue(session, key, [{ type }]),
    )
    return Buffer.isBuffer(found?.value) && found.value.length > 0 ? found.value : undefined
  } catch (error) {
    const code = codeOf(error)
    if (code === 0x11 || code === 0x12) return undefined
    throw error
  }
}

/** The lower 32 bits of a CK_ULONG. */
export const asNumber = (bytes: Buffer | undefined): number | undefined =>
  bytes !== undefined && bytes.length >= 4 ? bytes.readUInt32LE(0) : undefined
