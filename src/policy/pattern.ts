// A regular expression of a bundle, compiled once and matched in linear time, however hostile pattern and text are.
import { RE2JS } from 're2js'
import { PatternProblem } from './pattern-flags.ts'
import { hasForeignWords, translatePattern } from './python-pattern.ts'

/** A compiled pattern. */
export interface Pattern {
  /** Whether it matches somewhere in a text; undefined when the text cannot be judged, which {@link refusal} explains. */
  test(text: string): boolean | undefined
  /** Why `test` may give no answer. */
  readonly refusal: string
}

/** Steps of matching that one text may cost: the length of the text times the size of the pattern's program. */
export const mostSteps = 5_000_000

function compileRe2(pattern: string, looksBehind: boolean): RE2JS {
  try {
    return RE2JS.compile(pattern, looksBehind ? RE2JS.LOOKBEHINDS : 0)
  } catch {
    // Python has taken it, so what RE2 dislikes is its own bound: the size of the program or an unknown property.
    throw new PatternProblem('unsupported', 'Pattern is too large or names an unknown property')
  }
}

/**
 * The compiled form of a Python pattern.
 * @throws {@link PatternProblem} when it is not one, or needs what cannot be done in linear time
 */
export function compilePattern(text: string, extended: boolean): Pattern {
  const { asciiBoundaries, looksBehind, ofNothing, pattern } = translatePattern(text, extended)
  const re2 = compileRe2(pattern, looksBehind)
  const size = re2.programSize()
  const nothing =
    ofNothing === undefined ? re2.test('') : compileRe2(ofNothing, looksBehind).test('')
  return {
    test(subject) {
      if (subject === '') return nothing
      if (subject.length * size > mostSteps) return undefined
      if (asciiBoundaries && hasForeignWords(subject)) return undefined
      return re2.test(subject)
    },
    refusal: asciiBoundaries
      ? 'Text is too long for the pattern, or has word characters beyond ASCII where the pattern has \\b'
      : 'Text is too long for the pattern',
  }
}
