// A character class of Python in RE2's words. RE2 has no intersection, so a class that excludes an excluded set (`[^\W\d]`) takes one character
// of the first set and looks behind itself for the rest.

import { foldSpans, isOverlooked, type Span } from './case-folding.ts'
import { unsupported, type Flags } from './pattern-flags.ts'

/** A range of code points, or one of Python's sets by its letter. */
export type ClassItem = Span | { readonly set: string }

const unicodeSets: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  w: '\\p{L}\\p{N}_',
  s: '\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}',
}
// As Unicode defines words, with what joins them, and white space without separators.
const extendedSets: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  w: '\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{200c}\\x{200d}\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}\\x{1f170}-\\x{1f189}',
  s: '\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}',
}
const asciiSets: Readonly<Record<string, string>> = {
  d: '0-9',
  w: '0-9A-Za-z_',
  s: '\\x{9}-\\x{d} ',
}

const hex = (code: number): string => `\\x{${code.toString(16)}}`

const spanText = ({ from, to }: Span): string =>
  from === to ? hex(from) : `${hex(from)}-${hex(to)}`

/** The inside of a class of everything that these spans hold under these flags. */
function spansText(spans: readonly Span[], flags: Flags): string {
  return (flags.ignoreCase ? foldSpans(spans, flags) : spans).map(spanText).join('')
}

/** A character as RE2 writes it. */
export function characterText(code: number, flags: Flags): string {
  const text = spansText([{ from: code, to: code }], flags)
  return text === hex(code) ? text : `[${text}]`
}

/** The class as RE2 writes it, and whether it looks behind. @throws {@link PatternProblem} */
export function classText(
  items: readonly ClassItem[],
  negated: boolean,
  flags: Flags,
): { readonly text: string; readonly looksBehind: boolean } {
  const sets = flags.ascii ? asciiSets : flags.extended ? extendedSets : unicodeSets
  const spans: Span[] = []
  let included = ''
  const excluded: string[] = []
  for (const item of items) {
    if ('from' in item) spans.push(item)
    else {
      const set = sets[item.set.toLowerCase()] ?? ''
      if (item.set === item.set.toLowerCase()) included += set
      else excluded.push(set)
    }
  }
  if (flags.ignoreCase && !flags.ascii && !flags.extended && items.length > 1)
    if (spans.some(({ from, to }) => from === to && isOverlooked(from)))
      throw unsupported('Capital beyond U+FFFF in a class without case')
  included += spansText(spans, flags)
  const [first] = excluded
  if (first === undefined) return { text: `[${negated ? '^' : ''}${included}]`, looksBehind: false }
  if (!negated) {
    const parts = excluded.map((set) => `[^${set}]`)
    if (included !== '') parts.push(`[${included}]`)
    return { text: `(?:${parts.join('|')})`, looksBehind: false }
  }
  // Not (included or not a or not b) = a and b and not included.
  const rest = excluded.slice(1).map((set) => `(?<=[${set}])`)
  if (included !== '') rest.push(`(?<![${included}])`)
  return { text: `[${first}]${rest.join('')}`, looksBehind: rest.length > 0 }
}
