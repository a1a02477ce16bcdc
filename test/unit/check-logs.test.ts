import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { checkLogs } from '../../src/check-logs.ts'
import { openLocalService } from '../../src/open-service.ts'
import { foundInstallation, quiet, type Installation } from '../support/installation.ts'
import { keepKeyRows, putKeyRows } from '../support/key-load-rows.ts'
import { founder } from '../support/service.ts'

/** What is found in an installation, by tenant. */
async function findingsOf({ settings }: Installation, tenant?: string) {
  const found: Record<string, readonly string[]> = {}
  const place = { data: settings.data, keys: settings.keys, pin: undefined }
  const request = {
    progress: quiet,
    signal: new AbortController().signal,
    signatures: false,
    unseal: false,
    ...(tenant === undefined ? {} : { tenant }),
  }
  for await (const { findings, tenant: name } of checkLogs(place, [], request))
    found[name] = findings.map(({ part, what }) => `${part}: ${what}`)
  return found
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
