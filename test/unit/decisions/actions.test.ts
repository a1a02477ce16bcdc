import { describe, expect, it } from 'vitest'
import { asFailure, type Failure } from '../../../src/base/failure.ts'
import { parseTrustRoot } from '../../../src/dossier/trust-root.ts'
import { verifyDossier } from '../../../src/verify/index.ts'
import { updateTrustRoot } from '../../../src/verify/update-trust-root.ts'
import type { ActionView, ActionWish } from '../../../src/wire/actions.ts'
import { recordTextOf } from '../../support/forge-policy.ts'
import type { Lead } from '../../support/forge-override.ts'
import { leadSign } from '../../support/forge-override.ts'
import {
  blockedRequest,
  changeRoster,
  digests,
  foundRoster,
  proposalOf,
  requester,
  signing,
} from '../../support/leads.ts'
import { firstRoster } from '../../support/forge-override.ts'
import {
  foundTestService,
  founder,
  principalOf,
  type ServiceOptions,
  type TestService,
} from '../../support/service.ts'

const start = 1_790_000_000_000

/** A service under dual control, whose clock stands still until it is moved. */
async function controlled(change: ServiceOptions = {}) {
  const clock = { now: start }
  const at = await foundTestService({ clock: () => clock.now, dualControl: 'all', ...change })
  await foundRoster(at)
  return { at, clock }
}

const opened = (at: TestService, wish: ActionWish, change = {}): Promise<ActionView> =>
  at.service.openAction(requester, {
    approveWithinSeconds: 60,
    executeWithinSeconds: 120,
    justification: 'Asked for by the person concerned',
    wish,
    ...change,
  })

const sign = (at: TestService, { action, challenge }: ActionView, lead: Lead) =>
  at.service.actOnAction(
    requester,
    action,
    signing(lead, lead === 'bob' ? 'security_lead' : 'risk_lead', challenge),
  )

/** An action that both leads have signed. */
async function approved(at: TestService, wish: ActionWish): Promise<ActionView> {
  const view = await opened(at, wish)
  await sign(at, view, 'ann')
  return sign(at, view, 'bob')
}

const execute = ({ service }: TestService, { action }: ActionView) =>
  service.actOnAction(requester, action, { act: 'execute' })

const reportOf = async ({ service }: TestService, stream: string) =>
  verifyDossier(
    await service.exportDossier('default', stream),
    await service.readTrustRoot('default'),
  )

const refused = (why: string) => ({
  code: 'ACTION_REFUSED',
  message: expect.stringContaining(why) as string,
})
const required = expect.objectContaining({ code: 'ACTION_REQUIRED' }) as Failure

/** A fast key that signs no more. */
async function retiredKey({ service }: TestService): Promise<string> {
  await service.orderKeys('default', { order: 'rotate', purpose: 'fast' }, founder)
  const keys = await service.listKeys('default')
  return keys.find(({ purpose, state }) => purpose === 'fast' && state === 'retired')?.keyId ?? ''
}

const reason = 'Request 4711'

/** What a trust root says of dual control. */
function periodsOf(file: Uint8Array) {
  const root = parseTrustRoot(file)
  return typeof root === 'string' ? undefined : root.origins[0]?.control
}

