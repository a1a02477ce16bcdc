// One token in the child's process: found by its label, one login, one key that is judged before it is used. Everything here is synchronous and may
// crash or hang; that is why it runs in a process of its own. Handles are never kept across an opening: tokens give the number of a key that is
// gone to another key.
import type { Module, Slot } from 'graphene-pk11'
import {
  asNumber,
  attribute,
  call,
  CKK_AES,
  CKO_SECRET_KEY,
  codeOf,
  flags,
  keyBytes,
  quoted,
  read,
  refusal,
  template,
  TokenFault,
  type Handle,
  type Lib,
  type LoggedIn,
} from './hsm-calls.ts'
import type { HsmMechanism } from './hsm-mechanism.ts'
import type { HsmPlace } from './hsm-messages.ts'

const CKF_RW_SERIAL_SESSION = 6
const CKU_USER = 1
const CKK_YUBICO_AES256_CCM_WRAP = 0xd955_422a
const CKR_USER_ALREADY_LOGGED_IN = 0x100

const trimmed = (text: string): string => text.replace(/[\0 ]+$/, '')

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

/** What a key may be used for, or why it must not be. */
export function judge(token: LoggedIn, key: Handle, place: HsmPlace): HsmMechanism['by'] {
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
  // Any process that reaches the module would open slots by it, and the PIN would guard nothing.
  if (flag('private') !== true) throw complain('can be used without the PIN')
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
