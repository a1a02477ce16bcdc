// Founding a tenant: its keys and its row are laid in one write, then its log is begun in its room. A founding that was cut off goes on from there.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import type { Profile } from '../dossier/kinds.ts'
import type { Caller } from '../dossier/matters.ts'
import type { KekProvider } from '../kek/kek.ts'
import { createKeyring } from '../keyring/create.ts'
import type { Keyring } from '../keyring/keyring.ts'
import type { Instance, Store, Tenant } from '../store/store.ts'
import { genesisPositions, hasGenesis } from './genesis.ts'
import { viewTenant } from './reading.ts'
import type { TenantView } from './service.ts'

/** Where tenants are founded. */
export interface Ground {
  readonly instance: Instance
  /** ms since 1970. */
  readonly clock: () => number
  /** @throws {@link Failure} what stops the service */
  usableStore(): Store
  /** The tenants that have a pin. */
  listPins(): Promise<readonly string[]>
  /** Lays the first keys of a tenant, with slots of the providers that it is given: they stay in use meanwhile. */
  whileFounding<T>(work: (providers: readonly KekProvider[]) => Promise<T>): Promise<T>
  /** Takes over the keys that were just made for a tenant. */
  keepKeys(tenant: string, keyring: Keyring): void
  /** Opens the room of a tenant that is not begun, begins its log, and takes charge of its keys. */
  beginTenant(tenant: string, by: Caller): Promise<void>
}

interface TenantOptions {
  readonly profile: Profile
  readonly public: boolean
}

const tenantPattern = /^[a-z0-9][a-z0-9-]{0,62}$/

/** Founds a tenant, or ends what was begun. @throws {@link Failure} INPUT_INVALID, INPUT_EXISTS, LOG_ROLLBACK, KEK_*, STORE_* */
export async function foundTenant(
  ground: Ground,
  name: string,
  options: TenantOptions,
  by: Caller,
): Promise<TenantView> {
  if (!tenantPattern.test(name))
    throw new Failure('INPUT_INVALID', `Tenant must be 1 to 63 of a-z, 0-9, -: ${name}`, {
      field: 'name',
    })
  const store = ground.usableStore()
  const known = await store.readTenant(name)
  if (known !== undefined && (await hasGenesis(store, name)))
    throw new Failure('INPUT_EXISTS', `Tenant exists: ${name}`)
  if (known === undefined)
    await ground.whileFounding((providers) => layTenant(ground, store, name, options, providers))
  await ground.beginTenant(name, by)
  const tenant = await store.readTenant(name)
  if (tenant === undefined) throw new Failure('BUG', `Tenant vanished: ${name}`)
  return viewTenant(tenant)
}

async function layTenant(
  ground: Ground,
  store: Store,
  name: string,
  { profile, public: isPublic }: TenantOptions,
  providers: readonly KekProvider[],
): Promise<void> {
  const createdAt = ground.clock()
  if ((await ground.listPins()).includes(name))
    throw new Failure('LOG_ROLLBACK', `A log of this name is pinned already: ${name}`)
  const { id, dev, origin } = ground.instance
  const { keyring, stored } = await createKeyring({
    clock: () => createdAt,
    instance: id,
    positions: genesisPositions,
    providers,
    tenant: name,
  })
  const suffix = dev ? `/dev-${encodeHex(randomBytes(4))}` : ''
  const tenant: Omit<Tenant, 'head'> = {
    createdAt,
    name,
    origin: `${origin}/${name}${suffix}`,
    profile,
    public: isPublic,
  }
  try {
    await store.createTenant(tenant, stored)
  } catch (error) {
    keyring.close()
    throw error
  }
  ground.keepKeys(name, keyring)
}
