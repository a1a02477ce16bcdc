// Python's regular expressions (`re` of 3.11, text patterns), rewritten for RE2, which matches in linear time. What means something else there is
// rewritten (`$`, `\Z`, `\d`, `\w`, `\s`, `.`), what RE2 cannot do is named and refused (look-around, backreferences, possessive and atomic groups), and
// what Python itself refuses is told apart from that. Only whether there is a match is kept: groups capture nothing.
import { classText, wordSet, type ClassItem } from './pattern-class.ts'
import { invalid, noFlags, unsupported, withFlags, type Flags } from './pattern-flags.ts'

/** A pattern in RE2's words. */
export interface Translation {
  readonly pattern: string
  /** RE2 sees word boundaries between ASCII characters only: with `\b` a text that has other word characters cannot be judged. */
  readonly asciiBoundaries: boolean
  /** Whether the pattern looks behind itself, which RE2JS does in linear time when it is told. */
  readonly looksBehind: boolean
  /** The pattern for the empty text, where Python knows no `\B`; only given when it is another one. */
  readonly ofNothing: string | undefined
}

interface Piece {
  readonly text: string
  /** Holds a `$` that has taken the final line break with it: nothing may follow. */
  readonly ends: boolean
  /** Stands for a position: cannot be repeated. */
  readonly position?: true
}

const literal = (code: number): string => `\\x{${code.toString(16)}}`
const plain = (text: string): Piece => ({ text, ends: false })
const position = (text: string): Piece => ({ text, ends: false, position: true })

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
const mostRepeats = 1000
class PatternReader {
  readonly #chars: readonly string[]
  readonly #extended: boolean
  readonly #never: string
  #at = 0
  #groups = 0
  #depth = 0
  readonly #names = new Set<string>()
  asciiBoundaries = false
  looksBehind = false
  inWords = false

  constructor(pattern: string, extended: boolean, ofNothing = false) {
    this.#chars = Array.from(pattern)
    this.#extended = extended
    this.#never = ofNothing ? '[^\\x{0}-\\x{10ffff}]' : ''
  }

