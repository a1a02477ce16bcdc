// What Python makes of text and what text it makes of values: `int()` of a path's segment, and `repr` and `str` as they stand in reasons and in
// the names of generated policies.

// The separators U+001C to U+001F are white space to `str`, but not to `int`.
const space = /[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/
const integer = /^[+-]?\p{Nd}+(?:_\p{Nd}+)*$/u
const decimalDigit = /\p{Nd}/u

/** Python makes no integer of more digits, leading zeros counted. */
export const mostDigits = 4300

/** Digits of Unicode come in runs of ten from zero to nine. */
function digitValue(char: string): number {
  const code = char.codePointAt(0) ?? 0
  if (code < 0x80) return code - 0x30
  let zero = code
  while (decimalDigit.test(String.fromCodePoint(zero - 1))) zero--
  return (code - zero) % 10
}

/** As a loop, for a pattern would try every run of spaces again from each of them. */
function trimSpaces(text: string): string {
  let from = 0
  let to = text.length
  while (from < to && space.test(text.charAt(from))) from++
  while (from < to && space.test(text.charAt(to - 1))) to--
  return text.slice(from, to)
}

/** The index that `int(text)` gives, or undefined where Python raises; beyond ±2^53 it is as good as any index out of range. */
export function parsePythonInt(text: string): number | undefined {
  const trimmed = trimSpaces(text)
  if (!integer.test(trimmed)) return undefined
  const digits = Array.from(trimmed.replace(/[+_-]/g, ''), digitValue)
  if (digits.length > mostDigits) return undefined
  const value = Number(digits.join(''))
  return trimmed.startsWith('-') ? -value : value
}

const escapes: Readonly<Record<string, string>> = {
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\\': '\\\\',
}
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Cn}\p{Zl}\p{Zp}\p{Zs}\\]/gu

function escapeChar(char: string): string {
  if (char === ' ') return char
  const short = escapes[char]
  if (short !== undefined) return short
  const hex = (char.codePointAt(0) ?? 0).toString(16)
  if (hex.length <= 2) return `\\x${hex.padStart(2, '0')}`
  return hex.length <= 4 ? `\\u${hex.padStart(4, '0')}` : `\\U${hex.padStart(8, '0')}`
}

function quote(text: string): string {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'"
  const inside = text.replace(unprintable, escapeChar)
  return mark + (mark === "'" ? inside.replaceAll("'", "\\'") : inside) + mark
}

function reprNumber(value: number): string {
  if (Number.isNaN(value)) return 'nan'
  if (!Number.isFinite(value)) return value > 0 ? 'inf' : '-inf'
  if (Number.isSafeInteger(value)) return String(value)
  const [digits = '', exponent = '0'] = value.toExponential().split('e')
  const power = Number(exponent)
  // A float is written with an exponent from 1e16 on and below 1e-4.
  if (power < 16 && power >= -4) return String(value)
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`
}

/** Python's `repr` of a JSON value. A float without a fraction cannot be told from an integer and reads as one. */
export function repr(value: unknown): string {
  if (typeof value === 'string') return quote(value)
  if (typeof value === 'number') return reprNumber(value)
  if (typeof value === 'bigint') return value.toString()
  if (typeof value === 'boolean') return value ? 'True' : 'False'
  if (Array.isArray(value)) return `[${value.map(repr).join(', ')}]`
  if (typeof value === 'object' && value !== null)
    return `{${Object.entries(value)
      .map(([name, member]) => `${quote(name)}: ${repr(member)}`)
      .join(', ')}}`
  return 'None'
}

/** Python's `str` of a JSON value. */
export const str = (value: unknown): string => (typeof value === 'string' ? value : repr(value))
