// From plain settings to the service on one data directory: the adapters are chosen here and nowhere else. Settings can be posted to a thread, so
// that whoever owns the database also unwraps the keys.
import { existsSync } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { equalBytes } from './base/bytes.ts'
import { asFailure, Failure } from './base/failure.ts'
import { localCaller } from './cli/principal.ts'
import { firstTenant, isNew } from './data-directory.ts'
import type { Profile } from './dossier/kinds.ts'
import { genesisSize } from './decisions/genesis.ts'
import { createInstance, LocalService, type ServiceParts } from './decisions/local-service.ts'
import type { TenantView } from './decisions/service.ts'
import { openInFreshProcess } from './fresh-process.ts'
import { getKekProvider } from './kek/choose.ts'
import type { KekProvider } from './kek/kek.ts'
import { createKekFile } from './kek/kek-file.ts'
import { receiveKekSettings, type PostedKekSettings } from './kek/kek-settings.ts'
import { KekShelf } from './kek/kek-shelf.ts'
import { PinDirectory } from './log/pin-directory.ts'
import type { PinPlace } from './log/pin-place.ts'
import { PinsInS3 } from './log/pin-s3.ts'
import type { Pin } from './log/pin.ts'
import { isS3Url } from './log/s3-folder.ts'
import { StatedPin } from './log/stated-pin.ts'
import { syncPath, writeNew } from './store/durable-files.ts'
import { makeDirectory } from './store/make-directory.ts'
import { openSqliteStore } from './store/sqlite.ts'
import { storeFailure } from './store/sqlite-failure.ts'
import type { Instance, StoreReader } from './store/store.ts'

/** What a service is opened with; can be structured-cloned. Whoever opens the service wipes the secrets in it. */
export interface ServiceSettings extends PostedKekSettings {
  readonly data: string
  readonly keys: string
  /** Where pins are kept when not in the keys directory. */
  readonly pin?: string | undefined
  /** `auto` or a list of providers. */
  readonly kek: string
  /** How long to sign while no provider is healthy; 72 unless given. */
  readonly maxOutageHours?: number | undefined
  readonly dev: boolean
  readonly masterPublic: Uint8Array | undefined
  /** Witness, group and quorum lines that every trust root is to name; what it names already unless given. */
  readonly witnessPolicy?: string | undefined
  /** Whether logs come under dual control with their first roster; all but those of development unless given. */
  readonly dualControl?: 'all' | 'none' | undefined
  /** How many decisions of a tenant may be overruled within 24 hours; 20 unless given. */
  readonly overridesPerDay?: number | undefined
  readonly version: string
}

/** What a new installation is to be. */
export interface Founding {
  readonly origin: string | undefined
  readonly profile: Profile
  readonly public: boolean
}

/** Tenants that are opened at start and stay open: small installations learn at once what is wrong, and sign on through an outage of their key provider. */
const keptRooms = 32

/** Where what lies outside the database is kept for a tenant. */
const besides = (keys: string, instance: string, tenant: string, what: string): string =>
  join(keys, instance, `${tenant}.${what}`)

/** Where the sealed record of a key that is offered lies, by its hex SHA-256. */
export const offerPath = (keys: string, instance: string, tenant: string, sha256: string): string =>
  besides(keys, instance, tenant, `${sha256}.offer.json`)

const hourMs = 3_600_000

/** Whether an installation of these settings gets a KEK file made, since no key provider is configured. */
export function wantsKekFile(settings: ServiceSettings): boolean {
  const { dev, hsmModule, kek, kekFile, kekValue, kmsKeyId } = settings
  const configured = [hsmModule, kekFile, kekValue, kmsKeyId].some((value) => value !== undefined)
  return !configured && (kek === 'environment' || (kek === 'auto' && !dev))
}

/** Makes a KEK file where it is looked for by itself, and gives its path. @throws {@link Failure} INPUT_EXISTS, STORE_FAILED */
export function makeKekFile(keys: string): string {
  makeDirectory(keys)
  const path = join(keys, 'countersign.kek')
  createKekFile(path)
  return path
}

