import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { Failure } from '../../src/base/failure.ts'
import { LocalService, type ServiceParts } from '../../src/decisions/local-service.ts'
import { generateEnvironmentKek } from '../../src/kek/environment-key.ts'
import { openLocalService, type ServiceSettings } from '../../src/open-service.ts'

const quiet = (): void => undefined

function settingsOf(change: Partial<ServiceSettings> = {}): ServiceSettings {
  const data = mkdtempSync(join(tmpdir(), 'countersign-open-'))
  onTestFinished(() => {
    rmSync(data, { force: true, recursive: true })
  })
  writeFileSync(join(data, 'countersign.db'), '')
  return {
    data,
    dev: false,
    kek: 'environment',
    kekFile: undefined,
    kekValue: utf8(generateEnvironmentKek()),
    keys: join(data, 'keys'),
    kmsKeyId: undefined,
    masterPublic: undefined,
    version: '0.0.0-test',
    ...change,
  }
}

/** The parts that a service is opened with. */
async function partsOf(settings: ServiceSettings): Promise<Required<ServiceParts>> {
  const open = vi.spyOn(LocalService, 'open').mockImplementation(() => new Promise(() => undefined))
  void openLocalService(settings, quiet)
  await vi.waitFor(() => {
    expect(open).toHaveBeenCalled()
  })
  const parts = open.mock.lastCall?.[0] as Required<ServiceParts>
  onTestFinished(() => parts.closeProviders())
  return parts
}

describe('the parts of a service', () => {
  it('hold a provider that slots are opened by, and on demand one that they are not', async () => {
    const { openProvider, providers } = await partsOf(settingsOf({ kmsKeyId: 'alias/x' }))
    expect(providers.map(({ metadata }) => metadata.kind)).toEqual(['environment'])
    expect(openProvider('environment')).toBe(providers[0])
    const kms = openProvider('kms')
    expect(kms.metadata.kind).toBe('kms')
    expect(openProvider('kms')).toBe(kms)
    expect(() => openProvider('hsm')).toThrow('hsm: COUNTERSIGN_HSM_MODULE is not set')
    expect(() => openProvider('memory')).toThrow('the data directory is not new')
  })

  it('still make the environment provider of a node that opens slots by another', async () => {
    const settings = settingsOf({ kek: 'kms', kmsKeyId: 'alias/x' })
    const { openProvider, providers } = await partsOf(settings)
    expect(settings.kekValue?.every((byte) => byte === 0)).toBe(true)
    expect(providers.map(({ metadata }) => metadata.kind)).toEqual(['kms'])
    await expect(openProvider('environment').probe()).resolves.toBeUndefined()
  })

  it('close every provider at once, those made on demand too', async () => {
    const { closeProviders, openProvider, openInFreshProcess, providers } = await partsOf(
      settingsOf({ kmsKeyId: 'alias/x' }),
    )
    const all = [...providers, openProvider('kms')]
    await closeProviders()
    for (const provider of all)
      await expect(provider.probe()).rejects.toMatchObject({ code: 'KEK_UNAVAILABLE' })
    expect(() => openProvider('kms')).toThrow('Key provider is closed: kms')
    await expect(openInFreshProcess('default', 'environment')).rejects.toMatchObject({
      code: 'KEK_UNAVAILABLE',
    })
  })

  it.each([
    [undefined, 259_200_000],
    [1, 3_600_000],
  ])('say how long an outage may last: %s hours', async (maxOutageHours, ms) => {
    expect((await partsOf(settingsOf({ maxOutageHours }))).maxOutageMs).toBe(ms)
  })
})

describe('a service that cannot be opened', () => {
  it('leaves no provider open and no secret behind', async () => {
    let parts: ServiceParts | undefined
    vi.spyOn(LocalService, 'open').mockImplementation((given) => {
      parts = given
      return Promise.reject(new Failure('STORE_LOCKED', 'Another writer'))
    })
    await expect(openLocalService(settingsOf(), quiet)).rejects.toThrow('Another writer')
    const [provider] = parts?.providers ?? []
    await expect(provider?.probe()).rejects.toMatchObject({ code: 'KEK_UNAVAILABLE' })
  })

  it('is refused for the provider that opens by hand only', async () => {
    await expect(openLocalService(settingsOf({ kek: 'passphrase' }), quiet)).rejects.toThrow(
      'passphrase: opens only by hand: countersign keys recover',
    )
  })
})
