import fc from 'fast-check'
import { expect, it } from 'vitest'
import { readEcmaPattern } from '../../../src/policy/ecma-pattern.ts'
import { PatternProblem } from '../../../src/policy/pattern-flags.ts'

// What is asked is the engine of this platform itself.
const texts = [
  '',
  'a',
  'ab',
  'abc',
  'a.b',
  'a\nb',
  'x y',
  'x\u00a0y',
  '[',
  ']',
  '-',
  '\\',
  '1',
  'é',
  '_',
  '\u2028',
  'k',
  'aaa',
  'a{2}',
]
it.each([
  'a',
  '^a$',
  'a.b',
  'a\\.b',
  '[a-c]+',
  '[^a-c]',
  '\\d',
  '\\D',
  '\\w',
  '\\W',
  '\\s',
  '\\S',
  '[\\s]',
  '[^\\s]',
  '[\\w-]',
  '\\bb',
  'b\\B',
  '[\\b]',
  '(?:a|b)c',
  '(?<n>a)b',
  'a{2}',
  'a{2,}',
  'a{,2}',
  'a{',
  '[[]',
  '[\\]]',
  '[^]',
  '[]',
  '\\u0061',
  '\\x61',
  '\\cJ',
  '\\0',
  '\\-',
  '\\/',
  'a|',
  '(a|b)*c',
  '^$',
  'A',
  '\\e',
  '\\p{L}',
  '[a-]',
])('matches %s as JavaScript does', (pattern) => {
  const test = readEcmaPattern(pattern)?.compile()
  const wanted = new RegExp(pattern, 'i')
  expect(texts.map((text) => [text, test?.(text)])).toEqual(
    texts.map((text) => [text, wanted.test(text)]),
  )
})

it.each(['(', ')', '[', 'a**', '\\', '(?<n>a)(?<n>b)', 'a{2,1}'])(
  'takes %s for no pattern, as JavaScript does',
  (pattern) => {
    expect(readEcmaPattern(pattern)).toBeUndefined()
  },
)

it.each([
  '(?=a)',
  '(?!a)',
  '(?<=a)b',
  '(?<!a)b',
  '(a)\\1',
  '(?<n>a)\\k<n>',
  '[\\S]',
  'a{1001}',
  '(?i:a)',
])('refuses %s, which linear time cannot follow', (pattern) => {
  expect(() => readEcmaPattern(pattern)?.compile()).toThrow(PatternProblem)
})

it('agrees with JavaScript, or refuses, about any pattern of its words', () => {
  const word = fc.constantFrom(
    'a',
    'b',
    '.',
    '*',
    '+',
    '?',
    '|',
    '(',
    ')',
    '[',
    ']',
    '^',
    '$',
    '-',
    '\\d',
    '\\s',
    '\\w',
    '{2}',
    '\\b',
    '(?:',
  )
  fc.assert(
    fc.property(
      fc.array(word, { maxLength: 8 }),
      fc.string({ unit: fc.constantFrom('a', 'b', '-', '1', ' ', '\n'), maxLength: 6 }),
      (words, text) => {
        const pattern = words.join('')
        let wanted: RegExp | undefined
        try {
          wanted = new RegExp(pattern, 'i')
        } catch {
          wanted = undefined
        }
        try {
          expect(readEcmaPattern(pattern)?.compile()(text)).toBe(wanted?.test(text))
        } catch (problem) {
          if (!(problem instanceof PatternProblem)) throw problem
        }
      },
    ),
    { numRuns: 1000 },
  )
})
