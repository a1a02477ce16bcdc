import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Failure, type FailureCode } from '../../../src/base/failure.ts'
import type { KekKind, KekProvider } from '../../../src/kek/kek.ts'
import { KekWatch, type KekWatchOptions } from '../../../src/kek/kek-watch.ts'
import { createMemoryKek } from '../../../src/kek/memory.ts'
import { kekHealthSchema, type KekHealth } from '../../../src/wire/keys.ts'

const start = 1_700_000_000_000

beforeEach(() => {
  vi.useFakeTimers({ now: start })
})

afterEach(() => {
  vi.useRealTimers()
})

interface Double extends KekProvider {
  /** What the next probes do. */
  answer: () => Promise<void>
  probes: number
}

const never = (): Promise<void> => new Promise(() => undefined)
const fail = (code: FailureCode) => (): Promise<void> =>
  Promise.reject(new Failure(code, `Said ${code}`))

function provider(kind: KekKind = 'kms'): Double {
  const { metadata } = createMemoryKek()
  const double: Double = {
    metadata: { ...metadata, kind, kekId: `${kind}-key` },
    answer: () => Promise.resolve(),
    probes: 0,
    probe() {
      double.probes++
      return double.answer()
    },
    wrap: () => Promise.reject(new Error('Not asked for')),
    unwrap: () => Promise.reject(new Error('Not asked for')),
    close: () => Promise.resolve(),
  }
  return double
}

interface Case {
  readonly watch: KekWatch
  readonly kek: Double
  /** What the next canaries do. */
  canary: (opened: () => void) => Promise<void>
  canaries: number
  readonly events: (readonly [string, Readonly<Record<string, string | number>>])[]
  readonly one: () => KekHealth
  readonly state: () => string
}

function watch(options: Partial<KekWatchOptions> = {}): Case {
  const kek = provider()
  const made: Case = {
    kek,
    canary: () => Promise.resolve(),
    canaries: 0,
    events: [],
    watch: new KekWatch({
      providers: [kek],
      canary: (_, opened) => {
        made.canaries++
        return made.canary(opened)
      },
      clock: Date.now,
      report: (event, detail) => made.events.push([event, detail]),
      ...options,
    }),
    one() {
      const [health] = made.watch.health()
      if (health === undefined) throw new Error('Nobody is watched')
      return kekHealthSchema.parse(health)
    },
    state: () => made.one().state,
  }
  return made
}

const tick = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms)

