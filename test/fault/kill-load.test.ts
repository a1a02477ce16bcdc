import { expect, it, onTestFinished } from 'vitest'
import type { Notarised } from '../../src/wire/decision.ts'
import { restart } from '../support/restart.ts'
import { foundServed, startServed, submitUntil, type ServedPlace } from '../support/served.ts'

// `serve` is killed under load again and again, on an installation that goes on growing. FAULTS=all (npm run test:fault) kills it a hundred times.
const kills = process.env['FAULTS'] === 'all' ? 20 : 3
const installations = process.env['FAULTS'] === 'all' ? [1, 2, 3, 4, 5] : [1]
const lanes = 16
const hourMs = 3_600_000

/** Loads a server and kills it a little after it has answered so often; gives what it answered until it was gone. */
async function loadAndKill(
  place: ServedPlace,
  after: number,
  delayMs: number,
): Promise<readonly Notarised[]> {
  const server = await startServed(place)
  const answers: Notarised[] = []
  let killed: Promise<void> | undefined
  const kill = async (): Promise<void> => {
    await new Promise((done) => setTimeout(done, delayMs))
    await server.end('SIGKILL')
  }
  const done = (): boolean => false
  await submitUntil(server, place.token, lanes, done, (answer) => {
    answers.push(answer)
    if (answers.length >= after) killed ??= kill()
  })
  await killed
  expect(server.child.signalCode).toBe('SIGKILL')
  return answers
}

it.each(installations)(
  `loses nothing that was acknowledged when it is killed under load ${kills} times: installation %i`,
  async (installation) => {
    const place = await foundServed()
    onTestFinished(() => {
      place.remove()
    })
    const everything: Notarised[] = []
    for (let n = 0; n < kills; n++) {
      // From the first answer on, and at another point of a batch each time.
      const after = 1 + ((n * 53 + installation * 17) % 200)
      const answers = await loadAndKill(place, after, n % 7)
      everything.push(...answers)
      const notes = everything.map(({ checkpoint }) => checkpoint)
      const known = { acknowledged: answers, notes, signatures: false }
      expect([n, await restart(place, known)]).toEqual([n, []])
    }
    process.stderr.write(`Killed ${kills} times, acknowledged: ${everything.length}\n`)
    expect(everything.length).toBeGreaterThan(kills * 10)
    expect(new Set(everything.map(({ index }) => index)).size).toBe(everything.length)
    expect(await restart(place, { acknowledged: everything })).toEqual([])
  },
  hourMs,
)
