// The passphrase on paper: made into a slot of every master key, and opening the installation when nothing else does. It is made and typed in this
// process alone: a running server is not asked, for then the passphrase would have to leave it.
import { asFailure, Failure } from './base/failure.ts'
import type {
  BreakGlass,
  Recovered,
  RecoveredTenant,
  UnrecoveredTenant,
} from './cli/composition.ts'
import { localCaller } from './cli/principal.ts'
import { Secret } from './crypto/secret.ts'
import type { LocalService } from './decisions/local-service.ts'
import { getKekProvider } from './kek/choose.ts'
import { loadEnvironmentKek } from './kek/environment.ts'
import type { KekProvider } from './kek/kek.ts'
import { receiveKekSettings } from './kek/kek-settings.ts'
import { KekShelf } from './kek/kek-shelf.ts'
import { createPassphraseKek } from './kek/passphrase.ts'
import { makePassphrase } from './kek/passphrase-text.ts'
import { readSlots } from './keyring/inventory.ts'
import { unsealMaster } from './keyring/unseal-master.ts'
import {
  expectInstallation,
  makeKekFile,
  openLocalService,
  openServiceBy,
  wantsKekFile,
  type ServiceSettings,
} from './open-service.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { StoreReader } from './store/store.ts'

type Report = Parameters<typeof openLocalService>[1]

/** The tenants that have a log; one that was founded half has nothing to open yet. */
async function foundedTenants(store: StoreReader): Promise<readonly string[]> {
  const founded: string[] = []
  for (const { name } of await store.listTenants())
    if ((await store.readTrustRoot(name)) !== undefined) founded.push(name)
  return founded
}

async function whileReading<T>(data: string, work: (store: StoreReader) => Promise<T>): Promise<T> {
  const store = await openSqliteStore({ mode: 'read', path: data })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** What opening gives; where a server runs it says what to do about it. */
async function alone(opening: Promise<LocalService>): Promise<LocalService> {
  try {
    return await opening
  } catch (error) {
    if (error instanceof Failure && error.code === 'STORE_LOCKED')
      throw new Failure(
        'STORE_LOCKED',
        'A server runs on this data directory, and a passphrase is not sent to it: stop the server first',
        { cause: error },
      )
    throw error
  }
}

/** Puts the slot into every master key; what was replaced before a failure opens by nothing that anybody knows. */
async function putEverywhere(
  service: LocalService,
  tenants: readonly string[],
  provider: KekProvider,
): Promise<void> {
  for (const [done, tenant] of tenants.entries())
    try {
      await service.putSlots(tenant, [provider], (kind) => kind === 'passphrase', localCaller())
    } catch (error) {
      if (done === 0 || !(error instanceof Failure)) throw error
      throw new Failure(
        error.code,
        `${error.message}. An older passphrase opens these no more, make one again: ${tenants.slice(0, done).join(', ')}`,
        { cause: error },
      )
    }
}

/**
 * Makes a passphrase and gives every master key a slot of it, in place of an older one; each slot has opened its keys when this ends.
 * @throws {@link Failure} STORE_LOCKED while a server runs, and as {@link openLocalService}
 */
export async function makeBreakGlass(
  settings: ServiceSettings,
  report: Report,
): Promise<BreakGlass> {
  expectInstallation(settings.data)
  const tenants = await whileReading(settings.data, foundedTenants)
  const service = await alone(openLocalService(settings, report))
  const passphrase = makePassphrase()
  const provider = createPassphraseKek(new Secret(passphrase.use((text) => text.slice())))
  try {
    await putEverywhere(service, tenants, provider)
    return { passphrase, tenants }
  } catch (error) {
    passphrase.wipe()
    throw error
  } finally {
    await service.close()
    await provider.close()
  }
}

/** What a passphrase opens. */
interface Tried {
  readonly opened: readonly string[]
  readonly left: readonly UnrecoveredTenant[]
}

const noSlot: Pick<UnrecoveredTenant, 'code' | 'why'> = {
  code: 'INPUT_NOT_FOUND',
  why: 'its master key has no break-glass slot, for it is newer than the passphrase',
}

/**
 * Opens each master key by its passphrase slots and forgets it again, so that a wrong passphrase is told before anything is locked or made. A tenant
 * that it does not open holds up no other.
 * @throws {@link Failure} what the first tenant met, when the passphrase opens none: INPUT_NOT_FOUND, OPEN_FAILED, KEY_STORE_REFUSED
 */
async function tryPassphrase(store: StoreReader, opener: KekProvider): Promise<Tried> {
  const instance = await store.readInstance()
  const opened: string[] = []
  const left: UnrecoveredTenant[] = []
  for (const tenant of await foundedTenants(store)) {
    const met = await tryTenant(store, opener, instance?.id ?? '', tenant)
    if (met === undefined) opened.push(tenant)
    else left.push({ tenant, ...met })
  }
  const [first] = left
  if (opened.length === 0 && first !== undefined)
    throw new Failure(first.code, `Passphrase opens nothing. ${left.map(describeLeft).join('; ')}`)
  return { left, opened }
}

const describeLeft = ({ tenant, why }: UnrecoveredTenant): string => `${tenant}: ${why}`

async function tryTenant(
  store: StoreReader,
  opener: KekProvider,
  instance: string,
  tenant: string,
): Promise<Pick<UnrecoveredTenant, 'code' | 'why'> | undefined> {
  const stored = await store.readKeys(tenant)
  if (stored === undefined) return { code: 'STORE_CORRUPT', why: 'it has no keys' }
  try {
    const slots = readSlots(stored.slots, { instance, tenant })
    if (slots.every(({ provider }) => provider !== 'passphrase')) return noSlot
    ;(await openedBy(opener, slots)).wipe()
    return undefined
  } catch (error) {
    const { code, message } = asFailure(error)
    if (code !== 'OPEN_FAILED' && code !== 'KEY_STORE_REFUSED') throw error
    return { code, why: message }
  }
}

async function openedBy(
  opener: KekProvider,
  slots: Parameters<typeof unsealMaster>[0],
): Promise<Secret> {
  try {
    return (await unsealMaster(slots, [opener])).seed
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'OPEN_FAILED') throw error
    const message = 'this is another passphrase than the one that was made last for it'
    throw new Failure('OPEN_FAILED', message, { cause: error })
  }
}

