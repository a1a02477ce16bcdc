// From plain settings to the service on one data directory: the adapters are chosen here and nowhere else. Settings can be posted to a thread, so
// that whoever owns the database also unwraps the keys.
import { existsSync, readdirSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Failure } from './base/failure.ts'
import { Secret } from './crypto/secret.ts'
import { localCaller } from './cli/principal.ts'
import type { Profile } from './dossier/kinds.ts'
import { createInstance, LocalService, type ServiceParts } from './decisions/local-service.ts'
import { getKekProvider, type HsmKekSettings, type KekSettings } from './kek/choose.ts'
import type { KekProvider } from './kek/kek.ts'
import { PinFile } from './log/pin.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { holdDirectory } from './store/sqlite-lock.ts'

/** What a service is opened with; can be structured-cloned. */
export interface ServiceSettings extends HsmKekSettings {
  readonly data: string
  readonly keys: string
  /** `auto` or a list of providers. */
  readonly kek: string
  /** Bytes of COUNTERSIGN_KEK; whoever opens the service wipes them. */
  readonly kekValue: Uint8Array | undefined
  readonly kekFile: string | undefined
  readonly kmsKeyId: string | undefined
  /** Bytes of COUNTERSIGN_HSM_PIN; whoever opens the service wipes them. */
  readonly hsmPinValue?: Uint8Array | undefined
  readonly dev: boolean
  readonly masterPublic: Uint8Array | undefined
  readonly version: string
}

/** What a new installation is to be. */
export interface Founding {
  readonly origin: string | undefined
  readonly profile: Profile
  readonly public: boolean
}

/** The tenant that every installation begins with. */
export const firstTenant = 'default'

/** Whether a data directory holds no database yet. */
export const isNew = (data: string): boolean => !existsSync(join(data, 'countersign.db'))

/** Where what lies outside the database is kept for a tenant. */
const besides = (keys: string, instance: string, tenant: string, what: string): string =>
  join(keys, instance, `${tenant}.${what}`)

/** The settings of an HSM alone. */
export const hsmFields = (settings: HsmKekSettings): HsmKekSettings => ({
  hsmKeyId: settings.hsmKeyId,
  hsmKeyLabel: settings.hsmKeyLabel,
  hsmModule: settings.hsmModule,
  hsmPinFile: settings.hsmPinFile,
  hsmTokenLabel: settings.hsmTokenLabel,
})

/** Chooses the providers; the KEK's bytes are wiped. @throws {@link Failure} CONFIG_INVALID */
function openProviders(settings: ServiceSettings, dataIsNew: boolean): readonly KekProvider[] {
  const { dev, hsmPinValue, kek, kekFile, kekValue, kmsKeyId } = settings
  const secret = (bytes: Uint8Array | undefined): Secret | undefined =>
    bytes === undefined ? undefined : new Secret(bytes)
  const kekSettings: KekSettings = {
    ...hsmFields(settings),
    hsmPin: secret(hsmPinValue),
    kek: secret(kekValue),
    kekFile,
    kmsKeyId,
  }
  return getKekProvider(kek, kekSettings, { dataIsNew, dev })
}

const pinnedTenants = (directory: string): readonly string[] =>
  existsSync(directory)
    ? readdirSync(directory).flatMap((name) => (name.endsWith('.pin') ? [name.slice(0, -4)] : []))
    : []

function partsOf(
  settings: ServiceSettings,
  providers: readonly KekProvider[],
  report: ServiceParts['report'],
): ServiceParts {
  const { data, keys, masterPublic, version } = settings
  return {
    clock: Date.now,
    holdPins: ({ id }) => holdDirectory(join(keys, id)),
    listPins: ({ id }) => Promise.resolve(pinnedTenants(join(keys, id))),
    openPin: ({ id }, tenant) => new PinFile(besides(keys, id, tenant, 'pin')),
    openStore: () => openSqliteStore({ mode: 'write', path: data }),
    providers,
    report,
    version,
    ...(masterPublic === undefined ? {} : { masterPublic }),
  }
}

/**
 * Opens the service on a data directory.
 * @throws {@link Failure} CONFIG_INVALID, STORE_*, KEK_*, OPEN_FAILED, KEY_STORE_REFUSED, LOG_ROLLBACK
 */
export async function openLocalService(
  settings: ServiceSettings,
  report: ServiceParts['report'],
): Promise<LocalService> {
  if (isNew(settings.data))
    throw new Failure(
      'CONFIG_INVALID',
      `There is no Countersign in ${settings.data}: run countersign init`,
    )
  return LocalService.open(partsOf(settings, openProviders(settings, false), report))
}

/** A service that was just founded. */
export interface Founded {
  readonly service: LocalService
  readonly provider: string
  readonly origin: string
  readonly trustRootFile: string
}

/**
 * Makes a data directory an installation with its first tenant, and writes its first trust root beside the pin.
 * @throws {@link Failure} INPUT_EXISTS, CONFIG_INVALID, KEK_*, STORE_*
 */
export async function foundService(
  settings: ServiceSettings,
  { origin, profile, public: isPublic }: Founding,
  report: ServiceParts['report'],
): Promise<Founded> {
  const { data, dev, keys } = settings
  const providers = openProviders(settings, isNew(data))
  const memory = providers.some(({ metadata }) => !metadata.durable)
  await (await foundInstance(data, origin, dev || memory)).close()
  const service = await LocalService.open(partsOf(settings, providers, report))
  try {
    const tenant = await service.createTenant(
      firstTenant,
      { profile, public: isPublic },
      localCaller(),
    )
    const trustRootFile = besides(keys, service.instance.id, firstTenant, 'trust-root.json')
    await mkdir(dirname(trustRootFile), { recursive: true, mode: 0o700 })
    await writeFile(trustRootFile, await service.readTrustRoot(firstTenant))
    const provider = providers.map(({ metadata }) => metadata.kind).join(',')
    return { origin: tenant.origin, provider, service, trustRootFile }
  } catch (error) {
    // Founded half, it goes on from there when it is asked again; nothing stays open meanwhile.
    await service.close()
    throw error
  }
}

async function foundInstance(
  data: string,
  origin: string | undefined,
  dev: boolean,
): Promise<{ close(): Promise<void> }> {
  const store = await openSqliteStore({ create: true, mode: 'write', path: data })
  try {
    // An interrupted founding left an instance without its tenant: it goes on where it stopped.
    const unfinished =
      (await store.readInstance()) !== undefined &&
      (await store.readTrustRoot(firstTenant)) === undefined
    if (!unfinished)
      await createInstance(store, {
        clock: Date.now,
        dev,
        ...(origin === undefined ? {} : { origin }),
      })
    return store
  } catch (error) {
    await store.close()
    throw error
  }
}
