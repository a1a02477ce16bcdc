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
}

/** Nothing switched on. */
export const noFlags: Flags = Object.freeze({
  ignoreCase: false,
  multiline: false,
  dotAll: false,
  ascii: false,
})

const flagNames: Readonly<Record<string, keyof Flags>> = {
  i: 'ignoreCase',
  m: 'multiline',
  s: 'dotAll',
  a: 'ascii',
}

/**
 * The flags after some letters were switched on or off.
 * @throws {@link PatternProblem}
 */
export function withFlags(flags: Flags, letters: string, on: boolean): Flags {
  let out = flags
  for (const letter of letters) {
    if (letter === 'x') throw unsupported('Verbose pattern')
    if (letter === 'u' && on) continue
    const name = flagNames[letter]
    if (name === undefined || (letter === 'a' && !on)) throw invalid(`Bad flag: ${letter}`)
    out = { ...out, [name]: on }
  }
  // Folding within ASCII only is nothing that RE2 does.
  if (out.ascii && out.ignoreCase) throw unsupported('Flags a and i together')
  return out
}
