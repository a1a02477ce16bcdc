import { describe, expect, it } from 'vitest'
import { EscalationHall, type HallParts } from '../../../src/decisions/escalation-hall.ts'
import { EscalationTimer } from '../../../src/decisions/escalation-timer.ts'
import { EscalationWaits } from '../../../src/decisions/escalation-waits.ts'
import { Failure } from '../../../src/base/failure.ts'
import type { WaitingStanding } from '../../../src/store/store.ts'

const long = 60_000

describe('those who wait', () => {
  it('are woken by what they wait for and by nothing else', async () => {
    const waits = new EscalationWaits(8)
    const [one, two] = [waits.begin('acme', 'a', long), waits.begin('acme', 'a', long)]
    const others = [waits.begin('acme', 'b', long), waits.begin('other', 'a', long)]
    waits.ring('acme', 'a')
    await Promise.all([one.over, two.over])
    expect(waits.size).toBe(2)
    for (const other of others) other.leave()
    expect(waits.size).toBe(0)
  })

  it('are woken when their time is up', async () => {
    const waits = new EscalationWaits(8)
    await waits.begin('acme', 'a', 1).over
    expect(waits.size).toBe(0)
  })

  it('are so many at most, and one more when one has gone', () => {
    const waits = new EscalationWaits(2)
    const one = waits.begin('acme', 'a', long)
    const two = waits.begin('acme', 'b', long)
    expect(() => waits.begin('acme', 'c', long)).toThrow('Too many wait for escalations: 2')
    one.leave()
    // Whoever has gone twice is counted once.
    one.leave()
    const three = waits.begin('acme', 'c', long)
    expect(waits.size).toBe(2)
    two.leave()
    three.leave()
  })

  it('are 1,024 at most where nothing else was told, and one more for each who leaves', async () => {
    const view = { overruled: false, status: 'pending' }
    const hall = new EscalationHall({
      use: () => Promise.resolve(view),
    } as unknown as HallParts)
    const leavers = Array.from({ length: 1024 }, () => new AbortController())
    const waiting = leavers.map(({ signal }) => hall.read('acme', 'a', long, signal))
    const refused = { code: 'LOG_BUSY', message: 'Too many wait for escalations: 1024' }
    await expect(hall.read('acme', 'a', long)).rejects.toMatchObject(refused)
    leavers[0]?.abort()
    expect(await waiting[0]).toBe(view)
    const other = new AbortController()
    waiting.push(hall.read('acme', 'a', long, other.signal))
    await expect(hall.read('acme', 'a', long)).rejects.toMatchObject(refused)
    for (const leaver of [...leavers, other]) leaver.abort()
    expect(new Set(await Promise.all(waiting))).toEqual(new Set([view]))
  })

  it('make room at once where who asked has left, before or after it began', async () => {
    const waits = new EscalationWaits(1)
    const leaver = new AbortController()
    const wait = waits.begin('acme', 'a', long, leaver.signal)
    expect(() => waits.begin('acme', 'a', long)).toThrow('Too many')
    leaver.abort()
    await wait.over
    expect(waits.size).toBe(0)
    await waits.begin('acme', 'a', long, leaver.signal).over
    expect(waits.size).toBe(0)
    // Whoever has gone otherwise is not counted twice.
    const later = new AbortController()
    waits.begin('acme', 'a', long, later.signal).leave()
    const other = waits.begin('acme', 'a', long)
    later.abort()
    expect(waits.size).toBe(1)
    other.leave()
  })

  it('are sent home for good when all is closed', async () => {
    const waits = new EscalationWaits(8)
    const one = waits.begin('acme', 'a', long)
    waits.close()
    await one.over
    await waits.begin('acme', 'a', long).over
    expect([waits.size, waits.closed]).toEqual([0, true])
  })
})

describe('the timer', () => {
  function timing(waiting: WaitingStanding[], clock = Date.now) {
    const told: string[] = []
    const events: string[] = []
    const failures: Failure[] = []
    let lists = 0
    const timer = new EscalationTimer({
      clock,
      list: (limit) => {
        lists++
        return Promise.resolve(waiting.slice(0, limit))
      },
      report: (event) => events.push(event),
      timeOut: (tenant, stream) => {
        const failure = failures.pop()
        if (failure !== undefined) return Promise.reject(failure)
        told.push(`${tenant} ${stream}`)
        waiting.splice(
          waiting.findIndex((one) => one.stream === stream),
          1,
        )
        return Promise.resolve()
      },
    })
    return { events, failures, lists: () => lists, timer, told }
  }

  it('ends what has run out when it starts, and the next when its time has come', async () => {
    const now = Date.now()
    const waiting = [
      { stream: 'a', tenant: 'acme', until: now - 1 },
      { stream: 'b', tenant: 'open', until: now + 50 },
      { stream: 'c', tenant: 'open', until: now + 3_600_000 },
    ]
    const { lists, timer, told } = timing(waiting)
    timer.start()
    await expect.poll(() => told).toEqual(['acme a', 'open b'])
    // Once at the start and once for each deadline: the database is not asked between two.
    expect(lists()).toBeLessThan(5)
    await timer.close()
  })

  it('takes notice of a deadline that is nearer than what it waits for', async () => {
    const waiting = [{ stream: 'late', tenant: 'acme', until: Date.now() + 3_600_000 }]
    const { timer, told } = timing(waiting)
    timer.start()
    await new Promise((resolve) => setTimeout(resolve, 30))
    const until = Date.now() + 10
    waiting.unshift({ stream: 'soon', tenant: 'acme', until })
    timer.expect(until)
    await expect.poll(() => told).toEqual(['acme soon'])
    await timer.close()
  })

  it('forgets no deadline that passes while it is still at an earlier one', async () => {
    const slow = Promise.withResolvers<undefined>()
    const waiting = [{ stream: 'slow', tenant: 'away', until: Date.now() - 1 }]
    const told: string[] = []
    const timer = new EscalationTimer({
      clock: Date.now,
      list: () => Promise.resolve([...waiting]),
      report: () => undefined,
      timeOut: async (_, stream) => {
        waiting.shift()
        told.push(stream)
        if (stream === 'slow') await slow.promise
      },
    })
    timer.start()
    await expect.poll(() => told).toEqual(['slow'])
    const until = Date.now() + 1
    waiting.push({ stream: 'soon', tenant: 'acme', until })
    timer.expect(until)
    await new Promise((resolve) => setTimeout(resolve, 60))
    slow.resolve(undefined)
    await expect.poll(() => told, { timeout: 5000 }).toEqual(['slow', 'soon'])
    await timer.close()
  })

  it('ends more than it reads at once', async () => {
    const until = Date.now() - 1
    const waiting = Array.from({ length: 200 }, (_, n) => ({ stream: `${n}`, tenant: 't', until }))
    const { timer, told } = timing(waiting)
    timer.start()
    await expect.poll(() => told.length).toBe(200)
    await timer.close()
  })

  it('tries again where it could not, and says so', async () => {
    const waiting = [{ stream: 'a', tenant: 'acme', until: Date.now() - 1 }]
    const { events, failures, timer, told } = timing(waiting)
    failures.push(new Failure('LOG_CLOCK', 'Clock is behind'))
    timer.start()
    await expect.poll(() => told, { timeout: 5000 }).toEqual(['acme a'])
    expect(events).toEqual(['escalations.late'])
    await timer.close()
  })

  it('does nothing any more once it is closed', async () => {
    const { lists, timer } = timing([])
    timer.start()
    await timer.close()
    timer.expect(Date.now())
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(lists()).toBe(0)
  })
})
