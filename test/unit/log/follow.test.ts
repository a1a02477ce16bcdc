import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { Failure } from '../../../src/base/failure.ts'
import { parseLeaf } from '../../../src/dossier/leaf.ts'
import { Log, type SignedEntry } from '../../../src/log/log.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { Store } from '../../../src/store/store.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { goodKeyid, makeKeys, makeTenant } from '../../support/store-fixtures.ts'

const entry = (stream: string, change: Partial<SignedEntry> = {}): SignedEntry => ({
  digest: new Uint8Array(64),
  effects: [],
  filter: null,
  keyid: goodKeyid,
  kind: 'decision',
  payload: new Uint8Array(10),
  prev: null,
  seq: 0,
  signature: new Uint8Array(64),
  stream,
  ...change,
})

/** An entry that wants another right behind it. */
const leading = (stream: string, change: Partial<SignedEntry> = {}): SignedEntry =>
  entry(stream, {
    follow: ({ leafHash }) =>
      Promise.resolve(
        entry(stream, { kind: 'escalation', prev: encodeHex(leafHash), seq: 1, ...change }),
      ),
  })

const broken: Failure[] = []

async function openLog(): Promise<{ log: Log; store: Store }> {
  const store = await openSqliteStore({ create: true, mode: 'write', path: temporaryDirectory() })
  await store.createTenant(makeTenant('acme'), makeKeys())
  const log = await Log.open({
    clock: () => 1_800_000_000_000,
    epoch: () => 1,
    onBroken: (failure) => broken.push(failure),
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
  return { log, store }
}

describe('an entry that is followed', () => {
  it('stands right before the other, in one commit, among those that are not', async () => {
    const { log, store } = await openLog()
    const appended = await Promise.all([
      log.append(entry('a')),
      log.append(leading('b')),
      log.append(leading('c')),
      log.append(entry('d')),
    ])
    expect(appended.map(({ index, size }) => [index, size])).toEqual([
      [0, 6],
      [1, 6],
      [3, 6],
      [5, 6],
    ])
    const leaves = (await store.readLeaves('acme', 0, 6)).map((leaf) => parseLeaf(leaf))
    expect(leaves).toMatchObject([
      { stream: 'a' },
      { prev: null, stream: 'b' },
      { kind: 'escalation', prev: encodeHex(appended[1].leafHash), seq: 1, stream: 'b' },
      { prev: null, stream: 'c' },
      { prev: encodeHex(appended[2].leafHash), stream: 'c' },
      { stream: 'd' },
    ])
  })

  it('does not stand where the other could not be made, and keeps nobody else out', async () => {
    const { log, store } = await openLog()
    const failure = new Failure('KEK_UNAVAILABLE', 'No key')
    const [alone, lost] = await Promise.allSettled([
      log.append(entry('a')),
      log.append(entry('b', { follow: () => Promise.reject(failure) })),
    ])
    expect(alone.status).toBe('fulfilled')
    expect(lost).toMatchObject({ reason: failure })
    expect(await store.readStream('acme', 'b')).toEqual([])
    expect((await log.append(entry('c'))).index).toBe(1)
    expect(broken).toEqual([])
  })
})
