// RFC 9562 UUIDs. Version 7, because ids that sort by time keep the database's pages together.
import { encodeHex } from './bytes.ts'

const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/

/** The UUIDv7 (RFC 9562 §5.7) of a time in ms since 1970 and 10 random bytes. */
export function uuidv7(timeMs: number, random: Uint8Array): string {
  const time = timeMs.toString(16).padStart(12, '0')
  const tail = random.slice(0, 10)
  tail[0] = ((tail[0] ?? 0) & 0x0f) | 0x70
  tail[2] = ((tail[2] ?? 0) & 0x3f) | 0x80
  const hex = time + encodeHex(tail)
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Whether a text is a UUID in lower case, of any version. */
export const isUuid = (text: string): boolean => pattern.test(text)
