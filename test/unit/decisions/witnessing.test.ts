import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { parseTrustRoot } from '../../../src/dossier/trust-root.ts'
import type { PinStore } from '../../../src/log/pin.ts'
import { updateTrustRoot, verifyDossier } from '../../../src/verify/index.ts'
import { storeOf } from '../../support/fsck.ts'
import { replacing } from '../../support/replacing.ts'
import {
  founder,
  foundTestService,
  requestOf,
  temporaryDirectory,
  type ServiceOptions,
  type TestService,
} from '../../support/service.ts'
import { startWitness, type TestWitness } from '../../support/witness-edge.ts'

const tenant = 'default'
const everyMs = 40

const until = async (holds: () => Promise<boolean> | boolean): Promise<void> => {
  for (let i = 0; i < 500; i++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('Did not come true within 10 s')
}

const policyOf = (witnesses: readonly TestWitness[], quorum: string): string => {
  const names = witnesses.map(({ witness }) => witness.name).join(' ')
  return `${witnesses.map(({ line }) => line).join('')}group all all ${names}\nquorum ${quorum}\n`
}

const policyIn = async ({ service }: TestService, version?: number): Promise<string> => {
  const parsed = parseTrustRoot(await service.readTrustRoot(tenant, version))
  if (typeof parsed === 'string') throw new Error(parsed)
  return parsed.origins[0]?.witnesses ?? ''
}

/** A service whose witnesses must all cosign. */
async function witnessed(count = 1, change: ServiceOptions = {}) {
  const witnesses = await Promise.all(
    Array.from({ length: count }, (_, i) => startWitness(`w${i}.example`)),
  )
  const witnessPolicy = policyOf(witnesses, 'all')
  const test = await foundTestService({ witnessEveryMs: everyMs, witnessPolicy, ...change })
  for (const { learn } of witnesses) learn(await test.service.readTrustRoot(tenant))
  return { test, witnesses, witnessPolicy }
}

const reportOf = async ({ service }: TestService, stream: string) =>
  verifyDossier(await service.exportDossier(tenant, stream), await service.readTrustRoot(tenant))

const health = async ({ service }: TestService): Promise<string> =>
  (await service.health()).parts['witnesses'] ?? ''

/** Waits until all of the log is cosigned; gives the time of that checkpoint, ms. */
const cosigned = (test: TestService): Promise<number> =>
  storeOf(test, async (store) => {
    const { size } = (await test.service.listTenants())[0] ?? {}
    await until(async () => (await store.readWitnessedCheckpoint(tenant))?.size === size)
    return (await store.readWitnessedCheckpoint(tenant))?.time ?? 0
  })

describe('a log with witnesses', () => {
  it('has its checkpoints cosigned, and its dossiers carry that', async () => {
    const { test } = await witnessed(2)
    const { id } = await test.notarise(requestOf(1))
    await until(async () => (await reportOf(test, id)).ok)
    expect(await reportOf(test, id)).toMatchObject({ assurance: 'witnessed(2)', verdict: 'valid' })
    expect(await health(test)).toBe('ok (1 logs)')
    const note = await test.service.readCheckpoint(tenant)
    expect(note).toContain('— w0.example')
    expect(note).toContain('— w1.example')
  })

  it('goes on without them, says what it owes, and pays when they are back', async () => {
    let skew = 0
    const { test, witnesses } = await witnessed(2, { clock: () => Date.now() + skew })
    const [first] = witnesses
    if (first === undefined) throw new Error('No witness')
    first.up = false
    const { id } = await test.notarise(requestOf(1))
    await until(() => test.events.includes('witness.failed'))
    skew = 60_000
    expect(await health(test)).toMatch(
      /^quorum is missing for 1 of 1 logs: up to \d+ entries for \d+ s$/,
    )
    expect((await test.service.health()).ready).toBe(true)
    expect(await reportOf(test, id)).toMatchObject({ ok: false, verdict: 'unprovable' })
    first.up = true
    await until(async () => (await reportOf(test, id)).ok)
    expect(await health(test)).toBe('ok (1 logs)')
    expect(test.events).toContain('witness.recovered')
  })

  it('counts what it owes from the oldest entry that is not cosigned, also after a restart', async () => {
    let skew = 0
    const clock = () => Date.now() + skew
    const { test, witnesses } = await witnessed(1, { clock })
    await test.notarise(requestOf(1))
    await until(async () => (await health(test)) === 'ok (1 logs)')
    await cosigned(test)
    for (const one of witnesses) one.up = false
    // A log that is asked for nothing owes nothing.
    skew = 1_200_000
    expect(await health(test)).toBe('ok (1 logs)')
    await test.notarise(requestOf(2))
    skew += 60_000
    const owed = /^quorum is missing for 1 of 1 logs: up to 1 entries for 6[0-5] s$/
    await until(async () => owed.test(await health(test)))
    await test.service.close()
    const again = await test.reopen({ clock })
    expect(await health(again)).toMatch(owed)
  })

  it.each([
    [5000, true],
    [5001, false],
  ])(
    'serves what was cosigned of %i ms ago in the place of what came later: %s',
    async (ms, is) => {
      let now = Date.now()
      const { test, witnesses } = await witnessed(1, { clock: () => now })
      await test.notarise(requestOf(1))
      const time = await cosigned(test)
      for (const one of witnesses) one.up = false
      await test.notarise(requestOf(2))
      now = time + ms
      expect((await test.service.readCheckpoint(tenant)).includes('— w0.example')).toBe(is)
    },
  )

  it('asks once more before it closes', async () => {
    const { test } = await witnessed(1, { witnessEveryMs: 3_600_000 })
    const { id } = await test.notarise(requestOf(1))
    expect((await reportOf(test, id)).ok).toBe(false)
    const again = await test.reopen()
    expect(await reportOf(again, id)).toMatchObject({ assurance: 'witnessed(1)', ok: true })
  })

  it('is asked about what came while the room before was still being closed', async () => {
    vi.useFakeTimers({ toFake: ['setInterval'] })
    let skew = 0
    let slow = false
    let closed = 0
    const released = Promise.withResolvers<undefined>()
    const wrapPin = (pin: PinStore): PinStore => {
      const close = async (): Promise<void> => {
        const waits = slow
        slow = false
        if (waits) await released.promise
        await pin.close()
        closed++
      }
      return replacing(pin, { close })
    }
    const clock = () => Date.now() + skew
    const { test } = await witnessed(1, { clock, keepRooms: 0, wrapPin })
    await test.notarise(requestOf(1))
    slow = true
    skew = 6 * 60_000
    vi.advanceTimersByTime(30_000)
    vi.useRealTimers()
    await until(() => !slow)
    const before = closed
    const { index } = await test.notarise(requestOf(2))
    expect(closed).toBe(before)
    released.resolve(undefined)
    await until(() => closed > before)
    // Who closes asks once more.
    await test.service.close()
    const last = await storeOf(test, (store) => store.readWitnessedCheckpoint(tenant))
    expect(last?.size).toBe(index + 1)
  })

  it('leads on whoever has a trust root: each announcement is cosigned before what follows it', async () => {
    const { test } = await witnessed()
    await test.notarise(requestOf(1))
    for (let i = 0; i < 3; i++) await test.service.publishTrustRoot(tenant)
    for (let n = 0; n < 40; n++) await test.notarise(requestOf(n))
    await until(async () => (await reportOf(test, 'trust')).ok)
    for (const version of [2, 3, 4]) {
      const [older, newer] = [
        await test.service.readTrustRoot(tenant, version - 1),
        await test.service.readTrustRoot(tenant, version),
      ]
      const proof = await test.service.exportTrustProof(tenant, version)
      expect(updateTrustRoot(older, newer, [proof]).checks.filter(({ ok }) => !ok)).toEqual([])
    }
  })
})

describe('a witness that was away while the log keys were exchanged', () => {
  it('is not stuck where it does not take the older key', async () => {
    const { test, witnesses } = await witnessed()
    const [only] = witnesses
    if (only === undefined) throw new Error('No witness')
    await test.notarise(requestOf(1))
    await until(async () => (await health(test)) === 'ok (1 logs)')
    only.up = false
    await test.service.orderKeys(tenant, { order: 'rotate', purpose: 'log' }, founder)
    const { id } = await test.notarise(requestOf(2))
    // It is told of the newest keys only.
    only.learn(await test.service.readTrustRoot(tenant))
    only.up = true
    await until(async () => (await reportOf(test, id)).ok)
    expect(await reportOf(test, id)).toMatchObject({ assurance: 'witnessed(1)' })
  })
})

describe('the witness policy', () => {
  it('that changes is published at the next start, and one that does not is not', async () => {
    const { test, witnessPolicy, witnesses } = await witnessed()
    expect(await policyIn(test)).toBe(witnessPolicy)
    await test.notarise(requestOf(1))
    const same = await test.reopen()
    await same.notarise(requestOf(2))
    await expect(same.service.readTrustRoot(tenant, 2)).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    })
    const changed = policyOf(witnesses, 'none')
    const other = await same.reopen({ witnessPolicy: changed })
    expect(await policyIn(other)).toBe(changed)
    expect(await policyIn(other, 1)).toBe(witnessPolicy)
  })

  it('stays in force where none is configured: nothing is weakened by leaving a setting out', async () => {
    const { test, witnessPolicy } = await witnessed()
    await test.service.close()
    const again = await test.reopen({ witnessPolicy: undefined })
    const { id } = await again.notarise(requestOf(1))
    expect(await policyIn(again)).toBe(witnessPolicy)
    await until(async () => (await reportOf(again, id)).ok)
  })

  it('that verifiers would refuse is refused before it is published', async () => {
    const test = await foundTestService()
    const parsed = parseTrustRoot(await test.service.readTrustRoot(tenant))
    const own = typeof parsed === 'string' ? '' : (parsed.origins[0]?.logKeys[1]?.vkey ?? '')
    const witnessPolicy = `witness self ${own}\nquorum self\n`
    await expect(test.reopen({ witnessPolicy })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('nobody vouches for himself') as string,
    })
    await expect(test.reopen({ witnessPolicy: 'quorum nobody\n' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining('not defined before') as string,
    })
    expect(await policyIn(await test.reopen())).toBe('quorum none\n')
  })
})

