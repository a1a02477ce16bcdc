import { expect, it, vi } from 'vitest'
import type * as Bounds from '../../../src/base/limits.ts'
import { founder, foundTestService } from '../../support/service.ts'

// A stream of thousands would take minutes.
vi.mock('../../../src/base/limits.ts', async (original) => {
  const real = await original<typeof Bounds>()
  return { ...real, limits: { ...real.limits, webhookEntries: 3 } }
})

it('health tells of tenants whose log has too many acts for webhooks', async () => {
  const { service } = await foundTestService()
  const act = () => service.createApiKey('default', 'ann', ['decisions:read'], founder)
  // The founding is the first.
  await act()
  expect((await service.health()).parts).not.toHaveProperty('administration')
  await act()
  const { parts } = await service.health()
  expect(parts).toMatchObject({ administration: '1 with too many entries for webhooks' })
})
