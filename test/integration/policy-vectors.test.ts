import { expect, it } from 'vitest'
import { dialects } from '../../src/policy/dialect.ts'
import { parsePolicyJson } from '../../src/policy/policy-text.ts'
import { runHere } from '../support/cli-here.ts'
import { describeVectors, readVectors, readVectorText } from '../support/vectors.ts'

/** Answers of `policy eval --batch` to lines of JSON text. */
async function answers(lines: readonly string[]): Promise<readonly unknown[]> {
  const input = `${lines.join('\n')}\n`
  const { code, stderr, stdout } = await runHere(['policy', 'eval', '--batch', '-'], {
    cwd: '/',
    input,
  })
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown)
}

/** The text of each item of an array, so that no number in it was ever rounded. */
function itemTexts(text: string): readonly string[] {
  const marks = [...text.matchAll(/"(?:[^"\\]|\\.)*"|[[\]{}]/gs)]
  const items: string[] = []
  let depth = 0
  let from = 0
  for (const { 0: mark, index } of marks) {
    if (mark === '{' || mark === '[') {
      depth++
      if (depth === 2) from = index
    } else if (mark === '}' || mark === ']') {
      depth--
      if (depth === 1) items.push(text.slice(from, index + 1).replaceAll('\n', ' '))
    }
  }
  return items
}

/** The text of a member of an item, its last one excepted. */
function memberText(item: string, name: string, next: string): string {
  const from = item.indexOf(`"${name}":`) + name.length + 3
  return item
    .slice(from, item.lastIndexOf(`"${next}":`))
    .trim()
    .replace(/,$/, '')
}

describeVectors('policy eval --batch', () => {
  it('answers every bundle and context as the original did', async () => {
    const cases = readVectors('policy-engine-differential.json') as readonly { result: unknown }[]
    const lines = itemTexts(readVectorText('policy-engine-differential.json'))
    expect(lines.length).toBeGreaterThanOrEqual(1000)
    expect(await answers(lines)).toEqual(cases.map(({ result }) => result))
  })

  it('answers every edge: a matcher that raises or is none is an error by its code', async () => {
    const text = readVectorText('policy-engine-edges.json')
    const edges = parsePolicyJson(text, dialects['0.1']) as readonly {
      name: string
      result: boolean | string
      subject?: unknown
    }[]
    const lines = itemTexts(text).map((item, i) => {
      const subject =
        edges[i]?.subject === undefined ? '' : `"subject":${JSON.stringify(edges[i].subject)},`
      const matcher = memberText(item, 'matcher', 'data')
      const data = memberText(item, 'data', subject === '' ? 'result' : 'subject')
      const rule = `{"id":"r","effect":"allow","when":${matcher}}`
      return `{"bundle":{"bundle_id":"b","policies":[{"id":"p","rules":[${rule}]}]},"context":{${subject}"data":${data}}}`
    })
    const found = await answers(lines)
    expect(found).toHaveLength(edges.length)
    const outcomes = found.map((answer) => {
      const { decision, error } = answer as {
        decision?: { kind: string }
        error?: { code: string }
      }
      return decision?.kind ?? error?.code
    })
    const wanted = edges.map(({ result }) => {
      if (typeof result === 'boolean') return result ? 'allow' : 'deny'
      return result.startsWith('VALIDATION') ? 'POLICY_INVALID' : 'POLICY_RAISED'
    })
    expect(edges.map(({ name }, i) => [name, outcomes[i]])).toEqual(
      edges.map(({ name }, i) => [name, wanted[i]]),
    )
  })

  it('makes the bundle of every Decision Card, or says why not in the original’s words', async () => {
    const text = readVectorText('decision-card.json')
    const cards = readVectors('decision-card.json') as readonly { result: unknown }[]
    const found = await answers(itemTexts(text))
    expect(found).toHaveLength(cards.length)
    for (const [i, { result }] of cards.entries()) {
      const answer = found[i] as { error?: { code: string; message: string } }
      if (typeof result !== 'string') expect(answer).toEqual(result)
      else if (result.startsWith('ValueError: '))
        expect(answer.error?.message).toBe(result.slice('ValueError: '.length))
      else expect(answer.error?.code).toBe('POLICY_INVALID')
    }
  })
})
