// A writer in a process of its own, to be killed, to be starved of disk, to be lied to by fsync. It prints one JSON line for each thing it has
// learnt, which survives whatever happens to it next.
import { existsSync, rmSync, writeSync } from 'node:fs'
import { asFailure } from '../../src/base/failure.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import { append, makeKeys, makeTenant } from './store-fixtures.ts'

const [task, path = '', ballast = ''] = process.argv.slice(2)

const say = (line: object): void => {
  writeSync(1, JSON.stringify(line) + '\n')
}

const codeOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'OK',
    (error: unknown) => asFailure(error).code,
  )

const store = await openSqliteStore({ path, mode: 'write', create: true })
if (!(await store.readTenant('acme'))) await store.createTenant(makeTenant('acme'), makeKeys())

const commit = async (): Promise<string> => {
  const code = await codeOf(append(store, 'acme', [{ payload: new Uint8Array(2048) }]))
  say({ commit: code })
  return code
}

if (task === 'hold') {
  await commit()
  setInterval(() => undefined, 1000)
} else {
  // At most 200 commits, none after the first that fails.
  for (let i = 0; i < 200 && (await commit()) === 'OK'; i++);
  say({ read: await codeOf(store.readTenant('acme')), probe: await codeOf(store.probe()) })
  await commit()
  if (existsSync(ballast)) {
    rmSync(ballast)
    await commit()
  }
  if (task === 'close') say({ close: await codeOf(store.close()) })
  else process.kill(process.pid, 'SIGKILL')
}
