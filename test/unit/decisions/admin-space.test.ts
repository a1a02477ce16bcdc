import { expect, it, vi } from 'vitest'
import type * as Bounds from '../../../src/base/limits.ts'
import { founder, foundTestService } from '../../support/service.ts'

// A stream of thousands would take minutes: five entries stand for eight thousand.
vi.mock('../../../src/base/limits.ts', async (original) => {
  const real = await original<typeof Bounds>()
  return { ...real, limits: { ...real.limits, webhookEntries: 5 } }
})

const full = { code: 'INPUT_EXISTS', message: expect.stringContaining('too many') as string }

it('leaves place in a dossier for other acts than those of webhooks', async () => {
  const { limits } = await vi.importActual<typeof Bounds>('../../../src/base/limits.ts')
  expect(limits.webhookEntries).toBe(8000)
  expect(limits.dossierEntries).toBe(10_000)
})

it('takes webhooks and tests of them up to a bound, removals and API keys beyond it', async () => {
  const { service } = await foundTestService()
  const readSeq = async (): Promise<number> => {
    const file = JSON.parse(
      Buffer.from(await service.exportDossier('default', 'admin')).toString(),
    ) as { entries: readonly unknown[] }
    return file.entries.length
  }
  const addWebhook = () =>
    service.addWebhook('default', { url: 'https://hooks.example.com' }, founder)
  const { webhook } = await addWebhook()
  while ((await readSeq()) < 5) await service.testWebhook('default', webhook.id, founder)
  await expect(service.testWebhook('default', webhook.id, founder)).rejects.toMatchObject(full)
  await expect(addWebhook()).rejects.toMatchObject(full)
  expect(await readSeq()).toBe(5)
  const { apiKey } = await service.createApiKey('default', 'ann', ['decisions:read'], founder)
  await service.removeWebhook('default', webhook.id, founder)
  await service.revokeApiKey('default', apiKey.id, founder)
  expect(await readSeq()).toBe(8)
})