/** What recovering is told. */
export interface RecoverOptions {
  readonly passphrase: Secret
  /** Whether slots of providers that are not configured are dropped. */
  readonly dropOthers: boolean
  readonly report: Report
  /** Told of each tenant as soon as it is done. */
  readonly tell: (tenant: RecoveredTenant) => Promise<void>
}

async function recoverTenant(
  service: LocalService,
  tenant: string,
  targets: readonly KekProvider[],
  dropOthers: boolean,
): Promise<RecoveredTenant> {
  const kinds = targets.map(({ metadata }) => metadata.kind)
  const { steps } = await service.putSlots(
    tenant,
    targets,
    (kind) => kinds.includes(kind) || (dropOthers && kind !== 'passphrase'),
    localCaller(),
  )
  const index = steps.findLast(({ event }) => event === 'slots')?.index
  if (index === undefined) throw new Failure('BUG', `Slots were put and not told: ${tenant}`)
  return { index, providers: kinds, tenant }
}

/**
 * Opens the installation by its passphrase alone and gives every master key slots of the providers that are configured now, in place of those of the
 * same kinds; those that the passphrase does not open are left as they are, and named. Cut off, it is run again. Where no provider is configured it
 * makes a KEK file, as a founding does.
 * @throws {@link Failure} INPUT_INVALID for a typo; OPEN_FAILED or INPUT_NOT_FOUND when the passphrase opens nothing; CONFIG_INVALID, STORE_LOCKED while a server runs, KEK_*
 */
export async function recover(
  settings: ServiceSettings,
  { dropOthers, passphrase, report, tell }: RecoverOptions,
): Promise<Recovered> {
  const { data, dev, kek, keys } = settings
  const opener = createPassphraseKek(passphrase)
  const shelf = new KekShelf(receiveKekSettings(settings), { dataIsNew: false, dev })
  let made: KekProvider | undefined
  try {
    expectInstallation(data)
    const wanted = wantsKekFile(settings)
    const configured = wanted ? [] : getKekProvider(kek, shelf)
    const { left, opened } = await whileReading(data, (store) => tryPassphrase(store, opener))
    const service = await alone(openServiceBy(opener, shelf, settings, report))
    try {
      const kekFile = wanted ? makeKekFile(keys) : null
      if (kekFile !== null) made = loadEnvironmentKek(kekFile)
      const targets = made === undefined ? configured : [made]
      for (const tenant of opened)
        await tell(await recoverTenant(service, tenant, targets, dropOthers))
      return { kekFile, left, providers: targets.map(({ metadata }) => metadata.kind) }
    } finally {
      await service.close()
    }
  } finally {
    await shelf.close()
    await opener.close()
    await made?.close()
  }
}