describe('dual control', () => {
  it('begins with the first roster, and until then the entry says that there was none', async () => {
    const at = await foundTestService({ dualControl: 'all' })
    expect(await at.service.readControl('default')).toMatchObject({ dualControl: 'none' })
    const { id } = await at.notarise(blockedRequest(1))
    await at.service.erase(requester, id, reason)
    expect(await reportOf(at, id)).toMatchObject({ verdict: 'erased' })
    await foundRoster(at)
    expect(await at.service.readControl('default')).toMatchObject({
      dualControl: 'all',
      roster: 1,
    })
    // What was waived before stays what it was.
    expect(await reportOf(at, id)).toMatchObject({ verdict: 'erased' })
    expect(await reportOf(at, 'control')).toMatchObject({ verdict: 'valid' })
  })

  it('begins at the next start where a roster stood before', async () => {
    const at = await foundTestService()
    await foundRoster(at)
    expect(await at.service.readControl('default')).toMatchObject({ dualControl: 'none' })
    const again = await at.reopen({ dualControl: 'all' })
    await again.service.readRoster('default')
    expect(await again.service.readControl('default')).toMatchObject({ dualControl: 'all' })
    await expect(again.service.closeTenant('default', reason, founder)).rejects.toEqual(required)
  })

  it('is not ended by the setting of the host, and by two leads it is', async () => {
    const { at } = await controlled()
    const again = await at.reopen({ dualControl: 'none' })
    await again.service.readRoster('default')
    await expect(again.service.endControl('default', reason, founder)).rejects.toEqual(required)
    expect(await again.service.readControl('default')).toMatchObject({ dualControl: 'all' })
    const held = await again.service.readTrustRoot('default')
    await execute(again, await approved(again, { action: 'control.none', reason }))
    expect(await again.service.readControl('default')).toMatchObject({ dualControl: 'none' })
    const newer = await again.service.readTrustRoot('default')
    const proof = await again.service.exportTrustProof('default', 3)
    expect(updateTrustRoot(held, newer, [proof])).toMatchObject({ ok: true })
    expect(periodsOf(held)).toMatchObject([{ to: null }])
    expect(periodsOf(newer)).toEqual([
      { from: periodsOf(held)?.[0]?.from, to: expect.any(Number) as number },
    ])
    await again.service.closeTenant('default', reason, founder)
    expect(await reportOf(again, 'control')).toMatchObject({ verdict: 'valid' })
    await expect(again.service.endControl('default', reason, founder)).rejects.toMatchObject({
      code: 'INPUT_INVALID',
    })
  })

  it('refuses every guarded order without an action, and none that is not guarded', async () => {
    const { at } = await controlled()
    const keyId = await retiredKey(at)
    const { id } = await at.notarise(blockedRequest(1))
    const { service } = at
    for (const order of [
      { order: 'revoke', keyId },
      { order: 'destroy', keyId },
      { order: 'migrate', to: 'environment' },
      { order: 'rotate-master' },
    ] as const)
      await expect(service.orderKeys('default', order, founder)).rejects.toEqual(required)
    await expect(service.erase(requester, id, reason)).rejects.toEqual(required)
    await expect(service.closeTenant('default', reason, founder)).rejects.toEqual(required)
    await service.orderKeys('default', { order: 'rewrap' }, founder)
    await service.orderKeys('default', { order: 'rotate', purpose: 'evidence' }, founder)
    expect((await service.readDecision('default', id)).erased).toBe(false)
  })
})

