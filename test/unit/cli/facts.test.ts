import { describe, expect, it } from 'vitest'
import { firstFacts, formatFacts, membersOf } from '../../../src/cli/facts.ts'

/** Columns in which facts are written. */
const columns = 78
const linesOf = (value: string): string[] =>
  formatFacts([['actor', value]])
    .trimEnd()
    .split('\n')

describe('a fact', () => {
  it('is a label and what it says', () => {
    expect(
      formatFacts([
        ['actor', 'Zoë of 東京'],
        ['status', 'BLOCK'],
      ]),
    ).toBe('  actor          Zoë of 東京\n  status         BLOCK\n')
  })

  it.each([
    ['a new line', 'x\n  status  ALLOW', String.raw`x\u000a \u0020status \u0020ALLOW`],
    ['a carriage return', 'x\rstatus', String.raw`x\u000dstatus`],
    ['an ANSI sequence', '\x1b[2J\x1b[1;1Hok', String.raw`\u001b[2J\u001b[1;1Hok`],
    ['a C1 control sequence', '\x9b2J', String.raw`\u009b2J`],
    ['the other way round', '\u202e0001', String.raw`\u202e0001`],
    ['no width', 'a\u200bb\ufeff', String.raw`a\u200bb\ufeff`],
    ['tags that nobody sees', '\u{e0041}', String.raw`\udb40\udc41`],
    ['half a character', '\ud800', String.raw`\ud800`],
    ['a line separator', 'a\u2028b', String.raw`a\u2028b`],
    ['blanks of other kinds', 'a\u00a0\u3164\u2800b', String.raw`a\u00a0\u3164\u2800b`],
    ['marks in heaps', 'e\u0301\u0301\u0301', 'e\u0301\u0301' + String.raw`\u0301`],
  ])('spells out %s', (_, value, shown) => {
    expect(linesOf(value)[0]).toContain(`  actor          ${shown}`)
    expect(linesOf(value)).toHaveLength(1)
  })

  it('goes on behind a bar, and never in a line wider than 78 columns', () => {
    const room = columns - 17
    const status = '  status         ALLOW'
    expect(linesOf('x'.repeat(room))).toHaveLength(1)
    const two = linesOf('x'.repeat(room) + status)
    expect(two[1]).toMatch(/^ {15}\| {2}\\u0020status/)
    for (const text of ['x', '東', '\x1b', 'e\u0301', '🙂'])
      for (const line of linesOf(text.repeat(500)))
        expect(
          line.replaceAll(/\p{M}/gu, '').replaceAll(/[^\x20-\x7e…]/gu, 'xx').length,
        ).toBeLessThanOrEqual(columns)
  })

  it('has two lines at most, and says how much is left out', () => {
    const room = 2 * (columns - 17)
    expect(linesOf('x'.repeat(room))).toHaveLength(2)
    expect(linesOf('x'.repeat(room + 1))[2]).toBe('  …              1 characters more, not shown')
    expect(linesOf('\x1b'.repeat(1_000_000))[2]).toBe(
      '  …              999980 characters more, not shown',
    )
  })
})

describe('members of an object', () => {
  it('stand under one label, with names that are quoted where they are no plain ones', () => {
    const value = { amount: 10, 'status ALLOW\n': 'x', to: { iban: 'DE\u202e' } }
    expect(membersOf('resource', value)).toEqual([
      ['resource', 'amount: 10'],
      ['resource', String.raw`"status ALLOW\n": "x"`],
      ['resource', 'to: {"iban":"DE\u202e"}'],
    ])
    expect(membersOf('resource', undefined)).toEqual([])
  })

  it('are twelve at most, and what is left out is counted', () => {
    const value = (count: number): object =>
      Object.fromEntries(Array.from({ length: count }, (_, i) => [`a${i}`, i]))
    expect(membersOf('context', value(12))).toHaveLength(12)
    expect(membersOf('context', value(14)).at(-1)).toEqual(['context', '… 2 more, not shown'])
    expect(firstFacts([])).toEqual([])
  })
})
