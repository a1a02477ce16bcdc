// A writer in a process of its own, to be killed, to be starved of disk, to be lied to by fsync. It prints one JSON line for each thing it has learnt.
import { asFailure } from '../../src/base/failure.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { append, makeKeys, makeTenant } from './store-fixtures.ts'

const [task, path = '', count = '1'] = process.argv.slice(2)

const say = (what: object): void => {
  process.stdout.write(JSON.stringify(what) + '\n')
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'OK',
    (error: unknown) => asFailure(error).code,
  )

async function open(): Promise<Store> {
  const store = await openSqliteStore({ path, mode: 'write', create: true })
  if (!(await store.readTenant('acme'))) await store.createTenant(makeTenant('acme'), makeKeys())
  return store
}

/** Commits until it fails or has done `count`; then tells how the store answers afterwards. */
async function fill(store: Store): Promise<void> {
  for (let i = 0; i < Number(count); i++) {
    const code = await codeOf(append(store, 'acme', [{ payload: new Uint8Array(2048).fill(i) }]))
    if (code !== 'OK') {
      say({ refused: i, code, read: await codeOf(store.readTenant('acme')) })
      say({ probe: await codeOf(store.probe()), again: await codeOf(append(store, 'acme', [{}])) })
      return
    }
    say({ acknowledged: i + 1 })
  }
}

const store = await open()
if (task === 'hold') {
  await append(store, 'acme', [{}])
  say({ holding: true })
  setInterval(() => undefined, 1000)
} else {
  await fill(store)
  say({ closed: await codeOf(store.close()) })
}
