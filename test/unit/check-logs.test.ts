import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { checkLogs } from '../../src/check-logs.ts'
import type { FsckReport } from '../../src/decisions/fsck.ts'
import { openLocalService } from '../../src/open-service.ts'
import { foundInstallation, quiet, type Installation } from '../support/installation.ts'
import { keepKeyRows, putKeyRows } from '../support/key-load-rows.ts'
import { founder } from '../support/service.ts'

interface Asked {
  readonly tenant?: string
  readonly trustFile?: Uint8Array
}

/** What is told of an installation, by tenant. */
async function reportsOf({ settings }: Installation, asked: Asked = {}) {
  const told: Record<string, FsckReport> = {}
  const place = { data: settings.data, keys: settings.keys, pin: undefined }
  const request = {
    progress: quiet,
    signal: new AbortController().signal,
    signatures: false,
    unseal: false,
    ...asked,
  }
  for await (const report of checkLogs(place, [], request)) told[report.tenant] = report
  return told
}

const findings = (report: FsckReport | undefined): readonly string[] | undefined =>
  report?.findings.map(({ part, what }) => `${part}: ${what}`)

/** What is found in an installation, by tenant. */
async function findingsOf(at: Installation, tenant?: string) {
  const reports = await reportsOf(at, tenant === undefined ? {} : { tenant })
  return Object.fromEntries(Object.entries(reports).map(([name, one]) => [name, findings(one)]))
}

function edit({ settings }: Installation, ...statements: readonly string[]): void {
  const db = new Database(join(settings.data, 'countersign.db'))
  db.pragma('foreign_keys = OFF')
  for (const statement of statements) db.exec(statement)
  db.close()
}

describe('a check of all logs', () => {
  it('names a tenant of which nothing but the pin is left, also where the other is whole', async () => {
    const at = await foundInstallation()
    const service = await openLocalService(at.settings, quiet)
    await service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
    await service.close()
    expect(await findingsOf(at)).toEqual({ default: [], second: [] })
    const tables = ['entries', 'tiles', 'last_checkpoints', 'kept_checkpoints', 'slots', 'keys']
    edit(
      at,
      ...[...tables, 'trust_roots'].map((table) => `DELETE FROM ${table} WHERE tenant = 2`),
      'DELETE FROM tenants WHERE id = 2',
    )
    const gone =
      'pin: Database knows nothing of a tenant that is pinned, bring the newer database back: size 6'
    expect(await findingsOf(at)).toEqual({ default: [], second: [gone] })
    // Whoever asks for one asks for one.
    expect(await findingsOf(at, 'default')).toEqual({ default: [] })
    writeFileSync(join(at.settings.data, 'archive.json'), '{}')
    expect(await findingsOf(at)).toEqual({ default: [] })
  })

  it('is unsure of a tenant that the trust root given does not name, and checks it by its own', async () => {
    const at = await foundInstallation()
    const service = await openLocalService(at.settings, quiet)
    await service.createTenant('second', { profile: 'checkpoint', public: false }, founder)
    const trustFile = await service.readTrustRoot('default')
    const origin = (await service.listTenants()).find(({ name }) => name === 'second')?.origin
    await service.close()
    const unnamed = `Trust root does not name the log: ${origin ?? ''}`
    const byOwn = 'Keys were taken from the newest trust root in the database itself'
    const { default: first, second } = await reportsOf(at, { trustFile })
    expect([first?.conclusive, findings(first)]).toEqual([true, []])
    expect(first?.unchecked).not.toContain(byOwn)
    expect([second?.conclusive, findings(second)]).toEqual([false, []])
    expect(second?.unchecked).toEqual(expect.arrayContaining([unnamed, byOwn]))
    // Whoever gives it for one tenant says that it is of that one.
    const asked = await reportsOf(at, { tenant: 'second', trustFile })
    expect(findings(asked['second'])).toEqual([`database: ${unnamed}`])
  })

  it('names a key store that was brought back, whose slots nobody else tells of', async () => {
    const at = await foundInstallation()
    const before = keepKeyRows(at.settings.data)
    const service = await openLocalService(at.settings, quiet)
    await service.orderKeys('default', { order: 'rewrap' }, founder)
    await service.close()
    expect(await findingsOf(at)).toEqual({ default: [] })
    putKeyRows(at.settings.data, before)
    expect(await findingsOf(at)).toEqual({
      default: ['row: Key store is older than the pinned one: epoch 1 < 2'],
    })
  })
})
