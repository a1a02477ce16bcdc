// What the child does with a key on the token: negotiates how to wrap by it, wraps, unwraps, and makes it in the first place.
import { createCipheriv, createHash, randomBytes } from 'node:crypto'
import type * as Pkcs11 from 'pkcs11js'
import {
  attribute,
  call,
  CKK_AES,
  CKO_SECRET_KEY,
  flags,
  keyBytes,
  quoted,
  read,
  refusal,
  template,
  TokenFault,
  type Handle,
  type LoggedIn,
} from './hsm-calls.ts'
import { isOutage } from './hsm-faults.ts'
import { cloudHsm, hsmMechanisms, type HsmMechanism } from './hsm-mechanism.ts'
import type { HsmPlace } from './hsm-messages.ts'
import { findKeys, judge } from './hsm-token.ts'

const CKK_GENERIC_SECRET = 0x10
const CKM_AES_KEY_GEN = 0x1080
const gcmNonceBytes = 12
const outputBytes = 256

const secretTemplate = template({
  class: CKO_SECRET_KEY,
  keyType: CKK_GENERIC_SECRET,
  token: false,
  sensitive: false,
  extractable: true,
})

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
      call('C_DestroyObject', () => {
        lib.C_DestroyObject(session, known)
      })
    }
  } catch (error) {
    // Else a session that ended now would pass for a token that cannot wrap.
    if (error instanceof TokenFault && isOutage(error.fault)) throw error
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
      throw refusal(
        'KEK_KEY_MISSING',
        `HSM has no key of this label, for a new installation countersign hsm init-key makes one: ${quoted(place.keyLabel)}`,
      )
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
