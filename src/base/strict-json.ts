// JSON from strangers, read so that what we sign is what was sent: no duplicate names, no `__proto__`, no integer that parsing would round, no
// number that overflows, and no nesting that would exhaust the stack later. One scan of the text, then JSON.parse, then one walk.
import { Failure } from './failure.ts'
import { limits } from './limits.ts'
import type { Json } from './canonical-json.ts'

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const MINUS = 0x2d

const malformed = (message: string, cause?: unknown): Failure =>
  new Failure('INPUT_MALFORMED', message, { cause })

/** Index just behind the string that opens at `at`. */
function skipString(text: string, at: number): number {
  for (let i = at + 1; ;) {
    const end = text.indexOf('"', i)
    if (end < 0) throw malformed('Unterminated string')
    let slashes = 0
    while (text.charCodeAt(end - 1 - slashes) === BACKSLASH && end - 1 - slashes > at) slashes++
    if (slashes % 2 === 0) return end + 1
    i = end + 1
  }
}

/** Index just behind the number that opens at `at`; refuses an integer literal beyond ±(2^53−1). */
function skipNumber(text: string, at: number): number {
  let end = at + 1
  let integer = true
  for (; end < text.length; end++) {
    const char = text.charCodeAt(end)
    if (char >= 0x30 && char <= 0x39) continue
    if (char === 0x2e || char === 0x65 || char === 0x45) integer = false
    else if (char !== 0x2b && char !== MINUS) break
  }
  const literal = text.slice(at, end)
  if (integer && end - at > 15 && !Number.isSafeInteger(Number(literal)))
    throw new Failure(
      'INPUT_INVALID',
      `Integer beyond 2^53-1, send it as a string: ${literal.slice(0, 40)}`,
    )
  return end
}

/** Counts the members (colons outside strings) while it checks depth and integer literals. */
function scan(text: string, maxDepth: number): number {
  let members = 0
  let depth = 0
  for (let i = 0; i < text.length;) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) {
      i = skipString(text, i)
      continue
    }
    if ((char >= 0x30 && char <= 0x39) || char === MINUS) {
      i = skipNumber(text, i)
      continue
    }
    if (char === COLON) members++
    else if (char === 0x7b || char === 0x5b) {
      if (++depth > maxDepth) throw malformed(`Nested deeper than ${maxDepth} levels`)
    } else if (char === 0x7d || char === 0x5d) depth--
    i++
  }
  return members
}

/** Counts the members of the parsed value; refuses `__proto__` and numbers that overflowed. */
function count(value: unknown, path: string): number {
  if (typeof value === 'number' && !Number.isFinite(value))
    throw new Failure('INPUT_INVALID', `Number overflows at ${path}`, { field: path })
  if (typeof value !== 'object' || value === null) return 0
  let members = 0
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const item: unknown = value[i]
      if (typeof item === 'object' || typeof item === 'number')
        members += count(item, `${path}/${i}`)
    }
    return members
  }
  const object = value as Record<string, unknown>
  for (const name of Object.keys(object)) {
    if (name === '__proto__')
      throw new Failure('INPUT_INVALID', `Name is not allowed: __proto__ at ${path}/__proto__`, {
        field: `${path}/__proto__`,
      })
    const member = object[name]
    members++
    if (typeof member === 'object' || typeof member === 'number')
      members += count(member, `${path}/${name}`)
  }
  return members
}

/** The first name that stands twice in one object of a well-formed text: only walked once a text is known to have one. */
function findDuplicate(text: string): string {
  const open: Set<string>[] = []
  for (let i = 0; i < text.length;) {
    const char = text.charCodeAt(i)
    if (char === QUOTE) {
      const end = skipString(text, i)
      if (/^\s*:/.test(text.slice(end, end + 64))) {
        const name = String(JSON.parse(text.slice(i, end)))
        const names = open.at(-1)
        if (names?.has(name) === true) return name
        names?.add(name)
      }
      i = end
      continue
    }
    if (char === 0x7b || char === 0x5b) open.push(new Set())
    else if (char === 0x7d || char === 0x5d) open.pop()
    i++
  }
  return '?'
}

/**
 * The value of a JSON text (RFC 8259, names unique as in RFC 7493), at most 64 levels deep unless told otherwise.
 * @throws {@link Failure} INPUT_MALFORMED when it is not JSON, INPUT_INVALID when a value in it cannot be kept as sent
 */
export function parseStrictJson(text: string, maxDepth: number = limits.jsonDepth): Json {
  const members = scan(text, maxDepth)
  let value: Json
  try {
    value = JSON.parse(text) as Json
  } catch (cause) {
    // The parser's own message quotes the input, which may hold what must not be logged.
    throw malformed('Text is not JSON', cause instanceof SyntaxError ? undefined : cause)
  }
  if (count(value, '') !== members) {
    const name = findDuplicate(text).slice(0, 100)
    throw new Failure('INPUT_INVALID', `Duplicate name: ${JSON.stringify(name)}`, { field: name })
  }
  return value
}
