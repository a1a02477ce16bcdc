import { expect, it } from 'vitest'
import { verifyDossier } from '../../../src/verify/index.ts'
import type { ActionView, ActionWish } from '../../../src/wire/actions.ts'
import { digestOf, recordTextOf } from '../../support/forge-policy.ts'
import { foundRoster, requester, signing } from '../../support/leads.ts'
import { foundTestService, founder, type TestService } from '../../support/service.ts'

async function controlled(): Promise<TestService> {
  const test = await foundTestService({ dualControl: 'all' })
  await foundRoster(test)
  for (const version of ['1', '2'])
    await test.service.registerPolicy('default', recordTextOf(version), founder)
  return test
}

/** An action that both leads have signed. */
async function approved({ service }: TestService, wish: ActionWish): Promise<ActionView> {
  const view = await service.openAction(requester, { justification: 'Reviewed', wish })
  const sign = (lead: 'ann' | 'bob', role: 'risk_lead' | 'security_lead') =>
    service.actOnAction(requester, view.action, signing(lead, role, view.challenge))
  await sign('ann', 'risk_lead')
  return sign('bob', 'security_lead')
}

const activation = (version: string, scope: object = {}): ActionWish => ({
  action: 'policy.activate',
  bundle: digestOf(version),
  scope: { ...scope },
})

const activate = (test: TestService, version: string, action: string, scope: object = {}) =>
  test.service.activatePolicy('default', digestOf(version), { action, scope }, founder)

const verdictOf = async ({ service }: TestService, stream: string): Promise<string> =>
  verifyDossier(
    await service.exportDossier('default', stream),
    await service.readTrustRoot('default'),
  ).verdict

it('two leads let a policy decide, and what they have signed and nothing else', async () => {
  const test = await controlled()
  const scope = { actions: ['pay'] }
  const { action } = await approved(test, activation('1', scope))
  for (const attempt of [
    activate(test, '2', action, scope),
    activate(test, '1', action),
    activate(test, '1', action, { actions: ['*'] }),
  ])
    await expect(attempt).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
  const retire = { action, reason: 'r' }
  await expect(
    test.service.retirePolicy('default', digestOf('1'), retire, founder),
  ).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
  expect(await activate(test, '1', action, scope)).toMatchObject({ scope, state: 'active' })
  expect(await verdictOf(test, 'policies')).toBe('valid')
  expect(await verdictOf(test, `action-${action}`)).toBe('valid')
})

it('an approval is used once', async () => {
  const test = await controlled()
  const { action } = await approved(test, activation('1'))
  await activate(test, '1', action)
  const other = await approved(test, activation('2'))
  await activate(test, '2', other.action)
  await expect(
    test.service.activatePolicy('default', digestOf('1'), { action, rollback: true }, founder),
  ).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
})

it('an approval of going on is none of going back, and the other way round', async () => {
  const test = await controlled()
  const first = await approved(test, activation('1'))
  const spare = await approved(test, activation('1'))
  const second = await approved(test, activation('2'))
  const backwards = await approved(test, { ...activation('1'), rollback: true } as ActionWish)
  const signedForElse = {
    code: 'ACTION_REFUSED',
    message: expect.stringContaining('signed for something else') as string,
  }
  await expect(activate(test, '1', backwards.action)).rejects.toMatchObject(signedForElse)
  await activate(test, '1', first.action)
  await activate(test, '2', second.action)
  const back = (action: string) =>
    test.service.activatePolicy('default', digestOf('1'), { action, rollback: true }, founder)
  await expect(back(spare.action)).rejects.toMatchObject({
    ...signedForElse,
    message: expect.stringContaining('by its rollback') as string,
  })
  expect(backwards.challenge).toContain('"rollback":true')
  const done = await test.service.actOnAction(requester, backwards.action, { act: 'execute' })
  expect(done.status).toBe('executed')
  const states = (await test.service.listPolicies('default')).map(({ state }) => state)
  expect(states).toEqual(['active', 'replaced'])
  expect(await verdictOf(test, 'policies')).toBe('valid')
  expect(await verdictOf(test, `action-${backwards.action}`)).toBe('valid')
})

it('one lead alone lets nothing decide', async () => {
  const test = await controlled()
  const { action, challenge } = await test.service.openAction(requester, {
    justification: 'Reviewed',
    wish: activation('1'),
  })
  await test.service.actOnAction(requester, action, signing('ann', 'risk_lead', challenge))
  await expect(activate(test, '1', action)).rejects.toMatchObject({ code: 'ACTION_REFUSED' })
})

it('an action that is executed activates and retires, once, whoever is first of many', async () => {
  const test = await controlled()
  const { action } = await approved(test, activation('1'))
  const attempts = await Promise.allSettled(
    Array.from({ length: 10 }, () =>
      test.service.actOnAction(requester, action, { act: 'execute' }),
    ),
  )
  const states = async () => (await test.service.listPolicies('default')).map(({ state }) => state)
  expect(
    attempts.map((one) => (one.status === 'rejected' ? String(one.reason) : 'done')),
  ).toContain('done')
  expect(await states()).toEqual(['active', 'registered'])
  const retired = await approved(test, {
    action: 'policy.retire',
    bundle: digestOf('1'),
    reason: 'Limit was too high',
  })
  await test.service.actOnAction(requester, retired.action, { act: 'execute' })
  expect(await states()).toEqual(['retired', 'registered'])
  expect(await verdictOf(test, 'policies')).toBe('valid')
  const dossier = verifyDossier(
    await test.service.exportDossier('default', 'policies'),
    await test.service.readTrustRoot('default'),
  )
  expect(dossier.entries).toHaveLength(4)
})
