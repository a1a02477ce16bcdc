import { describe, expect, it, vi } from 'vitest'
import type * as Bounds from '../../../src/base/limits.ts'
import { limits } from '../../../src/base/limits.ts'
import { founder, foundTestService } from '../../support/service.ts'

// A stream of thousands would take minutes: eleven entries stand for ten thousand, and five for five thousand.
vi.mock('../../../src/base/limits.ts', async (original) => {
  const real = await original<typeof Bounds>()
  const few = { adminReserve: real.limits.dossierEntries - 11, webhookEntries: 5 }
  return { ...real, limits: { ...real.limits, ...few } }
})

const full = { code: 'INPUT_EXISTS', message: expect.stringContaining('too many') as string }

async function founded() {
  const { service } = await foundTestService()
  const readSeq = async (): Promise<number> => {
    const file = JSON.parse(
      Buffer.from(await service.exportDossier('default', 'admin')).toString(),
    ) as { entries: readonly unknown[] }
    return file.entries.length
  }
  return {
    addWebhook: () => service.addWebhook('default', { url: 'https://hooks.example.com' }, founder),
    createKey: () => service.createApiKey('default', 'ann', ['decisions:read'], founder),
    readSeq,
    service,
  }
}

describe('the administration of a tenant', () => {
  it('is bounded in good time', async () => {
    const { limits: real } = await vi.importActual<typeof Bounds>('../../../src/base/limits.ts')
    expect(real.dossierEntries - real.adminReserve).toBeGreaterThan(real.webhookEntries)
    expect(limits.dossierEntries - limits.adminReserve).toBe(11)
  })

  it('takes webhooks and tests of them up to a bound, removals and API keys beyond it', async () => {
    const { addWebhook, createKey, readSeq, service } = await founded()
    const { webhook } = await addWebhook()
    while ((await readSeq()) < 5) await service.testWebhook('default', webhook.id, founder)
    await expect(service.testWebhook('default', webhook.id, founder)).rejects.toMatchObject(full)
    await expect(addWebhook()).rejects.toMatchObject(full)
    expect(await readSeq()).toBe(5)
    await createKey()
    await service.removeWebhook('default', webhook.id, founder)
    await createKey()
    // For both to be revoked; eleven are not enough for a third.
    await expect(createKey()).rejects.toMatchObject(full)
    expect(await readSeq()).toBe(8)
  })

  it('takes API keys as long as all that count could be revoked behind them', async () => {
    const { createKey, readSeq, service } = await founded()
    const made = []
    // The founding is an entry; of eleven five make keys, and five are left for revoking them.
    for (let n = 0; n < 5; n++) made.push((await createKey()).apiKey)
    await expect(createKey()).rejects.toMatchObject(full)
    expect(await readSeq()).toBe(6)
    for (const { id } of made) await service.revokeApiKey('default', id, founder)
    expect(await readSeq()).toBe(11)
    await expect(createKey()).rejects.toMatchObject(full)
  })
})
