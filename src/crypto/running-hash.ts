// A hash over bytes that come in pieces: node:crypto where it is, noble elsewhere.
import { sha256 } from '@noble/hashes/sha2.js'
import { native, plain } from './native.ts'

/** A hash that is fed piece by piece and told once. */
export interface RunningHash {
  update(bytes: Uint8Array): void
  digest(): Uint8Array
}

/** SHA-256 by noble. */
export function portableRunningSha256(): RunningHash {
  const hash = sha256.create()
  return {
    update(bytes) {
      hash.update(bytes)
    },
    digest: () => hash.digest(),
  }
}

/** SHA-256 of what it is fed, 32 bytes. */
export function runningSha256(): RunningHash {
  if (native === undefined) return portableRunningSha256()
  const hash = native.createHash('sha256')
  return {
    update(bytes) {
      hash.update(bytes)
    },
    digest: () => plain(hash.digest()),
  }
}
