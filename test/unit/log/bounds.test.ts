import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { limits } from '../../../src/base/limits.ts'
import { Log, type LogParts, type SignedEntry } from '../../../src/log/log.ts'
import type { Store } from '../../../src/store/store.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import { fixedLog } from '../../support/merkle-signers.ts'
import { makeKeys, makeTenant, goodKeyid } from '../../support/store-fixtures.ts'
import { foundTestService, requestOf, temporaryDirectory } from '../../support/service.ts'

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

async function openLog(change: Partial<LogParts> = {}): Promise<{ log: Log; store: Store }> {
  const store = await openSqliteStore({ create: true, mode: 'write', path: temporaryDirectory() })
  await store.createTenant(makeTenant('acme'), makeKeys())
  const log = await Log.open({
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
    ...change,
  })
  return { log, store }
}

const codeOf = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: unknown) => (error instanceof Failure ? error.code : 'foreign'),
  )

describe('the queue', () => {
  it('takes what it is bounded to and refuses one more, then works it off', async () => {
    const { log, store } = await openLog()
    const accepted = Array.from({ length: limits.queueEntries }, (_, n) => log.append(entry(n)))
    expect(log.backlog).toBe(limits.queueEntries)
    expect(await codeOf(log.append(entry(limits.queueEntries)))).toBe('LOG_BUSY')
    const places = await Promise.all(accepted)
    expect(places.at(-1)?.index).toBe(limits.queueEntries - 1)
    expect((await log.append(entry(limits.queueEntries))).index).toBe(limits.queueEntries)
    await log.close()
    await store.close()
  })

  it('shares a commit among more where its pin is slow, up to what a commit may hold', async () => {
    const { log, store } = await openLog({
      pin: {
        close: () => Promise.resolve(),
        read: () => Promise.resolve(undefined),
        write: () => new Promise((resolve) => setTimeout(resolve, 10)),
      },
    })
    await log.append(entry(0))
    const places = await Promise.all(
      Array.from({ length: limits.batchEntries + 1 }, (_, n) => log.append(entry(n + 1))),
    )
    const sizes = places.map(({ size }) => size)
    expect(sizes.slice(0, -1)).toEqual(Array(limits.batchEntries).fill(limits.batchEntries + 1))
    expect(sizes.at(-1)).toBe(limits.batchEntries + 2)
    await log.close()
    await store.close()
  })

  it('counts what is still being signed', async () => {
    const { log, store } = await openLog()
    let signed: (entry: SignedEntry) => void = () => undefined
    const signing = new Promise<SignedEntry>((resolve) => {
      signed = resolve
    })
    const places = Array.from({ length: limits.queueEntries }, () => log.append(signing))
    const refused = await codeOf(log.append(entry(1)))
    signed(entry(0))
    const outcomes = await Promise.all(places.map(codeOf))
    expect(refused).toBe('LOG_BUSY')
    // The same step of the same stream can be had once.
    expect(outcomes.filter((code) => code === 'none')).toHaveLength(1)
    await log.close()
    await store.close()
  })
})

describe('a checkpoint', () => {
  it('is kept a second after the last that was, and no sooner', async () => {
    let now = 1_800_000_000_000
    const { log, store } = await openLog({ clock: () => now })
    for (const [n, later] of [0, 999, 1].entries()) {
      now += later
      await log.append(entry(n))
    }
    const kept = await store.listKeptCheckpoints('acme', -1, 10)
    expect(kept.map(({ size }) => size)).toEqual([1, 3])
    await log.close()
    await store.close()
  })
})

describe('a stream', () => {
  it('refuses a step that is taken, skipped, or follows something else, and spoils nobody else’s', async () => {
    const { log, store } = await openLog()
    const first = await log.append(entry(1))
    const follow = { kind: 'execution', seq: 1, stream: 'stream-1' } as const
    const prev = Buffer.from(first.leafHash).toString('hex')
    const outcomes = await Promise.all(
      [
        entry(1, { ...follow, prev: '00'.repeat(32) }),
        entry(1, { ...follow, prev: null }),
        entry(1, { ...follow, prev, seq: 2 }),
        entry(1, { ...follow, prev }),
        entry(1, { ...follow, prev }),
        entry(2),
      ].map((one) => codeOf(log.append(one))),
    )
    expect(outcomes).toEqual([
      'LOG_CONFLICT',
      'LOG_CONFLICT',
      'LOG_CONFLICT',
      'none',
      'LOG_CONFLICT',
      'none',
    ])
    await log.close()
    await store.close()
  })

  it('gives nothing to a key that does not count, and says that the log must be read again', async () => {
    let broken: Failure | undefined
    const { log, store } = await openLog({
      onBroken: (failure) => {
        broken = failure
      },
    })
    expect(await codeOf(log.append(entry(1, { keyid: 'ab'.repeat(32) })))).toBe('LOG_KEY_STALE')
    expect(broken?.code).toBe('LOG_KEY_STALE')
    expect(await codeOf(log.append(entry(2)))).toBe('LOG_KEY_STALE')
    expect((await store.readTenant('acme'))?.head.size).toBe(0)
    await log.close()
    await store.close()
  })

  it('is committed even when a signature fails beside it', async () => {
    const { log, store } = await openLog()
    const outcomes = await Promise.all([
      codeOf(log.append(Promise.reject(new Failure('BUG', 'Injected')))),
      codeOf(log.append(entry(1))),
    ])
    expect(outcomes).toEqual(['BUG', 'none'])
    await log.close()
    await store.close()
  })
})

describe('a statement', () => {
  it('is taken up to its bound and refused beyond it', async () => {
    const test = await foundTestService()
    const padded = (bytes: number): string => requestOf(1, { trace: 'x'.repeat(bytes) })
    const empty = await test.notarise(padded(0))
    const overhead = Buffer.from(empty.envelope?.payload ?? '', 'base64').length
    const largest = limits.payloadBytes - overhead
    const taken = await test.notarise(padded(largest))
    expect(Buffer.from(taken.envelope?.payload ?? '', 'base64')).toHaveLength(limits.payloadBytes)
    expect(await codeOf(test.notarise(padded(largest + 1)))).toBe('INPUT_TOO_LARGE')
  })
})
