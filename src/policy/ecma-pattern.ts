// A JavaScript pattern with the flag `i`, matched in linear time: cut into RE2's words, where the two differ. What needs to look around or back is refused.
import { RE2JS } from 're2js'
import { PatternProblem, unsupported } from './pattern-flags.ts'
import { mostSteps } from './pattern.ts'
import { weighPattern } from './pattern-weight.ts'

const space =
  '\\x{9}-\\x{d}\\x{20}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}'
const anything = '[\\x{0}-\\x{10ffff}]'
const nothing = '[^\\x{0}-\\x{10ffff}]'
const hex = (code: number): string => `\\x{${code.toString(16)}}`

/** The escape that stands at `at`, and how many units it takes. */
function readEscape(text: string, at: number, inClass: boolean): readonly [string, number] {
  const char = text.charAt(at + 1)
  const coded = /^\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|c([a-zA-Z]))/.exec(
    text.slice(at, at + 6),
  )
  if (coded !== null) {
    const [whole, two, four, letter] = coded
    const code = letter === undefined ? parseInt(two ?? four ?? '0', 16) : letter.charCodeAt(0) % 32
    return [hex(code), whole.length]
  }
  if (/[dDwWtnrfv]/.test(char)) return [`\\${char}`, 2]
  if (char === 's') return [inClass ? space : `[${space}]`, 2]
  if (char === 'S') {
    if (inClass) throw unsupported('\\S in a class')
    return [`[^${space}]`, 2]
  }
  if (char === 'b' || char === 'B') {
    if (!inClass) return [`\\${char}`, 2]
    return char === 'b' ? [hex(8), 2] : [hex(0x42), 2]
  }
  if (char === '0' && !/[0-9]/.test(text.charAt(at + 2))) return [hex(0), 2]
  if (/[0-9k]/.test(char)) throw unsupported('Reference back')
  return [
    hex(text.codePointAt(at + 1) ?? 0x5c),
    1 + String.fromCodePoint(text.codePointAt(at + 1) ?? 0x5c).length,
  ]
}

/** The class that opens at `at`, and how many units it takes. */
function readClass(text: string, at: number): readonly [string, number] {
  if (text.startsWith('[^]', at)) return [anything, 3]
  if (text.startsWith('[]', at)) return [nothing, 2]
  let out = '['
  let i = at + 1
  if (text.charAt(i) === '^') {
    out += '^'
    i++
  }
  while (text.charAt(i) !== ']') {
    const [part, length] =
      text.charAt(i) === '\\'
        ? readEscape(text, i, true)
        : ([text.charAt(i) === '[' ? '\\[' : text.charAt(i), 1] as const)
    out += part
    i += length
  }
  return [`${out}]`, i + 1 - at]
}

function translate(text: string): string {
  let out = ''
  for (let i = 0; i < text.length;) {
    const char = text.charAt(i)
    if (char === '(' && /^\(\?(?![:]|<[^=!])/.test(text.slice(i, i + 4)))
      throw unsupported('Looking around')
    const [part, length] =
      char === '\\'
        ? readEscape(text, i, false)
        : char === '['
          ? readClass(text, i)
          : ([char === '.' ? '[^\\n\\r\\x{2028}\\x{2029}]' : char, 1] as const)
    out += part
    i += length
  }
  return out
}

function isPattern(text: string): boolean {
  try {
    new RegExp(text, 'i')
    return true
  } catch {
    return false
  }
}

/** A JavaScript pattern that is read but not compiled yet. */
export interface EcmaPattern {
  /** What it weighs to compile it, and to hold it. */
  readonly weight: number
  /**
   * Whether it matches somewhere in a text, as a closure, which gives undefined for a text that is too long to be judged.
   * @throws {@link PatternProblem} for what is too large, or unknown to RE2
   */
  readonly compile: () => (subject: string) => boolean | undefined
}

function compileTranslated(translated: string): ReturnType<EcmaPattern['compile']> {
  let re2: RE2JS
  try {
    re2 = RE2JS.compile(translated, RE2JS.CASE_INSENSITIVE)
  } catch {
    throw new PatternProblem('unsupported', 'Pattern is too large or has what RE2 has not')
  }
  const size = re2.programSize()
  return (subject) => (subject.length * size > mostSteps ? undefined : re2.test(subject))
}

/**
 * A pattern of JavaScript's; undefined when JavaScript itself refuses it.
 * @throws {@link PatternProblem} for what cannot be done in linear time
 */
export function readEcmaPattern(text: string): EcmaPattern | undefined {
  if (!isPattern(text)) return undefined
  const translated = translate(text)
  return {
    compile: () => compileTranslated(translated),
    weight: weighPattern(translated, true),
  }
}
