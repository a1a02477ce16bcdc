// The key provider behind PKCS#11: an AES key that never leaves its token wraps an inner key for each blob (hsm-envelope.ts). Modules are native,
// synchronous and made by others: they run in children (hsm-child.ts) that may crash or hang without the server noticing more than a failure.
import { concat } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { Secret } from '../crypto/secret.ts'
import {
  associatedData,
  notOpened,
  openEnvelope,
  parseEnvelope,
  sealEnvelope,
} from './hsm-envelope.ts'
import { failureOf } from './hsm-faults.ts'
import type { HsmAnswer, HsmIdentity, HsmPlace } from './hsm-messages.ts'
import { HsmPool, hsmPoolDefaults, type HsmPoolOptions } from './hsm-pool.ts'
import { HsmProcess } from './hsm-process.ts'
import { readSecretFile } from './kek-file.ts'
import type { KekContext, KekMetadata, KekProvider, WrappedKey } from './kek.ts'

export type { HsmPlace } from './hsm-messages.ts'

/** The settings of the provider. */
export interface HsmSettings extends HsmPlace {
  /** COUNTERSIGN_HSM_PIN_FILE, mode 0600; without it the PIN is given by hand. */
  readonly pinFile?: string | undefined
}

const keyBytes = 32

/** What a child may know of the settings. */
const placeOf = ({ keyId, keyLabel, module, tokenLabel }: HsmPlace): HsmPlace =>
  Object.freeze({ keyId, keyLabel, module, tokenLabel })

/** Wraps by a key on a token. Nothing is started before the first call. */
export class HsmKek implements KekProvider {
  readonly metadata: KekMetadata
  readonly #pool: HsmPool

  /** Owns the PIN from here on. */
  constructor(place: HsmPlace, pin: Secret, options: HsmPoolOptions = hsmPoolDefaults) {
    const pool = new HsmPool(placeOf(place), pin, options)
    this.#pool = pool
    // Read when asked: what the key is called is known once the token was opened.
    this.metadata = Object.freeze({
      kind: 'hsm' as const,
      extractable: false,
      durable: true,
      get kekId() {
        return pool.identity?.kekId ?? `hsm:${place.tokenLabel}/${place.keyLabel}`
      },
      get mechanism() {
        return pool.identity?.mechanism ?? 'PKCS#11'
      },
      get hardware() {
        return pool.identity?.hardware ?? false
      },
    })
  }

  /** Process ids of the children that are alive. */
  get pids(): readonly number[] {
    return this.#pool.pids
  }

  async wrap(dataKey: Secret, context: KekContext): Promise<WrappedKey> {
    invariant(dataKey.length === keyBytes, `Data key must have 32 bytes: ${dataKey.length}`)
    using inner = Secret.random(keyBytes)
    const aad = associatedData(context)
    const wrapped = await inner.useAsync((key) => this.#pool.run({ op: 'wrap', key, aad }))
    const { kekId, mechanism } = await this.#identity()
    invariant(wrapped !== undefined, 'HSM child gave no wrapped key')
    const blob = sealEnvelope(inner, wrapped, { context, kekId, mechanism }, dataKey)
    return { kekId, mechanism, blob }
  }

  async unwrap({ blob, kekId, mechanism }: WrappedKey, context: KekContext): Promise<Secret> {
    const until = this.#pool.deadline()
    const identity = await this.#identity(until)
    if (kekId !== identity.kekId) throw notOpened()
    const envelope = parseEnvelope({ blob, mechanism })
    const aad = associatedData(context)
    const wrapped = concat(envelope.wrapped)
    const key = await this.#pool.run({ op: 'unwrap', aad, mechanism, wrapped }, until)
    invariant(key !== undefined, 'HSM child gave no key')
    using inner = new Secret(key)
    return openEnvelope(inner, envelope, { context, kekId, mechanism })
  }

  async probe(): Promise<void> {
    await this.#pool.run({ op: 'probe' })
  }

  close(): Promise<void> {
    return this.#pool.close()
  }

  /** The key that the first child found; all others must find the same. */
  async #identity(until = this.#pool.deadline()): Promise<HsmIdentity> {
    if (this.#pool.identity === undefined || this.#pool.isClosed)
      await this.#pool.run({ op: 'canary' }, until)
    const { identity } = this.#pool
    invariant(identity !== undefined, 'HSM was opened without an identity')
    return identity
  }
}

/** The PIN: of the file where one is named, else `pin`, which is then owned by the caller no more. */
function choosePin({ pinFile }: HsmSettings, pin: Secret | undefined): Secret {
  if (pinFile === undefined) {
    if (pin !== undefined) return pin.part(0)
    throw new Failure('CONFIG_INVALID', 'HSM has no PIN: set COUNTERSIGN_HSM_PIN_FILE')
  }
  if (pin === undefined) return readSecretFile(pinFile, 'COUNTERSIGN_HSM_PIN_FILE')
  throw new Failure(
    'CONFIG_INVALID',
    'Both COUNTERSIGN_HSM_PIN_FILE and COUNTERSIGN_HSM_PIN are set, and only one can be meant',
  )
}

/**
 * The provider of a token; the token is not asked yet. `pin` is copied.
 * @throws {@link Failure} CONFIG_INVALID when there is no PIN, two, or a file of it that others may read
 */
export const createHsmKek = (
  settings: HsmSettings,
  pin: Secret | undefined,
  options: Partial<HsmPoolOptions> = {},
): HsmKek => new HsmKek(settings, choosePin(settings, pin), { ...hsmPoolDefaults, ...options })

/** A key that was made on a token. */
export interface MadeHsmKey {
  readonly kekId: string
  readonly mechanism: string
  readonly hardware: boolean
}

/** Why no key was made, as far as is known. */
function notMade({ begun, fault }: HsmAnswer & { ok: false }): Failure {
  const failure = failureOf(fault)
  const isKnown = fault.type !== 'hang' && fault.type !== 'exit' && begun !== true
  if (isKnown) return failure
  const what = 'The key may have been made: run it again, INPUT_EXISTS then says that it was'
  return new Failure(failure.code, `${failure.message}. ${what}`)
}

/**
 * Makes the key-encryption key: AES-256, neither extractable nor readable, for wrapping or for encrypting but never both. `any` takes wrapping where
 * the token can.
 * @throws {@link Failure} INPUT_EXISTS when the token has a key of that label, KEK_*, CONFIG_INVALID
 */
export async function initHsmKey(
  settings: HsmSettings,
  pin: Secret | undefined,
  by: 'wrap' | 'encrypt' | 'any' = 'any',
  timeoutMs = 3 * hsmPoolDefaults.openTimeoutMs,
): Promise<MadeHsmKey> {
  using chosen = choosePin(settings, pin)
  const child = new HsmProcess(() => undefined)
  try {
    const place = placeOf(settings)
    const answer = await chosen.useAsync((bytes) =>
      child.ask({ op: 'create', by, pin: bytes, place }, timeoutMs),
    )
    if (!answer.ok) throw notMade(answer)
    invariant(answer.identity !== undefined, 'HSM child made a key without an identity')
    const { hardware, kekId, mechanism } = answer.identity
    return { hardware, kekId, mechanism }
  } finally {
    await child.close(hsmPoolDefaults.closeMs)
  }
}
