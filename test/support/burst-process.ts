// A service in a process of its own that notarises and erases until something breaks, waits until it has healed itself, and goes on. It prints what it
// learnt, one JSON line each: the whole of every answer it got. The parent breaks its disk, its fsync, or kills it.
//   burst-process.ts found DIR | burst DIR COUNT [BALLAST]
import { rmSync } from 'node:fs'
import { asFailure } from '../../src/base/failure.ts'
import type { LocalService } from '../../src/decisions/local-service.ts'
import { foundService, openLocalService } from '../../src/open-service.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import { placeIn, principalOf, settingsOf } from './restart.ts'

const [task = '', directory = '', count = '0', ballast = ''] = process.argv.slice(2)
const lanes = 8

/** What the process says, one of these a line. */
export type BurstLine =
  | { readonly answer: Notarised }
  | { readonly refused: string; readonly message: string }
  | { readonly ready: boolean }
  | { readonly healed: boolean }
  | { readonly event: string }

// Written whole before it goes on: whoever is killed next has said it.
const say = (line: BurstLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
const report = (event: string): void => {
  say({ event })
}
const principal = principalOf('default')

const request = (n: number): string =>
  JSON.stringify({
    intent: {
      action: { type: 'burst' },
      actor: { id: `agent-${n % 10}` },
      context: { pad: 'x'.repeat(1000) },
    },
    status: 'ALLOW',
  })

let next = 0

/** Notarises from several sides at once until `total` more are done or one is refused; then it erases the first. Gives whether nothing was refused. */
async function burst(service: LocalService, total: number): Promise<boolean> {
  const end = next + total
  const state: { whole: boolean; first?: string } = { whole: true }
  const attempt = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work()
    } catch (error) {
      const { code, message } = asFailure(error)
      state.whole = false
      say({ message, refused: code })
    }
  }
  const lane = async (): Promise<void> => {
    while (next < end && state.whole) {
      const n = next++
      await attempt(async () => {
        const answer = JSON.parse(
          await service.notarise(principal, request(n), `${process.pid}-${n}`),
        ) as Notarised
        state.first ??= answer.id
        say({ answer })
      })
    }
  }
  await Promise.all(Array.from({ length: lanes }, lane))
  const { first: id, whole } = state
  if (whole && id !== undefined) {
    await attempt(async () => {
      await service.erase(principal, id, 'Asked for')
    })
  }
  return state.whole
}

const isReady = async (service: LocalService): Promise<boolean> => (await service.health()).ready

async function untilReady(service: LocalService): Promise<boolean> {
  for (let i = 0; i < 500; i++) {
    if (await isReady(service)) return true
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  return false
}

async function found(): Promise<void> {
  const founding = { origin: 'log.example', profile: 'checkpoint', public: false } as const
  const { service } = await foundService(settingsOf(placeIn(directory)), founding, report)
  await service.close()
}

async function run(): Promise<void> {
  const service = await openLocalService(settingsOf(placeIn(directory)), report)
  // Once more at the end, so that what is signed after a fault is held against what was signed before it.
  for (const total of [Number(count), lanes]) {
    if (await burst(service, total)) continue
    say({ ready: await isReady(service) })
    if (ballast !== '') rmSync(ballast, { force: true })
    say({ healed: await untilReady(service) })
  }
  await service.close()
}

if (task === 'found') await found()
else await run()