describe('what a watch says of a provider', () => {
  it('is unknown before it was asked, and nobody asks by itself', async () => {
    const { kek, one, watch: made } = watch()
    await tick(86_400_000)
    expect(one()).toMatchObject({
      provider: 'kms',
      kekId: 'kms-key',
      state: 'unknown',
      code: null,
      checkedAt: null,
      since: null,
    })
    expect([kek.probes, made.lastHealthyAt()]).toEqual([0, 0])
  })

  it('is healthy when it works and a slot of it opens', async () => {
    const { events, one, watch: made } = watch()
    await made.check()
    expect(one()).toMatchObject({ state: 'healthy', code: null, checkedAt: start, since: start })
    expect(made.lastHealthyAt()).toBe(start)
    expect(events).toEqual([])
  })

  it('is healthy from the beginning when it has just opened a slot', () => {
    const { one, watch: made } = watch({ proved: ['kms'] })
    expect(one()).toMatchObject({ state: 'healthy', checkedAt: start, since: start })
    expect(made.lastHealthyAt()).toBe(start)
    expect(watch({ proved: ['hsm'] }).state()).toBe('unknown')
  })

  it.each(['KEK_UNAVAILABLE', 'KEK_DENIED', 'KEK_KEY_MISSING', 'OPEN_FAILED'] as const)(
    'is failing when its probe fails with %s, and no slot is tried',
    async (code) => {
      const made = watch()
      made.kek.answer = fail(code)
      await made.watch.check()
      expect(made.one()).toMatchObject({ state: 'failing', code, message: `Said ${code}` })
      expect(made.canaries).toBe(0)
      expect(made.watch.lastHealthyAt()).toBe(0)
    },
  )

  it.each(['OPEN_FAILED', 'KEY_STORE_REFUSED'] as const)(
    'is tampered when it works and a slot gives %s',
    async (code) => {
      const made = watch()
      made.canary = fail(code)
      await made.watch.check()
      expect(made.one()).toMatchObject({ state: 'tampered', code })
      expect(made.one().message).toContain(`Said ${code}`)
      expect(made.watch.lastHealthyAt()).toBe(0)
    },
  )

  it('has opened something, when it is tampered for one slot and opened another', async () => {
    const made = watch()
    made.canary = (opened) => {
      opened()
      return Promise.reject(new Failure('OPEN_FAILED', 'No'))
    }
    await made.watch.check()
    expect(made.one().state).toBe('tampered')
    expect(made.watch.lastHealthyAt()).toBe(start)
  })

  it.each(['KEK_UNAVAILABLE', 'KEK_KEY_DISABLED', 'STORE_FAILED'] as const)(
    'is failing and not tampered when the slot could not be tried: %s',
    async (code) => {
      const made = watch()
      made.canary = fail(code)
      await made.watch.check()
      expect(made.one()).toMatchObject({ state: 'failing', code })
    },
  )

  it('is failing with BUG when what it throws is no failure, and shows nothing of it', async () => {
    const made = watch()
    made.kek.answer = () => Promise.reject(new Error('secret'))
    await made.watch.check()
    expect(made.one()).toMatchObject({ state: 'failing', code: 'BUG' })
    expect(made.one().message).not.toContain('secret')
  })

  it.each(['probe', 'canary'] as const)(
    'is failing with KEK_UNAVAILABLE when its %s hangs for the longest time',
    async (where) => {
      const made = watch({ timeoutMs: 500 })
      if (where === 'probe') made.kek.answer = never
      else made.canary = never
      const checked = made.watch.check()
      await tick(499)
      expect(made.state()).toBe('unknown')
      await tick(1)
      await checked
      expect(made.one()).toMatchObject({ state: 'failing', code: 'KEK_UNAVAILABLE' })
    },
  )

  it('tries no slot any more when its probe answers too late', async () => {
    const made = watch({ timeoutMs: 500 })
    made.kek.answer = () => new Promise((resolve) => setTimeout(resolve, 501))
    void made.watch.check()
    await tick(10_000)
    expect(made.canaries).toBe(0)
  })

  it('has one time limit for both questions together', async () => {
    const made = watch({ timeoutMs: 500 })
    const wait = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 300))
    made.kek.answer = wait
    made.canary = wait
    const checked = made.watch.check()
    await tick(500)
    await checked
    expect(made.one()).toMatchObject({ state: 'failing', code: 'KEK_UNAVAILABLE' })
  })

  it('forgets nothing of a provider because of another', async () => {
    const good = provider('kms')
    const bad = provider('hsm')
    bad.answer = fail('KEK_DENIED')
    const { watch: made } = watch({ providers: [good, bad] })
    await made.check()
    expect(made.health().map(({ provider: kind, state }) => [kind, state])).toEqual([
      ['kms', 'healthy'],
      ['hsm', 'failing'],
    ])
    expect(made.lastHealthyAt()).toBe(start)
  })

  it('takes one more, once', async () => {
    const { watch: made } = watch()
    const more = provider('hsm')
    made.add(more, true)
    made.add(more, false)
    expect(made.health().map(({ state }) => state)).toEqual(['unknown', 'healthy'])
    await made.check()
    expect(more.probes).toBe(1)
  })
})

describe('a provider that opened a slot for somebody else', () => {
  it('is healthy from then on, and is asked as such', async () => {
    const made = watch()
    made.watch.start()
    await tick(999)
    made.watch.note(made.kek)
    made.watch.note(provider('hsm'))
    expect(made.one()).toMatchObject({ state: 'healthy', since: start + 999 })
    expect(made.watch.lastHealthyAt()).toBe(start + 999)
    await tick(599_999)
    expect(made.kek.probes).toBe(0)
    await tick(1)
    expect(made.kek.probes).toBe(1)
  })

  it('is told to be well again, when it was not', async () => {
    const made = watch()
    made.kek.answer = fail('KEK_UNAVAILABLE')
    await made.watch.check()
    made.watch.note(made.kek)
    expect(made.events.map(([event]) => event)).toEqual(['kek.failing', 'kek.healthy'])
  })
})

describe('the time of the last good answer', () => {
  it('is the newest of any provider, and stays while all of them fail', async () => {
    const [a, b] = [provider('kms'), provider('hsm')]
    const { watch: made } = watch({ providers: [a, b] })
    await made.check()
    a.answer = fail('KEK_UNAVAILABLE')
    await tick(1000)
    await made.check()
    expect(made.lastHealthyAt()).toBe(start + 1000)
    b.answer = fail('KEK_UNAVAILABLE')
    await tick(1000)
    await made.check()
    expect(made.lastHealthyAt()).toBe(start + 1000)
  })

  it('is not moved by a slot that was changed', async () => {
    const made = watch({ proved: ['kms'] })
    made.canary = fail('OPEN_FAILED')
    await tick(1000)
    await made.watch.check()
    expect(made.watch.lastHealthyAt()).toBe(start)
  })
})

