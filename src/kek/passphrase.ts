// The break-glass provider: a passphrase on paper. scrypt (RFC 7914) makes a wrapping key of it, AES-256-GCM wraps under that. No node is configured
// with it; somebody types it. A blob is format (1), log2 N (1), r (1), p (1), salt (16) and then what AesGcmKek makes. The parameters are those of
// the format and no others, so that a forged blob cannot make opening it cost more.
import { scrypt } from 'node:crypto'
import { concat, encodeHex, equalBytes } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import { AesGcmKek } from './aes-gcm-kek.ts'
import type { KekContext, KekMetadata, KekProvider, WrappedKey } from './kek.ts'
import { parsePassphrase } from './passphrase-text.ts'

const mechanism = 'scrypt+AES-256-GCM'
const log2N = 17
const r = 8
const p = 1
const prefix = Uint8Array.of(1, log2N, r, p)
const saltBytes = 16
const headBytes = prefix.length + saltBytes
/** 128 MiB are used; what OpenSSL adds to that is small. */
const maxmem = 2 ** 28

const refused = (): Failure => new Failure('OPEN_FAILED', 'Wrapped key did not open')

/** Names the derivation and not what is derived: whoever reads it learns the salt, which stands in the blob. */
const nameOf = (salt: Uint8Array): string => `passphrase-${encodeHex(salt)}`

const derive = (passphrase: Secret, salt: Uint8Array): Promise<Secret> =>
  passphrase.useAsync(
    (password) =>
      new Promise((resolve, reject) => {
        scrypt(password, salt, 32, { N: 2 ** log2N, r, p, maxmem }, (error, key) => {
          if (error === null) resolve(new Secret(key))
          // For want of memory, most likely.
          else reject(new Failure('KEK_UNAVAILABLE', 'scrypt did not run', { cause: error }))
        })
      }),
  )

/** Wraps under one salt and opens what was wrapped under any, deriving once for each. */
class PassphraseKek implements KekProvider {
  readonly metadata: KekMetadata
  readonly #passphrase: Secret
  readonly #salt: Uint8Array
  readonly #derived = new Map<string, Promise<AesGcmKek>>()
  /** The last derivation: one at a time, for each takes 128 MiB. */
  #deriving: Promise<unknown> = Promise.resolve()
  #closed = false

  constructor(passphrase: Secret, salt: Uint8Array) {
    invariant(salt.length === saltBytes, `Salt must have ${saltBytes} bytes: ${salt.length}`)
    this.#passphrase = passphrase
    this.#salt = salt.slice()
    this.metadata = Object.freeze({
      kind: 'passphrase',
      kekId: nameOf(salt),
      mechanism,
      hardware: false,
      extractable: true,
      durable: true,
    })
  }

  async wrap(dataKey: Secret, context: KekContext): Promise<WrappedKey> {
    const salt = this.#salt
    const kek = await this.#kek(salt)
    const { blob } = await kek.wrap(dataKey, context)
    return { kekId: this.metadata.kekId, mechanism, blob: concat(prefix, salt, blob) }
  }

  async unwrap(wrapped: WrappedKey, context: KekContext): Promise<Secret> {
    this.#open()
    const { blob, kekId } = wrapped
    const salt = blob.slice(prefix.length, headBytes)
    const fits =
      wrapped.mechanism === mechanism &&
      equalBytes(blob.subarray(0, prefix.length), prefix) &&
      salt.length === saltBytes &&
      kekId === nameOf(salt)
    if (!fits) throw refused()
    const kek = await this.#kek(salt)
    const inner = { ...wrapped, mechanism: kek.metadata.mechanism, blob: blob.subarray(headBytes) }
    return kek.unwrap(inner, context)
  }

  async probe(): Promise<void> {
    await (await this.#kek(this.#salt)).probe()
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#passphrase.wipe()
    for (const derived of this.#derived.values())
      await derived.then(
        (kek) => kek.close(),
        () => undefined,
      )
  }

  #kek(salt: Uint8Array): Promise<AesGcmKek> {
    const name = nameOf(salt)
    const known = this.#derived.get(name)
    if (known !== undefined) return known
    const derived = this.#deriving.then(() => this.#derive(name, salt))
    this.#deriving = derived.catch(() => undefined)
    this.#derived.set(name, derived)
    derived.catch(() => this.#derived.delete(name))
    return derived
  }

  async #derive(name: string, salt: Uint8Array): Promise<AesGcmKek> {
    this.#open()
    const key = await derive(this.#passphrase, salt)
    const { durable, extractable, kind } = this.metadata
    return new AesGcmKek(key, { durable, extractable, kekId: name, kind })
  }

  #open(): void {
    if (this.#closed) throw new Failure('KEK_UNAVAILABLE', 'Key provider is closed: passphrase')
  }
}

/**
 * The provider of a passphrase that {@link makePassphrase} made; `passphrase` is its text and is wiped, good or not. Nothing is derived before the
 * first call, which then takes about half a second and 128 MiB.
 * @param salt 16 bytes under which it wraps; opening takes the salt of the blob
 * @throws {@link Failure} INPUT_INVALID when the text is none or has a typo
 */
export function createPassphraseKek(
  passphrase: Secret,
  salt: Uint8Array = randomBytes(saltBytes),
): KekProvider {
  try {
    return new PassphraseKek(passphrase.use(parsePassphrase), salt)
  } finally {
    passphrase.wipe()
  }
}
