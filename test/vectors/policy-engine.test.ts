import { expect, it } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { compileBundle } from '../../src/policy/compile.ts'
import { readContext } from '../../src/policy/context.ts'
import { dialects } from '../../src/policy/dialect.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { parsePolicyJson } from '../../src/policy/policy-text.ts'
import { describeVectors, readVectors, readVectorText } from '../support/vectors.ts'

interface Case {
  readonly bundle: unknown
  readonly context: unknown
  readonly result: unknown
}

interface Edge {
  readonly name: string
  readonly matcher: unknown
  readonly data: unknown
  readonly subject?: unknown
  readonly result: boolean | string
}

/** The edge's outcome in the words of the vectors: true, false, VALIDATION or RAISES. */
function outcomeOf({ data, matcher, subject }: Edge): boolean | string {
  const rules = [{ id: 'r', effect: 'allow', when: matcher }]
  try {
    const bundle = compileBundle({ bundle_id: 'b', policies: [{ id: 'p', rules }] }, '0.1')
    const context = readContext({ data, ...(subject === undefined ? {} : { subject }) })
    return evaluate(bundle, context, 0).decision.kind === 'allow'
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    return error.code === 'POLICY_INVALID' ? 'VALIDATION' : 'RAISES'
  }
}

describeVectors('policy-as-code-engine 0.1.1', () => {
  it('gives the whole result of the original for every bundle and context', () => {
    const cases = readVectors('policy-engine-differential.json') as readonly Case[]
    expect(cases.length).toBeGreaterThanOrEqual(1000)
    for (const { bundle, context, result } of cases)
      expect(evaluate(compileBundle(bundle, '0.1'), readContext(context), 0)).toEqual(result)
  })

  // Read as text, for some of them hold integers that JSON.parse would round. No pattern among them is refused.
  const edges = parsePolicyJson(
    readVectorText('policy-engine-edges.json'),
    dialects['0.1'],
  ) as readonly Edge[]

  it('has edges', () => {
    expect(edges.length).toBeGreaterThanOrEqual(58)
  })

  it.each(edges.map((edge) => [edge.name, edge] as const))('answers at the edge: %s', (_, edge) => {
    const wanted =
      typeof edge.result === 'string' ? (/^[A-Z]+/.exec(edge.result)?.[0] ?? '') : edge.result
    expect(outcomeOf(edge)).toBe(wanted)
  })
})
