// The port to whatever holds the key-encryption key: a KMS, an HSM, the environment, memory. It wraps 32-byte data keys and nothing else.
//
// A provider must bind the whole context to what it wraps, or make up for it by giving the context to nobody else; must never replace a failing
// key by another; must answer a blob it did not make, a changed blob and a changed context with the one opaque code OPEN_FAILED; and must never
// put key material, a PIN or a blob into an error, a log line or a metric.
import type { Secret } from '../crypto/secret.ts'

/** The kinds of provider, strongest first: the order of `auto`; `passphrase` is opened by hand and never configured. */
export const kekKinds = Object.freeze([
  'kms',
  'hsm',
  'environment',
  'memory',
  'passphrase',
] as const)

/** A kind of provider. */
export type KekKind = (typeof kekKinds)[number]

/** What a wrapped key is bound to; `slot` and `header` make a blob useless in any other place. */
export interface KekContext {
  /** Hex SHA-256 of the JCS header. */
  readonly header: string
  /** Id of the slot (UUID). */
  readonly slot: string
  readonly purpose: string
}

/** A wrapped data key and what is needed to find the way back. */
export interface WrappedKey {
  /** Identity of the wrapping key, as the provider names it. */
  readonly kekId: string
  /** How it was wrapped, for instance `AES-256-GCM`. */
  readonly mechanism: string
  readonly blob: Uint8Array
}

/** What can be told of a provider to anybody who may see its configuration. */
export interface KekMetadata {
  readonly kind: KekKind
  readonly kekId: string
  readonly mechanism: string
  /** Whether the key lives in hardware. */
  readonly hardware: boolean
  /** Whether the key can leave the provider. */
  readonly extractable: boolean
  /** Whether it survives a restart of the process. */
  readonly durable: boolean
}

/** A provider that is ready to be asked. */
export interface KekProvider {
  readonly metadata: KekMetadata
  /**
   * Wraps a 32-byte data key under the provider's key, bound to the context.
   * @throws {@link Failure} KEK_UNAVAILABLE, KEK_DENIED, KEK_KEY_MISSING, KEK_KEY_DISABLED
   */
  wrap(dataKey: Secret, context: KekContext): Promise<WrappedKey>
  /**
   * Gives back exactly what was wrapped.
   * @throws {@link Failure} OPEN_FAILED when blob, kekId, mechanism or context is not what was wrapped; KEK_* as for wrap
   */
  unwrap(wrapped: WrappedKey, context: KekContext): Promise<Secret>
  /** Resolves when the provider can wrap and unwrap now; rejects with the failure that a caller would meet. */
  probe(): Promise<void>
  close(): Promise<void>
}
