// Reading decisions from a stream without holding it: line by line, each of bounded length, and by content either one JSON document or a line
// each (NDJSON). Bytes stay bytes until a line is whole, and text that is not UTF-8 is refused, not mended: it would not be what was sent.
import { fromUtf8, join } from '../base/bytes.ts'

/** A line, or a document of several, with the number of its first line. */
export interface Line {
  readonly number: number
  /** Null when it is longer than allowed. */
  readonly bytes: Uint8Array | null
}

const newline = 0x0a

/** The lines of a stream without their line feeds. */
export async function* readLines(
  input: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Line, void, undefined> {
  let number = 1
  let parts: Uint8Array[] = []
  let length = 0
  const take = (part: Uint8Array): void => {
    length += part.length
    if (length <= maxBytes) parts.push(part)
    else parts = []
  }
  const line = (): Line => {
    const whole = { number: number++, bytes: length <= maxBytes ? join(parts) : null }
    parts = []
    length = 0
    return whole
  }
  for await (const chunk of input) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      take(chunk.subarray(start, end))
      start = end + 1
      yield line()
    }
    take(chunk.subarray(start))
  }
  if (length > 0) yield line()
}

/** The text of a line without blanks and byte order mark around it, or undefined when it is not UTF-8. */
export function textOf(bytes: Uint8Array): string | undefined {
  try {
    return fromUtf8(bytes).trim()
  } catch {
    return undefined
  }
}

function isJsonObject({ bytes }: Line): boolean {
  try {
    const value: unknown = JSON.parse((bytes === null ? '' : textOf(bytes)) ?? '')
    return typeof value === 'object' && value !== null && !Array.isArray(value)
  } catch {
    return false
  }
}

const isBlank = ({ bytes }: Line): boolean => bytes !== null && textOf(bytes) === ''

/** One document out of lines that are none each. */
function joined(lines: readonly Line[]): readonly Line[] {
  const parts = lines.flatMap(({ bytes }) =>
    bytes === null ? [] : [bytes, Uint8Array.of(newline)],
  )
  const whole = { number: lines[0]?.number ?? 1, bytes: join(parts) }
  // A document that is broken is one mistake, not as many as it has lines; a broken line among good ones is its own.
  return isJsonObject(whole) || !lines.some(isJsonObject)
    ? [whole]
    : lines.filter((line) => !isBlank(line))
}

/** The documents of a stream: one when it is one JSON text, else one a line, blank ones left out. */
export async function* readDocuments(
  input: AsyncIterable<Uint8Array>,
  maxBytes: number,
): AsyncGenerator<Line, void, undefined> {
  // Lines that may still turn out to be one document; undefined once that is settled.
  let held: Line[] | undefined = []
  let heldBytes = 0
  for await (const line of readLines(input, maxBytes)) {
    if (held === undefined) {
      if (!isBlank(line)) yield line
      continue
    }
    if (held.length === 0 && isBlank(line)) continue
    heldBytes += (line.bytes?.length ?? maxBytes) + 1
    const first = held.length === 0
    held.push(line)
    if (heldBytes <= maxBytes && !(first && isJsonObject(line))) continue
    for (const each of held) if (!isBlank(each)) yield each
    held = undefined
  }
  if (held !== undefined && held.length > 0) yield* joined(held)
}
