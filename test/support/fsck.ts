import { join } from 'node:path'
import { fsck, type FsckReport, type FsckRequest } from '../../src/decisions/fsck.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { StoreReader } from '../../src/store/store.ts'
import type { TestService } from './service.ts'

/** Works on the store of a service beside it. */
export async function storeOf<T>(
  { directory }: Pick<TestService, 'directory'>,
  work: (store: StoreReader) => Promise<T>,
): Promise<T> {
  const store = await openSqliteStore({ mode: 'read', path: join(directory, 'data') })
  try {
    return await work(store)
  } finally {
    await store.close()
  }
}

/** A request to check the tenant `default` of a store, with signatures and without a pin. */
export const fsckRequest = (store: StoreReader): FsckRequest => ({
  pin: undefined,
  progress: () => undefined,
  signatures: true,
  store,
  tenant: 'default',
  trustFile: undefined,
})

/** Checks the tenant `default` of a service beside it, with signatures and without a pin. */
export const checkTenant = (test: Pick<TestService, 'directory'>): Promise<FsckReport> =>
  storeOf(test, (store) => fsck(fsckRequest(store)))
