import { expect, it } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { bundleOfCard } from '../../src/policy/card.ts'
import { compileBundle } from '../../src/policy/compile.ts'
import { describeVectors, readVectors } from '../support/vectors.ts'

interface Case {
  readonly name: string
  readonly card: unknown
  readonly result: unknown
}

/** The bundle of a card, or the message of its refusal; a bundle must compile. */
function outcomeOf(card: unknown): unknown {
  try {
    const bundle = bundleOfCard(card)
    compileBundle(bundle, '0.1')
    return bundle
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'POLICY_INVALID') throw error
    return error.message
  }
}

describeVectors('Decision Cards of policy-as-code-engine 0.1.1', () => {
  const cases = readVectors('decision-card.json') as readonly Case[]

  it('has cases', () => {
    expect(cases.length).toBeGreaterThanOrEqual(12)
  })

  it.each(cases.map((one) => [one.name, one] as const))('makes the bundle of: %s', (_, one) => {
    const outcome = outcomeOf(one.card)
    // The engine's own messages are kept; where Python stumbles, any refusal will do.
    if (typeof one.result !== 'string') expect(outcome).toEqual(one.result)
    else if (one.result.startsWith('ValueError: '))
      expect(outcome).toBe(one.result.slice('ValueError: '.length))
    else expect(outcome).toEqual(expect.any(String))
  })
})
