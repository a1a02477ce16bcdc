// A regular expression of a bundle, compiled once and matched in linear time, however hostile pattern and text are.
import { RE2JS } from 're2js'
import { PatternProblem } from './pattern-flags.ts'
import { hasForeignWords, layOut } from './pattern-marks.ts'
import { weighPattern } from './pattern-weight.ts'
import { translateMarked, translatePattern } from './python-pattern.ts'

/** A compiled pattern. */
export interface Pattern {
  /** Whether it matches somewhere in a text; undefined when the text is too long to be judged. */
  test(text: string): boolean | undefined
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

/** Matches within the steps that are allowed. */
function boundedTest(re2: RE2JS): Pattern['test'] {
  const size = re2.programSize()
  return (text) => (text.length * size > mostSteps ? undefined : re2.test(text))
}

/** The test of texts that must be laid out for it. */
function compileMarked(text: string, extended: boolean): Pattern['test'] {
  const test = boundedTest(compileRe2(translateMarked(text, extended), true))
  // A text too long is not laid out first.
  return (subject) => (subject.length > mostSteps ? undefined : test(layOut(subject, extended)))
}

/**
 * What it weighs to compile a Python pattern, and to hold it.
 * @throws {@link PatternProblem} when it is not one, or needs what cannot be done in linear time
 */
export function weighPythonPattern(text: string, extended: boolean): number {
  const { marked, pattern } = translatePattern(text, extended)
  return (
    (marked === 'all' ? 0 : weighPattern(pattern)) +
    (marked === 'none' ? 0 : weighPattern(translateMarked(text, extended)))
  )
}

/**
 * The compiled form of a Python pattern.
 * @throws {@link PatternProblem} when it is not one, or needs what cannot be done in linear time
 */
export function compilePattern(text: string, extended: boolean): Pattern {
  const { looksBehind, marked, pattern } = translatePattern(text, extended)
  if (marked === 'all') return { test: compileMarked(text, extended) }
  const test = boundedTest(compileRe2(pattern, looksBehind))
  if (marked === 'none') return { test }
  const testMarked = compileMarked(text, extended)
  return {
    test: (subject) =>
      subject === '' || hasForeignWords(subject, extended) ? testMarked(subject) : test(subject),
  }
}