describe('an action that two leads have signed', () => {
  it('does each guarded thing once, and its dossier says by whom', async () => {
    const { at } = await controlled()
    const keyId = await retiredKey(at)
    const { id } = await at.notarise(blockedRequest(1))
    const { sha256 } = await at.service.registerPolicy('default', recordTextOf('1'), founder)
    const wishes: readonly ActionWish[] = [
      { action: 'erase', decision: id, reason },
      { action: 'keys.revoke', key: keyId, reason },
      { action: 'keys.destroy', key: keyId },
      { action: 'keys.migrate', to: 'environment' },
      { action: 'keys.rotate-master' },
      { action: 'policy.activate', bundle: sha256, scope: { actions: ['pay.*'] } },
      { action: 'policy.retire', bundle: sha256, reason },
      { action: 'tenant.close', reason },
    ]
    for (const wish of wishes) {
      const view = await approved(at, wish)
      expect(view).toMatchObject({ status: 'approved', effect: { action: wish.action } })
      const done = await execute(at, view)
      // The providers were the same: nothing was left to do, and the approval was not used up.
      const idle = wish.action === 'keys.migrate'
      expect([wish.action, done.status]).toEqual([wish.action, idle ? 'approved' : 'executed'])
      // Again it is refused, or it is so already and nothing more comes of it.
      const [before] = await at.service.listTenants()
      const again = await execute(at, view).catch((error: unknown) => asFailure(error).code)
      if (typeof again === 'string')
        expect(again).toMatch(
          /^(ACTION_REFUSED|INPUT_(ERASED|KEY_STATE)|POLICY_REFUSED|TENANT_CLOSED)$/,
        )
      else expect(wish.action).toMatch(/^(policy\.|keys\.migrate$)/)
      expect((await at.service.listTenants())[0]?.size).toBe(before?.size)
      expect(await reportOf(at, `action-${view.action}`)).toMatchObject({
        action: {
          effect: { action: wish.action },
          signatures: [{ person: 'ann' }, { person: 'bob' }],
        },
        verdict: 'valid',
      })
    }
    const page = await at.service.listActions('default', { limit: 10 })
    expect(page.actions).toHaveLength(wishes.length)
    expect((await at.service.listOverrides('default', { limit: 10 })).overrides).toEqual([])
  })

  it('is carried out once, of fifty that try at once', async () => {
    const { at } = await controlled()
    const { id } = await at.notarise(blockedRequest(1))
    const view = await approved(at, { action: 'erase', decision: id, reason })
    const tried = await Promise.allSettled(Array.from({ length: 50 }, () => execute(at, view)))
    expect(tried.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const { entries, verdict } = await reportOf(at, id)
    expect(verdict).toBe('erased')
    expect(entries.filter(({ kind }) => kind === 'erasure')).toHaveLength(1)
  })

  it('is named by the entry that it allows, in one commit with its use', async () => {
    const { at } = await controlled()
    const { id } = await at.notarise(blockedRequest(1))
    const view = await approved(at, { action: 'erase', decision: id, reason })
    const { done, index } = await execute(at, view)
    expect(done?.index).toBe(index + 1)
    const report = await reportOf(at, id)
    expect(report.notes.join('\n')).toContain(`action-${view.action}`)
  })

  it('lets nothing else be done', async () => {
    const { at } = await controlled()
    const [one, two] = [await at.notarise(blockedRequest(1)), await at.notarise(blockedRequest(2))]
    const { service } = at
    const view = await approved(at, { action: 'erase', decision: one.id, reason })
    await expect(service.erase(requester, two.id, reason, view.action)).rejects.toMatchObject(
      refused('by its decision'),
    )
    await expect(service.erase(requester, one.id, 'Other', view.action)).rejects.toMatchObject(
      refused('by its reason'),
    )
    const close = service.closeTenant('default', reason, founder, view.action)
    await expect(close).rejects.toMatchObject(refused('by its action'))
    const keyId = await retiredKey(at)
    const key = await approved(at, { action: 'keys.destroy', key: keyId })
    const order = (given: Parameters<typeof service.orderKeys>[1]) =>
      service.orderKeys('default', given, founder, key.action)
    await service.orderKeys('default', { order: 'rotate', purpose: 'evidence' }, founder)
    const evidence = (await service.listKeys('default')).find(
      ({ purpose, state }) => purpose === 'evidence' && state === 'retired',
    )
    await expect(order({ order: 'destroy', keyId: evidence?.keyId ?? '' })).rejects.toMatchObject(
      refused('by its key'),
    )
    await expect(order({ order: 'revoke', keyId })).rejects.toMatchObject(refused('by its action'))
    const revoke = await approved(at, { action: 'keys.revoke', key: keyId })
    await expect(
      service.orderKeys('default', { order: 'revoke', keyId, from: 3 }, founder, revoke.action),
    ).rejects.toMatchObject(refused('by its from'))
    // The master key of then is not the one of now.
    const master = await approved(at, { action: 'keys.rotate-master' })
    const other = await approved(at, { action: 'keys.rotate-master' })
    await execute(at, other)
    await expect(execute(at, master)).rejects.toMatchObject(refused('by its master: '))
    await expect(execute(at, other)).rejects.toMatchObject(
      refused('by its master, and is executed already: '),
    )
    await service.erase(requester, one.id, reason, view.action)
  })

  it('counts in its own tenant alone', async () => {
    const { at } = await controlled()
    await at.service.createTenant('other', { profile: 'each', public: false }, founder)
    await foundRoster(at, 'other')
    const here = await approved(at, { action: 'tenant.close', reason })
    const there = await at.service.openAction(principalOf('each', 'carl', 'other'), {
      justification: 'x',
      wish: { action: 'tenant.close', reason },
    })
    await expect(
      at.service.closeTenant('other', reason, founder, here.action),
    ).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
    await expect(
      at.service.actOnAction(
        principalOf('each', 'carl', 'other'),
        there.action,
        signing('ann', 'risk_lead', here.challenge),
      ),
    ).rejects.toMatchObject(refused('by its Tenant'))
  })

  it('goes on after a restart between the signatures and the effect', async () => {
    const { at } = await controlled()
    const { id } = await at.notarise(blockedRequest(1))
    const view = await approved(at, { action: 'erase', decision: id, reason })
    const again = await at.reopen()
    expect(await again.service.readAction('default', view.action)).toMatchObject({
      challenge: view.challenge,
      status: 'approved',
    })
    expect(await execute(again, view)).toMatchObject({ status: 'executed' })
  })
})

describe('an action is refused', () => {
  it('when it is asked for, where the state of a key will refuse it', async () => {
    const { at } = await controlled()
    const key = await retiredKey(at)
    const active = (await at.service.listKeys('default')).find(({ state }) => state === 'active')
    const signing = active?.keyId ?? ''
    const state = (message: string) => ({
      code: 'INPUT_KEY_STATE',
      message: expect.stringContaining(message) as string,
    })
    await expect(opened(at, { action: 'keys.destroy', key: signing })).rejects.toMatchObject(
      state('Key signs now, rotate it first: countersign keys rotate evidence'),
    )
    // Nor is anybody sent to ask for it.
    await expect(
      at.service.orderKeys('default', { order: 'destroy', keyId: signing }, founder),
    ).rejects.toMatchObject(state('Key signs now'))
    const late = await approved(at, { action: 'keys.revoke', key })
    const { index } = await execute(at, await approved(at, { action: 'keys.revoke', key }))
    await expect(execute(at, late)).rejects.toMatchObject(state('Key is revoked already'))
    const revoke = (from: number) => opened(at, { action: 'keys.revoke', from, key })
    await expect(opened(at, { action: 'keys.revoke', key })).rejects.toMatchObject(
      state('Key is revoked already'),
    )
    await expect(revoke(index + 1)).rejects.toMatchObject(state('Key is revoked already'))
    await opened(at, { action: 'keys.destroy', key })
    await revoke(1)
  })

  it('with the signature of one lead, and to a lead who asked', async () => {
    const { at } = await controlled()
    const wish = { action: 'tenant.close' as const, reason }
    const view = await opened(at, wish)
    await sign(at, view, 'ann')
    await expect(execute(at, view)).rejects.toMatchObject(refused('not both signatures'))
    await expect(sign(at, view, 'ann')).rejects.toMatchObject(refused('Role has signed already'))
    const own = await at.service.openAction(principalOf('checkpoint', 'ann'), {
      justification: 'x',
      wish,
    })
    await expect(sign(at, own, 'ann')).rejects.toMatchObject(refused('Whoever asked may not sign'))
  })

  it('on the other side of each deadline, to the millisecond', async () => {
    const { at, clock } = await controlled()
    const view = await opened(at, { action: 'tenant.close', reason })
    clock.now = view.approveBy
    await sign(at, view, 'ann')
    clock.now = view.approveBy + 1
    await expect(sign(at, view, 'bob')).rejects.toMatchObject(refused('not open'))
    expect(await at.service.readAction('default', view.action)).toMatchObject({ status: 'expired' })
    const late = await approved(at, { action: 'tenant.close', reason })
    clock.now = late.executeBy + 1
    await expect(execute(at, late)).rejects.toMatchObject(refused('Execute-by has passed'))
    const last = await approved(at, { action: 'tenant.close', reason })
    clock.now = last.executeBy
    expect(await execute(at, last)).toMatchObject({ status: 'executed' })
  })

  it('once it was rejected or taken back, and under a roster that has changed', async () => {
    const { at } = await controlled()
    const wish = { action: 'tenant.close' as const, reason }
    const rejected = await approved(at, wish)
    await at.service.actOnAction(principalOf('checkpoint', 'bob'), rejected.action, {
      act: 'reject',
      reason,
    })
    await expect(execute(at, rejected)).rejects.toMatchObject(refused('is over'))
    const revoked = await approved(at, wish)
    await at.service.actOnAction(requester, revoked.action, { act: 'revoke', reason })
    await expect(execute(at, revoked)).rejects.toMatchObject(refused('is over'))
    const stale = await approved(at, wish)
    await changeRoster(at)
    expect(await at.service.readAction('default', stale.action)).toMatchObject({ void: true })
    await expect(execute(at, stale)).rejects.toMatchObject(refused('Roster has changed'))
  })

  it('to a signature that was given for something else, by the name of what differs', async () => {
    const { at } = await controlled()
    const { action, challenge } = await opened(at, { action: 'tenant.close', reason })
    const replayed = (text: string) =>
      at.service.actOnAction(requester, action, signing('ann', 'risk_lead', text))
    for (const [line, value] of [
      ['Instance', '01890a5d-ac96-774b-bcce-b302099a8001'],
      ['Tenant', 'other'],
      ['Origin', 'log.example/other'],
      ['Effect', '{"action":"tenant.close","reason":"Other"}'],
      ['Decision', '01890a5d-ac96-774b-bcce-b302099a8001'],
      ['Justification', '"Pay me"'],
      ['Requested by', '["eve"]'],
      ['Roster', `2 ${digests[1]}`],
      ['Nonce', 'ab'.repeat(32)],
      ['Approve by', new Date(0).toISOString()],
      ['Execute by', new Date(0).toISOString()],
    ] as const) {
      const other = challenge.replace(new RegExp(`^${line}: .*$`, 'm'), `${line}: ${value}`)
      await expect(replayed(other)).rejects.toMatchObject(refused(`by its ${line}`))
    }
    const bare = { challenge, signature: leadSign('ann', `${challenge} `) }
    await expect(
      at.service.actOnAction(requester, action, signing('ann', 'risk_lead', challenge, bare)),
    ).rejects.toMatchObject(refused('Signature of ann'))
    expect(await replayed(challenge)).toMatchObject({ status: 'partial' })
  })

  it('where there is no roster, no such key, no such decision, or no scope', async () => {
    const bare = await foundTestService()
    await expect(opened(bare, { action: 'tenant.close', reason })).rejects.toMatchObject(
      refused('no roster'),
    )
    const { at } = await controlled()
    const nowhere = '01890a5d-ac96-774b-bcce-b302099a8001'
    for (const wish of [
      { action: 'keys.destroy' as const, key: nowhere },
      { action: 'erase' as const, decision: nowhere, reason },
    ])
      await expect(opened(at, wish)).rejects.toMatchObject({ code: 'INPUT_NOT_FOUND' })
    const poor = { ...requester, scopes: ['actions:request' as const] }
    await expect(
      at.service.openAction(poor, {
        justification: 'x',
        wish: { action: 'keys.rotate-master' },
      }),
    ).rejects.toMatchObject({ code: 'AUTH_SCOPE' })
  })
})

describe('a tenant that is closed', () => {
  it('decides nothing any more, before and after a restart, and its log can be read', async () => {
    const { at } = await controlled()
    const { id } = await at.notarise(blockedRequest(1))
    await execute(at, await approved(at, { action: 'tenant.close', reason }))
    const again = await at.reopen()
    const { service } = again
    await expect(again.notarise(blockedRequest(2))).rejects.toMatchObject({ code: 'TENANT_CLOSED' })
    await expect(service.claim(requester, id, {})).rejects.toMatchObject({
      code: 'TENANT_CLOSED',
    })
    expect(await service.readDecision('default', id)).toMatchObject({ status: 'BLOCK' })
    const overruling = { decision: id, justification: 'Late' }
    await expect(service.openOverride(requester, overruling)).rejects.toMatchObject({
      code: 'TENANT_CLOSED',
    })
    await expect(service.closeTenant('default', reason, founder)).rejects.toMatchObject({
      code: 'TENANT_CLOSED',
    })
    expect(await reportOf(again, 'control')).toMatchObject({ verdict: 'valid' })
  })

  it('overrules nothing any more, whoever signed before: a request can only end', async () => {
    const { at } = await controlled()
    const { service } = at
    const ask = async (n: number, ...leads: readonly Lead[]) => {
      const { id } = await at.notarise(blockedRequest(n))
      const opening = { decision: id, justification: 'Checked by phone' }
      const { challenge } = await service.openOverride(requester, opening)
      const act = (lead: Lead) =>
        service.actOnOverride(
          requester,
          id,
          signing(lead, lead === 'bob' ? 'security_lead' : 'risk_lead', challenge),
        )
      for (const lead of leads) await act(lead)
      return { act, id }
    }
    const signed = await ask(1, 'ann', 'bob')
    const half = await ask(2, 'ann')
    await execute(at, await approved(at, { action: 'tenant.close', reason }))
    const closed = { code: 'TENANT_CLOSED' }
    const executing = service.actOnOverride(requester, signed.id, { act: 'execute' })
    await expect(executing).rejects.toMatchObject(closed)
    await expect(half.act('bob')).rejects.toMatchObject(closed)
    expect(await service.readDecision('default', signed.id)).toMatchObject({ inForce: 'BLOCK' })
    const revoking = { act: 'revoke' as const, reason: 'Closed' }
    expect(await service.actOnOverride(requester, signed.id, revoking)).toMatchObject({
      status: 'revoked',
    })
    expect(await reportOf(at, signed.id)).toMatchObject({ verdict: 'valid' })
  })

  it('is erased as before, and keeps the keys that sign that; those before them end by two keys', async () => {
    const { at } = await controlled()
    const { service } = at
    const { id } = await at.notarise(blockedRequest(1))
    await execute(at, await approved(at, { action: 'tenant.close', reason }))
    await execute(at, await approved(at, { action: 'erase', decision: id, reason }))
    expect(await reportOf(at, id)).toMatchObject({ verdict: 'erased' })
    const active = (await service.listKeys('default')).filter(({ state }) => state === 'active')
    expect(active.map(({ purpose }) => purpose).sort()).toEqual(['evidence', 'fast', 'log'])
    for (const { keyId, purpose } of active) {
      if (purpose === 'log') continue
      await expect(opened(at, { action: 'keys.destroy', key: keyId })).rejects.toMatchObject({
        code: 'INPUT_KEY_STATE',
        message: expect.stringContaining('Key stays with the log of a closed tenant') as string,
      })
    }
    const key = await retiredKey(at)
    await execute(at, await approved(at, { action: 'keys.destroy', key }))
    const ended = (await service.listKeys('default')).find(({ keyId }) => keyId === key)
    expect(ended).toMatchObject({ state: 'destroyed' })
    const again = await at.reopen()
    expect(await reportOf(again, 'control')).toMatchObject({ verdict: 'valid' })
    expect(await reportOf(again, 'keys')).toMatchObject({ verdict: 'valid' })
  })
})

it('a tenant that is closed while decisions are made takes none behind that', async () => {
  for (const profile of ['checkpoint', 'each'] as const) {
    const at = await foundTestService({ profile })
    const indexes: number[] = []
    const decide = async (): Promise<never> => {
      for (let n = 0; ; n++) indexes.push((await at.notarise(blockedRequest(n))).index)
    }
    const busy = Promise.allSettled(Array.from({ length: 8 }, decide))
    while (indexes.length < 20) await new Promise((resolve) => setTimeout(resolve, 1))
    const { index: end } = await at.service.closeTenant('default', reason, founder)
    expect(await busy).toMatchObject(
      Array.from({ length: 8 }, () => ({ reason: { code: 'TENANT_CLOSED' } })),
    )
    expect(Math.max(...indexes)).toBeLessThan(end)
  }
})

it('a roster that comes while something waits to be done without one makes it wait for two leads', async () => {
  const at = await foundTestService({ dualControl: 'all' })
  const { id } = await at.notarise(blockedRequest(1))
  const place = await at.service.readRoster('default')
  const proposal = proposalOf(place, firstRoster, 'ann', 'bob')
  const [applied, erased] = await Promise.allSettled([
    at.service.applyRoster('default', proposal, founder),
    at.service.erase(requester, id, reason),
  ])
  expect(applied.status).toBe('fulfilled')
  const report = await reportOf(at, id)
  // Whichever came first: the entry never says that there was no roster behind one.
  expect(report.verdict).toBe(erased.status === 'fulfilled' ? 'erased' : 'valid')
})
