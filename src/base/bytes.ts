// Bytes and their plain encodings. Everything works on Uint8Array, so that it runs in a browser as it does in Node.

const encoder = new TextEncoder()
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** UTF-8 bytes of a string. */
export const utf8 = (text: string): Uint8Array => encoder.encode(text)

/** The string of UTF-8 bytes; throws TypeError on bytes that are not UTF-8. */
export const fromUtf8 = (bytes: Uint8Array): string => decoder.decode(bytes)

/** All parts behind one another in a new array, however many they are. */
export function join(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    out.set(part, at)
    at += part.length
  }
  return out
}

/** As {@link join}, of a few parts: what a stranger counts would be too many arguments. */
export const concat = (...parts: readonly Uint8Array[]): Uint8Array => join(parts)

/** Whether two arrays hold the same bytes. Not for secrets: it stops at the first difference. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** Big-endian 16-bit number, 2 bytes. */
export const u16 = (n: number): Uint8Array => Uint8Array.of((n >>> 8) & 0xff, n & 0xff)

/** Big-endian 64-bit number, 8 bytes; `n` is a non-negative integer, a safe one or a bigint below 2^64. */
export function u64(n: number | bigint): Uint8Array {
  const out = new Uint8Array(8)
  new DataView(out.buffer).setBigUint64(0, BigInt(n))
  return out
}

/** Whether there is Node's Buffer, which encodes 32 bytes in about a third of a loop's time, and 2 kB in a thirtieth. */
export const hasBuffer = 'Buffer' in globalThis

/** The same memory as a Buffer, where {@link hasBuffer}. */
export const viewAsBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

const hexDigits = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))

/** Lower-case hex of bytes. */
export function encodeHex(bytes: Uint8Array): string {
  if (hasBuffer) return viewAsBuffer(bytes).toString('hex')
  let out = ''
  for (const byte of bytes) out += hexDigits[byte] ?? ''
  return out
}

/** The bytes of lower-case hex, or undefined when it is anything else. */
export function decodeHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return undefined
  return Uint8Array.from({ length: text.length / 2 }, (_, i) =>
    Number.parseInt(text.slice(2 * i, 2 * i + 2), 16),
  )
}
