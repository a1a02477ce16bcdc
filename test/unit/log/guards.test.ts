import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import type { Store } from '../../../src/store/store.ts'
import { verifyDossier } from '../../../src/verify/verify-dossier.ts'
import {
  founder,
  foundTestService,
  openTestService,
  requestOf,
  temporaryDirectory,
  type TestService,
} from '../../support/service.ts'
import { replacing } from '../../support/replacing.ts'

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : 'foreign'),
  )

const until = async (holds: () => Promise<boolean>): Promise<void> => {
  for (let i = 0; i < 200; i++) {
    if (await holds()) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  throw new Error('Did not come true within 4 s')
}

const ready = async ({ service }: TestService): Promise<boolean> => (await service.health()).ready

/** A store whose next commits fail, before or after they took hold. */
function failingStore(fault: {
  next: 'before' | 'after' | undefined
  code: 'STORE_FULL' | 'LOG_STATE_UNKNOWN'
}) {
  return (store: Store): Store =>
    replacing(store, {
      async commit(commit) {
        const { next } = fault
        fault.next = undefined
        if (next === 'before') throw new Failure(fault.code, 'Injected')
        await store.commit(commit)
        if (next === 'after') throw new Failure(fault.code, 'Injected')
      },
    })
}

describe('a commit that fails', () => {
  it.each([
    ['before persisting, disk full', 'before', 'STORE_FULL', 7],
    ['before persisting, outcome unknown', 'before', 'LOG_STATE_UNKNOWN', 7],
    ['after persisting, outcome unknown', 'after', 'LOG_STATE_UNKNOWN', 8],
  ] as const)(
    '%s: no answer, not ready, reopened, and one history only',
    async (_, next, code, size) => {
      const fault: Parameters<typeof failingStore>[0] = { next: undefined, code }
      const test = await foundTestService({ wrapStore: failingStore(fault) })
      const before = await test.notarise(requestOf(1), 'k1')
      const checkpoints = [await test.service.readCheckpoint('default')]
      fault.next = next
      expect(await codeOf(test.notarise(requestOf(2), 'k2'))).toBe(code)
      expect(await ready(test)).toBe(false)
      expect(await codeOf(test.notarise(requestOf(3), 'k3'))).toBe(code)
      await until(() => ready(test))
      expect(test.events).toEqual(['log.broken', 'log.reopened'])
      expect((await test.service.listTenants())[0]?.size).toBe(size)
      checkpoints.push(await test.service.readCheckpoint('default'))
      // Whoever asks again by the same key gets the entry that was there, or a new one; never two.
      const again = await test.notarise(requestOf(2), 'k2')
      expect(again.replayed).toBe(next === 'after')
      const root = await test.service.readTrustRoot('default')
      for (const id of [before.id, again.id])
        expect(verifyDossier(await test.service.exportDossier('default', id), root).verdict).toBe(
          'valid',
        )
      const sizes = checkpoints.map((note) => note.split('\n')[1])
      expect(new Set(sizes).size).toBe(
        new Set(checkpoints.map((note) => note.split('\n').slice(0, 3).join())).size,
      )
    },
  )

  it('in the middle of a burst refuses what waited and loses nothing that was acknowledged', async () => {
    const fault: Parameters<typeof failingStore>[0] = { next: undefined, code: 'LOG_STATE_UNKNOWN' }
    const test = await foundTestService({ wrapStore: failingStore(fault) })
    const acknowledged: string[] = []
    const refused: string[] = []
    await Promise.all(
      Array.from({ length: 200 }, async (_, n) => {
        if (n === 90) fault.next = 'after'
        await test
          .notarise(requestOf(n))
          .then(({ id }) => acknowledged.push(id))
          .catch((error: unknown) => refused.push((error as Failure).code))
      }),
    )
    expect(refused.length).toBeGreaterThan(0)
    expect(new Set(refused)).toEqual(new Set(['LOG_STATE_UNKNOWN']))
    await until(() => ready(test))
    const root = await test.service.readTrustRoot('default')
    for (const id of acknowledged)
      expect(verifyDossier(await test.service.exportDossier('default', id), root).verdict).toBe(
        'valid',
      )
  })
})

describe('the guard against rollback', () => {
  it('proves and pins a database that is ahead of its pin', async () => {
    const test = await foundTestService()
    const pin = join(test.directory, 'keys', 'default.pin')
    const old = join(test.directory, 'old.pin')
    cpSync(pin, old)
    await test.notarise(requestOf(1))
    await test.service.close()
    cpSync(old, pin)
    const again = await test.reopen()
    expect((await again.notarise(requestOf(2))).index).toBe(7)
  })

  it.each([
    [
      'yesterday’s database under today’s pin',
      async (test: TestService, copy: string) => {
        cpSync(join(test.directory, 'data'), copy, { recursive: true })
        const later = await test.reopen()
        await later.notarise(requestOf(2))
        await later.service.close()
        rmSync(join(test.directory, 'data'), { recursive: true })
        cpSync(copy, join(test.directory, 'data'), { recursive: true })
      },
      'behind its pin',
    ],
    [
      'a copied-back database that has grown past the pin',
      async (test: TestService, copy: string) => {
        cpSync(join(test.directory, 'data'), copy, { recursive: true })
        const later = await test.reopen()
        await later.notarise(requestOf(2))
        await later.service.close()
        const pin = join(test.directory, 'keys', 'default.pin')
        cpSync(pin, `${pin}.kept`)
        rmSync(pin)
        rmSync(join(test.directory, 'data'), { recursive: true })
        cpSync(copy, join(test.directory, 'data'), { recursive: true })
        // The attacker runs it with the pin of that day, then puts today's back.
        cpSync(join(copy, '..', 'day.pin'), pin)
        const forked = await test.reopen()
        for (let n = 10; n < 15; n++) await forked.notarise(requestOf(n))
        await forked.service.close()
        cpSync(`${pin}.kept`, pin)
      },
      'not the one that was pinned',
    ],
    [
      'a lost pin',
      async (test: TestService) => {
        await Promise.resolve()
        rmSync(join(test.directory, 'keys', 'default.pin'))
      },
      'is missing',
    ],
  ] as const)('refuses %s, with the way out', async (_, attack, message) => {
    const test = await foundTestService()
    await test.notarise(requestOf(1))
    await test.service.close()
    const kept = temporaryDirectory()
    cpSync(join(test.directory, 'keys', 'default.pin'), join(kept, 'day.pin'))
    await attack(test, join(kept, 'data'))
    await expect(test.reopen()).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
    await expect(test.reopen()).rejects.toThrow(message)
  })

  it('refuses the pin of another log', async () => {
    const test = await foundTestService()
    const other = await foundTestService()
    await test.service.createTenant(
      'second',
      { profile: 'each', public: false },
      {
        id: 'cli',
        owner: 'x',
        type: 'local',
      },
    )
    await test.service.close()
    await other.service.close()
    cpSync(join(test.directory, 'keys', 'second.pin'), join(test.directory, 'keys', 'default.pin'))
    await expect(test.reopen()).rejects.toThrow('another log')
  })

  it('refuses to start with another KEK, and does not fall back', async () => {
    const test = await foundTestService()
    const kek = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
    await expect(test.reopen({ kek })).rejects.toMatchObject({ code: 'OPEN_FAILED' })
    await expect(test.reopen({ kek })).rejects.toThrow('environment')
  })
})

describe('the clock', () => {
  it('is clamped up to 5 s back and refused beyond', async () => {
    let now = 1_800_000_000_000
    const test = await foundTestService({ clock: () => now })
    const first = await test.notarise(requestOf(1))
    now -= 5000
    const clamped = await test.notarise(requestOf(2))
    expect(clamped.time).toBe(first.time)
    now -= 1
    expect(await codeOf(test.notarise(requestOf(3)))).toBe('LOG_CLOCK')
    // A wrong clock breaks nothing: when it is right again, so is the log.
    now += 5001
    expect((await test.notarise(requestOf(4))).index).toBe(clamped.index + 1)
    expect(await ready(test)).toBe(true)
  })
})

describe('one writer', () => {
  it('refuses a second service on the data directory', async () => {
    const test = await foundTestService()
    const kek = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64url')
    await expect(openTestService({ directory: test.directory, kek })).rejects.toMatchObject({
      code: 'STORE_LOCKED',
    })
  })
})

describe('closing', () => {
  it('commits what was accepted and refuses what comes later', async () => {
    const test = await foundTestService({ profile: 'each' })
    const accepted = Promise.all(Array.from({ length: 40 }, (_, n) => test.notarise(requestOf(n))))
    await new Promise((resolve) => setImmediate(resolve))
    const closed = test.service.close()
    expect(await codeOf(test.notarise(requestOf(99)))).toBe('LOG_CLOSED')
    expect(await accepted).toHaveLength(40)
    await closed
    expect((await (await test.reopen()).service.listTenants())[0]?.size).toBe(46)
  })
})

describe('founding a tenant', () => {
  it.each([1, 2, 3, 4, 5, 6])(
    'is finished by running it again after a crash at commit %i',
    async (crashAt) => {
      let commits = Number.NEGATIVE_INFINITY
      const crash = (store: Store): Store =>
        replacing(store, {
          commit: (commit) =>
            ++commits === crashAt
              ? Promise.reject(new Failure('STORE_FULL', 'Injected'))
              : store.commit(commit),
        })
      const test = await foundTestService({ wrapStore: crash })
      commits = 0
      const create = (): Promise<unknown> =>
        test.service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
      expect(await codeOf(create())).toBe('STORE_FULL')
      await until(() => ready(test))
      expect(await create()).toMatchObject({ name: 'second', size: 6 })
      const root = await test.service.readTrustRoot('second')
      for (const stream of ['keys', 'admin', 'trust'])
        expect(
          verifyDossier(await test.service.exportDossier('second', stream), root).verdict,
        ).toBe('valid')
      expect(await codeOf(create())).toBe('INPUT_EXISTS')
    },
  )
})
