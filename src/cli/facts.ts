// Facts about what strangers wrote, one below the other, for somebody who is about to sign. No line is longer than 78 columns, so that no terminal of 80
// breaks one where its author wanted, and what goes on in a further line stands behind a bar: a value can neither begin a line nor look like one that
// does. Each value has two lines at most unless all of it must be seen, and what is left out is counted.
import { canonicalize } from '../base/canonical-json.ts'

/** Something that is so: a label of ours and, behind it, text of anybody. */
export type Fact = readonly [label: string, value: string]

const columns = 78
const labelColumns = 17
const valueColumns = columns - labelColumns
const usualLines = 2
const mostMembers = 12

// What moves the cursor, reorders, hides or has no shape of its own; blanks that could stand for a line break; marks that pile up over their neighbours.
const signs =
  /(?<misleading>[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?! )\p{Zs}|(?<= ) |(?<=\p{M}{2})\p{M})|./gu

const spelt = (char: string): string =>
  Array.from(
    { length: char.length },
    (_, i) => String.raw`\u${char.charCodeAt(i).toString(16).padStart(4, '0')}`,
  ).join('')

/** Columns that a sign takes at most: those of Asian scripts take two, marks none. */
const columnsOf = (sign: string): number =>
  /^[\x20-\x7e]/.test(sign) ? sign.length : /^\p{M}$/u.test(sign) ? 0 : 2

/** The first lines of a text as it is shown, and how much of it they are, in UTF-16 code units. */
function firstLines(
  text: string,
  mostLines: number,
): { readonly lines: readonly string[]; readonly shown: number } {
  const lines: string[] = []
  let [line, width, shown] = ['', 0, 0]
  for (const { 0: char, groups } of text.matchAll(signs)) {
    const sign = groups?.['misleading'] === undefined ? char : spelt(char)
    if (width + columnsOf(sign) > valueColumns) {
      if (lines.length === mostLines - 1) break
      lines.push(line)
      ;[line, width] = ['', 0]
    }
    line += sign
    width += columnsOf(sign)
    shown += char.length
  }
  return { lines: [...lines, line], shown }
}

function formatFact([label, value]: Fact, mostLines: number): string {
  const { lines, shown } = firstLines(value, mostLines)
  const [first = '', ...more] = lines
  const left = value.length - shown
  return [
    `  ${label}`.padEnd(labelColumns) + first,
    ...more.map((line) => '| '.padStart(labelColumns) + line),
    ...(left > 0 ? [`${'  …'.padEnd(labelColumns)}${left} characters more, not shown`] : []),
    '',
  ].join('\n')
}

/** Facts as lines, each ended by a newline. */
export const formatFacts = (facts: readonly Fact[], mostLines = usualLines): string =>
  facts.map((fact) => formatFact(fact, mostLines)).join('')

/** At most so many facts of a list; the last then says how many were left out. */
export const firstFacts = (facts: readonly Fact[], most = mostMembers): readonly Fact[] =>
  facts.length <= most
    ? facts
    : [...facts.slice(0, most), [facts[0]?.[0] ?? '', `… ${facts.length - most} more, not shown`]]

const nameOf = (name: string): string => (/^[\w.-]{1,64}$/.test(name) ? name : JSON.stringify(name))

const textOf = (value: unknown): string =>
  typeof value === 'string' ? JSON.stringify(value) : canonicalize(value)

/** A fact for each member of an object, all under one label, for their names are a stranger's too. */
export const membersOf = (label: string, value: object = {}): readonly Fact[] =>
  firstFacts(
    Object.entries(value).map(([name, member]) => [label, `${nameOf(name)}: ${textOf(member)}`]),
  )
