// The value of an environment KEK: 32 random bytes in unpadded base64url. A passphrase, a hex string and a placeholder are refused, because
// nobody could tell afterwards that all evidence keys hung on something guessable. No message shows any part of a value.
import { encodeBase64Url } from '../base/base64.ts'
import { utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import { privateBytes } from '../crypto/private-bytes.ts'
import { Secret } from '../crypto/secret.ts'

const keyBytes = 32
const minDistinctBytes = 16

const alphabet = utf8('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')

/** The bytes of base64url text, or undefined. Unlike base64.ts it makes no string of what is secret. */
function decode(text: Uint8Array): Uint8Array | undefined {
  if (text.length % 4 === 1) return undefined
  const out = privateBytes(Math.floor((text.length * 3) / 4))
  let bits = 0
  let held = 0
  let at = 0
  for (const char of text) {
    const digit = alphabet.indexOf(char)
    if (digit < 0) return undefined
    bits = ((bits << 6) | digit) & 0xfff
    held += 6
    if (held < 8) continue
    held -= 8
    out[at++] = bits >>> held
  }
  return (bits & ((1 << held) - 1)) === 0 ? out : undefined
}

/** How many different bytes there are. A Set would keep the bytes in their order, where nothing wipes them. */
function countDistinct(bytes: Uint8Array): number {
  const seen = privateBytes(256)
  for (const byte of bytes) seen[byte] = 1
  const count = seen.reduce((sum, one) => sum + one, 0)
  seen.fill(0)
  return count
}

/** Why bytes are no key, or undefined. */
function weakness(bytes: Uint8Array): string | undefined {
  if (bytes.length !== keyBytes) return `has another length than ${keyBytes} bytes: ${bytes.length}`
  if (countDistinct(bytes) < minDistinctBytes)
    return `has fewer than ${minDistinctBytes} distinct bytes, so it is not random`
  if (bytes.every((byte) => byte >= 0x20 && byte <= 0x7e))
    return 'is all printable ASCII, so it is text and not random'
  return undefined
}

/**
 * The key of its text; `source` names the setting in messages.
 * @throws {@link Failure} CONFIG_INVALID saying which rule the value breaks
 */
export function parseEnvironmentKek(text: Uint8Array, source: string): Secret {
  const bytes = decode(text)
  if (bytes === undefined)
    throw new Failure('CONFIG_INVALID', `${source} is not unpadded base64url`)
  const why = weakness(bytes)
  if (why === undefined) return new Secret(bytes)
  bytes.fill(0)
  throw new Failure('CONFIG_INVALID', `${source} ${why}`)
}

/** A new environment KEK as text, 43 characters. */
export function generateEnvironmentKek(): string {
  for (;;) {
    const bytes = randomBytes(keyBytes)
    const text = encodeBase64Url(bytes)
    const why = weakness(bytes)
    bytes.fill(0)
    if (why === undefined) return text
  }
}