  #peek(ahead = 0): string {
    return this.#chars[this.#at + ahead] ?? ''
  }

  #next(): string {
    const char = this.#peek()
    if (char === '') throw invalid('Pattern ends too early')
    this.#at++
    return char
  }

  #accept(char: string): boolean {
    if (this.#peek() !== char) return false
    this.#at++
    return true
  }

  #until(end: string): string {
    let text = ''
    for (let char = this.#next(); char !== end; char = this.#next()) text += char
    return text
  }

  whole(): string {
    let flags = noFlags
    // Global flags stand in front of everything, or Python refuses them.
    for (;;) {
      this.#skipComments()
      const text = this.#chars.slice(this.#at, this.#at + 16).join('')
      const found = /^\(\?([a-zA-Z]+)\)/.exec(text)
      if (found === null) break
      flags = withFlags(flags, found[1] ?? '', true)
      this.#at += found[0].length
    }
    const { text } = this.#alternation(flags)
    if (this.#peek() !== '') throw invalid('Unbalanced parenthesis')
    return flags.ignoreCase ? `(?i:${text})` : text
  }

  #alternation(flags: Flags): Piece {
    if (++this.#depth > 50) throw unsupported('Groups nested deeper than 50')
    const branches = [this.#sequence(flags)]
    while (this.#accept('|')) branches.push(this.#sequence(flags))
    this.#depth--
    return {
      text: branches.map(({ text }) => text).join('|'),
      ends: branches.some(({ ends }) => ends),
    }
  }

  #sequence(flags: Flags): Piece {
    let out = ''
    let ends = false
    for (;;) {
      this.#skipComments()
      if (['', '|', ')'].includes(this.#peek())) break
      const piece = this.#repeated(this.#item(flags))
      if (piece.text === '') continue
      if (ends && piece.text !== endOfText) throw unsupported('Something stands behind `$`')
      out += piece.text
      ends ||= piece.ends
    }
    return { text: out, ends }
  }

  /** What repeats at this place, or undefined: a brace that counts nothing is a character. */
  #quantifier(): { text: string; most: number } | undefined {
    const char = this.#peek()
    if (char === '*' || char === '+' || char === '?') {
      this.#at++
      return { text: char, most: char === '?' ? 1 : Infinity }
    }
    const found = /^\{(\d*)(,?)(\d*)\}/.exec(this.#chars.slice(this.#at, this.#at + 24).join(''))
    if (found === null || found[0] === '{}') return undefined
    const [all, low = '', comma, high = ''] = found
    this.#at += all.length
    const least = Number(low)
    const most = comma === '' ? least : high === '' ? Infinity : Number(high)
    if (most < least) throw invalid('Fewest repetitions are more than most')
    if (least > mostRepeats || (Number.isFinite(most) && most > mostRepeats))
      throw unsupported(`More than ${mostRepeats} repetitions`)
    return { text: `{${least}${comma ?? ''}${high}}`, most }
  }

  #skipComments(): void {
    while (this.#peek() === '(' && this.#peek(1) === '?' && this.#peek(2) === '#') this.#until(')')
  }

  #repeated(item: Piece): Piece {
    this.#skipComments()
    const quantifier = this.#quantifier()
    if (quantifier === undefined) return item
    if (item.position) throw invalid('Nothing to repeat')
    if (this.#accept('+')) throw unsupported('Possessive repetition')
    const lazy = this.#accept('?') ? '?' : ''
    if (this.#quantifier() !== undefined) throw invalid('Multiple repeat')
    if (item.ends && quantifier.most > 1) throw unsupported('`$` is repeated')
    return { text: `(?:${item.text})${quantifier.text}${lazy}`, ends: item.ends }
  }

  #item(flags: Flags): Piece {
    if (this.#quantifier() !== undefined) throw invalid('Nothing to repeat')
    const char = this.#next()
    if (char === '\\') return this.#escape(flags)
    if (char === '[') return this.#characterClass(flags)
    if (char === '(') return this.#group(flags)
    if (char === '{' && this.#extended) throw unsupported('Brace that counts nothing')
    if (char === '.') return plain(flags.dotAll ? '(?s:.)' : '[^\\n]')
    if (char === '^') return position(flags.multiline ? '(?m:^)' : '\\A')
    if (char === '$')
      return flags.multiline ? position('(?m:$)') : { text: endOfText, ends: true, position: true }
    return plain(literal(char.codePointAt(0) ?? 0))
  }

  #group(flags: Flags): Piece {
    if (!this.#accept('?')) {
      this.#groups++
      return this.#inside(flags, flags)
    }
    const char = this.#next()
    if (char === ':') return this.#inside(flags, flags)
    if (char === 'P') return this.#named(flags)
    if (char === '=' || char === '!') throw unsupported('Look-ahead')
    if (char === '<' && '=!'.includes(this.#peek()) && this.#peek() !== '')
      throw unsupported('Look-behind')
    if (char === '>') throw unsupported('Atomic group')
    if (char === '(') throw unsupported('Conditional group')
    if (/[a-zA-Z-]/.test(char)) return this.#flagged(flags, char)
    throw invalid('Unknown extension of a group')
  }

  #named(flags: Flags): Piece {
    if (this.#accept('=')) throw unsupported('Backreference')
    if (!this.#accept('<')) throw invalid('Unknown extension of a group')
    const name = this.#until('>')
    if (!/^[\p{ID_Start}_][\p{ID_Continue}]*$/u.test(name)) throw invalid('Bad name of a group')
    if (this.#names.has(name)) throw invalid('A group is named twice')
    this.#names.add(name)
    this.#groups++
    return this.#inside(flags, flags)
  }

  #flagged(flags: Flags, first: string): Piece {
    const text = first + this.#until(':')
    const found = /^([a-zA-Z]*)(?:-([a-zA-Z]+))?$/.exec(text)
    if (found === null) throw invalid('Bad inline flags')
    const on = withFlags(flags, found[1] ?? '', true)
    return this.#inside(flags, withFlags(on, found[2] ?? '', false))
  }

  #inside(outer: Flags, flags: Flags): Piece {
    const { text, ends } = this.#alternation(flags)
    if (!this.#accept(')')) throw invalid('Missing closing parenthesis')
    const fold = outer.ignoreCase === flags.ignoreCase ? '?:' : flags.ignoreCase ? '?i:' : '?-i:'
    return { text: `(${fold}${text})`, ends }
  }

  #escape(flags: Flags): Piece {
    const char = this.#next()
    if (char === 'A') return position('\\A')
    if (char === 'Z') return position('\\z')
    if (char === 'b' || char === 'B') {
      this.asciiBoundaries ||= !flags.ascii
      this.inWords ||= char === 'B'
      if (char === 'B' && this.#never !== '') return position(this.#never)
      return position(`\\${char}`)
    }
    if (setLetters.includes(char)) return plain(this.#set([{ set: char }], false, flags))
    if (this.#extended && (char === 'p' || char === 'P')) return plain(this.#property(char))
    if (char >= '1' && char <= '9') return plain(this.#octalOrReference(char))
    return plain(literal(this.#character(char, false)))
  }

  /** A property of Unicode, which only the second dialect's engine knows. */
  #property(letter: string): string {
    if (!this.#accept('{')) throw unsupported('Property without braces')
    const name = this.#until('}')
    if (!/^[A-Za-z_]+$/.test(name)) throw unsupported('Property of this form')
    return `\\${letter}{${name}}`
  }

  #octalOrReference(first: string): string {
    const digits = first + this.#peek() + this.#peek(1)
    if (/^[0-7]{3}$/.test(digits)) {
      this.#at += 2
      const code = Number.parseInt(digits, 8)
      if (code > 0o377) throw invalid('Octal escape beyond 0o377')
      return literal(code)
    }
    const number = Number(/^\d/.test(this.#peek()) ? first + this.#peek() : first)
    if (number > this.#groups) throw invalid('Reference to a group that is not there')
    throw unsupported('Backreference')
  }

  /** The code point that an escape stands for; `char` is the one behind the backslash. */
  #character(char: string, inClass: boolean): number {
    const control = char === 'b' && !inClass ? undefined : controls[char]
    if (control !== undefined) return control
    const length = hexLengths[char]
    if (length !== undefined) return this.#hex(length)
    if (char === 'N') throw unsupported('Character by name')
    if (char === '0' || (inClass && char >= '1' && char <= '7')) return this.#octal(char)
    if (/^[A-Za-z0-9]$/.test(char)) throw invalid(`Bad escape: ${char}`)
    return char.codePointAt(0) ?? 0
  }

  #hex(length: number): number {
    const digits = this.#chars.slice(this.#at, this.#at + length).join('')
    if (digits.length !== length || !/^[0-9a-fA-F]+$/.test(digits)) throw invalid('Bad escape')
    this.#at += length
    const code = Number.parseInt(digits, 16)
    if (code > 0x10ffff) throw invalid('Bad escape')
    return code
  }

  #octal(first: string): number {
    let digits = first
    while (digits.length < 3 && /^[0-7]$/.test(this.#peek())) digits += this.#next()
    const code = Number.parseInt(digits, 8)
    if (code > 0o377) throw invalid('Octal escape beyond 0o377')
    return code
  }

  #characterClass(flags: Flags): Piece {
    const negated = this.#accept('^')
    const items: ClassItem[] = []
    for (let first = true; first || this.#peek() !== ']'; first = false) {
      const from = this.#classMember()
      if (this.#peek() !== '-' || this.#peek(1) === ']') {
        items.push(from)
        continue
      }
      this.#at++
      const to = this.#classMember()
      if ('set' in from || 'set' in to || to.from < from.from) throw invalid('Bad character range')
      items.push({ from: from.from, to: to.from })
    }
    this.#at++
    return plain(this.#set(items, negated, flags))
  }

  #classMember(): ClassItem {
    const char = this.#next()
    if (char === '[' && this.#peek() === ':' && this.#extended) throw unsupported('POSIX class')
    if (char !== '\\') {
      const code = char.codePointAt(0) ?? 0
      return { from: code, to: code }
    }
    const escaped = this.#next()
    if (setLetters.includes(escaped)) return { set: escaped }
    if (this.#extended && (escaped === 'p' || escaped === 'P'))
      throw unsupported('Property in a class')
    const code = this.#character(escaped, true)
    return { from: code, to: code }
  }

  #set(items: readonly ClassItem[], negated: boolean, flags: Flags): string {
    const { text, looksBehind } = classText(items, negated, flags.ascii)
    this.looksBehind ||= looksBehind
    return text
  }
}

const endOfText = '(?:\\n?\\z)'

/**
 * A Python pattern in RE2's words. `extended` is for the second dialect, whose engine is `regex` instead of `re`: it knows `\p{…}`, and what it takes for
 * something of its own (POSIX classes, fuzzy matching) is refused.
 * @throws {@link PatternProblem}
 */
export function translatePattern(pattern: string, extended: boolean): Translation {
  const reader = new PatternReader(pattern, extended)
  const text = reader.whole()
  const { asciiBoundaries, inWords, looksBehind } = reader
  const ofNothing = inWords ? new PatternReader(pattern, extended, true).whole() : undefined
  return { pattern: text, asciiBoundaries, looksBehind, ofNothing }
}

/** Whether RE2 would misjudge the word boundaries of a text. */
export const hasForeignWords = (text: string): boolean => foreignWord.test(text)
const foreignWord = new RegExp(`(?=[^\\x00-\\x7f])[${wordSet}]`, 'u')
