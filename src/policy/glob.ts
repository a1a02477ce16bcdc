// Patterns of names as Python's `fnmatch` reads them, case-sensitive: `*` is any text, dots and slashes too, `?` any character, `[a-z]` and `[!x]` one
// of a set or none of it. Characters are code points. Matched without backtracking beyond the last `*`.

type Token = '*' | ((char: string) => boolean)

const any: Token = () => true
const none: Token = () => false

/** The ranges of a set's inside, as `fnmatch` cuts it: a hyphen first or last is itself, an empty range is nothing. */
function rangesOf(inside: readonly string[]): readonly (readonly [number, number])[] {
  const ranges: [number, number][] = []
  for (let i = 0; i < inside.length; i++) {
    const from = inside[i]?.codePointAt(0) ?? 0
    if (inside[i + 1] === '-' && i + 2 < inside.length) {
      ranges.push([from, inside[i + 2]?.codePointAt(0) ?? 0])
      i += 2
    } else ranges.push([from, from])
  }
  return ranges
}

/** The token of the set that opens at `at`, and where it ends; undefined when it is never closed. */
function readSet(
  chars: readonly string[],
  at: number,
): { readonly token: Token; readonly end: number } | undefined {
  const negated = chars[at + 1] === '!'
  const from = at + (negated ? 2 : 1)
  // A bracket that closes first is itself.
  const end = chars.indexOf(']', from + 1)
  if (end < 0) return undefined
  const ranges = rangesOf(chars.slice(from, end))
  const within = (char: string): boolean => {
    const code = char.codePointAt(0) ?? 0
    return ranges.some(([low, high]) => code >= low && code <= high)
  }
  if (ranges.every(([low, high]) => low > high)) return { token: negated ? any : none, end }
  return { token: negated ? (char) => !within(char) : within, end }
}

function tokensOf(pattern: string): readonly Token[] {
  const chars = Array.from(pattern)
  const tokens: Token[] = []
  for (let i = 0; i < chars.length; i++) {
    const char = chars[i]
    const set = char === '[' ? readSet(chars, i) : undefined
    if (set !== undefined) {
      tokens.push(set.token)
      i = set.end
    } else if (char === '*') {
      if (tokens.at(-1) !== '*') tokens.push('*')
    } else tokens.push(char === '?' ? any : (one) => one === char)
  }
  return tokens
}

function matches(tokens: readonly Token[], chars: readonly string[]): boolean {
  let token = 0
  let star = -1
  let resume = 0
  for (let i = 0; i < chars.length;) {
    const wanted = tokens[token]
    if (wanted === '*') {
      star = token++
      resume = i
    } else if (wanted?.(chars[i] ?? '') === true) {
      token++
      i++
    } else if (star >= 0) {
      token = star + 1
      i = ++resume
    } else return false
  }
  while (tokens[token] === '*') token++
  return token === tokens.length
}

/** Whether a text matches, as a closure of a pattern. */
export function compileGlob(pattern: string): (text: string) => boolean {
  if (pattern === '*') return () => true
  if (!/[*?[]/.test(pattern)) return (text) => text === pattern
  const tokens = tokensOf(pattern)
  return (text) => matches(tokens, Array.from(text))
}
