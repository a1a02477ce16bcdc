import { describe, expect, it } from 'vitest'
import { encodeHex } from '../../../src/base/bytes.ts'
import { Log, type LogParts, type SignedEntry } from '../../../src/log/log.ts'
import type { Pin } from '../../../src/log/pin.ts'
import { readProvedRootAt, readRootAt } from '../../../src/log/tree-reading.ts'
import type { Store, StoreReader } from '../../../src/store/store.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { referenceRoot } from '../../support/merkle-reference.ts'
import { goodKeyid, makeKeys, makeTenant } from '../../support/store-fixtures.ts'
import { temporaryDirectory } from '../../support/service.ts'
import { replacing } from '../../support/replacing.ts'

const entry = (n: number, change: Partial<SignedEntry> = {}): SignedEntry => ({
  digest: new Uint8Array(64),
  effects: [],
  filter: null,
  keyid: goodKeyid,
  kind: 'decision',
  payload: new Uint8Array(10),
  prev: null,
  seq: 0,
  signature: new Uint8Array(64),
  stream: `stream-${n}`,
  ...change,
})

const [first, second] = [fixedLog(1), fixedLog(2)]

/** A log whose keys and clock the test holds in its hands, on a store of its own or on one that is there. */
async function openLog(change: Partial<LogParts> = {}, existing?: Store) {
  const store =
    existing ?? (await openSqliteStore({ create: true, mode: 'write', path: temporaryDirectory() }))
  if (existing === undefined) await store.createTenant(makeTenant('acme'), makeKeys())
  const pins: Pin[] = []
  const log = await Log.open({
    clock: () => 1_800_000_000_000,
    epoch: () => 1,
    onBroken: () => undefined,
    origin: 'log.example/acme',
    pin: {
      close: () => Promise.resolve(),
      read: () => Promise.resolve(pins.at(-1)),
      write: (pin) => {
        pins.push(pin)
        return Promise.resolve()
      },
    },
    signers: () => first,
    signersAt: () => [first],
    store,
    tenant: 'acme',
    windowMs: 0,
    ...change,
  })
  return { log, pins, store }
}

const trust: Partial<SignedEntry> = { kind: 'trust', stream: 'trust' }

describe('a log whose keys change', () => {
  it('keeps the checkpoint behind every announcement of a trust root, however soon it comes', async () => {
    const { log, store } = await openLog()
    await log.append(entry(0))
    await log.append(entry(1))
    const { checkpoint, size } = await log.append(entry(2, trust))
    await log.append(entry(3))
    expect((await store.readKeptCheckpoint('acme', size))?.note).toBe(checkpoint)
    expect(await store.readKeptCheckpoint('acme', 2)).toBeUndefined()
    expect(await store.readKeptCheckpoint('acme', 4)).toBeUndefined()
  })

  it('pins the epoch of the keys in the commit that stores them', async () => {
    const { log, pins } = await openLog()
    await log.append(entry(0))
    await log.append(entry(1, { effects: [{ type: 'keys', keys: makeKeys(), epoch: 7 }] }))
    expect(pins.slice(-2).map(({ epoch, size }) => [size, epoch])).toEqual([
      [1, 1],
      [2, 7],
    ])
  })

  it('is opened under the keys that count at its size, not under those that sign next', async () => {
    const { log, store } = await openLog()
    await log.append(entry(0))
    const open = (signersAt: LogParts['signersAt']) =>
      openLog(
        {
          pin: {
            close: () => Promise.resolve(),
            read: () =>
              Promise.resolve({
                epoch: 1,
                origin: 'log.example/acme',
                root: log.head.root,
                size: 1,
              }),
            write: () => Promise.resolve(),
          },
          signers: () => second,
          signersAt,
        },
        store,
      )
    await expect(open(() => [first])).resolves.toBeDefined()
    for (const wrong of [[second], [], [first, second]])
      await expect(open(() => wrong)).rejects.toMatchObject({ code: 'LOG_ROLLBACK' })
  })

  it('is idle when all that was handed over is committed', async () => {
    const { log } = await openLog({ windowMs: 20 })
    const late = Promise.withResolvers<SignedEntry>()
    const places = [log.append(entry(0)), log.append(late.promise)]
    setTimeout(() => {
      late.resolve(entry(1))
    }, 10)
    await log.idle()
    expect([log.backlog, log.head.size]).toEqual([0, 2])
    await Promise.all(places)
  })
})

describe('an earlier root of a tree', () => {
  it('is what the tree had then, and is believed only where it leads to the head', async () => {
    const { log, store } = await openLog()
    const leaves: Uint8Array[] = []
    while (log.head.size < 300) {
      const places = await Promise.all(
        Array.from({ length: 30 }, (_, i) => log.append(entry(log.head.size + i))),
      )
      leaves.push(...places.map(({ leaf }) => leaf))
    }
    const { head } = log
    for (const at of [0, 1, 2, 3, 7, 64, 255, 256, 257, 299, 300]) {
      const root = encodeHex(referenceRoot(leaves.slice(0, at)))
      expect([at, encodeHex(await readProvedRootAt(store, 'acme', head, at))]).toEqual([at, root])
      expect(encodeHex(await readRootAt(store, 'acme', head.size, at))).toBe(root)
    }
    // Whoever writes the tiles decides what root they give, but not that it leads to the head.
    const forged = replacing<StoreReader>(store, {
      async readTile(name, level, n) {
        const hash = (await store.readTile(name, level, n))?.slice()
        if (hash !== undefined && n === 0) hash[0] = (hash[0] ?? 0) ^ 1
        return hash
      },
    })
    for (const at of [1, 7, 255, 299, 300])
      await expect(readProvedRootAt(forged, 'acme', head, at)).rejects.toMatchObject({
        code: 'STORE_CORRUPT',
      })
  })
})
