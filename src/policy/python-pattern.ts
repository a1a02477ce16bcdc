// Python's regular expressions (`re` of 3.11, text patterns), rewritten for RE2, which matches in linear time. What means something else there is
// rewritten (`$`, `\Z`, `\d`, `\w`, `\s`, `.`, case), what RE2 cannot do is named and refused (look-around, backreferences, possessive and atomic groups),
// and what Python itself refuses is told apart from that. Only whether there is a match is kept: groups capture nothing.
import { isSetLetter, parseOctal, readClass, readEscaped } from './pattern-characters.ts'
import { characterText, classText, type ClassItem } from './pattern-class.ts'
import { PatternCursor } from './pattern-cursor.ts'
import { invalid, noFlags, unsupported, withFlags, type Flags } from './pattern-flags.ts'
import { markedItem, markedPattern, markedPosition, type Position } from './pattern-marks.ts'
import { readQuantifier } from './pattern-quantifier.ts'

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

const whiteSpace = ' \t\n\r\v\f'

class PatternReader {
  readonly #cursor: PatternCursor
  readonly #extended: boolean
  readonly #marked: boolean
  #groups = 0
  #depth = 0
  /** Whether anything but groups was opened. */
  #begun = false
  readonly #names = new Set<string>()
  looksBehind = false
  asksWords = false
  endsEarly = false

