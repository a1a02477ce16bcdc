import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { utf8 } from '../../src/base/bytes.ts'
import { Log, type SignedEntry } from '../../src/log/log.ts'
import type { Pin } from '../../src/log/pin.ts'
import { loadNodes } from '../../src/log/tree-reading.ts'
import { consistencyProof, inclusionProof, rootAt } from '../../src/merkle/proof.ts'
import { openSqliteStore } from '../../src/store/sqlite.ts'
import type { Store } from '../../src/store/store.ts'
import { referencePath, referenceProof, referenceRoot } from '../support/merkle-reference.ts'
import { fixedLog } from '../support/merkle-signers.ts'
import { goodKeyid, makeKeys, makeTenant } from '../support/store-fixtures.ts'

// The log in its database against the twenty lines of test/support/merkle-reference.ts, on the leaves as they are stored. FAULTS=all (npm run test:fault)
// goes on to where the second level of tiles fills.
const all = process.env['FAULTS'] === 'all'
const sizes = [0, 1, 255, 256, 257, ...(all ? [65_535, 65_536, 70_000] : [])]
const minutesMs = 1_200_000
const home = mkdtempSync(join(tmpdir(), 'countersign-sizes-'))
let store: Store
let log: Log
let pinned: Pin | undefined

const entry = (n: number): SignedEntry => ({
  digest: new Uint8Array(64),
  effects: [],
  filter: null,
  keyid: goodKeyid,
  kind: 'decision',
  payload: utf8(`entry ${n}`),
  prev: null,
  seq: 0,
  signature: new Uint8Array(64),
  stream: `stream-${n}`,
})

const openLog = (): Promise<Log> =>
  Log.open({
    clock: () => 1_800_000_000_000,
    epoch: () => 1,
    onBroken: () => undefined,
    origin: 'log.example/acme',
    pin: {
      close: () => Promise.resolve(),
      read: () => Promise.resolve(pinned),
      write: (pin) => {
        pinned = pin
        return Promise.resolve()
      },
    },
    signers: () => fixedLog(1),
    signersAt: () => [fixedLog(1)],
    store,
    tenant: 'acme',
    windowMs: 0,
  })

beforeAll(async () => {
  store = await openSqliteStore({ create: true, mode: 'write', path: home })
  await store.createTenant(makeTenant('acme'), makeKeys())
  log = await openLog()
})

afterAll(async () => {
  await store.close()
  rmSync(home, { force: true, recursive: true })
})

async function growTo(size: number): Promise<void> {
  while (log.head.size < size) {
    const from = log.head.size
    const count = Math.min(size - from, 1024)
    await Promise.all(Array.from({ length: count }, (_, i) => log.append(entry(from + i))))
  }
}

it.each(sizes)(
  'has the root and the proofs of the reference with %i entries',
  async (size) => {
    await growTo(size)
    const leaves = await store.readLeaves('acme', 0, size + 1)
    expect(leaves).toHaveLength(size)
    expect(log.head.root).toEqual(referenceRoot(leaves))
    const first = [0, 1, 255, 256, 257, 65_535, 65_536].filter((n) => n < size)
    const indexes = [...new Set([...first, Math.floor(size / 2), size - 1])].filter(
      (n) => n >= 0 && n < size,
    )
    const nodes = await loadNodes(store, 'acme', size, indexes)
    expect(rootAt(size, nodes)).toEqual(log.head.root)
    for (const index of indexes)
      expect(inclusionProof(index, size, nodes)).toEqual(referencePath(index, leaves))
    for (const older of first.filter((n) => n > 0)) {
      const ends = await loadNodes(store, 'acme', size, [older, older - 1])
      expect(consistencyProof(older, size, ends)).toEqual(referenceProof(older, leaves))
    }
    const last = await store.readLastCheckpoint('acme')
    expect(last?.root ?? referenceRoot([])).toEqual(log.head.root)
  },
  minutesMs,
)

it('goes on from there when it is opened again', async () => {
  const { size } = log.head
  await log.close()
  await store.close()
  store = await openSqliteStore({ mode: 'write', path: home })
  log = await openLog()
  await growTo(size + 33)
  expect(log.head.root).toEqual(referenceRoot(await store.readLeaves('acme', 0, size + 33)))
})
