// JSON from strangers, read so that what we sign is what was sent: no duplicate names, no `__proto__`, no integer that parsing would round, no
// number that overflows or is lost to zero, and no nesting that would exhaust the stack later. One scan of the text, then JSON.parse, then one walk.
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

/** What is wrong with a literal that is well-formed, or undefined. */
function literalProblem(literal: string, integer: boolean): string | undefined {
  if (integer)
    return literal.length > 15 && !Number.isSafeInteger(Number(literal))
      ? 'Integer beyond 2^53-1'
      : undefined
  // What is shorter and has no exponent is far from the smallest number.
  const mayVanish = literal.length > 300 || /e/i.test(literal)
  return mayVanish && Number(literal) === 0 && /^-?[0.]*[1-9]/.test(literal)
    ? 'Number too small'
    : undefined
}

/** Index just behind the number that opens at `at`; refuses an integer literal beyond ±(2^53−1), and one that is not zero but would become it. */
function skipNumber(text: string, at: number): number {
  let end = at + 1
  let integer = true
  for (; end < text.length; end++) {
    const char = text.charCodeAt(end)
    if (char >= 0x30 && char <= 0x39) continue
    if (char === 0x2e || char === 0x65 || char === 0x45) integer = false
    else if (char !== 0x2b && char !== MINUS) break
  }
  if (integer && end - at <= 15) return end
  const literal = text.slice(at, end)
  const problem = literalProblem(literal, integer)
  if (problem !== undefined)
    throw new Failure('INPUT_INVALID', `${problem}, send it as a string: ${literal.slice(0, 40)}`, {
      field: walk(text, at).path,
    })
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

function refuse(what: string, path: string): never {
  throw new Failure('INPUT_INVALID', `${what} at ${path === '' ? '/' : path}`, { field: path })
}

/** Counts the members of the parsed value; refuses `__proto__` and numbers that overflowed. */
function count(value: unknown, path: string): number {
  if (typeof value === 'number' && !Number.isFinite(value)) refuse('Number overflows', path)
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
    if (name === '__proto__') refuse('Name is not allowed: __proto__', `${path}/__proto__`)
    const member = object[name]
    members++
    if (typeof member === 'object' || typeof member === 'number')
      members += count(member, `${path}/${name}`)
  }
  return members
}

/** An array or object that is open where a walk stands; `at` is the item or member that it is in. */
interface Open {
  readonly names: Set<string>
  readonly isArray: boolean
  at: string | number
}

/** The name of the string from `start` to `end`, or undefined when it is none, or not even JSON. */
function nameAt(text: string, start: number, end: number): string | undefined {
  let next = end
  while (' \t\n\r'.includes(text.charAt(next)) && next < text.length) next++
  if (text.charCodeAt(next) !== COLON) return undefined
  try {
    return String(JSON.parse(text.slice(start, end)))
  } catch {
    return undefined
  }
}

/**
 * Walks a text again, to an offset or to the first name that stands twice in one object: only what is known to be refused is walked.
 * The text may still turn out not to be JSON.
 */
function walk(text: string, until: number): { readonly path: string; readonly twice?: string } {
  const open: Open[] = []
  const path = (): string => open.map(({ at }) => `/${at}`).join('')
  for (let i = 0; i < until;) {
    const char = text.charCodeAt(i)
    const top = open.at(-1)
    if (char === QUOTE) {
      const end = skipString(text, i)
      const name = nameAt(text, i, end)
      if (name !== undefined && top !== undefined) {
        top.at = name
        if (top.names.has(name)) return { path: path(), twice: name }
        top.names.add(name)
      }
      i = end
      continue
    }
    if (char === 0x7b || char === 0x5b)
      open.push({ at: char === 0x5b ? 0 : '', isArray: char === 0x5b, names: new Set() })
    else if (char === 0x7d || char === 0x5d) open.pop()
    else if (char === 0x2c && top?.isArray === true) top.at = Number(top.at) + 1
    i++
  }
  return { path: path() }
}

/**
 * The value of a JSON text (RFC 8259, names unique as in RFC 7493), at most 64 levels deep unless told otherwise.
 * @throws {@link Failure} INPUT_MALFORMED when it is not JSON, INPUT_INVALID naming the path of a value that cannot be kept as sent
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
    const { path, twice = '?' } = walk(text, text.length)
    throw new Failure('INPUT_INVALID', `Duplicate name: ${JSON.stringify(twice.slice(0, 100))}`, {
      field: path,
    })
  }
  return value
}