  constructor(pattern: string, extended: boolean, marked: boolean) {
    this.#cursor = new PatternCursor(pattern)
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

  whole(): string {
    const none: Flags = { ...noFlags, extended: this.#extended }
    let flags = none
    let letters = ''
    // Global flags stand in front of everything, or Python refuses them.
    for (;;) {
      this.#skipNothing(flags)
      const found = /^\(\?([a-zA-Z]+)\)/.exec(this.#cursor.slice(16))
      if (found === null) break
      letters += found[1] ?? ''
      flags = withFlags(none, letters)
      this.#cursor.skip(found[0].length)
    }
    const { text } = this.#alternation(flags)
    if (this.#cursor.peek() !== '') throw invalid('Unbalanced parenthesis')
    return this.#marked ? markedPattern(text) : text
  }

  #alternation(flags: Flags): Piece {
    if (++this.#depth > 50) throw unsupported('Groups nested deeper than 50')
    const branches = [this.#sequence(flags)]
    while (this.#cursor.accept('|')) branches.push(this.#sequence(flags))
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
      if (['', '|', ')'].includes(this.#cursor.peek())) break
      const piece = this.#repeated(this.#atom(flags), flags)
      if (piece.text === '') continue
      this.endsEarly ||= ends && piece.text !== endOfText
      out += piece.text
      ends ||= piece.ends
    }
    return { text: out, ends }
  }

  /** Skips comments, and white space where it means nothing. */
  #skipNothing({ verbose }: Flags): void {
    for (;;) {
      const char = this.#cursor.peek()
      if (char === '(' && this.#cursor.peek(1) === '?' && this.#cursor.peek(2) === '#')
        this.#cursor.until(')')
      else if (verbose && char !== '' && whiteSpace.includes(char)) this.#cursor.skip(1)
      else if (verbose && char === '#') this.#skipLine()
      else break
    }
  }

  #skipLine(): void {
    while (this.#cursor.peek() !== '' && this.#cursor.peek() !== '\n') this.#cursor.skip(1)
  }

  #repeated(item: Piece, flags: Flags): Piece {
    this.#skipNothing(flags)
    const quantifier = readQuantifier(this.#cursor)
    if (quantifier === undefined) return item
    if (item.position) throw invalid('Nothing to repeat')
    if (this.#cursor.accept('+')) throw unsupported('Possessive repetition')
    const lazy = this.#cursor.accept('?') ? '?' : ''
    this.#skipNothing(flags)
    if (readQuantifier(this.#cursor) !== undefined) throw invalid('Multiple repeat')
    this.endsEarly ||= item.ends && quantifier.most > 1
    return { text: `(?:${item.text})${quantifier.text}${lazy}`, ends: item.ends }
  }

  #atom(flags: Flags): Piece {
    if (readQuantifier(this.#cursor) !== undefined) throw invalid('Nothing to repeat')
    const char = this.#cursor.next()
    if (char === '(') return this.#group(flags)
    this.#begun = true
    if (char === '\\') return this.#escape(flags)
    if (char === '[') {
      const { items, negated } = readClass(this.#cursor, this.#extended)
      return this.#class(items, negated, flags)
    }
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
    if (!this.#cursor.accept('?')) {
      this.#groups++
      return this.#inside(flags)
    }
    const char = this.#cursor.next()
    if (char === ':') return this.#inside(flags)
    if (char === 'P') return this.#named(flags)
    if (char === '=' || char === '!') throw unsupported('Look-ahead')
    if (char === '<' && '=!'.includes(this.#cursor.peek()) && this.#cursor.peek() !== '')
      throw unsupported('Look-behind')
    if (char === '>') throw unsupported('Atomic group')
    if (char === '(') throw unsupported('Conditional group')
    if (/[a-zA-Z-]/.test(char)) return this.#flagged(flags, char)
    throw invalid('Unknown extension of a group')
  }

  #named(flags: Flags): Piece {
    if (this.#cursor.accept('=')) throw unsupported('Backreference')
    if (!this.#cursor.accept('<')) throw invalid('Unknown extension of a group')
    const name = this.#cursor.until('>')
    if (!/^[\p{ID_Start}_][\p{ID_Continue}]*$/u.test(name)) throw invalid('Bad name of a group')
    if (this.#names.has(name)) throw invalid('A group is named twice')
    this.#names.add(name)
    this.#groups++
    return this.#inside(flags)
  }

  #flagged(flags: Flags, first: string): Piece {
    const text = first + this.#cursor.until(':')
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
    if (!this.#cursor.accept(')')) throw invalid('Missing closing parenthesis')
    return { text: `(?:${text})`, ends }
  }

  #escape(flags: Flags): Piece {
    const char = this.#cursor.next()
    if (char === 'A') return this.#position('start')
    if (char === 'Z') return this.#position('end')
    if (char === 'b') return this.#edge(flags.ascii ? 'asciiEdge' : 'edge')
    if (char === 'B') return this.#edge(noEdgeOf(flags))
    if (isSetLetter(char)) return this.#class([{ set: char }], false, flags)
    if (this.#extended && (char === 'p' || char === 'P')) return this.#property(char, flags)
    if (char >= '1' && char <= '9') return this.#octalOrReference(char, flags)
    return this.#literal(readEscaped(this.#cursor, char, false), flags)
  }

  #edge(name: Position): Piece {
    this.asksWords = true
    return this.#position(name)
  }

  /** A property of Unicode, which only the second dialect's engine knows. */
  #property(letter: string, { ignoreCase }: Flags): Piece {
    if (!this.#cursor.accept('{')) throw unsupported('Property without braces')
    const name = this.#cursor.until('}')
    if (!/^[A-Za-z_]+$/.test(name)) throw unsupported('Property of this form')
    return this.#item(`(?${ignoreCase ? 'i' : ''}:\\${letter}{${name}})`)
  }

  #octalOrReference(first: string, flags: Flags): Piece {
    const digits = first + this.#cursor.peek() + this.#cursor.peek(1)
    if (/^[0-7]{3}$/.test(digits)) {
      this.#cursor.skip(2)
      return this.#literal(parseOctal(digits), flags)
    }
    const number = Number(/^\d/.test(this.#cursor.peek()) ? first + this.#cursor.peek() : first)
    if (number > this.#groups) throw invalid('Reference to a group that is not there')
    throw unsupported('Backreference')
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
