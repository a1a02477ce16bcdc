import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { LocalService } from '../../src/decisions/local-service.ts'
import type { Profile } from '../../src/dossier/kinds.ts'
import { createKekFile } from '../../src/kek/kek-file.ts'
import { foundService, openLocalService, type ServiceSettings } from '../../src/open-service.ts'
import type { Notarised } from '../../src/wire/decision.ts'
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

/** Founds one; its service is closed. */
export async function foundInstallation(
  change: Partial<ServiceSettings> & { readonly profile?: Profile } = {},
): Promise<Installation> {
  const { profile = 'checkpoint', ...others } = change
  const home = mkdtempSync(join(tmpdir(), 'countersign-installation-'))
  onTestFinished(() => {
    rmSync(home, { force: true, recursive: true })
  })
  const kekFile = join(home, 'kek')
  createKekFile(kekFile)
  const settings: ServiceSettings = {
    data: join(home, 'data'),
    dev: false,
    kek: 'environment',
    kekFile,
    kekValue: undefined,
    keys: join(home, 'keys'),
    kmsKeyId: undefined,
    masterPublic: undefined,
    version: '0.0.0-test',
    ...others,
  }
  const founding = { origin: 'log.example', profile, public: false }
  const { origin, service } = await foundService(settings, founding, quiet)
  await service.close()
  return { home, instance: service.instance.id, origin, settings }
}
