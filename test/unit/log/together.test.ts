import { expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { Log, type SignedEntry } from '../../../src/log/log.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { goodKeyid, makeKeys, makeTenant } from '../../support/store-fixtures.ts'

const entry = (stream: string, change: Partial<SignedEntry> = {}): SignedEntry => ({
  digest: new Uint8Array(64),
  effects: [],
  filter: null,
  keyid: goodKeyid,
  kind: 'admin',
  payload: new Uint8Array(10),
  prev: null,
  seq: 0,
  signature: new Uint8Array(64),
  stream,
  ...change,
})

async function openLog(): Promise<Log> {
  const store = await openSqliteStore({ create: true, mode: 'write', path: temporaryDirectory() })
  await store.createTenant(makeTenant('acme'), makeKeys())
  return Log.open({
    clock: () => 1_800_000_000_000,
    epoch: () => 1,
    onBroken: () => undefined,
    origin: 'log.example/acme',
    pin: {
      close: () => Promise.resolve(),
      read: () => Promise.resolve(undefined),
      write: () => Promise.resolve(),
    },
    signers: () => fixedLog(1),
    signersAt: () => [fixedLog(1)],
    store,
    tenant: 'acme',
    windowMs: 0,
  })
}

it('entries of several streams that are given together stand in one commit, in their order', async () => {
  const log = await openLog()
  const appended = await log.appendTogether([entry('a'), entry('b'), entry('c')])
  expect(appended.map(({ index, size }) => [index, size])).toEqual([
    [0, 3],
    [1, 3],
    [2, 3],
  ])
  await log.close()
})

it('none of them stands where one is refused, and what comes beside them does', async () => {
  const log = await openLog()
  const refusal = new Failure('ACTION_REFUSED', 'No')
  const refused = entry('b', { refuseAt: () => refusal })
  for (const wrong of [refused, entry('b', { seq: 1 })]) {
    const together = log.appendTogether([entry('a'), wrong, entry('c')])
    const beside = log.append(entry(`d${log.head.size}`))
    await expect(together).rejects.toMatchObject({
      code: wrong === refused ? 'ACTION_REFUSED' : 'LOG_CONFLICT',
    })
    await beside
  }
  expect(log.head.size).toBe(2)
  expect(await log.appendTogether([entry('a'), entry('b')])).toHaveLength(2)
  await log.close()
})

it('whoever gives them must be alone', async () => {
  const log = await openLog()
  const before = log.append(entry('a'))
  await expect(log.appendTogether([entry('b')])).rejects.toMatchObject({ code: 'BUG' })
  await before
  const many = Array.from({ length: 33 }, (_, n) => entry(`s${n}`))
  await expect(log.appendTogether(many)).rejects.toMatchObject({ code: 'BUG' })
  expect(await log.appendTogether(many.slice(1))).toHaveLength(32)
  await log.close()
})
