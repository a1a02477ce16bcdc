import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { fromUtf8 } from '../../../src/base/bytes.ts'
import { matterOf } from '../../../src/decisions/checked.ts'
import { planPeriod, type PeriodRequest } from '../../../src/decisions/period-plan.ts'
import { openSqliteStore } from '../../../src/store/sqlite.ts'
import type { StoreReader } from '../../../src/store/store.ts'
import { verifyPeriod, type PeriodReport } from '../../../src/verify/index.ts'
import { exported, type Exported } from '../../support/period-export.ts'
import {
  founder,
  foundTestService,
  requestOf,
  temporaryDirectory,
  type TestService,
} from '../../support/service.ts'

const tenant = 'default'
const all: PeriodRequest = { statuses: null }
const start = Date.UTC(2026, 0, 1)
const home = mkdtempSync(join(tmpdir(), 'countersign-period-'))
let test: TestService
let store: StoreReader
let trust: Uint8Array
let now = start
const tick = (): void => void (now += 1100)
/** Ids of decisions, in the order of the log. */
const ids: string[] = []

// Three hundred decisions in five minutes, of which one was used and one erased; a checkpoint is kept once a second.
beforeAll(async () => {
  test = await foundTestService({
    clock: () => now,
    closeYourself: true,
    directory: join(home, 'whole'),
  })
  for (let n = 0; n < 300; n++) {
    tick()
    const status = n % 25 === 0 ? 'BLOCK' : 'ALLOW'
    ids.push((await test.notarise(requestOf(n, { status }))).id)
  }
  const [, one = '', two = ''] = ids
  tick()
  await test.service.claim(test.principal, one, {})
  tick()
  await test.service.erase(test.principal, two, 'Asked for')
  tick()
  await test.service.createApiKey(tenant, 'bot', ['log:read'], founder)
  tick()
  await test.service.publishTrustRoot(tenant)
  trust = await test.service.readTrustRoot(tenant)
  store = await openSqliteStore({ mode: 'read', path: join(home, 'whole', 'data') })
}, 60_000)

afterAll(async () => {
  await store.close()
  await test.service.close()
  rmSync(home, { force: true, recursive: true })
})

const judge = ({ file }: Exported): Promise<PeriodReport> => verifyPeriod([file], trust)
const problems = ({ checks }: PeriodReport): string[] =>
  checks.filter(({ outcome }) => outcome === 'fail').map(({ name, reason }) => `${name}: ${reason}`)

