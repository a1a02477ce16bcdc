import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileBundle } from '../../../src/policy/compile.ts'
import { readContext } from '../../../src/policy/context.ts'
import { dialects, type DialectName } from '../../../src/policy/dialect.ts'
import { evaluate } from '../../../src/policy/evaluate.ts'
import {
  effectOf,
  effects,
  rankOf,
  statusOf,
  stronger,
  vocabularies,
  type Vocabulary,
} from '../../../src/policy/lattice.ts'
import { obligationTypes } from '../../../src/policy/obligations.ts'
import { reasonCodes } from '../../../src/policy/reason-codes.ts'

const page = readFileSync(
  resolve(import.meta.dirname, '../../../src/policy/COMPOSITION.md'),
  'utf8',
)

/** The rows of the table whose head opens so, without their code marks. */
function table(head: string): readonly (readonly string[])[] {
  const from = page.indexOf(`| ${head}`)
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

  it('states what each dialect says when nothing matches as the code has it', () => {
    const bundle = (more: object = {}): object => ({
      bundle_id: 'b',
      policies: [{ id: 'p', ...more, rules: [{ id: 'r', effect: 'allow', when: never }] }],
    })
    const never = { kind: 'exists', field: 'nothing' }
    const conditions = [{ name: 'c', field: 'nothing', operator: '==', value: 1 }]
    const refund = { action: 'refund', reason: 'r', conditions, on_match: 'BLOCK' }
    const all = [{ field: 'nothing', operator: 'EXISTS' }]
    const decionis = { rule_id: 'r', when: { all }, then: { action: 'ALLOW' } }
    const block = { name: 'r', all: [{ field: 'nothing', op: 'exists' }], action: 'allow' }
    const values: Readonly<Record<DialectName, unknown>> = {
      '0.1': bundle(),
      '0.2': bundle(),
      native: bundle(),
      brane: bundle(),
      provenance: [refund],
      decionis: { protocol_version: '1.0', bundle_id: 'b', version: '1', rules: [decionis] },
      'decionis-block': { rules: [block] },
    }
    const rows = table('dialect | rule form | policy without')
    expect(rows.map(([dialect]) => dialect)).toEqual(Object.keys(dialects))
    for (const [name, , policy, silent] of rows) {
      const dialect = name as DialectName
      const { decision, policy_decisions } = evaluate(
        compileBundle(values[dialect], dialect),
        readContext({ data: {} }),
        0,
      )
      expect([name, policy_decisions[0]?.kind]).toEqual([name, policy])
      // Where policies are never silent, the bundle says what its policies say.
      if (dialect === 'native')
        expect(
          evaluate(
            compileBundle(bundle({ default_effect: 'not_applicable' }), dialect),
            readContext({}),
            0,
          ).decision.kind,
        ).toBe(silent)
      else if (dialect !== '0.1' && dialect !== '0.2')
        expect([name, decision.kind]).toEqual([name, silent])
    }
  })

  it('states every type of obligation', () => {
    expect(table('type | who carries it out | what').map(([type]) => type)).toEqual(obligationTypes)
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
