// The process that holds a PKCS#11 module. It does one thing at a time, synchronously, and knows nothing of slots or contexts; whoever started it
// watches the time and ends it. Started without a channel it does nothing.
import { randomBytes, timingSafeEqual } from 'node:crypto'
import type * as Graphene from 'graphene-pk11'
import type * as Pkcs11 from 'pkcs11js'
import type { HsmMechanism } from './hsm-mechanism.ts'
import type {
  HsmAnswer,
  HsmIdentity,
  HsmRequest,
  NumberedAnswer,
  NumberedRequest,
} from './hsm-messages.ts'
import { call, TokenFault } from './hsm-calls.ts'
import { classify, isOutage } from './hsm-faults.ts'
import { generateKey, negotiate, TokenKey } from './hsm-token-key.ts'
import { findKeys, openToken } from './hsm-token.ts'

interface Loaded {
  readonly lib: Pkcs11.PKCS11
  readonly module: Graphene.Module
}

interface Opened {
  readonly key: TokenKey
  readonly canary: Uint8Array
  /** Mechanism of the canary. */
  readonly mechanism: string
}

const CKF_OS_LOCKING_OK = 2
const CKR_CRYPTOKI_ALREADY_INITIALIZED = 0x191
const none = new Uint8Array(0)

let loaded: Loaded | undefined
let opened: Opened | undefined

async function importPackages(): Promise<[typeof Pkcs11, typeof Graphene]> {
  try {
    return await Promise.all([import('pkcs11js'), import('graphene-pk11')])
  } catch {
    throw new TokenFault({
      type: 'refusal',
      code: 'CONFIG_INVALID',
      message:
        'HSM wants two optional packages, which need a C++ compiler: npm install pkcs11js graphene-pk11',
    })
  }
}

async function load(path: string): Promise<Loaded> {
  const [pkcs11, graphene] = await importPackages()
  const lib = new pkcs11.PKCS11()
  try {
    lib.load(path)
  } catch {
    throw new TokenFault({
      type: 'refusal',
      code: 'CONFIG_INVALID',
      message: `PKCS#11 module cannot be loaded: ${path}`,
    })
  }
  const module = new graphene.Module(lib)
  try {
    // Without the flag a module may believe that its process has one thread.
    call('C_Initialize', () => {
      module.initialize({ flags: CKF_OS_LOCKING_OK })
    })
  } catch (error) {
    const { fault } = error as TokenFault
    if (fault.type !== 'code' || fault.code !== CKR_CRYPTOKI_ALREADY_INITIALIZED) throw error
  }
  return { lib, module }
}

function check({ canary, key, mechanism }: Opened): void {
  key.unwrap(mechanism, canary, none).fill(0)
}

/** The key must open what the same key has wrapped before, whatever it calls itself. */
function verifyIdentity(key: TokenKey, known: HsmIdentity): void {
  const another = new TokenFault({
    type: 'refusal',
    code: 'KEK_KEY_MISSING',
    message: `HSM has another key in the place of ${known.kekId}`,
  })
  if (key.kekId() !== known.kekId) throw another
  try {
    check({ canary: known.canary, key, mechanism: known.mechanism })
  } catch (error) {
    // A session that ends now says nothing of the key.
    const { fault } = error as TokenFault
    if (isOutage(fault) && classify(fault, 'unwrap') !== 'tamper') throw error
    // Throws by itself where the token is at fault and not the key.
    probe(key)
    throw another
  }
}

function probe(key: TokenKey): Uint8Array {
  const fresh = randomBytes(32)
  const wrapped = key.wrap(fresh, none)
  const back = key.unwrap(key.mechanism.name, wrapped, none)
  const same = timingSafeEqual(fresh, back)
  fresh.fill(0)
  back.fill(0)
  if (!same) throw new TokenFault({ type: 'absent', message: 'it unwrapped to another key' })
  return wrapped
}

async function open({ known, pin, place }: HsmRequest & { op: 'open' }): Promise<HsmAnswer> {
  opened = undefined
  loaded ??= await load(place.module)
  const token = openToken(loaded.module, loaded.lib, place, pin)
  const key = new TokenKey(token, place)
  if (known !== undefined) verifyIdentity(key, known)
  const identity: HsmIdentity = known ?? {
    kekId: key.kekId(),
    mechanism: key.mechanism.name,
    hardware: key.hardware,
    canary: Uint8Array.from(probe(key)),
  }
  opened = { key, canary: identity.canary, mechanism: identity.mechanism }
  return { ok: true, identity }
}

async function create({ by, pin, place }: HsmRequest & { op: 'create' }): Promise<HsmAnswer> {
  loaded ??= await load(place.module)
  const token = openToken(loaded.module, loaded.lib, place, pin)
  if (findKeys(token, { ...place, keyId: undefined }).length > 0)
    throw new TokenFault({
      type: 'refusal',
      code: 'INPUT_EXISTS',
      message: `HSM has a key of this label already: ${JSON.stringify(place.keyLabel)}`,
    })
  const uses: readonly HsmMechanism['by'][] = by === 'any' ? ['wrap', 'encrypt'] : [by]
  const use = uses.find((candidate) => negotiate(token, candidate) !== undefined)
  if (use === undefined)
    throw new TokenFault({
      type: 'refusal',
      code: 'KEK_DENIED',
      message: 'HSM offers no mechanism that could wrap',
    })
  try {
    generateKey(token, place, use)
    return await open({ op: 'open', known: undefined, pin, place })
  } catch (error) {
    return { ...failed(error), begun: true }
  }
}

function use(request: Exclude<HsmRequest, { op: 'open' | 'create' }>): HsmAnswer {
  if (opened === undefined)
    throw new TokenFault({ type: 'absent', message: 'no session was opened' })
  switch (request.op) {
    case 'wrap':
      return { ok: true, bytes: Uint8Array.from(opened.key.wrap(request.key, request.aad)) }
    case 'unwrap': {
      const key = opened.key.unwrap(request.mechanism, request.wrapped, request.aad)
      const bytes = Uint8Array.from(key)
      key.fill(0)
      return { ok: true, bytes }
    }
    case 'canary':
      check(opened)
      return { ok: true }
    case 'probe':
      probe(opened.key)
      return { ok: true }
  }
}

function failed(error: unknown): HsmAnswer & { ok: false } {
  if (error instanceof TokenFault) return { ok: false, fault: error.fault }
  return { ok: false, fault: { type: 'absent', message: 'the module gave what cannot be read' } }
}

async function answer(request: HsmRequest): Promise<HsmAnswer> {
  try {
    if (request.op === 'open') return await open(request)
    return request.op === 'create' ? await create(request) : use(request)
  } catch (error) {
    return failed(error)
  } finally {
    if ('pin' in request) request.pin.fill(0)
    if ('key' in request) request.key.fill(0)
  }
}

function serve(send: (message: NumberedAnswer, sent: () => void) => void): void {
  process.on('message', ({ id, request }: NumberedRequest) => {
    void answer(request).then((given) => {
      send({ id, answer: given }, () => {
        if (given.ok) given.bytes?.fill(0)
      })
    })
  })
  process.once('disconnect', () => {
    try {
      loaded?.module.finalize()
    } finally {
      process.exit()
    }
  })
  // The terminal's interrupt is for the server, which lets calls finish.
  process.on('SIGINT', () => undefined)
}

if (process.send !== undefined) serve(process.send.bind(process) as Parameters<typeof serve>[0])