describe('a witness that has seen another history', () => {
  /** Data and pin of a test service as they are now. */
  async function copied(test: TestService): Promise<string> {
    await test.service.close()
    const directory = temporaryDirectory()
    for (const what of ['data', 'keys'])
      cpSync(join(test.directory, what), join(directory, what), { recursive: true })
    return directory
  }

  it.each([
    ['is ahead', 0, 'has cosigned a larger log'],
    ['has another tree', 5, 'has another history'],
  ])('and %s is a refusal before anything is signed', async (_, decisions, message) => {
    const { test, witnessPolicy } = await witnessed()
    await test.notarise(requestOf(1))
    const clone = await copied(test)
    // The log goes on, and its witness with it.
    const later = await test.reopen()
    for (let n = 0; n < 3; n++) await later.notarise(requestOf(n))
    await later.service.close()
    // Yesterday's machine, its pin with it, knows nothing of that, and goes on as long as nobody is asked.
    const fork = await later.reopen({ directory: clone, witnessPolicy: 'quorum none\n' })
    for (let n = 0; n < decisions; n++) await fork.notarise(requestOf(50 + n))
    const { size } = (await fork.service.listTenants())[0] ?? {}
    await expect(fork.reopen({ directory: clone, witnessPolicy })).rejects.toMatchObject({
      code: 'LOG_ROLLBACK',
      message: expect.stringContaining(message) as string,
    })
    const tenants = await storeOf({ directory: clone }, (store) => store.listTenants())
    expect(tenants[0]?.head.size).toBe(size)
  })

  it('is asked even where it has cosigned all that is here', async () => {
    const { test } = await witnessed()
    await test.notarise(requestOf(1))
    const clone = await copied(test)
    const later = await test.reopen()
    await later.notarise(requestOf(2))
    await later.service.close()
    const copy = later.reopen({ directory: clone })
    await expect(copy).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
  })

  it('while the log runs is an alarm, and the log goes on', async () => {
    const { test } = await witnessed()
    await test.notarise(requestOf(1))
    const clone = await copied(test)
    const services = [await test.reopen(), await test.reopen({ directory: clone })]
    for (const [n, one] of services.entries()) await one.notarise(requestOf(2 + n))
    const forks = () => services.filter(({ events }) => events.includes('witness.contradicts'))
    await until(() => forks().length > 0)
    const [fork = test] = forks()
    expect(await health(fork)).toBe('ALARM: a witness has seen another history of logs: 1')
    expect((await fork.service.health()).ready).toBe(true)
    for (let n = 0; n < 3; n++) {
      await fork.notarise(requestOf(n))
      await new Promise((resolve) => setTimeout(resolve, 2 * everyMs))
    }
    expect(fork.events.filter((event) => event === 'witness.contradicts')).toHaveLength(1)
  })
})

describe('an unreachable witness', () => {
  it('is no refusal', async () => {
    const { test, witnesses } = await witnessed()
    for (const one of witnesses) one.up = false
    const again = await test.reopen()
    expect((await again.notarise(requestOf(1))).index).toBeGreaterThan(0)
    await again.service.createTenant('second', { profile: 'each', public: false }, founder)
  })
})
