// A provider whose key lies in this process: AES-256-GCM under a random nonce, the whole context as associated data. Memory and environment are
// this, with keys of different origin. A blob is nonce (12) ‖ ciphertext (32) ‖ tag (16).
import { canonicalBytes } from '../base/canonical-json.ts'
import { concat } from '../base/bytes.ts'
import { Failure, invariant } from '../base/failure.ts'
import { openAesGcm, sealAesGcm } from '../crypto/aead.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import type { KekContext, KekKind, KekMetadata, KekProvider, WrappedKey } from './kek.ts'

const mechanism = 'AES-256-GCM'
const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16

/** What is particular to one such provider. */
export interface AesGcmKekOptions {
  readonly kind: KekKind
  readonly kekId: string
  readonly extractable: boolean
  readonly durable: boolean
}

/** Wraps by a 32-byte key that it owns; after `close` every call is KEK_UNAVAILABLE. */
export class AesGcmKek implements KekProvider {
  readonly metadata: KekMetadata
  readonly #key: Secret
  #closed = false

  constructor(key: Secret, options: AesGcmKekOptions) {
    invariant(key.length === keyBytes, `Wrapping key must have 32 bytes: ${key.length}`)
    this.#key = key
    this.metadata = Object.freeze({ ...options, mechanism, hardware: false })
  }

  // Async, so that every failure is a rejection, as it is with a provider across the network.
  // eslint-disable-next-line @typescript-eslint/require-await -- see above
  async wrap(dataKey: Secret, context: KekContext): Promise<WrappedKey> {
    this.#open()
    invariant(dataKey.length === keyBytes, `Data key must have 32 bytes: ${dataKey.length}`)
    const nonce = randomBytes(nonceBytes)
    const sealed = this.#key.use((key) =>
      dataKey.use((plaintext) => sealAesGcm(key, nonce, boundTo(context), plaintext)),
    )
    return { kekId: this.metadata.kekId, mechanism, blob: concat(nonce, sealed) }
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as wrap
  async unwrap(wrapped: WrappedKey, context: KekContext): Promise<Secret> {
    this.#open()
    const { kekId, blob } = wrapped
    const ours = kekId === this.metadata.kekId && wrapped.mechanism === mechanism
    if (!ours || blob.length !== nonceBytes + keyBytes + tagBytes) throw refused()
    const nonce = blob.subarray(0, nonceBytes)
    return this.#key.use(
      (key) => new Secret(openAesGcm(key, nonce, boundTo(context), blob.subarray(nonceBytes))),
    )
  }

  // eslint-disable-next-line @typescript-eslint/require-await -- as wrap
  async probe(): Promise<void> {
    this.#open()
  }

  close(): Promise<void> {
    this.#closed = true
    this.#key.wipe()
    return Promise.resolve()
  }

  #open(): void {
    if (this.#closed)
      throw new Failure('KEK_UNAVAILABLE', `Key provider is closed: ${this.metadata.kind}`)
  }
}

const refused = (): Failure => new Failure('OPEN_FAILED', 'Wrapped key did not open')

// Named one by one: a member that the port does not know must not change what a blob is bound to.
const boundTo = ({ header, slot, purpose }: KekContext): Uint8Array =>
  canonicalBytes({ header, purpose, slot })
