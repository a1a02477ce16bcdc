// Flags of a Python pattern, and the two ways in which a pattern is none for us.

/** Why a pattern cannot be used: `invalid` in Python too, or `unsupported` here. */
export class PatternProblem extends Error {
  override readonly name = 'PatternProblem'
  readonly kind: 'invalid' | 'unsupported'
  constructor(kind: 'invalid' | 'unsupported', message: string) {
    super(message)
    this.kind = kind
  }
}

/** A pattern that Python refuses too. */
export const invalid = (message: string): PatternProblem => new PatternProblem('invalid', message)

/** A pattern that linear time cannot follow. */
export const unsupported = (message: string): PatternProblem =>
  new PatternProblem('unsupported', message)

/** What is switched on at some place of a pattern. */
export interface Flags {
  readonly ignoreCase: boolean
  readonly multiline: boolean
  readonly dotAll: boolean
  readonly ascii: boolean
  /** White space and what stands behind `#` mean nothing. */
  readonly verbose: boolean
  /** Not a flag, but everywhere: the engine is the second dialect's, `regex`, which has other sets and folds otherwise. */
  readonly extended: boolean
}

/** Nothing switched on. */
export const noFlags: Flags = Object.freeze({
  ignoreCase: false,
  multiline: false,
  dotAll: false,
  ascii: false,
  verbose: false,
  extended: false,
})

const flagNames: Readonly<Record<string, keyof Flags>> = {
  i: 'ignoreCase',
  m: 'multiline',
  s: 'dotAll',
  x: 'verbose',
}

/** The flags after one letter. @throws {@link PatternProblem} */
function withFlag(flags: Flags, letter: string, on: boolean): Flags {
  const name = flagNames[letter]
  if (name !== undefined) return { ...flags, [name]: on }
  if (on && (letter === 'a' || letter === 'u')) return { ...flags, ascii: letter === 'a' }
  throw invalid(`Bad flag: ${letter}`)
}

/**
 * The flags after some letters were switched on and others off.
 * @throws {@link PatternProblem}
 */
export function withFlags(flags: Flags, on: string, off = ''): Flags {
  if (on.includes('a') && on.includes('u')) throw invalid('Flags a and u exclude each other')
  if (Array.from(on).some((letter) => off.includes(letter)))
    throw invalid('A flag is switched on and off')
  const then = Array.from(on).reduce((now, letter) => withFlag(now, letter, true), flags)
  return Array.from(off).reduce((now, letter) => withFlag(now, letter, false), then)
}