describe('a change', () => {
  it('is told once, however often it is found again, and so is the return', async () => {
    const made = watch({ proved: ['kms'] })
    for (const answer of [fail('KEK_UNAVAILABLE'), fail('KEK_UNAVAILABLE'), fail('KEK_DENIED')]) {
      made.kek.answer = answer
      await tick(10)
      await made.watch.check()
    }
    expect(made.one()).toMatchObject({ code: 'KEK_DENIED', since: start + 10 })
    made.kek.answer = () => Promise.resolve()
    made.canary = fail('OPEN_FAILED')
    await made.watch.check()
    await made.watch.check()
    made.canary = () => Promise.resolve()
    await made.watch.check()
    await made.watch.check()
    expect(made.events.map(([event, { code = '' }]) => [event, code])).toEqual([
      ['kek.failing', 'KEK_UNAVAILABLE'],
      ['kek.tampered', 'OPEN_FAILED'],
      ['kek.healthy', ''],
    ])
    expect(made.events[0]?.[1]).toEqual({
      provider: 'kms',
      kekId: 'kms-key',
      code: 'KEK_UNAVAILABLE',
      message: 'Said KEK_UNAVAILABLE',
    })
  })

  it('is told also when the first answer ever is a bad one', async () => {
    const made = watch()
    made.kek.answer = fail('KEK_DENIED')
    await made.watch.check()
    expect(made.events.map(([event]) => event)).toEqual(['kek.failing'])
  })
})

describe('checks', () => {
  it('are shared by whoever asks at the same time', async () => {
    const { kek, watch: made } = watch()
    await Promise.all([made.check(), made.check(), made.check()])
    expect(kek.probes).toBe(1)
    await made.check()
    expect(kek.probes).toBe(2)
  })

  it('come every ten minutes while it is healthy', async () => {
    const { kek, watch: made } = watch({ proved: ['kms'] })
    made.start()
    made.start()
    await tick(599_999)
    expect(kek.probes).toBe(0)
    await tick(1)
    expect(kek.probes).toBe(1)
    await tick(599_999)
    expect(kek.probes).toBe(1)
    await tick(1)
    expect(kek.probes).toBe(2)
  })

  it.each(['failing', 'tampered'])('come every minute while it is %s', async (state) => {
    const made = watch({ proved: ['kms'] })
    if (state === 'failing') made.kek.answer = fail('KEK_UNAVAILABLE')
    else made.canary = fail('OPEN_FAILED')
    made.watch.start()
    await tick(600_000)
    expect([made.state(), made.kek.probes]).toEqual([state, 1])
    await tick(59_999)
    expect(made.kek.probes).toBe(1)
    await tick(1)
    expect(made.kek.probes).toBe(2)
    made.kek.answer = () => Promise.resolve()
    made.canary = () => Promise.resolve()
    await tick(60_000)
    expect(made.state()).toBe('healthy')
    await tick(599_999)
    expect(made.kek.probes).toBe(3)
  })

  it('come at once, after a second, for one that has proved nothing yet', async () => {
    const { kek, watch: made } = watch()
    made.start()
    const more = provider('hsm')
    made.add(more, false)
    await tick(999)
    expect([kek.probes, more.probes]).toEqual([0, 0])
    await tick(1)
    expect([kek.probes, more.probes]).toEqual([1, 1])
  })

  it('take the interval that is given', async () => {
    const { kek, watch: made } = watch({ proved: ['kms'], healthyEveryMs: 50, failingEveryMs: 5 })
    made.start()
    await tick(50)
    expect(kek.probes).toBe(1)
    kek.answer = fail('KEK_UNAVAILABLE')
    await tick(50 + 5 * 3)
    expect(kek.probes).toBe(5)
  })

  it('count the interval from a check that was asked for', async () => {
    const { kek, watch: made } = watch({ proved: ['kms'] })
    made.start()
    await tick(300_000)
    await made.check()
    await tick(599_999)
    expect(kek.probes).toBe(1)
  })

  it('end with the watch, and what is being asked then says nothing', async () => {
    const made = watch({ proved: ['kms'] })
    made.watch.start()
    made.kek.answer = never
    const checked = made.watch.check()
    made.watch.close()
    await checked
    await tick(86_400_000)
    await made.watch.check()
    expect([made.kek.probes, made.state(), made.events]).toEqual([1, 'healthy', []])
    expect(vi.getTimerCount()).toBe(0)
  })
})

describe('a provider that is dropped', () => {
  it('is not asked any more, nor told of', async () => {
    const { kek, watch: watched } = watch()
    watched.start()
    watched.drop(kek)
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect([kek.probes, watched.health()]).toEqual([0, []])
    watched.close()
  })

  it('is not asked any more either where it was just being asked, and what it says then is not told', async () => {
    const { events, kek, watch: watched } = watch()
    const asked = Promise.withResolvers<undefined>()
    kek.answer = () => asked.promise.then(fail('KEK_UNAVAILABLE'))
    watched.start()
    const checked = watched.check()
    watched.drop(kek)
    asked.resolve(undefined)
    await checked
    await vi.advanceTimersByTimeAsync(3_600_000)
    expect([kek.probes, events]).toEqual([1, []])
    watched.close()
  })
})