/** The providers on their shelf, which is closed again when none can be chosen. */
interface Providers {
  readonly shelf: KekShelf
  readonly chosen: readonly KekProvider[]
}

/** Chooses the providers; the bytes of secrets are wiped. @throws {@link Failure} CONFIG_INVALID */
async function openProviders(settings: ServiceSettings, dataIsNew: boolean): Promise<Providers> {
  const { dev, kek, keys } = settings
  const shelf = new KekShelf(receiveKekSettings(settings), { dataIsNew, dev, keys })
  return orClose(shelf, () => Promise.resolve({ chosen: getKekProvider(kek, shelf), shelf }))
}

/** What the work gives; the shelf is closed when it fails. */
async function orClose<T>(shelf: KekShelf, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    await shelf.close()
    throw error
  }
}

/** The pins of an instance; whoever opens them closes them. */
export const openPins = (
  { keys, pin }: Pick<ServiceSettings, 'keys' | 'pin'>,
  instance: string,
): PinPlace => {
  const place = pin ?? keys
  return isS3Url(place)
    ? new PinsInS3(`${place}/${instance}`)
    : new PinDirectory(join(place, instance))
}

/** The pins of the one instance that a service serves, from when they are held. */
interface InstancePins extends Pick<ServiceParts, 'holdPins' | 'listPins' | 'openPin'> {
  /** The pin of a tenant as it is; looking makes none. */
  readonly peekPin: (instance: Instance, tenant: string) => Promise<Pin | undefined>
}

function pinsOf(settings: ServiceSettings): InstancePins {
  let place: PinPlace | undefined
  const at = (instance: string): PinPlace => (place ??= openPins(settings, instance))
  return {
    async holdPins({ id }) {
      const pins = at(id)
      const release = await pins.hold()
      return () => {
        release()
        void pins.close()
      }
    },
    listPins: ({ id }) => at(id).list(),
    openPin: ({ id }, tenant) => at(id).open(tenant),
    peekPin: ({ id }, tenant) => at(id).read(tenant),
  }
}

/** What parts are made with besides the settings. */
interface PartsChoice {
  readonly keepRooms: number
  readonly pins: Omit<InstancePins, 'peekPin'>
}

