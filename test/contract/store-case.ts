import { expect } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import type {
  IdempotencyRecord,
  Store,
  StoredApiKey,
  StoredKey,
  StoreReader,
} from '../../src/store/store.ts'
import { keyidOf, makeKeys, makeTenant, sha256 } from '../support/store-fixtures.ts'

/** A database of its own for one test. */
export interface StoreUnderTest {
  /** The one writer, open, on a database without instance and tenants. */
  readonly store: Store
  /** Closes the writer and opens another on the same database. */
  readonly reopen: () => Promise<Store>
  /** Tries to open another writer on the same database. */
  readonly openSecond: () => Promise<Store>
  /** Opens a reader of the same database. */
  readonly openReader: () => Promise<StoreReader>
  /** Closes what was opened and removes the database. */
  readonly dispose: () => Promise<void>
}

/** An instance that can be created. */
export const instance = {
  id: '0189',
  origin: 'log.example',
  createdAt: 1_700_000_000_000,
  dev: true,
}

/** The effect that remembers an idempotency key. */
export const idempotency = (stream: string, change: Partial<IdempotencyRecord> = {}) => ({
  type: 'idempotency' as const,
  record: {
    owner: 'ada',
    key: 'k1',
    stream,
    salt: sha256('s').slice(0, 16),
    fingerprint: sha256('f'),
    ...change,
  },
})

/** An API key of the tenant `acme`. */
export const apiKeyOf = (change: Partial<StoredApiKey> = {}): StoredApiKey => ({
  id: 'key-1',
  hash: sha256('token'),
  tenant: 'acme',
  owner: 'ada',
  scopes: ['decisions:write', 'log:read'],
  createdAt: 1_700_000_000_000,
  revokedAt: null,
  ...change,
})

/** The effect that replaces the keys. */
export const keyEffect = (keys: readonly StoredKey[]) => ({
  type: 'keys' as const,
  keys: makeKeys(keys),
  epoch: 2,
})

/** A version of a trust root. */
export const trustRootOf = (version: number) => ({
  version,
  sha256: keyidOf(`root ${version}`),
  file: utf8(`{"v":1,"version":${version}}`),
})

/** All that can be read of a tenant, to see that nothing of it has changed. */
export const everything = async (store: StoreReader, tenant: string) => ({
  tenants: await store.listTenants(),
  entries: await store.readEntries(tenant, 0, 1000),
  decisions: await store.listDecisions(tenant, { limit: 1000 }),
  tiles: [await store.readTile(tenant, 0, 0), await store.readTile(tenant, 1, 0)],
  last: await store.readLastCheckpoint(tenant),
  kept: await store.readKeptCheckpoint(tenant),
  keys: await store.readKeys(tenant),
  idempotency: await store.readIdempotency(tenant, 'ada', 'k1'),
  apiKeys: await store.listApiKeys(tenant),
  trustRoot: await store.readTrustRoot(tenant),
})

/** The database of the present test and its writer. */
export class StoreCase {
  readonly #make: () => Promise<StoreUnderTest>
  #database: StoreUnderTest | undefined
  #store: Store | undefined

  constructor(make: () => Promise<StoreUnderTest>) {
    this.#make = make
  }

  get store(): Store {
    if (!this.#store) throw new Error('No database is open')
    return this.#store
  }

  async open(): Promise<void> {
    this.#database = await this.#make()
    this.#store = this.#database.store
  }

  async reopen(): Promise<void> {
    this.#store = await this.#open.reopen()
  }

  openSecond(): Promise<Store> {
    return this.#open.openSecond()
  }

  openReader(): Promise<StoreReader> {
    return this.#open.openReader()
  }

  dispose(): Promise<void> {
    return this.#open.dispose()
  }

  create(tenant = 'acme', keys?: readonly StoredKey[]): Promise<void> {
    return this.store.createTenant(makeTenant(tenant), makeKeys(keys))
  }

  /** Expects the commit to be refused with the code and to have left no trace, now or after opening again. */
  async refused(commit: () => Promise<unknown>, code: string): Promise<void> {
    const before = await everything(this.store, 'acme')
    await expect(commit()).rejects.toMatchObject({ name: 'Failure', code })
    expect(await everything(this.store, 'acme')).toEqual(before)
    await this.reopen()
    expect(await everything(this.store, 'acme')).toEqual(before)
  }

  get #open(): StoreUnderTest {
    if (!this.#database) throw new Error('No database is open')
    return this.#database
  }
}
