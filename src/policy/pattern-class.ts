// A character class of Python in RE2's words. RE2 has no intersection, so a class that excludes an excluded set (`[^\W\d]`) takes one character
// of the first set and looks behind itself for the rest.

import { foldSpans, type Span } from './case-folding.ts'
import type { Flags } from './pattern-flags.ts'

/** A range of code points, or one of Python's sets by its letter. */
export type ClassItem = Span | { readonly set: string }

/** Inside of a class of everything that Python's `\w` matches. */
export const wordSet = '\\p{L}\\p{N}_'

const unicodeSets: Readonly<Record<string, string>> = {
  d: '\\p{Nd}',
  w: wordSet,
  s: '\\x{9}-\\x{d}\\x{1c}-\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}',
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
function spansText(spans: readonly Span[], { ascii, ignoreCase }: Flags): string {
  return (ignoreCase ? foldSpans(spans, ascii) : spans).map(spanText).join('')
}

/** A character as RE2 writes it. */
export function characterText(code: number, flags: Flags): string {
  const text = spansText([{ from: code, to: code }], flags)
  return text === hex(code) ? text : `[${text}]`
}

/** The class as RE2 writes it, and whether it looks behind. */
export function classText(
  items: readonly ClassItem[],
  negated: boolean,
  flags: Flags,
): { readonly text: string; readonly looksBehind: boolean } {
  const sets = flags.ascii ? asciiSets : unicodeSets
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
