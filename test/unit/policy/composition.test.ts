import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  effectOf,
  effects,
  rankOf,
  statusOf,
  stronger,
  vocabularies,
  type Vocabulary,
} from '../../../src/policy/lattice.ts'
import { reasonCodes } from '../../../src/policy/reason-codes.ts'

const page = readFileSync(
  resolve(import.meta.dirname, '../../../src/policy/COMPOSITION.md'),
  'utf8',
)

/** The rows of the table whose head opens so, without their code marks. */
function table(head: string): readonly (readonly string[])[] {
  const from = page.indexOf(`| ${head} |`)
  expect(from, head).toBeGreaterThan(0)
  const [text = ''] = page.slice(from).split('\n\n')
  return text
    .trim()
    .split('\n')
    .slice(2)
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`(.*)`$/, '$1')),
    )
}

describe('COMPOSITION.md', () => {
  it('states the order of effects and their statuses as the code has them', () => {
    const rows = table('strength | effect | status')
    expect(rows.map(([, effect, status]) => [effect, status])).toEqual(
      effects.map((effect) => [effect, statusOf(effect)]),
    )
    const strengths = [...new Set(effects.map(rankOf))]
    expect(rows.map(([strength]) => Number(strength))).toEqual(
      effects.map((effect) => strengths.indexOf(rankOf(effect)) + 1),
    )
  })

  it('states every word of every engine as the code has it', () => {
    const said = Object.entries(vocabularies).flatMap(([engine, words]) =>
      Object.entries(words).map(([word, effect]) => [engine, word, effect]),
    )
    expect(table('engine | word | effect')).toEqual(said)
  })

  it('states every reason code as the code has it', () => {
    expect(table('reason | meaning')).toEqual(Object.entries(reasonCodes))
  })
})

describe('the order of effects', () => {
  const effect = fc.constantFrom(...effects)

  it('does not depend on who is asked first, or together with whom', () => {
    fc.assert(
      fc.property(effect, effect, effect, (a, b, c) => {
        expect(rankOf(stronger(a, b))).toBe(rankOf(stronger(b, a)))
        expect(rankOf(stronger(stronger(a, b), c))).toBe(rankOf(stronger(a, stronger(b, c))))
        expect(stronger(a, a)).toBe(a)
      }),
    )
  })

  it('calls an error what is no word of an engine', () => {
    for (const engine of Object.keys(vocabularies) as Vocabulary[])
      for (const word of ['', 'Allow', 'constructor', '__proto__', 'toString', 'maybe'])
        expect(effectOf(engine, word)).toBe('error')
  })
})