describe('a period that is taken out', () => {
  it('is the whole log unless told otherwise, and verifies', async () => {
    const done = await exported(store, all)
    const report = await judge(done)
    expect(problems(report)).toEqual([])
    expect(report).toMatchObject({
      complete: `as of size ${done.state.next}`,
      dossiers: { erased: 1, invalid: 0, valid: 299 },
      entries: done.state.next,
      kinds: { ...done.state.tally.kinds },
      statuses: { ALLOW: 287, BLOCK: 12 },
      verdict: 'erased',
      whole: true,
    })
    expect(done.state.tally).toMatchObject({
      dossiers: 300,
      notedCount: done.state.next - 301,
      statuses: { ALLOW: 287, BLOCK: 12, erased: 1 },
      times: report.times,
    })
  })

  it('verifies between any two positions', async () => {
    const { size } = (await store.readTenant(tenant))?.head ?? { size: 0 }
    for (const [from, to] of [
      [0, 1],
      [1, 6],
      [6, 70],
      [64, 256],
      [200, 257],
      [255, 256],
      [256, 300],
      [7, 7],
      [size - 1, size],
      [size, size],
    ] as const) {
      const done = await exported(store, { from: { size: from }, statuses: null, to: { size: to } })
      const report = await judge(done)
      expect([from, to, problems(report)]).toEqual([from, to, []])
      // Each commit is more than a second after the one before, so that every one has its checkpoint.
      expect(report).toMatchObject({ entries: to - from, from, to })
      if (from > 6) expect([from, report.anchor]).toEqual([from, 'checkpoint'])
    }
  })

  it('is the same to the byte, however often it was cut off', async () => {
    const request = { from: { size: 100 }, statuses: null }
    const whole = await exported(store, request)
    expect(whole.steps).toBeGreaterThan(4)
    for (const cut of [() => true, (step: number) => step % 2 === 0]) {
      const again = await exported(store, request, cut)
      expect(Buffer.compare(again.file, whole.file)).toBe(0)
      expect(again.rows).toEqual(whole.rows)
      expect(again.state).toEqual(whole.state)
    }
  })

  it('does not grow with the log while it is made', async () => {
    const { size } = (await store.readTenant(tenant))?.head ?? { size: 0 }
    const done = await exported(
      store,
      all,
      (step) => step % 3 === 0,
      async (step) => {
        tick()
        if (step < 4) await test.notarise(requestOf(1000 + step))
      },
    )
    expect(done.state.next).toBe(size)
    const report = await judge(done)
    expect([report.to, report.whole, report.verdict]).toEqual([size, true, 'erased'])
  })

  it('holds the dossiers of the statuses asked for, and what nobody can tell the status of', async () => {
    const done = await exported(store, { statuses: ['BLOCK'] })
    const report = await judge(done)
    expect(report).toMatchObject({
      dossiers: { erased: 1, valid: 12 },
      selected: ['BLOCK'],
      statuses: { BLOCK: 12 },
      whole: true,
    })
    const selected = done.rows.filter((row) => row.selected)
    expect(selected).toHaveLength(14)
    expect(selected.filter(({ line }) => line !== null)).toHaveLength(13)
    const text = fromUtf8(done.file).split('\n')
    for (const { decision, line, stream } of selected)
      if (line !== null) {
        expect(JSON.parse(text[line - 1] ?? '')).toMatchObject({ stream })
        expect(decision?.status ?? 'BLOCK').toBe('BLOCK')
      }
    for (const row of done.rows) if (!row.selected) expect(row.decision).toBeNull()
  })

  it('takes a decision with it of which only a later step lies in the period', async () => {
    const execution = (await store.readStream(tenant, ids[1] ?? ''))[1]
    const { index } = execution ?? { index: 0 }
    const request = { from: { size: index }, statuses: null, to: { size: index + 1 } }
    const done = await exported(store, request)
    expect(done.rows).toMatchObject([
      { event: 'started', kind: 'execution', line: 2, selected: true },
    ])
    expect(await judge(done)).toMatchObject({ dossiers: { valid: 1 }, verdict: 'valid' })
    const blocked = await exported(store, { ...request, statuses: ['BLOCK'] })
    expect(blocked.rows).toMatchObject([{ event: null, line: null, selected: false }])
  })

  it('shows a decision erased that was erased after the period', async () => {
    const erased = (await store.readStream(tenant, ids[2] ?? ''))[0]?.index ?? 0
    const request = { statuses: null, to: { size: erased + 10 } }
    const done = await exported(store, request)
    expect(fromUtf8(done.file)).toContain('\n{"later":"')
    const report = await judge(done)
    expect(problems(report)).toEqual([])
    expect(report).toMatchObject({ dossiers: { erased: 1 }, to: erased + 10, verdict: 'erased' })
    const cut = await exported(store, request, () => true)
    expect(Buffer.compare(cut.file, done.file)).toBe(0)
  })

  it('shows a decision erased that is erased while it is made', async () => {
    const done = await exported(store, all, undefined, async (step) => {
      tick()
      if (step === 1) await test.service.erase(test.principal, ids[200] ?? '', 'Asked for')
    })
    const report = await judge(done)
    expect(problems(report)).toEqual([])
    expect(report.dossiers).toMatchObject({ erased: 2, invalid: 0 })
  })
})

describe('the ends of a period', () => {
  const sizes = async (request: Omit<PeriodRequest, 'statuses'>): Promise<number[]> => {
    const head = await planPeriod(store, tenant, { ...request, statuses: null })
    return [head.from.size, Number(head.to.split('\n')[1])]
  }
  const timeOf = async (index: number): Promise<number> =>
    (await store.readEntry(tenant, index))?.time ?? 0

  it('may be times: what is at the first is in it, what is at the last is not', async () => {
    const [first, last] = [await timeOf(40), await timeOf(90)]
    expect(await sizes({ from: { time: first }, to: { time: last } })).toEqual([40, 90])
    expect(await sizes({ from: { time: first + 1 }, to: { time: last + 1 } })).toEqual([41, 91])
    expect((await sizes({ from: { time: 0 } }))[0]).toBe(0)
    const { size } = (await store.readTenant(tenant))?.head ?? { size: 0 }
    expect(await sizes({ from: { time: now + 1 } })).toEqual([size, size])
  })

  it('are refused beyond the log, in the wrong order, and of an unknown tenant', async () => {
    const { size } = (await store.readTenant(tenant))?.head ?? { size: 0 }
    expect(await sizes({ from: { size } })).toEqual([size, size])
    const refused = { code: 'INPUT_INVALID' }
    await expect(sizes({ from: { size: size + 1 } })).rejects.toMatchObject(refused)
    await expect(sizes({ to: { size: size + 1 } })).rejects.toMatchObject(refused)
    await expect(sizes({ from: { size: 9 }, to: { size: 8 } })).rejects.toMatchObject(refused)
    await expect(planPeriod(store, 'nobody', all)).rejects.toMatchObject({
      code: 'INPUT_NOT_FOUND',
    })
  })

  it('lie at the first checkpoint that was kept behind what was asked for', async () => {
    const before = (await store.readTenant(tenant))?.head.size ?? 0
    // The clock stands still, so that of these only the first and the last have a checkpoint.
    const many = Array.from({ length: 40 }, (_, n) => test.notarise(requestOf(2000 + n)))
    await Promise.all(many)
    const { size } = (await store.readTenant(tenant))?.head ?? { size: 0 }
    const [, to = 0] = await sizes({ to: { size: before + 20 } })
    expect(to).toBeGreaterThanOrEqual(before + 20)
    expect(to).toBeLessThanOrEqual(size)
    expect(await judge(await exported(store, { statuses: null, to: { size: to } }))).toMatchObject({
      to,
      whole: true,
    })
  })
})

