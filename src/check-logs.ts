// Checking and mending logs beside or in the absence of a server: the adapters for `log fsck`, which reads one moment of the database, and for
// `log rebuild`, which needs the database for itself and no key.
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './base/failure.ts'
import type { CheckRequest, LogsRequest, RebuiltLog } from './cli/composition.ts'
import { fsck, type FsckReport } from './decisions/fsck.ts'
import type { KekProvider } from './kek/kek.ts'
import { unsealKeyring } from './keyring/unseal.ts'
import type { Pin } from './log/pin.ts'
import { rebuildTiles } from './log/rebuild.ts'
import { openPins } from './open-service.ts'
import { archiveName } from './store/sqlite-database.ts'
import { openSqliteStore } from './store/sqlite.ts'
import type { Instance, StoredKeys, StoreReader } from './store/store.ts'

/** Where the data and what lies outside them are. */
export interface LogPlace {
  readonly data: string
  readonly keys: string
  /** Where pins are kept when not in the keys directory. */
  readonly pin: string | undefined
}

/** The pins of tenants, and of all that have one where none is named: one whose rows are gone from the database has its pin left. */
async function readPins(
  place: LogPlace,
  { id }: Instance,
  names: readonly string[],
  only: string | undefined,
): Promise<ReadonlyMap<string, Pin | undefined>> {
  const pins = openPins(place, id)
  try {
    const all = only === undefined ? [...names, ...(await pins.list())] : names
    const read = new Map<string, Pin | undefined>()
    for (const name of all) read.set(name, await pins.read(name))
    return read
  } finally {
    await pins.close()
  }
}

async function instanceOf(store: StoreReader): Promise<Instance> {
  const instance = await store.readInstance()
  if (instance === undefined)
    throw new Failure('CONFIG_INVALID', 'Data directory is empty: run countersign init first')
  return instance
}

/** The tenants asked for: the one named, or all. @throws {@link Failure} INPUT_NOT_FOUND */
async function namesOf(store: StoreReader, tenant: string | undefined): Promise<readonly string[]> {
  const names = (await store.listTenants()).map(({ name }) => name)
  if (tenant === undefined) return names
  if (!names.includes(tenant)) throw new Failure('INPUT_NOT_FOUND', `Unknown tenant: ${tenant}`)
  return [tenant]
}

async function unseal(
  providers: readonly KekProvider[],
  { id }: Instance,
  tenant: string,
  stored: StoredKeys,
): Promise<void> {
  const keyring = await unsealKeyring({ instance: id, providers, stored, tenant })
  keyring.close()
}

/** What is to be said of a tenant of which nothing but the pin is left. */
const lostTenant = (tenant: string, { origin, size }: Pin): FsckReport => ({
  conclusive: true,
  count: 1,
  decisions: 0,
  erased: 0,
  findings: [
    {
      index: null,
      part: 'pin',
      what: `Database knows nothing of a tenant that is pinned, bring the newer database back: size ${size}`,
    },
  ],
  firstIndex: null,
  origin,
  size: 0,
  tenant,
  unchecked: [],
})

/**
 * Checks logs one after the other, as they are at one moment.
 * @param providers to unseal with; none where that is not asked for
 * @throws {@link Failure} CONFIG_INVALID, INPUT_NOT_FOUND, STORE_*; what the signal was aborted with
 */
export async function* checkLogs(
  place: LogPlace,
  providers: readonly KekProvider[],
  { progress, signal, signatures, tenant, trustFile }: CheckRequest,
): AsyncGenerator<FsckReport, void> {
  // The pins are read first: a server that goes on meanwhile must not put them ahead of what is read.
  const early = await openSqliteStore({ mode: 'read', path: place.data })
  let instance: Instance
  let pins: ReadonlyMap<string, Pin | undefined>
  try {
    instance = await instanceOf(early)
    pins = await readPins(place, instance, await namesOf(early, tenant), tenant)
  } finally {
    await early.close()
  }
  const archive = existsSync(join(place.data, archiveName))
  const store = await openSqliteStore({ mode: 'read', path: place.data, snapshot: true })
  try {
    for (const [name, pin] of pins) {
      if (pin !== undefined && (await store.readTenant(name)) === undefined) {
        // An archive is of before others were founded.
        if (!archive) yield lostTenant(name, pin)
        continue
      }
      yield await fsck({
        archive,
        clock: Date.now,
        pin,
        progress: (part, done, total) => {
          progress(name, part, done, total)
        },
        signal,
        signatures,
        store,
        tenant: name,
        trustFile,
        trustIsOfTenant: tenant !== undefined,
        ...(providers.length === 0
          ? {}
          : { unseal: (stored: StoredKeys) => unseal(providers, instance, name, stored) }),
      })
    }
  } finally {
    await store.close()
  }
}

/**
 * Makes the tiles of logs again from their leaves.
 * @throws {@link Failure} STORE_LOCKED while a server runs, STORE_CORRUPT, INPUT_NOT_FOUND; what the signal was aborted with
 */
export async function* rebuildLogs(
  { data }: LogPlace,
  { progress, signal, tenant: only }: LogsRequest,
): AsyncGenerator<RebuiltLog, void> {
  const store = await openSqliteStore({ mode: 'write', path: data })
  try {
    for (const name of await namesOf(store, only)) {
      const tenant = await store.readTenant(name)
      if (tenant === undefined) continue
      const rebuilt = await rebuildTiles({
        progress: (done, total) => {
          progress(name, 'tiles', done, total)
        },
        signal,
        store,
        tenant,
      })
      yield { ...rebuilt, size: tenant.head.size, tenant: name }
    }
  } finally {
    await store.close()
  }
}