function partsOf(
  settings: ServiceSettings,
  { chosen, shelf }: Providers,
  report: ServiceParts['report'],
  { keepRooms = keptRooms, pins = pinsOf(settings) }: Partial<PartsChoice> = {},
): ServiceParts {
  const { data, keys, masterPublic, maxOutageHours = 72, version, witnessPolicy } = settings
  const { overridesPerDay } = settings
  const closing = new AbortController()
  const { holdPins, listPins, openPin } = pins
  return {
    clock: Date.now,
    async closeProviders() {
      closing.abort()
      await shelf.close()
    },
    async findOffer({ id }, tenant, sha256) {
      const path = offerPath(keys, id, tenant, sha256)
      return existsSync(path) ? readFile(path) : undefined
    },
    holdPins,
    keepRooms,
    listPins,
    maxOutageMs: maxOutageHours * hourMs,
    openInFreshProcess: (tenant, kind, slot) =>
      openInFreshProcess(
        { data, kind, masterPublic, slot, tenant },
        shelf.settings,
        closing.signal,
      ),
    openPin,
    openProvider: (kind) => shelf.open(kind),
    openStore: () => openSqliteStore({ mode: 'write', path: data }),
    providers: chosen,
    report,
    version,
    ...(masterPublic === undefined ? {} : { masterPublic }),
    ...(settings.dualControl === undefined ? {} : { dualControl: settings.dualControl }),
    ...(witnessPolicy === undefined ? {} : { witnessPolicy }),
    ...(overridesPerDay === undefined ? {} : { overridesPerDay }),
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
  expectInstallation(settings.data)
  const providers = await openProviders(settings, false)
  return orClose(providers.shelf, () => LocalService.open(partsOf(settings, providers, report)))
}

/** A service on logs whose pins are missing. */
export interface StatingService {
  readonly service: LocalService
  /** Makes the pin of a tenant durable, at the head that its log has by then. @throws {@link Failure} LOG_ROLLBACK, STORE_FAILED */
  readonly confirm: (tenant: string) => Promise<void>
}

/**
 * Opens the service where pins are missing, each tree head that is stated standing for the missing pin of its tenant. None is written before it is confirmed.
 * @throws {@link Failure} as {@link openLocalService}
 */
export async function openServiceStating(
  settings: ServiceSettings,
  stated: ReadonlyMap<string, Pin>,
  report: ServiceParts['report'],
): Promise<StatingService> {
  const providers = await openProviders(settings, false)
  const place = pinsOf(settings)
  const open = new Map<string, StatedPin>()
  const pins: PartsChoice['pins'] = {
    ...place,
    async listPins(instance) {
      return [...new Set([...(await place.listPins(instance)), ...stated.keys()])]
    },
    openPin(instance, tenant) {
      const known = open.get(tenant)
      const pin = stated.get(tenant)
      const store = known ?? place.openPin(instance, tenant)
      if (pin === undefined || known !== undefined) return store
      const made = new StatedPin({ peek: () => place.peekPin(instance, tenant), store }, pin)
      open.set(tenant, made)
      return made
    },
  }
  const service = await orClose(providers.shelf, () =>
    LocalService.open(partsOf(settings, providers, report, { pins })),
  )
  return { confirm: async (tenant) => open.get(tenant)?.confirm(), service }
}

/** @throws {@link Failure} CONFIG_INVALID when a directory holds no installation */
export function expectInstallation(data: string): void {
  if (isNew(data))
    throw new Failure('CONFIG_INVALID', `There is no Countersign in ${data}: run countersign init`)
}

/**
 * Opens the service by one provider that no setting describes, and by no other; each tenant is opened when it is asked for. The shelf is closed with the
 * service, or when there is none.
 * @throws {@link Failure} as {@link openLocalService}
 */
export const openServiceBy = (
  opener: KekProvider,
  shelf: KekShelf,
  settings: ServiceSettings,
  report: ServiceParts['report'],
): Promise<LocalService> =>
  orClose(shelf, () =>
    LocalService.open(partsOf(settings, { chosen: [opener], shelf }, report, { keepRooms: 0 })),
  )

/** A service that was just founded. */
export interface Founded {
  readonly service: LocalService
  readonly provider: string
  readonly origin: string
  readonly trustRootFile: string
}

/** Where the first trust root is written out. */
const trustRootPath = (keys: string, instance: string): string =>
  besides(keys, instance, firstTenant, 'trust-root.json')

/** Writes the first trust root out, in place of what is left of an earlier attempt; durable when it resolves. @throws {@link Failure} STORE_FULL, STORE_FAILED */
async function writeTrustRoot(path: string, file: Uint8Array): Promise<void> {
  try {
    makeDirectory(dirname(path))
    await rm(path, { force: true })
    await writeNew(path, file, 0o644)
    await syncPath(dirname(path))
  } catch (error) {
    throw storeFailure(error, `Trust root cannot be written to ${path}`)
  }
}

/**
 * Makes a data directory an installation with its first tenant, and writes its first trust root beside the pin. What was cut off goes on from there.
 * @throws {@link Failure} INPUT_EXISTS, CONFIG_INVALID, KEK_*, STORE_*
 */
export async function foundService(
  settings: ServiceSettings,
  { origin, profile, public: isPublic }: Founding,
  report: ServiceParts['report'],
): Promise<Founded> {
  const { data, dev, keys } = settings
  const providers = await openProviders(settings, isNew(data))
  const { chosen, shelf } = providers
  const service = await orClose(shelf, async () => {
    const memory = chosen.some(({ metadata }) => !metadata.durable)
    await foundInstance(data, keys, origin, dev || memory)
    return LocalService.open(partsOf(settings, providers, report))
  })
  try {
    const tenant =
      (await findBegun(service)) ??
      (await service.createTenant(firstTenant, { profile, public: isPublic }, localCaller()))
    const trustRootFile = trustRootPath(keys, service.instance.id)
    await writeTrustRoot(trustRootFile, await service.readTrustRoot(firstTenant))
    const provider = chosen.map(({ metadata }) => metadata.kind).join(',')
    return { origin: tenant.origin, provider, service, trustRootFile }
  } catch (error) {
    // Founded half, it goes on from there when it is asked again; nothing stays open meanwhile.
    await service.close()
    throw error
  }
}

/** The first tenant where its log has all of its beginning, so that only the trust root of that is to be written out. */
async function findBegun(service: LocalService): Promise<TenantView | undefined> {
  const tenants = await service.listTenants()
  return tenants.find(({ name, size }) => name === firstTenant && size >= genesisSize)
}

/** @throws {@link Failure} INPUT_EXISTS when a data directory holds keys, which a key file that is made now would never open */
async function expectNoKeys(data: string, keys: string): Promise<void> {
  if (isNew(data)) return
  const store = await openSqliteStore({ mode: 'read', path: data })
  try {
    if ((await store.listTenants()).length === 0) return
    throw new Failure(
      'INPUT_EXISTS',
      `Data directory holds an instance already, and its key file is not in ${keys} (--keys): ${data}`,
    )
  } finally {
    await store.close()
  }
}

/**
 * As {@link foundService}, with a KEK file that is made first where no key provider is configured. It stays also when founding fails: something may be
 * sealed under it, and whoever founds again goes on with it.
 * @throws {@link Failure} as {@link foundService}
 */
export async function foundWithKekFile(
  settings: ServiceSettings,
  founding: Founding,
  report: ServiceParts['report'],
): Promise<Founded & { readonly kekFile: string | null }> {
  if (!wantsKekFile(settings))
    return { ...(await foundService(settings, founding, report)), kekFile: null }
  await expectNoKeys(settings.data, settings.keys)
  const kekFile = makeKekFile(settings.keys)
  try {
    return { ...(await foundService({ ...settings, kekFile }, founding, report)), kekFile }
  } catch (error) {
    const { cause, code, message } = sayingWhat(error)
    const stays = `The key file that was made stays, for what was begun may need it: ${kekFile}`
    throw new Failure(code, `${message}. ${stays}`, { cause })
  }
}

/** A failure as it is, and what the system refused as one that says it. */
function sayingWhat(error: unknown): Failure {
  const isRefusal = error instanceof Error && 'syscall' in error
  return isRefusal ? new Failure('STORE_FAILED', error.message, { cause: error }) : asFailure(error)
}

/** Whether a founding was cut off: before its log had all of its beginning, or before the trust root of that was written out. */
async function isUnfinished(store: StoreReader, keys: string): Promise<boolean> {
  const instance = await store.readInstance()
  if (instance === undefined) return false
  const trustRoot = await store.readTrustRoot(firstTenant)
  if (trustRoot === undefined) return true
  // Whoever wrote more to the log has taken it for founded.
  if ((await store.readTenant(firstTenant))?.head.size !== genesisSize) return false
  const path = trustRootPath(keys, instance.id)
  return !existsSync(path) || !equalBytes(await readFile(path), trustRoot.file)
}

async function foundInstance(
  data: string,
  keys: string,
  origin: string | undefined,
  dev: boolean,
): Promise<void> {
  const store = await openSqliteStore({ create: true, mode: 'write', path: data })
  try {
    if (!(await isUnfinished(store, keys)))
      await createInstance(store, {
        clock: Date.now,
        dev,
        ...(origin === undefined ? {} : { origin }),
      })
  } finally {
    await store.close()
  }
}
