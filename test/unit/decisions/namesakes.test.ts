import { describe, expect, it } from 'vitest'
import { foundRoster } from '../../support/leads.ts'
import { foundTestService, founder, principalOf, requestOf } from '../../support/service.ts'

const made = { apiKey: expect.anything() as unknown, token: expect.any(String) as string }

describe('an API key in the name of somebody in the roster', () => {
  const { caller: mallory } = principalOf('checkpoint', 'mallory')
  const { caller: ann } = principalOf('checkpoint', 'ann')

  it('is made by the command line and by that person, and by no other API key', async () => {
    const test = await foundTestService()
    const make = (by = mallory, owner = 'ann') =>
      test.service.createApiKey('default', owner, ['escalations:decide'], by)
    expect(await make()).toEqual(made)
    await foundRoster(test)
    await expect(make()).rejects.toMatchObject({ code: 'AUTH_SCOPE', field: 'owner' })
    expect(await make(founder)).toEqual(made)
    expect(await make(ann)).toEqual(made)
    expect(await make(mallory, 'annette')).toEqual(made)
    expect(await make(mallory, 'mallory')).toEqual(made)
  })

  it.each([' ann', 'ann ', 'Ann', 'ａｎｎ', 'ann\u00a0'])(
    'is made by nobody in another spelling: %j',
    async (owner) => {
      const test = await foundTestService()
      await foundRoster(test)
      for (const by of [founder, mallory, ann])
        await expect(
          test.service.createApiKey('default', owner, ['overrides:request'], by),
        ).rejects.toMatchObject({ code: 'INPUT_INVALID', field: 'owner' })
    },
  )

  it('is no way to review what one has asked for oneself', async () => {
    const test = await foundTestService({})
    await foundRoster(test)
    const asking = principalOf('checkpoint', 'mallory')
    const held = requestOf(1, { decideWithinSeconds: 60, status: 'ESCALATE' })
    const { id } = await test.notarise(held, undefined, asking)
    const approve = { answer: 'approve' as const, reason: 'Mine' }
    await expect(test.service.decideEscalation(asking, id, approve)).rejects.toMatchObject({
      code: 'ESCALATION_REFUSED',
    })
    const asAnn = test.service.createApiKey('default', 'ann', ['escalations:decide'], asking.caller)
    await expect(asAnn).rejects.toMatchObject({ code: 'AUTH_SCOPE' })
  })
})
