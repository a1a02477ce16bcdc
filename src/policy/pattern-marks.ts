// What holds at a position of a text, told to RE2, which looks at nothing ahead and knows words of ASCII only: a text is laid out with a mark in front of
// each character and one at its end, a pattern that has taken a character takes the mark behind it too, and the mark before a position tells what stands
// on both sides of it. Marks and characters take turns, so it does no harm that a text may hold the same characters.

/** What stands beside a position. */
type Side = 'nothing' | 'break' | 'lastBreak' | 'word' | 'foreignWord' | 'other'

const sides: readonly Side[] = ['nothing', 'break', 'lastBreak', 'word', 'foreignWord', 'other']
const firstMark = 0xe000
const foreignWord = /(?=[^\x00-\x7f])[\p{L}\p{N}]/u
const extendedWord = /(?=[^\x00-\x7f])[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\u200c\u200d]/u

/** Whether RE2 would misjudge the word boundaries of a text. */
export const hasForeignWords = (text: string, extended: boolean): boolean =>
  (extended ? extendedWord : foreignWord).test(text)

function sideOf(char: string, isLast: boolean, extended: boolean): Side {
  if (char === '\n') return isLast ? 'lastBreak' : 'break'
  if (/^\w$/.test(char)) return 'word'
  return hasForeignWords(char, extended) ? 'foreignWord' : 'other'
}

const markOf = (before: Side, behind: Side): number =>
  firstMark + sides.indexOf(before) * sides.length + sides.indexOf(behind)

/** A text with its marks. */
export function layOut(text: string, extended: boolean): string {
  const chars = Array.from(text)
  let out = ''
  let before: Side = 'nothing'
  for (const [i, char] of chars.entries()) {
    const side = sideOf(char, i === chars.length - 1, extended)
    out += String.fromCharCode(markOf(before, side)) + char
    before = side
  }
  return out + String.fromCharCode(markOf(before, 'nothing'))
}

const isBreak = (side: Side): boolean => side === 'break' || side === 'lastBreak'
const isWord = (side: Side): boolean => side === 'word' || side === 'foreignWord'
const inside = (before: Side, behind: Side): boolean => before !== 'nothing' || behind !== 'nothing'

/** Whether a position is meant, by what stands before and behind it. */
type Holds = (before: Side, behind: Side) => boolean

const positions = {
  start: (before) => before === 'nothing',
  lineStart: (before) => before === 'nothing' || isBreak(before),
  end: (_, behind) => behind === 'nothing',
  nearEnd: (_, behind) => behind === 'nothing' || behind === 'lastBreak',
  lineEnd: (_, behind) => behind === 'nothing' || isBreak(behind),
  edge: (before, behind) => isWord(before) !== isWord(behind),
  // `re` knows no position within words, or between them, in the empty text, but `regex` does.
  noEdge: (before, behind) => isWord(before) === isWord(behind) && inside(before, behind),
  extendedNoEdge: (before, behind) => isWord(before) === isWord(behind),
  asciiEdge: (before, behind) => (before === 'word') !== (behind === 'word'),
  noAsciiEdge: (before, behind) =>
    (before === 'word') === (behind === 'word') && inside(before, behind),
  extendedNoAsciiEdge: (before, behind) => (before === 'word') === (behind === 'word'),
} as const satisfies Readonly<Record<string, Holds>>

/** The name of a position. */
export type Position = keyof typeof positions

/** The position in a text that is laid out, as RE2 writes it. */
export function markedPosition(name: Position): string {
  const holds: Holds = positions[name]
  const marks = sides.flatMap((before) =>
    sides.filter((behind) => holds(before, behind)).map((behind) => markOf(before, behind)),
  )
  return `(?<=[${marks.map((mark) => `\\x{${mark.toString(16)}}`).join('')}])`
}

/** The whole of a pattern for texts that are laid out. */
export const markedPattern = (text: string): string => `\\A(?s:.)(?s:..)*?(?:${text})`

/** What takes a character, taking the mark behind it too. */
export const markedItem = (text: string): string => `(?:${text}(?s:.))`
