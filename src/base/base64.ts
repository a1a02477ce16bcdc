// RFC 4648 base64, standard (§4, padded) and url (§5, unpadded). Decoding is strict: one byte string has one text, so that a changed character
// is never a harmless one.
import { hasBuffer, viewAsBuffer } from './bytes.ts'

/** Standard padded base64 of bytes. */
export function encodeBase64(bytes: Uint8Array): string {
  if (hasBuffer) return viewAsBuffer(bytes).toString('base64')
  let binary = ''
  for (const byte of bytes) binary += String.fromCharCode(byte)
  return btoa(binary)
}

/** The bytes of standard padded base64, or undefined when the text is not exactly what {@link encodeBase64} gives. */
export function decodeBase64(text: string): Uint8Array | undefined {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  const bytes = hasBuffer
    ? new Uint8Array(Buffer.from(text, 'base64'))
    : Uint8Array.from(atob(text), (char) => char.charCodeAt(0))
  // Bits behind the last byte must be zero, or two texts would stand for the same bytes.
  return encodeBase64(bytes) === text ? bytes : undefined
}

/** Unpadded base64url of bytes. */
export const encodeBase64Url = (bytes: Uint8Array): string =>
  encodeBase64(bytes).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '')

/** The bytes of unpadded base64url, or undefined when the text is not exactly what {@link encodeBase64Url} gives. */
export function decodeBase64Url(text: string): Uint8Array | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined
  const standard = text.replaceAll('-', '+').replaceAll('_', '/')
  return decodeBase64(standard.padEnd(Math.ceil(standard.length / 4) * 4, '='))
}
