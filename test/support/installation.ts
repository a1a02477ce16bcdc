import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { LocalService } from '../../src/decisions/local-service.ts'
import type { Profile } from '../../src/dossier/kinds.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { foundService, openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import type { Notarised } from '../../src/wire/decision.ts'
import { placeIn, settingsOf } from './restart.ts'
import { principalOf, requestOf } from './service.ts'

export const quiet = (): void => undefined

/** An installation as `init` makes one, with a KEK file, in directories that are gone after the test. */
export interface Installation {
  /** Where data, keys and whatever a test puts beside them lie. */
  readonly home: string
  readonly settings: ServiceSettings
  readonly origin: string
  readonly instance: string
}

/** What notarising `count` decisions gives, in a service that is opened for it. */
export async function grow(
  { settings }: Pick<Installation, 'settings'>,
  count: number,
  tenant = 'default',
): Promise<readonly Notarised[]> {
  const service = await openLocalService(settings, quiet)
  try {
    return await growIn(service, count, tenant)
  } finally {
    await service.close()
  }
}

/** As {@link grow}, in a service that is open. */
export async function growIn(
  service: LocalService,
  count: number,
  tenant = 'default',
): Promise<readonly Notarised[]> {
  const principal = principalOf('checkpoint', 'alice', tenant)
  return Promise.all(
    Array.from(
      { length: count },
      async (_, n) =>
        JSON.parse(await service.notarise(principal, requestOf(n), null)) as Notarised,
    ),
  )
}

const homeOf = (): string => mkdtempSync(join(tmpdir(), 'countersign-installation-'))

const settingsIn = (home: string): ServiceSettings => settingsOf(placeIn(home))

type Founded = Pick<Installation, 'home' | 'instance' | 'origin'>

async function found(home: string, profile: Profile): Promise<Founded> {
  createKekFile(join(home, 'kek'))
  const founding = { origin: 'log.example', profile, public: false }
  const { origin, service } = await foundService(settingsIn(home), founding, quiet)
  await service.close()
  return { home, instance: service.instance.id, origin }
}

const templates = new Map<Profile, Promise<Founded>>()

/** One of a profile, to be copied: founding takes longer than most of what is tested. */
async function template(profile: Profile): Promise<Founded> {
  const known = templates.get(profile)
  if (known !== undefined) return known
  const home = homeOf()
  process.once('exit', () => {
    rmSync(home, { force: true, recursive: true })
  })
  const made = found(home, profile)
  templates.set(profile, made)
  return made
}

/**
 * Founds one; its service is closed. Those of one test file are of one instance, as if each were a copy of the same.
 * @param fresh whether it is to be of an instance of its own
 */
export async function foundInstallation(
  profile: Profile = 'checkpoint',
  fresh = false,
): Promise<Installation> {
  const home = homeOf()
  onTestFinished(() => {
    rmSync(home, { force: true, recursive: true })
  })
  if (fresh) return { ...(await found(home, profile)), settings: settingsIn(home) }
  const original = await template(profile)
  cpSync(original.home, home, { recursive: true })
  return { ...original, home, settings: settingsIn(home) }
}
