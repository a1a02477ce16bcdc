// Python's regular expressions (`re` of 3.11, text patterns), rewritten for RE2, which matches in linear time. What means something else there is
// rewritten (`$`, `\Z`, `\d`, `\w`, `\s`, `.`, case), what RE2 cannot do is named and refused (look-around, backreferences, possessive and atomic groups),
// and what Python itself refuses is told apart from that. Only whether there is a match is kept: groups capture nothing.
import { characterText, classText, type ClassItem } from './pattern-class.ts'
import { invalid, noFlags, unsupported, withFlags, type Flags } from './pattern-flags.ts'
import { markedItem, markedPattern, markedPosition, type Position } from './pattern-marks.ts'

/** A pattern in RE2's words. */
export interface Translation {
  readonly pattern: string
  /** Whether it looks behind itself, which RE2JS does in linear time when it is told. */
  readonly looksBehind: boolean
  /**
   * Which texts want {@link translateMarked} instead: `all` where something stands behind `$`; `words`, those with word characters beyond ASCII and the
   * empty one, where the pattern asks for the edges of words.
   */
  readonly marked: 'all' | 'words' | 'none'
}

interface Piece {
  readonly text: string
  /** Holds a `$` that has taken the final line break with it: nothing may follow. */
  readonly ends: boolean
  /** Stands for a position: cannot be repeated. */
  readonly position?: true
}

const endOfText = '(?:\\n?\\z)'
const unmarked: Readonly<Record<Position, string>> = {
  start: '\\A',
  lineStart: '(?m:^)',
  end: '\\z',
  nearEnd: endOfText,
  lineEnd: '(?m:$)',
  edge: '\\b',
  noEdge: '\\B',
  asciiEdge: '\\b',
  noAsciiEdge: '\\B',
  extendedNoEdge: '\\B',
  extendedNoAsciiEdge: '\\B',
}

function noEdgeOf({ ascii, extended }: Flags): Position {
  if (extended) return ascii ? 'extendedNoAsciiEdge' : 'extendedNoEdge'
  return ascii ? 'noAsciiEdge' : 'noEdge'
}

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
const whiteSpace = ' \t\n\r\v\f'

class PatternReader {
  readonly #chars: readonly string[]
  readonly #extended: boolean
  readonly #marked: boolean
  #at = 0
  #groups = 0
  #depth = 0
  /** Whether anything but groups was opened. */
  #begun = false
  readonly #names = new Set<string>()
  looksBehind = false
  asksWords = false
  endsEarly = false

  constructor(pattern: string, extended: boolean, marked: boolean) {
    this.#chars = Array.from(pattern)
    this.#extended = extended
    this.#marked = marked
  }

  #item(text: string): Piece {
    return { text: this.#marked ? markedItem(text) : text, ends: false }
  }

