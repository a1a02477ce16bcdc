// Hashes, MACs, HKDF and randomness: node:crypto where it is, noble elsewhere.
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import * as sha2 from '@noble/hashes/sha2.js'
import { concat } from '../base/bytes.ts'
import { invariant } from '../base/failure.ts'
import { native, plain, type NativeCrypto } from './native.ts'
import { privateBytes } from './private-bytes.ts'

type Parts = readonly Uint8Array[]

/** One way to compute what this file offers. */
export interface HashEngine {
  sha256(...parts: Parts): Uint8Array
  sha512(...parts: Parts): Uint8Array
  hmacSha256(key: Uint8Array, ...parts: Parts): Uint8Array
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array
  equalConstantTime(a: Uint8Array, b: Uint8Array): boolean
}

function nativeDigest(crypto: NativeCrypto, algorithm: string, parts: Parts): Uint8Array {
  const [only] = parts
  if (parts.length === 1 && only !== undefined) return plain(crypto.hash(algorithm, only, 'buffer'))
  const hash = crypto.createHash(algorithm)
  for (const part of parts) hash.update(part)
  return plain(hash.digest())
}

const nativeEngine = (crypto: NativeCrypto): HashEngine => ({
  sha256: (...parts) => nativeDigest(crypto, 'sha256', parts),
  sha512: (...parts) => nativeDigest(crypto, 'sha512', parts),
  hmacSha256(key, ...parts) {
    const mac = crypto.createHmac('sha256', key)
    for (const part of parts) mac.update(part)
    return plain(mac.digest())
  },
  hkdfSha256: (ikm, salt, info, length) =>
    new Uint8Array(crypto.hkdfSync('sha256', ikm, salt, info, length)),
  equalConstantTime: (a, b) => a.length === b.length && crypto.timingSafeEqual(a, b),
})

/** The hashes by node:crypto, where it is. */
export const nativeHashes: HashEngine | undefined =
  native === undefined ? undefined : nativeEngine(native)

/** The hashes by noble. */
export const portableHashes: HashEngine = {
  sha256: (...parts) => sha2.sha256(concat(...parts)),
  sha512: (...parts) => sha2.sha512(concat(...parts)),
  hmacSha256: (key, ...parts) => hmac(sha2.sha256, key, concat(...parts)),
  hkdfSha256: (ikm, salt, info, length) => hkdf(sha2.sha256, ikm, salt, info, length),
  equalConstantTime(a, b) {
    if (a.length !== b.length) return false
    let difference = 0
    for (let i = 0; i < a.length; i++) difference |= (a[i] ?? 0) ^ (b[i] ?? 0)
    return difference === 0
  },
}

const engine = nativeHashes ?? portableHashes

/** SHA-256 of the parts in order, 32 bytes. */
export const sha256 = (...parts: Parts): Uint8Array => engine.sha256(...parts)

/** SHA-512 of the parts in order, 64 bytes. */
export const sha512 = (...parts: Parts): Uint8Array => engine.sha512(...parts)

/** HMAC-SHA-256 of the parts in order, 32 bytes. */
export const hmacSha256 = (key: Uint8Array, ...parts: Parts): Uint8Array =>
  engine.hmacSha256(key, ...parts)

/** HKDF-SHA-256 (RFC 5869), `length` ≤ 8160 bytes. */
export const hkdfSha256 = (
  ikm: Uint8Array,
  salt: Uint8Array,
  info: Uint8Array,
  length: number,
): Uint8Array => engine.hkdfSha256(ikm, salt, info, length)

/** Whether two arrays hold the same bytes, in time that depends on the length only. */
export const equalConstantTime = (a: Uint8Array, b: Uint8Array): boolean =>
  engine.equalConstantTime(a, b)

/** Bytes of the system's random generator in a buffer of their own, at most 65536. */
export const randomBytes = (length: number): Uint8Array =>
  globalThis.crypto.getRandomValues(privateBytes(length))

const stock = new Uint8Array(4096)
let drawn = stock.length

/**
 * Random bytes for ids and salts, at most 64, cut from a stock that is filled at once: asking the system for each costs as much as hashing 1 kB. No
 * byte is given twice or stays in the stock. Keys are made of {@link randomBytes}.
 */
export function randomNonce(length: number): Uint8Array {
  invariant(length <= 64, `Longer than an id or a salt: ${length}`)
  if (drawn + length > stock.length) {
    globalThis.crypto.getRandomValues(stock)
    drawn = 0
  }
  const cut = stock.slice(drawn, drawn + length)
  stock.fill(0, drawn, drawn + length)
  drawn += length
  return cut
}
