// Single characters and classes of them, as a pattern writes them: escapes by letter, by number, and what stands between brackets.
import type { ClassItem } from './pattern-class.ts'
import type { PatternCursor } from './pattern-cursor.ts'
import { invalid, unsupported } from './pattern-flags.ts'

const controls: Readonly<Record<string, number>> = {
  a: 7,
  b: 8,
  f: 12,
  n: 10,
  r: 13,
  t: 9,
  v: 11,
}
const hexLengths: Readonly<Record<string, number>> = { x: 2, u: 4, U: 8 }
const setLetters = 'dDsSwW'

/** Whether the letter behind a backslash stands for a set of characters. */
export const isSetLetter = (char: string): boolean => setLetters.includes(char)

/** The code point of an octal escape. @throws {@link PatternProblem} */
export function parseOctal(digits: string): number {
  const code = Number.parseInt(digits, 8)
  if (code > 0o377) throw invalid('Octal escape beyond 0o377')
  return code
}

/** The code point that an escape stands for; `char` is the one behind the backslash, and is taken. @throws {@link PatternProblem} */
export function readEscaped(cursor: PatternCursor, char: string, inClass: boolean): number {
  const control = char === 'b' && !inClass ? undefined : controls[char]
  if (control !== undefined) return control
  const length = hexLengths[char]
  if (length !== undefined) return readHex(cursor, length)
  if (char === 'N') throw unsupported('Character by name')
  if (char === '0' || (inClass && char >= '1' && char <= '7')) return readOctal(cursor, char)
  if (/^[A-Za-z0-9]$/.test(char)) throw invalid(`Bad escape: ${char}`)
  return char.codePointAt(0) ?? 0
}

function readHex(cursor: PatternCursor, length: number): number {
  const digits = cursor.slice(length)
  if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw invalid('Bad escape')
  cursor.skip(length)
  const code = Number.parseInt(digits, 16)
  if (code > 0x10ffff) throw invalid('Bad escape')
  return code
}

function readOctal(cursor: PatternCursor, first: string): number {
  let digits = first
  while (digits.length < 3 && /^[0-7]$/.test(cursor.peek())) digits += cursor.next()
  return parseOctal(digits)
}

/** The class whose opening bracket was taken; `extended` is for the second dialect. @throws {@link PatternProblem} */
export function readClass(
  cursor: PatternCursor,
  extended: boolean,
): { readonly items: readonly ClassItem[]; readonly negated: boolean } {
  const negated = cursor.accept('^')
  const items: ClassItem[] = []
  for (let first = true; first || cursor.peek() !== ']'; first = false) {
    const from = readMember(cursor, extended)
    if (cursor.peek() !== '-' || cursor.peek(1) === ']') {
      items.push(from)
      continue
    }
    cursor.skip(1)
    const to = readMember(cursor, extended)
    if ('set' in from || 'set' in to || to.from < from.from) throw invalid('Bad character range')
    items.push({ from: from.from, to: to.from })
  }
  cursor.skip(1)
  return { items, negated }
}

function readMember(cursor: PatternCursor, extended: boolean): ClassItem {
  const char = cursor.next()
  if (char === '[' && cursor.peek() === ':' && extended) throw unsupported('POSIX class')
  if (char !== '\\') {
    const code = char.codePointAt(0) ?? 0
    return { from: code, to: code }
  }
  const escaped = cursor.next()
  if (isSetLetter(escaped)) return { set: escaped }
  if (extended && (escaped === 'p' || escaped === 'P')) throw unsupported('Property in a class')
  const code = readEscaped(cursor, escaped, true)
  return { from: code, to: code }
}
