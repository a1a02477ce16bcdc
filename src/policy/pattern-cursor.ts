// Where a reader stands in the text of a pattern.
import { invalid } from './pattern-flags.ts'

/** The characters of a pattern, by code points, read once from the front. */
export class PatternCursor {
  readonly #chars: readonly string[]
  #at = 0

  constructor(pattern: string) {
    this.#chars = Array.from(pattern)
  }

  /** The character that stands so far ahead; empty behind the end. */
  peek(ahead = 0): string {
    return this.#chars[this.#at + ahead] ?? ''
  }

  /** The next characters, at most so many. */
  slice(length: number): string {
    return this.#chars.slice(this.#at, this.#at + length).join('')
  }

  /** What stands before and with the next such character; empty where there is none. */
  sliceThrough(char: string): string {
    return this.#chars.slice(this.#at, this.#chars.indexOf(char, this.#at) + 1).join('')
  }

  skip(length: number): void {
    this.#at += length
  }

  /** @throws {@link PatternProblem} at the end */
  next(): string {
    const char = this.peek()
    if (char === '') throw invalid('Pattern ends too early')
    this.#at++
    return char
  }

  /** Takes a character if it comes next. */
  accept(char: string): boolean {
    if (this.peek() !== char) return false
    this.#at++
    return true
  }

  /** Takes everything before a character, and the character. @throws {@link PatternProblem} where it does not come */
  until(end: string): string {
    let text = ''
    for (let char = this.next(); char !== end; char = this.next()) text += char
    return text
  }
}