  #position(name: Position): Piece {
    const ends = name === 'nearEnd' && !this.#marked
    return { text: this.#marked ? markedPosition(name) : unmarked[name], ends, position: true }
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
    const none: Flags = { ...noFlags, extended: this.#extended }
    let flags = none
    let letters = ''
    // Global flags stand in front of everything, or Python refuses them.
    for (;;) {
      this.#skipNothing(flags)
      const text = this.#chars.slice(this.#at, this.#at + 16).join('')
      const found = /^\(\?([a-zA-Z]+)\)/.exec(text)
      if (found === null) break
      letters += found[1] ?? ''
      flags = withFlags(none, letters)
      this.#at += found[0].length
    }
    const { text } = this.#alternation(flags)
    if (this.#peek() !== '') throw invalid('Unbalanced parenthesis')
    return this.#marked ? markedPattern(text) : text
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
      this.#skipNothing(flags)
      if (['', '|', ')'].includes(this.#peek())) break
      const piece = this.#repeated(this.#atom(flags), flags)
      if (piece.text === '') continue
      this.endsEarly ||= ends && piece.text !== endOfText
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
    if (char !== '{') return undefined
    const end = this.#chars.indexOf('}', this.#at) + 1
    const found = /^\{(\d*)(,?)(\d*)\}$/.exec(this.#chars.slice(this.#at, end).join(''))
    if (found === null || found[0] === '{}') return undefined
    const [all, low = '', comma, high = ''] = found
    this.#at += all.length
    const least = Number(low)
    const most = comma === '' ? least : high === '' ? Infinity : Number(high)
    if (most < least) throw invalid('Fewest repetitions are more than most')
    if (least > mostRepeats || (Number.isFinite(most) && most > mostRepeats))
      throw unsupported(`More than ${mostRepeats} repetitions`)
    return { text: `{${least}${comma ?? ''}${high === '' ? '' : most}}`, most }
  }

  /** Skips comments, and white space where it means nothing. */
  #skipNothing({ verbose }: Flags): void {
    for (;;) {
      const char = this.#peek()
      if (char === '(' && this.#peek(1) === '?' && this.#peek(2) === '#') this.#until(')')
      else if (verbose && char !== '' && whiteSpace.includes(char)) this.#at++
      else if (verbose && char === '#') this.#skipLine()
      else break
    }
  }

  #skipLine(): void {
    while (this.#peek() !== '' && this.#peek() !== '\n') this.#at++
  }

  #repeated(item: Piece, flags: Flags): Piece {
    this.#skipNothing(flags)
    const quantifier = this.#quantifier()
    if (quantifier === undefined) return item
    if (item.position) throw invalid('Nothing to repeat')
    if (this.#accept('+')) throw unsupported('Possessive repetition')
    const lazy = this.#accept('?') ? '?' : ''
    this.#skipNothing(flags)
    if (this.#quantifier() !== undefined) throw invalid('Multiple repeat')
    this.endsEarly ||= item.ends && quantifier.most > 1
    return { text: `(?:${item.text})${quantifier.text}${lazy}`, ends: item.ends }
  }

  #atom(flags: Flags): Piece {
    if (this.#quantifier() !== undefined) throw invalid('Nothing to repeat')
    const char = this.#next()
    if (char === '(') return this.#group(flags)
    this.#begun = true
    if (char === '\\') return this.#escape(flags)
    if (char === '[') return this.#characterClass(flags)
    if (char === '{' && this.#extended) throw unsupported('Brace that counts nothing')
    if (char === '.') return this.#item(flags.dotAll ? '(?s:.)' : '[^\\n]')
    if (char === '^') return this.#position(flags.multiline ? 'lineStart' : 'start')
    if (char === '$') return this.#position(flags.multiline ? 'lineEnd' : 'nearEnd')
    return this.#literal(char.codePointAt(0) ?? 0, flags)
  }

  #literal(code: number, flags: Flags): Piece {
    return this.#item(characterText(code, flags))
  }

  #group(flags: Flags): Piece {
    if (!this.#accept('?')) {
      this.#groups++
      return this.#inside(flags)
    }
    const char = this.#next()
    if (char === ':') return this.#inside(flags)
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
    return this.#inside(flags)
  }

  #flagged(flags: Flags, first: string): Piece {
    const text = first + this.#until(':')
    const found = /^([a-zA-Z]*)(?:-([a-zA-Z]+))?$/.exec(text)
    if (found === null) throw invalid('Bad inline flags')
    const inside = withFlags(flags, found[1] ?? '', found[2])
    // CPython looks for where such a pattern may begin with the flags outside, and so misses matches.
    if (!this.#extended && inside.ascii !== flags.ascii && !this.#begun)
      throw unsupported('Flag a or u of a group in front')
    return this.#inside(inside)
  }

  #inside(flags: Flags): Piece {
    const { text, ends } = this.#alternation(flags)
    if (!this.#accept(')')) throw invalid('Missing closing parenthesis')
    return { text: `(?:${text})`, ends }
  }

  #escape(flags: Flags): Piece {
    const char = this.#next()
    if (char === 'A') return this.#position('start')
    if (char === 'Z') return this.#position('end')
    if (char === 'b') return this.#edge(flags.ascii ? 'asciiEdge' : 'edge')
    if (char === 'B') return this.#edge(noEdgeOf(flags))
    if (setLetters.includes(char)) return this.#class([{ set: char }], false, flags)
    if (this.#extended && (char === 'p' || char === 'P')) return this.#property(char, flags)
    if (char >= '1' && char <= '9') return this.#octalOrReference(char, flags)
    return this.#literal(this.#character(char, false), flags)
  }

  #edge(name: Position): Piece {
    this.asksWords = true
    return this.#position(name)
  }

  /** A property of Unicode, which only the second dialect's engine knows. */
  #property(letter: string, { ignoreCase }: Flags): Piece {
    if (!this.#accept('{')) throw unsupported('Property without braces')
    const name = this.#until('}')
    if (!/^[A-Za-z_]+$/.test(name)) throw unsupported('Property of this form')
    return this.#item(`(?${ignoreCase ? 'i' : ''}:\\${letter}{${name}})`)
  }

  #octalOrReference(first: string, flags: Flags): Piece {
    const digits = first + this.#peek() + this.#peek(1)
    if (/^[0-7]{3}$/.test(digits)) {
      this.#at += 2
      const code = Number.parseInt(digits, 8)
      if (code > 0o377) throw invalid('Octal escape beyond 0o377')
      return this.#literal(code, flags)
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
    return this.#class(items, negated, flags)
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

  #class(items: readonly ClassItem[], negated: boolean, flags: Flags): Piece {
    const { text, looksBehind } = classText(items, negated, flags)
    this.looksBehind ||= looksBehind
    return this.#item(text)
  }
}

/**
 * A Python pattern in RE2's words. `extended` is for the second dialect, whose engine is `regex` instead of `re`: it knows `\p{…}`, and what it takes for
 * something of its own (POSIX classes, fuzzy matching) is refused.
 * @throws {@link PatternProblem}
 */
export function translatePattern(pattern: string, extended: boolean): Translation {
  const reader = new PatternReader(pattern, extended, false)
  const text = reader.whole()
  const { asksWords, endsEarly, looksBehind } = reader
  return { pattern: text, looksBehind, marked: endsEarly ? 'all' : asksWords ? 'words' : 'none' }
}

/** As {@link translatePattern}, but for texts that are laid out with marks. @throws {@link PatternProblem} */
export const translateMarked = (pattern: string, extended: boolean): string =>
  new PatternReader(pattern, extended, true).whole()
