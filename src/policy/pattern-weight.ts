// What a pattern costs, told from its text before RE2 is given it: reading a large repetition takes seconds, and memory without end. One unit is a step of
// the program that RE2 makes, about 2 µs and 200 bytes; what takes longer to read than a step counts as more of them.

/** For reading a set of Unicode, which has hundreds of ranges. */
const setWeight = 50
/** For reading a class, and each of its characters as it is written. */
const classWeight = 16
const classCharacter = 1 / 8
/** Of a range whose every character is looked up because case does not count. */
const foldedCharacter = 1 / 32

const set = /\\[pP](?:\{[^}]*\}|.)/
const token =
  /(?<set>\\[pP](?:\{[^}]*\}|.))|\\x\{[0-9a-f]+\}|\\.|(?<class>\[\^?(?:\\.|[^\]\\])*\])|(?<open>\((?:\?(?:<[=!]|<[^>]*>|[a-z-]*:))?)|(?<close>\))|(?<or>\|)|(?<most>[*+?]|\{(?<from>\d+)(?<comma>,(?<to>\d*))?\})\??|./gsu
const range = /(?:\\x\{([0-9a-f]+)\}|([^\\]))-(?:\\x\{([0-9a-f]+)\}|([^\\\]]))/gsu

const codeOf = (hex: string | undefined, char: string | undefined): number =>
  hex === undefined ? (char?.codePointAt(0) ?? 0) : Number.parseInt(hex, 16)

/** What it takes to read a class, however often it is repeated then. */
function weighClass(text: string, foldsCase: boolean): number {
  const sets = text.split(set).length - 1
  let weight = classWeight + sets * setWeight + text.length * classCharacter
  if (foldsCase)
    for (const [, fromHex, from, toHex, to] of text.matchAll(range))
      weight += Math.max(0, codeOf(toHex, to) - codeOf(fromHex, from)) * foldedCharacter
  return weight
}

/** The steps of an item that is repeated: each time anew. */
function repeat(steps: number, groups: Readonly<Record<string, string | undefined>>): number {
  const { comma, from, to } = groups
  if (from === undefined) return steps + 1
  const least = Number(from)
  if (comma === undefined) return steps * Math.max(least, 1)
  if (to === '') return steps * Math.max(least, 1) + 1
  return (steps + 1) * Math.max(Number(to), 1)
}

interface Frame {
  /** Steps of what stands before the last item. */
  before: number
  last: number
}

/**
 * What a pattern in RE2's words weighs: never less than the steps of its program.
 * @param foldsCase whether RE2 itself is told that case does not count
 */
export function weighPattern(pattern: string, foldsCase = false): number {
  let frame: Frame = { before: 4, last: 0 }
  let reading = 0
  const outer: Frame[] = []
  const item = (steps: number): void => {
    frame.before += frame.last
    frame.last = steps
  }
  for (const { 0: text, groups = {} } of pattern.matchAll(token)) {
    if (groups['open'] !== undefined) {
      outer.push(frame)
      frame = { before: 2, last: 0 }
    } else if (groups['close'] !== undefined) {
      const { before, last } = frame
      frame = outer.pop() ?? { before: 0, last: 0 }
      item(before + last)
    } else if (groups['or'] !== undefined) item(1)
    else if (groups['most'] !== undefined) frame.last = repeat(frame.last, groups)
    else {
      item(1)
      if (groups['class'] !== undefined) reading += weighClass(text, foldsCase)
      if (groups['set'] !== undefined) reading += classWeight + setWeight
    }
  }
  return Math.ceil(reading + frame.before + frame.last)
}
