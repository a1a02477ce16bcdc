// RFC 8785 (JCS): the one text of a JSON value, which is what we hash and sign. It refuses what has no single meaning: NaN and infinities, lone
// surrogates, integers that would print as a literal beyond ±(2^53−1), undefined, and anything that is not plain data.
import { Failure } from './failure.ts'
import { fromUtf8, utf8 } from './bytes.ts'
import { limits } from './limits.ts'
import { parseStrictJson } from './strict-json.ts'

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject
/** A JSON object. */
interface JsonObject {
  readonly [name: string]: Json
}

/** Text that is canonical already and is spliced in as it stands; only for what {@link canonicalize} itself returned. */
export class CanonicalText {
  readonly text: string
  constructor(text: string) {
    this.text = text
  }
}

// Characters that JSON.stringify leaves alone; everything else takes the slow path.
const special = /[\x00-\x1f"\\\x7f-\uffff]/

function refuse(what: string, path: string): never {
  throw new Failure('INPUT_INVALID', `${what} at ${path === '' ? '/' : path}`, { field: path })
}

function writeString(text: string, path: string): string {
  if (!special.test(text)) return `"${text}"`
  // isWellFormed is false exactly for lone surrogates, which have no UTF-8 form.
  if (!text.isWellFormed()) refuse('Lone surrogate', path)
  return JSON.stringify(text)
}

function writeNumber(value: number, path: string): string {
  if (!Number.isFinite(value)) refuse('Number without a JSON form', path)
  const text = Object.is(value, -0) ? '0' : String(value)
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && !text.includes('e'))
    refuse(`Integer beyond 2^53-1, send it as a string: ${text}`, path)
  return text
}

const isPlain = (value: object): boolean => {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null
}

function write(value: unknown, path: string, depth: number): string {
  if (typeof value === 'string') return writeString(value, path)
  if (typeof value === 'number') return writeNumber(value, path)
  if (value === null) return 'null'
  if (typeof value === 'boolean') return value ? 'true' : 'false'
  if (typeof value !== 'object') refuse(`Not a JSON value: ${typeof value}`, path)
  // A container at depth d is the d-th level: what is written can be read again.
  if (depth >= limits.evidenceDepth) refuse(`Nested deeper than ${limits.evidenceDepth}`, path)
  if (Array.isArray(value)) {
    let out = '['
    for (let i = 0; i < value.length; i++)
      out += (i === 0 ? '' : ',') + write(value[i], `${path}/${i}`, depth + 1)
    return out + ']'
  }
  if (value instanceof CanonicalText) return value.text
  if (!isPlain(value)) refuse('Not a plain object', path)
  // Array.prototype.sort without a comparator orders by UTF-16 code units, as §3.2.3 wants.
  const object = value as Record<string, unknown>
  let out = '{'
  let first = true
  for (const name of Object.keys(object).sort()) {
    const member = object[name]
    out +=
      (first ? '' : ',') +
      writeString(name, path) +
      ':' +
      write(member, `${path}/${name}`, depth + 1)
    first = false
  }
  return out + '}'
}

/**
 * The canonical text of a value (RFC 8785).
 * @throws {@link Failure} INPUT_INVALID naming the path of what has no canonical form
 */
export const canonicalize = (value: unknown): string => write(value, '', 0)

/** UTF-8 bytes of {@link canonicalize}. */
export const canonicalBytes = (value: unknown): Uint8Array => utf8(canonicalize(value))

/**
 * The value of bytes that are canonical JSON byte for byte.
 * @throws {@link Failure} INPUT_MALFORMED when they are not JSON, or not the canonical form of their value
 */
export function parseCanonical(bytes: Uint8Array): Json {
  let text: string
  try {
    text = fromUtf8(bytes)
  } catch (cause) {
    throw new Failure('INPUT_MALFORMED', 'Bytes are not UTF-8', { cause })
  }
  const value = parseStrictJson(text, limits.evidenceDepth)
  if (canonicalize(value) !== text)
    throw new Failure('INPUT_MALFORMED', 'JSON is not in canonical form (RFC 8785)')
  return value
}
