import { encodeHex } from '../base/bytes.ts'
import { randomBytes } from '../crypto/hash.ts'
import { Secret } from '../crypto/secret.ts'
import { AesGcmKek } from './aes-gcm-kek.ts'
import type { KekProvider } from './kek.ts'

/** A provider with a key made now that dies with the process: for trying things out, and for tests. */
export const createMemoryKek = (): KekProvider =>
  new AesGcmKek(Secret.random(32), {
    kind: 'memory',
    kekId: `memory-${encodeHex(randomBytes(16))}`,
    extractable: false,
    durable: false,
  })
