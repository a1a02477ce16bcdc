// Which characters are the same to Python's `re` when it ignores case: those of one small letter, and small letters of one capital. RE2 folds in its
// own way (not `İ` and `ı` with `i`, and a set such as `\w` as well), so a pattern is given to it with every case written out.
import type { Flags } from './pattern-flags.ts'

/** Code points from the first to the last. */
export interface Span {
  readonly from: number
  readonly to: number
}

/** Behind the last character that has a case. */
const afterCased = 0x20000
const rowLength = 256
const dotted = 0x130

/** The small letter of a character, as one code point. */
function toSmall(code: number): number {
  // The only one whose small letter is written as two.
  if (code === dotted) return 0x69
  const small = String.fromCodePoint(code).toLowerCase()
  const first = small.codePointAt(0) ?? code
  return small.length === String.fromCodePoint(first).length ? first : code
}

/** Whether this is a capital that CPython overlooks among others in a class: it folds the text, but the class only up to U+FFFF. */
export const isOverlooked = (code: number): boolean => code > 0xffff && toSmall(code) !== code

/** All characters with a case, and some more: rows without any are passed over at once. */
function listCased(): readonly number[] {
  const cased: number[] = []
  for (let start = 0; start < afterCased; start += rowLength) {
    const row = Array.from({ length: rowLength }, (_, i) => start + i)
    const text = String.fromCodePoint(...row)
    if (text.toLowerCase() !== text || text.toUpperCase() !== text) cased.push(...row)
  }
  return cased
}

function readOrbits(): ReadonlyMap<number, readonly number[]> {
  const byCapital = new Map<string, number[]>()
  for (const code of listCased()) {
    const capital = String.fromCodePoint(toSmall(code)).toUpperCase()
    const found = byCapital.get(capital)
    if (found === undefined) byCapital.set(capital, [code])
    else found.push(code)
  }
  const orbits = new Map<number, readonly number[]>()
  for (const orbit of byCapital.values())
    if (orbit.length > 1) for (const code of orbit) orbits.set(code, orbit)
  return orbits
}

// Read when the first pattern asks: it takes some milliseconds.
let orbits: ReadonlyMap<number, readonly number[]> | undefined
let extendedOrbits: ReadonlyMap<number, readonly number[]> | undefined

// To `regex` the letters with and without a dot are no equals of each other, only of what they may be a case of.
const turkicOrbits = [
  [0x49, [0x49, 0x69, 0x131]],
  [0x69, [0x49, 0x69, dotted]],
  [dotted, [0x69, dotted]],
  [0x131, [0x49, 0x131]],
] as const

function orbitsOf({ ascii, extended }: Flags): ReadonlyMap<number, readonly number[]> {
  if (ascii) return asciiOrbits
  orbits ??= readOrbits()
  if (!extended) return orbits
  return (extendedOrbits ??= new Map<number, readonly number[]>([...orbits, ...turkicOrbits]))
}

const asciiOrbits: ReadonlyMap<number, readonly number[]> = new Map(
  Array.from({ length: 26 }, (_, i) => [0x41 + i, 0x61 + i] as const).flatMap((orbit) =>
    orbit.map((code) => [code, orbit] as const),
  ),
)

function merge(spans: readonly Span[]): readonly Span[] {
  const merged: { from: number; to: number }[] = []
  for (const { from, to } of spans.toSorted((a, b) => a.from - b.from)) {
    const last = merged.at(-1)
    if (last !== undefined && from <= last.to + 1) last.to = Math.max(last.to, to)
    else merged.push({ from, to })
  }
  return merged
}

/** These spans with every case of what is in them. */
export function foldSpans(spans: readonly Span[], flags: Flags): readonly Span[] {
  const known = orbitsOf(flags)
  const more = new Set<number>()
  for (const { from, to } of merge(spans)) {
    const wide = to - from > known.size
    const codes = wide ? known.keys() : Array.from({ length: to - from + 1 }, (_, i) => from + i)
    for (const code of codes)
      if (code >= from && code <= to)
        for (const one of known.get(code) ?? []) if (one < from || one > to) more.add(one)
  }
  return merge([...spans, ...Array.from(more, (code) => ({ from: code, to: code }))])
}
