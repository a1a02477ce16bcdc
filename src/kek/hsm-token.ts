// One token in the child's process: found by its label, one login, one key that is judged before it is used. Everything here is synchronous and may
// crash or hang; that is why it runs in a process of its own. Handles are never kept across an opening: tokens give the number of a key that is
// gone to another key.
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import type { Module, Slot } from 'graphene-pk11'
import type * as Pkcs11 from 'pkcs11js'
import type { FailureCode } from '../base/failure.ts'
import { cloudHsm, hsmMechanisms, type HsmMechanism } from './hsm-mechanism.ts'
import type { HsmFault, HsmPlace } from './hsm-messages.ts'

type Lib = Pkcs11.PKCS11
type Handle = Buffer
type Template = Parameters<Lib['C_CreateObject']>[1]

/** A fault on its way out of the child. */
export class TokenFault extends Error {
  readonly fault: HsmFault

  constructor(fault: HsmFault) {
    super(fault.type)
    this.fault = fault
  }
}

const refusal = (code: FailureCode, message: string): TokenFault =>
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

const codeOf = (error: unknown): number | undefined =>
  error instanceof TokenFault && error.fault.type === 'code' ? error.fault.code : undefined

// Constants of PKCS#11 2.40.
const CKF_RW_SERIAL_SESSION = 6
const CKU_USER = 1
const CKO_SECRET_KEY = 4
const CKK_GENERIC_SECRET = 0x10
const CKK_AES = 0x1f
const CKK_YUBICO_AES256_CCM_WRAP = 0xd955_422a
const CKM_AES_KEY_GEN = 0x1080
const CKR_USER_ALREADY_LOGGED_IN = 0x100
const flags = {
  hwSlot: 0x4,
  pinFinalTry: 0x2_0000,
  pinLocked: 0x4_0000,
  encryptDecrypt: 0x300,
  wrapUnwrap: 0x6_0000,
} as const
const attribute = {
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

const keyBytes = 32
const gcmNonceBytes = 12
const outputBytes = 256

const template = (
  values: Partial<Record<keyof typeof attribute, number | boolean | string | Buffer>>,
) =>
  Object.entries(values).map(([name, value]) => ({
    type: attribute[name as keyof typeof attribute],
    value,
  })) satisfies Template

const secretTemplate = template({
  class: CKO_SECRET_KEY,
  keyType: CKK_GENERIC_SECRET,
  token: false,
  sensitive: false,
  extractable: true,
})

const trimmed = (text: string): string => text.replace(/[\0 ]+$/, '')
const quoted = (text: string): string => JSON.stringify(text)

/** A token on which the user is logged in. */
export interface LoggedIn {
  readonly lib: Lib
  readonly session: Handle
  readonly slot: Handle
  readonly serial: string
  readonly manufacturer: string
  readonly hardware: boolean
}

function findSlot(module: Module, tokenLabel: string): Slot {
  const slots = call('C_GetSlotList', () => module.getSlots(true))
  const matching: Slot[] = []
  for (let i = 0; i < slots.length; i++) {
    const slot = call('C_GetSlotInfo', () => slots.items(i))
    const { label } = call('C_GetTokenInfo', () => slot.getToken())
    if (trimmed(label) === tokenLabel) matching.push(slot)
  }
  const [slot] = matching
  if (slot === undefined)
    throw new TokenFault({ type: 'absent', message: `there is no token ${quoted(tokenLabel)}` })
  if (matching.length > 1)
    throw refusal(
      'KEK_DENIED',
      `HSM has ${matching.length} tokens of one label: ${quoted(tokenLabel)}`,
    )
  return slot
}

/** Logs in once. A token on its last try is left to a person: the next wrong PIN would lock it. */
function login(lib: Lib, session: Handle, pin: Uint8Array, tokenFlags: number): void {
  if ((tokenFlags & flags.pinLocked) !== 0) throw refusal('KEK_DENIED', 'HSM has locked the PIN')
  if ((tokenFlags & flags.pinFinalTry) !== 0)
    throw refusal('KEK_DENIED', 'HSM has one try of the PIN left: log in by hand first')
  try {
    call('C_Login', () => {
      lib.C_Login(session, CKU_USER, Buffer.from(pin).toString('utf8'))
    })
  } catch (error) {
    if (codeOf(error) !== CKR_USER_ALREADY_LOGGED_IN) throw error
  }
}

/** A fresh session on the token of that label, without any that was open before. */
export function openToken(
  module: Module,
  lib: Lib,
  { tokenLabel }: HsmPlace,
  pin: Uint8Array,
): LoggedIn {
  const slot = findSlot(module, tokenLabel)
  const token = call('C_GetTokenInfo', () => slot.getToken())
  call('C_CloseAllSessions', () => {
    slot.closeAll()
  })
  const session = call('C_OpenSession', () => lib.C_OpenSession(slot.handle, CKF_RW_SERIAL_SESSION))
  login(lib, session, pin, token.flags)
  return {
    lib,
    session,
    slot: slot.handle,
    serial: trimmed(token.serialNumber),
    manufacturer: trimmed(token.manufacturerID),
    hardware: (slot.flags & flags.hwSlot) !== 0,
  }
}

/** Every key of that label, and id where one is given. */
export function findKeys(
  { lib, session }: LoggedIn,
  { keyId, keyLabel }: HsmPlace,
): readonly Handle[] {
  const wanted = template({
    class: CKO_SECRET_KEY,
    token: true,
    label: keyLabel,
    ...(keyId === undefined ? {} : { id: Buffer.from(keyId, 'hex') }),
  })
  call('C_FindObjectsInit', () => {
    lib.C_FindObjectsInit(session, wanted)
  })
  try {
    return call('C_FindObjects', () => lib.C_FindObjects(session, 16))
  } finally {
    call('C_FindObjectsFinal', () => {
      lib.C_FindObjectsFinal(session)
    })
  }
}

/** An attribute's bytes; undefined where the token does not know it or has no value. */
function read({ lib, session }: LoggedIn, key: Handle, type: number): Buffer | undefined {
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

const asNumber = (bytes: Buffer | undefined): number | undefined =>
  bytes !== undefined && bytes.length >= 4 ? bytes.readUInt32LE(0) : undefined

function judge(token: LoggedIn, key: Handle, place: HsmPlace): HsmMechanism['by'] {
  const flag = (name: keyof typeof attribute): boolean | undefined => {
    const bytes = read(token, key, attribute[name])
    return bytes === undefined ? undefined : bytes[0] === 1
  }
  const complain = (why: string): TokenFault =>
    refusal('KEK_DENIED', `HSM key must not be used, it ${why}: ${quoted(place.keyLabel)}`)
  const type = asNumber(read(token, key, attribute.keyType))
  if (type !== CKK_AES && type !== CKK_YUBICO_AES256_CCM_WRAP) throw complain('is no AES key')
  if (type === CKK_AES && asNumber(read(token, key, attribute.valueLength)) !== keyBytes)
    throw complain('has not 256 bits')
  if (flag('sensitive') !== true) throw complain('is not sensitive')
  if (flag('extractable') !== false) throw complain('is extractable')
  if (flag('alwaysSensitive') !== true) throw complain('was not always sensitive')
  if (flag('neverExtractable') !== true) throw complain('was extractable once')
  if (flag('local') !== true) throw complain('was not made on the token')
  const wraps = [flag('wrap') === true, flag('unwrap') === true]
  const encrypts = [flag('encrypt') === true, flag('decrypt') === true]
  // Whoever may wrap and decrypt by one key can read every key of the token.
  if (wraps.includes(true) && encrypts.includes(true)) throw complain('may both wrap and encrypt')
  if (!wraps.includes(false)) return 'wrap'
  if (!encrypts.includes(false)) return 'encrypt'
  throw complain('may do neither wrap and unwrap nor encrypt and decrypt')
}

/** Whether the token offers a mechanism for keys of that use. */
function offers({ lib, manufacturer, slot }: LoggedIn, mechanism: HsmMechanism): boolean {
  if (mechanism.manufacturer?.test(manufacturer) === false) return false
  const listed = call('C_GetMechanismList', () => lib.C_GetMechanismList(slot))
  // Some numbers come back negative, as signed.
  if (!listed.some((number) => number >>> 0 === mechanism.number)) return false
  const info = call('C_GetMechanismInfo', () => lib.C_GetMechanismInfo(slot, mechanism.number))
  const wanted = mechanism.by === 'wrap' ? flags.wrapUnwrap : flags.encryptDecrypt
  return (info.flags & wanted) === wanted
}

function withSecret<T>(
  { lib, session }: LoggedIn,
  bytes: Uint8Array,
  fn: (object: Handle) => T,
): T {
  const value = Buffer.from(bytes)
  try {
    const object = call('C_CreateObject', () =>
      lib.C_CreateObject(session, [...secretTemplate, { type: attribute.value, value }]),
    )
    try {
      return fn(object)
    } finally {
      call('C_DestroyObject', () => {
        lib.C_DestroyObject(session, object)
      })
    }
  } finally {
    value.fill(0)
  }
}

const wrapBy = (token: LoggedIn, mechanism: number, kek: Handle, key: Uint8Array): Buffer =>
  withSecret(token, key, (object) =>
    call('C_WrapKey', () =>
      token.lib.C_WrapKey(token.session, { mechanism }, kek, object, Buffer.alloc(outputBytes)),
    ),
  )

function unwrapBy(token: LoggedIn, mechanism: number, kek: Handle, wrapped: Uint8Array): Buffer {
  const { lib, session } = token
  const object = call('C_UnwrapKey', () =>
    lib.C_UnwrapKey(session, { mechanism }, kek, Buffer.from(wrapped), secretTemplate),
  )
  try {
    const value = read(token, object, attribute.value)
    if (value === undefined)
      throw refusal('KEK_DENIED', 'HSM does not show keys that it unwraps: make one by --encrypt')
    return value
  } finally {
    call('C_DestroyObject', () => {
      lib.C_DestroyObject(session, object)
    })
  }
}

/** RFC 5649 in software, for 32 bytes. */
function wrapRfc5649(kek: Uint8Array, key: Uint8Array): Buffer {
  const cipher = createCipheriv('id-aes256-wrap-pad', kek, Buffer.from('a65959a6', 'hex'))
  return Buffer.concat([cipher.update(key), cipher.final()])
}

/** Whether the mechanism gives what RFC 5649 gives, shown by a key whose value is known; one that cannot be shown is not taken. */
function provesRfc5649(token: LoggedIn, mechanism: HsmMechanism): boolean {
  const { lib, session } = token
  const value = randomBytes(keyBytes)
  const payload = randomBytes(keyBytes)
  try {
    const known = call('C_CreateObject', () =>
      lib.C_CreateObject(session, [
        ...template({ class: CKO_SECRET_KEY, keyType: CKK_AES, token: false, wrap: true }),
        { type: attribute.value, value },
      ]),
    )
    try {
      return wrapBy(token, mechanism.number, known, payload).equals(wrapRfc5649(value, payload))
    } finally {
      lib.C_DestroyObject(session, known)
    }
  } catch {
    return false
  }
}

/** The first mechanism in the order of negotiation that fits a use, or undefined. */
export const negotiate = (token: LoggedIn, by: HsmMechanism['by']): HsmMechanism | undefined =>
  hsmMechanisms.find(
    (mechanism) =>
      mechanism.by === by &&
      offers(token, mechanism) &&
      (mechanism.wantsProof !== true || provesRfc5649(token, mechanism)),
  )

/** A key on the token that may be used, and how. */
export class TokenKey {
  readonly #token: LoggedIn
  readonly #key: Handle
  readonly #by: HsmMechanism['by']
  readonly mechanism: HsmMechanism

  /** Finds the key and judges it. */
  constructor(token: LoggedIn, place: HsmPlace) {
    const keys = findKeys(token, place)
    const [key] = keys
    if (key === undefined)
      throw refusal('KEK_KEY_MISSING', `HSM has no key of this label: ${quoted(place.keyLabel)}`)
    if (keys.length > 1)
      throw refusal(
        'KEK_DENIED',
        `HSM has ${keys.length} keys of one label: ${quoted(place.keyLabel)}`,
      )
    this.#token = token
    this.#key = key
    this.#by = judge(token, key, place)
    const mechanism = negotiate(token, this.#by)
    if (mechanism === undefined)
      throw refusal('KEK_DENIED', 'HSM offers no mechanism that could wrap by this key')
    this.mechanism = mechanism
  }

  /** Name of the key that another key of the same label and id does not have. */
  kekId(): string {
    const id = read(this.#token, this.#key, attribute.id)?.toString('hex') ?? ''
    return `hsm:${encodeURIComponent(this.#token.serial)}:${id}:${this.#checkValue()}`
  }

  get hardware(): boolean {
    return this.#token.hardware
  }

  /** RFC 5649 is deterministic, so that wrapping a constant tells keys apart; AES-GCM with a constant nonce would harm the key. */
  #checkValue(): string {
    const { by, number } = this.mechanism
    if (by === 'encrypt')
      return read(this.#token, this.#key, attribute.checkValue)?.toString('hex') ?? ''
    const constant = Buffer.alloc(keyBytes, 'countersign')
    const wrapped = wrapBy(this.#token, number, this.#key, constant)
    return createHash('sha256').update(wrapped).digest('hex').slice(0, 16)
  }

  wrap(key: Uint8Array, aad: Uint8Array): Buffer {
    const { by, number, wrappedBytes } = this.mechanism
    const wrapped =
      by === 'wrap'
        ? wrapBy(this.#token, number, this.#key, key)
        : this.#encrypt(this.mechanism, key, aad)
    if (wrapped.length === wrappedBytes) return wrapped
    throw new TokenFault({ type: 'absent', message: `it wrapped to ${wrapped.length} bytes` })
  }

  unwrap(name: string, wrapped: Uint8Array, aad: Uint8Array): Buffer {
    const mechanism = hsmMechanisms.find((known) => known.name === name)
    if (mechanism?.by !== this.#by || !offers(this.#token, mechanism))
      throw refusal('OPEN_FAILED', 'Wrapped key did not open')
    const key =
      mechanism.by === 'wrap'
        ? unwrapBy(this.#token, mechanism.number, this.#key, wrapped)
        : this.#decrypt(mechanism, wrapped, aad)
    // SoftHSM 2.6 pads some keys; those that others made may have any length.
    if (key.length === keyBytes) return key
    key.fill(0)
    throw refusal('OPEN_FAILED', 'Wrapped key did not open')
  }

  #gcm(nonce: Buffer, aad: Uint8Array): Pkcs11.Mechanism {
    const parameter = {
      type: 7, // CK_PARAMS_AES_GCM_v240
      iv: nonce,
      ivBits: 8 * nonce.length,
      aad: Buffer.from(aad),
      tagBits: 128,
    }
    return { mechanism: 0x1087, parameter }
  }

  #encrypt({ name, number }: HsmMechanism, key: Uint8Array, aad: Uint8Array): Buffer {
    const { lib, manufacturer, session } = this.#token
    const gcm = name === 'CKM_AES_GCM'
    const itsOwn = cloudHsm.test(manufacturer)
    // CloudHSM writes a nonce of its own into the zeros that it is given.
    const nonce = itsOwn ? Buffer.alloc(gcmNonceBytes) : randomBytes(gcmNonceBytes)
    const mechanism = gcm ? this.#gcm(nonce, aad) : { mechanism: number }
    call('C_EncryptInit', () => {
      lib.C_EncryptInit(session, mechanism, this.#key)
    })
    const output = call('C_Encrypt', () =>
      lib.C_Encrypt(session, Buffer.from(key), Buffer.alloc(outputBytes)),
    )
    if (gcm && nonce.every((byte) => byte === 0))
      throw new TokenFault({ type: 'absent', message: 'it did not say which nonce it used' })
    return gcm ? Buffer.concat([nonce, output]) : output
  }

  #decrypt({ name, number }: HsmMechanism, wrapped: Uint8Array, aad: Uint8Array): Buffer {
    const { lib, session } = this.#token
    const gcm = name === 'CKM_AES_GCM'
    const nonce = Buffer.from(wrapped.subarray(0, gcmNonceBytes))
    const mechanism = gcm ? this.#gcm(nonce, aad) : { mechanism: number }
    call('C_DecryptInit', () => {
      lib.C_DecryptInit(session, mechanism, this.#key)
    })
    const input = Buffer.from(gcm ? wrapped.subarray(gcmNonceBytes) : wrapped)
    return call('C_Decrypt', () => lib.C_Decrypt(session, input, Buffer.alloc(outputBytes)))
  }
}

/** Makes the key on the token: it can neither leave it nor do more than it must. */
export function generateKey(
  { lib, session }: LoggedIn,
  place: HsmPlace,
  by: HsmMechanism['by'],
): void {
  const wraps = by === 'wrap'
  const id = place.keyId === undefined ? randomBytes(16) : Buffer.from(place.keyId, 'hex')
  const attributes = template({
    class: CKO_SECRET_KEY,
    keyType: CKK_AES,
    valueLength: keyBytes,
    token: true,
    private: true,
    label: place.keyLabel,
    id,
    sensitive: true,
    extractable: false,
    wrap: wraps,
    unwrap: wraps,
    encrypt: !wraps,
    decrypt: !wraps,
  })
  call('C_GenerateKey', () =>
    lib.C_GenerateKey(session, { mechanism: CKM_AES_KEY_GEN }, attributes),
  )
}
