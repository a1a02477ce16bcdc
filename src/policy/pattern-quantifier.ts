// How often something repeats, as a pattern says it.
import type { PatternCursor } from './pattern-cursor.ts'
import { invalid, unsupported } from './pattern-flags.ts'

/** A repetition in RE2's words, greedy. */
export interface Quantifier {
  readonly text: string
  /** May be Infinity. */
  readonly most: number
}

/** RE2 repeats nothing more often. */
const mostRepeats = 1000

/** Takes what repeats at this place; undefined where nothing does: a brace that counts nothing is a character. @throws {@link PatternProblem} */
export function readQuantifier(cursor: PatternCursor): Quantifier | undefined {
  const char = cursor.peek()
  if (char === '*' || char === '+' || char === '?') {
    cursor.skip(1)
    return { text: char, most: char === '?' ? 1 : Infinity }
  }
  if (char !== '{') return undefined
  const found = /^\{(\d*)(,?)(\d*)\}$/.exec(cursor.sliceThrough('}'))
  if (found === null || found[0] === '{}') return undefined
  const [all, low = '', comma, high = ''] = found
  cursor.skip(all.length)
  const least = Number(low)
  const most = comma === '' ? least : high === '' ? Infinity : Number(high)
  if (most < least) throw invalid('Fewest repetitions are more than most')
  if (least > mostRepeats || (Number.isFinite(most) && most > mostRepeats))
    throw unsupported(`More than ${mostRepeats} repetitions`)
  return { text: `{${least}${comma ?? ''}${high === '' ? '' : most}}`, most }
}