/** The data directory with its database edited, open for reading. */
async function edited(sql: string): Promise<StoreReader> {
  const directory = temporaryDirectory()
  cpSync(join(home, 'whole', 'data'), directory, { recursive: true })
  const db = new Database(join(directory, 'countersign.db'))
  db.exec(sql)
  db.close()
  return openSqliteStore({ mode: 'read', path: directory })
}

describe('the end of a period of a log with witnesses', () => {
  it('is a checkpoint that they have cosigned, where one covers it', async () => {
    const line = `— witness.example/one ${'A'.repeat(12)}\n`
    const cosigned = await edited(
      `UPDATE kept_checkpoints SET note = note || '${line}', quorum = 1 WHERE size IN (100, 120)`,
    )
    const endOf = async (from: number, to?: number): Promise<number> => {
      const request = { from: { size: from }, statuses: null }
      const head = await planPeriod(
        cosigned,
        tenant,
        to === undefined ? request : { ...request, to: { size: to } },
      )
      return Number(head.to.split('\n')[1])
    }
    try {
      const { size } = (await store.readTenant(tenant))?.head ?? { size: 0 }
      expect(await endOf(0)).toBe(120)
      expect(await endOf(120)).toBe(120)
      expect(await endOf(121)).toBe(size)
      expect(await endOf(0, 50)).toBe(100)
      expect(await endOf(0, 100)).toBe(100)
      expect(await endOf(0, 101)).toBe(120)
      expect(await endOf(0, 121)).toBe(121)
    } finally {
      await cosigned.close()
    }
  })
})

describe('a database that does not hold what was signed', () => {
  const corrupt: Readonly<Record<string, string>> = {
    'a leaf is another': `UPDATE entries SET leaf = (SELECT leaf FROM entries WHERE idx = 61) WHERE idx = 60`,
    'an entry is missing': `DELETE FROM entries WHERE idx = 60`,
    'a hash of a tile is another': `UPDATE tiles SET hashes = zeroblob(length(hashes)) WHERE level = 0 AND n = 1`,
    'a tile is missing': `DELETE FROM tiles WHERE level = 1`,
    'a tile is short': `UPDATE tiles SET hashes = substr(hashes, 1, 320) WHERE level = 0 AND n = 0`,
    'a payload is no decision': `UPDATE entries SET payload = x'00' WHERE idx = 60`,
  }
  it.each(Object.entries(corrupt))('is not handed out when %s', async (_what, sql) => {
    const broken = await edited(sql)
    try {
      await expect(exported(broken, all)).rejects.toMatchObject({ code: 'STORE_CORRUPT' })
    } finally {
      await broken.close()
    }
  })
})

describe('an export', () => {
  it('is told in the stream admin', async () => {
    const record = { dossiers: 3, from: 1, sha256: 'ab'.repeat(32), statuses: ['BLOCK'], to: 9 }
    const { index } = await test.service.recordExport(tenant, record, founder)
    const entry = await store.readEntry(tenant, index)
    expect(entry && matterOf(entry, 'admin')).toMatchObject({
      action: 'audit.export',
      by: founder,
      detail: { dossiers: 3, from: 1, statuses: ['BLOCK'], to: 9 },
      subject: 'ab'.repeat(32),
    })
  })
})
