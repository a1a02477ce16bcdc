import { cpSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { asFailure, type Failure } from '../../../src/base/failure.ts'
import { openLocalService } from '../../../src/open-service.ts'
import {
  foundInstallation,
  grow,
  growIn,
  quiet,
  type Installation,
} from '../../support/installation.ts'
import { founder } from '../../support/service.ts'

const failureOf = async (promise: Promise<unknown>): Promise<Failure> =>
  asFailure(
    await promise.then(
      () => new Error('Nothing failed'),
      (error: unknown) => error,
    ),
  )

/** Copies data or keys of an installation, both at rest. */
const keep = ({ settings }: Installation, what: 'data' | 'keys', name: string): void => {
  cpSync(settings[what], join(settings[what], '..', `${what}-${name}`), { recursive: true })
}

/** Puts a copy where the original is. */
function bringBack({ settings }: Installation, what: 'data' | 'keys', name: string): void {
  rmSync(settings[what], { recursive: true })
  renameSync(join(settings[what], '..', `${what}-${name}`), settings[what])
}

const pinOf = ({ instance, settings }: Installation): string =>
  join(settings.keys, instance, 'default.pin')

/** What was done to an installation of 11 entries, and what must be said of it. */
const cases: readonly (readonly [string, (it: Installation) => Promise<void>, string])[] = [
  [
    'a database behind its pin',
    async (it) => {
      keep(it, 'data', 'old')
      await grow(it, 1)
      bringBack(it, 'data', 'old')
    },
    'behind its pin, bring the newer one back (if it is lost: countersign restore --help): 11 < 12',
  ],
  [
    'a fork of the same size as the pin',
    async (it) => {
      keep(it, 'data', 'old')
      keep(it, 'keys', 'old')
      await grow(it, 2)
      keep(it, 'keys', 'true')
      bringBack(it, 'data', 'old')
      bringBack(it, 'keys', 'old')
      await grow(it, 2)
      bringBack(it, 'keys', 'true')
    },
    'is a fork of the one that was pinned, bring that one back and keep this one as evidence; size 13',
  ],
  [
    'a database that has grown from a copied-back backup',
    async (it) => {
      keep(it, 'data', 'old')
      keep(it, 'keys', 'old')
      await grow(it, 2)
      keep(it, 'keys', 'true')
      bringBack(it, 'data', 'old')
      bringBack(it, 'keys', 'old')
      await grow(it, 20)
      bringBack(it, 'keys', 'true')
    },
    'has grown from a copy and is not the one that was pinned, bring that one back and keep this one as evidence; sizes 31 and 13',
  ],
  [
    'a lost pin',
    (it) => {
      rmSync(pinOf(it))
      return Promise.resolve()
    },
    'is missing but its log has 11 entries: bring the pin back, or give the newest checkpoint known elsewhere to countersign log repin',
  ],
  [
    'the pin of another log',
    async (it) => {
      const service = await openLocalService(it.settings, quiet)
      await service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
      await service.close()
      cpSync(join(it.settings.keys, it.instance, 'second.pin'), pinOf(it))
    },
    'is of another log, bring its own back: log.example/second',
  ],
  [
    'a database of before a tenant was made',
    async (it) => {
      keep(it, 'data', 'old')
      const service = await openLocalService(it.settings, quiet)
      await service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
      await service.close()
      bringBack(it, 'data', 'old')
    },
    'knows nothing of a tenant that is pinned, bring the newer database back: second',
  ],
]

describe('a start', () => {
  it.each(cases)(
    'refuses %s and says the way out, as often as it is tried',
    async (_, attack, said) => {
      const installation = await foundInstallation()
      await grow(installation, 5)
      await attack(installation)
      for (let tries = 0; tries < 2; tries++) {
        const { code, message } = await failureOf(grow(installation, 1))
        expect(code).toBe('LOG_ROLLBACK')
        expect(message).toContain(said)
      }
    },
  )

  it('takes a database that is ahead of its pin and consistent, and pins what it found', async () => {
    const installation = await foundInstallation()
    keep(installation, 'keys', 'old')
    await grow(installation, 3)
    bringBack(installation, 'keys', 'old')
    keep(installation, 'data', 'old')
    expect((await grow(installation, 1))[0]?.index).toBe(9)
    bringBack(installation, 'data', 'old')
    // What was pinned now is more than what came back.
    expect((await failureOf(grow(installation, 1))).message).toContain('9 < 10')
  })

  it('refuses a second writer on the directory, and one on a copy under the same pins', async () => {
    const installation = await foundInstallation()
    keep(installation, 'data', 'copy')
    const service = await openLocalService(installation.settings, quiet)
    const copy = join(installation.home, 'data-copy')
    for (const data of [installation.settings.data, copy]) {
      const second = failureOf(openLocalService({ ...installation.settings, data }, quiet))
      expect((await second).code).toBe('STORE_LOCKED')
    }
    await growIn(service, 1)
    await service.close()
    const later = await failureOf(openLocalService({ ...installation.settings, data: copy }, quiet))
    expect(later.message).toContain('behind its pin')
  })
})

describe('a start with the clock', () => {
  const startAt = async (installation: Installation, now: number) => {
    vi.spyOn(Date, 'now').mockReturnValue(now)
    try {
      return await grow(installation, 1)
    } finally {
      vi.restoreAllMocks()
    }
  }

  it('5 s behind the last entry goes on in the time of that entry', async () => {
    const installation = await foundInstallation()
    const [last] = await grow(installation, 1)
    const time = last?.time ?? 0
    expect(await startAt(installation, time - 5000)).toMatchObject([{ index: 7, time }])
  })

  it('further behind is refused, with both times, and goes on when it is set', async () => {
    const installation = await foundInstallation()
    const [last] = await grow(installation, 1)
    const time = last?.time ?? 0
    const [now, then] = [time - 5001, time].map((ms) => new Date(ms).toISOString())
    expect(await failureOf(startAt(installation, time - 5001))).toMatchObject({
      code: 'LOG_CLOCK',
      message: `Clock is behind the last entry of log.example/default, set it: ${now} < ${then}`,
    })
    expect(await grow(installation, 1)).toHaveLength(1)
  })

  it('further behind is refused before anybody is answered, where tenants are opened at the start', async () => {
    const installation = await foundInstallation()
    const [last] = await grow(installation, 1)
    vi.spyOn(Date, 'now').mockReturnValue((last?.time ?? 0) - 5001)
    const started = await failureOf(openLocalService(installation.settings, quiet))
    vi.restoreAllMocks()
    expect(started.code).toBe('LOG_CLOCK')
  })
})
