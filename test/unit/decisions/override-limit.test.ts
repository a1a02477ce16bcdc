import { describe, expect, it } from 'vitest'
import { blockedRequest, foundRoster, requester, signing } from '../../support/leads.ts'
import { foundTestService, type TestService } from '../../support/service.ts'

const dayMs = 86_400_000

async function founded(overridesPerDay?: number) {
  const clock = { now: 1_790_000_000_000 }
  const at = await foundTestService({
    clock: () => clock.now,
    ...(overridesPerDay === undefined ? {} : { overridesPerDay }),
  })
  await foundRoster(at)
  return { at, clock }
}

/** A request that both leads have signed; the decision's id. */
async function approved(at: TestService): Promise<string> {
  const { id } = await at.notarise(blockedRequest(1))
  const { challenge } = await at.service.openOverride(requester, {
    decision: id,
    executeWithinSeconds: 14 * 86_400,
    justification: 'Customer waits',
  })
  await at.service.actOnOverride(requester, id, signing('ann', 'risk_lead', challenge))
  await at.service.actOnOverride(requester, id, signing('bob', 'security_lead', challenge))
  return id
}

const execute = ({ service }: TestService, id: string) =>
  service.actOnOverride(requester, id, { act: 'execute' })

const today = async ({ service }: TestService) =>
  (await service.listOverrides('default', { limit: 1 })).today

describe('overrides within 24 hours', () => {
  it('are carried out up to the limit and not beyond it, until the first is a day old', async () => {
    const { at, clock } = await founded(2)
    expect(await today(at)).toEqual({ limit: 2, overruled: 0 })
    const ids = [await approved(at), await approved(at), await approved(at)] as const
    await execute(at, ids[0])
    const first = clock.now
    clock.now += 1000
    expect(await execute(at, ids[1])).toMatchObject({ status: 'executed' })
    expect(await today(at)).toEqual({ limit: 2, overruled: 2 })
    await expect(execute(at, ids[2])).rejects.toMatchObject({
      code: 'OVERRIDE_LIMIT',
      message: expect.stringMatching(/: 2$/) as string,
    })
    clock.now = first + dayMs - 1
    await at.service.checkProviders()
    await expect(execute(at, ids[2])).rejects.toMatchObject({ code: 'OVERRIDE_LIMIT' })
    // Both leads need not sign again: what they signed is still good.
    expect(await at.service.readOverride('default', ids[2])).toMatchObject({ status: 'approved' })
    clock.now = first + dayMs
    expect(await execute(at, ids[2])).toMatchObject({ status: 'executed' })
    expect(await today(at)).toEqual({ limit: 2, overruled: 2 })
  })

  it('are counted where fifty are carried out at once', async () => {
    const { at } = await founded(3)
    const ids: string[] = []
    for (let n = 0; n < 6; n++) ids.push(await approved(at))
    const tried = await Promise.allSettled(ids.flatMap((id) => [execute(at, id), execute(at, id)]))
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
    expect(await today(at)).toEqual({ limit: 3, overruled: 3 })
  })

  it('stay counted when they are erased, and after a restart', async () => {
    const { at } = await founded(1)
    const [one, two] = [await approved(at), await approved(at)]
    await execute(at, one)
    await at.service.erase(requester, one, 'asked for')
    await expect(execute(at, two)).rejects.toMatchObject({ code: 'OVERRIDE_LIMIT' })
    const again = await at.reopen()
    await expect(execute(again, two)).rejects.toMatchObject({ code: 'OVERRIDE_LIMIT' })
  })

  it('are those that were carried out: what was asked, rejected or revoked does not count', async () => {
    const { at } = await founded(1)
    for (const act of ['reject', 'revoke'] as const) {
      const id = await approved(at)
      const by = { ...requester, caller: { ...requester.caller, owner: 'ann' } }
      await at.service.actOnOverride(by, id, { act, reason: 'No' })
    }
    await execute(at, await approved(at))
    expect(await today(at)).toEqual({ limit: 1, overruled: 1 })
  })

  it('are told by health, and when they are at the limit', async () => {
    const { at } = await founded(2)
    const told = async () => (await at.service.health()).parts['overrides']
    expect(await told()).toBeUndefined()
    await execute(at, await approved(at))
    expect(await told()).toBe('ok (1 in 24 h)')
    await execute(at, await approved(at))
    expect(await told()).toBe('limit reached by 1 (2 in 24 h)')
    expect((await at.service.health()).ready).toBe(true)
  })

  it('are twenty unless it is said otherwise', async () => {
    const { at } = await founded()
    expect((await today(at)).limit).toBe(20)
  })
})
