// The one seam between the rooms that run anywhere and node:crypto. A browser has no `process`, so `native` is undefined there and every
// algorithm takes its portable path; the two are tested against each other.
import type * as NodeCrypto from 'node:crypto'

export type { KeyObject } from 'node:crypto'

/** The module node:crypto. */
export type NativeCrypto = typeof NodeCrypto

interface Host {
  readonly process?: { readonly getBuiltinModule?: (id: 'node:crypto') => NativeCrypto | undefined }
}

/** node:crypto where the program runs in Node, else undefined. */
export const native: NativeCrypto | undefined = (
  globalThis as unknown as Host
).process?.getBuiltinModule?.('node:crypto')

/** The same bytes as a plain Uint8Array; a Buffer's `slice` shares memory, ours must not surprise. */
export const plain = (bytes: Uint8Array): Uint8Array =>
  new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
