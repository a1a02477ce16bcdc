import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { problemSchema, type Notarised } from '../../src/wire/decision.ts'
import { restart } from '../support/restart.ts'
import { foundServed, startServed, type Served, type ServedPlace } from '../support/served.ts'

let place: ServedPlace
let server: Served
const acknowledged: Notarised[] = []

beforeAll(async () => {
  place = await foundServed()
  server = await startServed(place)
})

afterAll(async () => {
  await server.end('SIGTERM')
  place.remove()
})

/** Asks for a decision whose trace is this text; gives the answer, or the code of the refusal. */
async function submit(trace: string): Promise<Notarised | string> {
  const intent = { action: { type: 'weigh' }, actor: { id: 'agent' } }
  const response = await fetch(`${server.url}/v1/decisions`, {
    body: JSON.stringify({ intent, status: 'ALLOW', trace }),
    headers: { Authorization: `Bearer ${place.token}`, 'Content-Type': 'application/json' },
    method: 'POST',
  })
  if (response.status !== 201)
    return `${response.status} ${problemSchema.parse(await response.json()).code}`
  const answer = (await response.json()) as Notarised
  acknowledged.push(answer)
  return answer
}

const statementBytes = (answer: Notarised | string): number =>
  typeof answer === 'string' ? NaN : Buffer.from(answer.envelope?.payload ?? '', 'base64').length

describe('a statement', () => {
  // The bound is one of bytes: of these characters JSON takes one, two and four.
  it.each(['x', 'é', '𝄞'])('of %s is taken up to its bound, and no byte more', async (letter) => {
    const bytes = Buffer.byteLength(letter)
    const room = limits.payloadBytes - statementBytes(await submit(''))
    const letters = letter.repeat(Math.floor(room / bytes))
    const largest = letters + 'x'.repeat(room % bytes)
    expect(statementBytes(await submit(largest))).toBe(limits.payloadBytes)
    expect(await submit(`${largest}x`)).toBe('413 INPUT_TOO_LARGE')
    expect(statementBytes(await submit(''))).toBe(limits.payloadBytes - room)
  })

  it('that was refused left nothing, and those that were taken verify after a restart', async () => {
    const indexes = acknowledged.map(({ index }) => index)
    const first = Math.min(...indexes)
    expect(indexes.sort((a, b) => a - b)).toEqual(indexes.map((_, i) => first + i))
    await server.end('SIGTERM')
    expect(await restart(place, { acknowledged })).toEqual([])
    expect(acknowledged).toHaveLength(9)
  })
})
