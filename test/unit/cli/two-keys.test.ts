import { userInfo } from 'node:os'
import { describe, expect, it } from 'vitest'
import { findOpenRequest } from '../../../src/cli/open-request.ts'
import type { ActionView } from '../../../src/wire/actions.ts'
import { runOver } from '../../support/cli-over.ts'
import type { Lead } from '../../support/forge-override.ts'
import {
  blockedRequest,
  changeRoster,
  foundRoster,
  requester,
  signing,
} from '../../support/leads.ts'
import { foundTestService, founder, principalOf } from '../../support/service.ts'

const start = 1_790_000_000_000
const hourMs = 3_600_000
const reason = 'Request 4711'
const me = userInfo().username

/** A log under dual control, whose clock stands still until it is moved, and a decision that somebody wants to erase. */
async function controlled() {
  const clock = { now: start }
  const at = await foundTestService({ clock: () => clock.now, dualControl: 'all' })
  await foundRoster(at)
  const { service } = at
  const cs = (...args: string[]) => runOver(service, args)
  const actions = async (): Promise<readonly string[]> =>
    (await service.listActions('default', { limit: 200 })).actions.map(({ action }) => action)
  const decide = async (n: number): Promise<string> => (await at.notarise(blockedRequest(n))).id
  const act = (id: string, lead: Lead, text: string) =>
    service.actOnAction(
      requester,
      id,
      signing(lead, lead === 'bob' ? 'security_lead' : 'risk_lead', text),
    )
  const approve = async (id: string): Promise<ActionView> => {
    const { challenge } = await service.readAction('default', id)
    await act(id, 'ann', challenge)
    return act(id, 'bob', challenge)
  }
  return { act, actions, approve, at, clock, cs, decide, service }
}

const askedFor = (stdout: string): string => /^action {2}(\S+) {2}/.exec(stdout)?.[1] ?? ''
const isOpenAlready = 'Your request for exactly this is open already'

describe('a command that takes two keys, given again', () => {
  it('goes on with the request that is open', async () => {
    const { act, actions, cs, decide, service } = await controlled()
    const id = await decide(1)
    const first = await cs('erase', id, '--reason', reason)
    expect(first).toMatchObject({ code: 75 })
    expect(first.stderr).not.toContain(isOpenAlready)
    const action = askedFor(first.stdout)
    const again = await cs('erase', id, '--reason', reason)
    expect(again).toMatchObject({ code: 75, stdout: first.stdout })
    const until = new Date(start + hourMs).toISOString()
    expect(again.stderr).toContain(`${isOpenAlready}, pending until ${until}: ${action}\n`)
    expect(again.stderr).not.toContain('Its justification')
    const { challenge } = await service.readAction('default', action)
    expect(again.stderr).toContain(challenge)
    await act(action, 'ann', challenge)
    const more = ['--justification', 'Another why', '--json']
    const partial = await cs('erase', id, '--reason', reason, ...more)
    expect(JSON.parse(partial.stdout)).toMatchObject({ action, status: 'partial' })
    expect(partial.stderr).toContain(`countersign action revoke ${action} --reason TEXT\n`)
    expect(await actions()).toEqual([action])
  })

  it('does what both have signed, once', async () => {
    const { actions, approve, cs, decide } = await controlled()
    const id = await decide(1)
    const action = askedFor((await cs('erase', id, '--reason', reason)).stdout)
    await approve(action)
    const done = await cs('erase', id, '--reason', reason)
    expect(done).toMatchObject({ code: 0, stdout: expect.stringMatching(/^erased {2}/) as string })
    expect(done.stderr).toContain(`${isOpenAlready}, approved until `)
    expect(await cs('erase', id, '--reason', reason)).toMatchObject({ code: 1 })
    expect(await actions()).toEqual([action])
  })

  it('opens another where anything differs, or where somebody else has asked', async () => {
    const { actions, cs, decide, service } = await controlled()
    const [one, two] = [await decide(1), await decide(2)]
    const wish = { action: 'erase' as const, decision: one, reason }
    await service.openAction(principalOf('checkpoint', `not-${me}`), { justification: 'x', wish })
    for (const args of [
      [one, '--reason', reason],
      [one, '--reason', `${reason}.`],
      [two, '--reason', reason],
    ]) {
      const ran = await cs('erase', ...args)
      expect(ran).toMatchObject({ code: 75 })
      expect(ran.stderr).not.toContain(isOpenAlready)
    }
    expect(await actions()).toHaveLength(4)
    // What the same person has asked for over HTTP is his own request too.
    const closing = { action: 'tenant.close' as const, reason }
    const { action } = await service.openAction(principalOf('checkpoint', me), {
      justification: 'x',
      wish: closing,
    })
    expect(askedFor((await cs('tenant', 'close', 'default', '--reason', reason)).stdout)).toBe(
      action,
    )
  })

  it('finds it behind however many others that may be open, and looks at none that is too old', async () => {
    const { service } = await controlled()
    const wish = { action: 'tenant.close' as const, reason }
    const mine = principalOf('checkpoint', me)
    const view = await service.openAction(mine, { justification: 'x', wish })
    const { action, approveBy, effect, executeBy, index } = view
    const row = { action, approveBy, effect, executeBy, index, status: 'pending' as const }
    const other = { ...row, effect: { ...wish, reason: 'Another' } }
    let pages = 0
    const among = {
      keyStatus: () => Promise.reject(new Error('Nobody asks for keys')),
      listActions: () => {
        const last = ++pages === 8
        const actions = Array.from({ length: 200 }, () => (last ? row : other))
        return Promise.resolve({ actions, cursor: last ? null : String(pages) })
      },
      readAction: () => Promise.resolve(view),
    }
    const lifeMs = 15 * 24 * hourMs
    const found = await findOpenRequest(among, mine, wish, approveBy + lifeMs)
    expect([found?.action, pages]).toEqual([action, 8])
    pages = 0
    expect(await findOpenRequest(among, mine, wish, approveBy + lifeMs + 1)).toBeUndefined()
    expect(pages).toBe(1)
  })

  it.each([
    ['both have signed', 60_000, false],
    ['it has come to pass', 120_000, true],
  ])(
    'opens another once it is too late until %s, and not a moment sooner',
    async (_, ms, signed) => {
      const { approve, clock, cs, decide, service } = await controlled()
      const wish = { action: 'erase' as const, decision: await decide(1), reason }
      const { action } = await service.openAction(principalOf('checkpoint', me), {
        approveWithinSeconds: 60,
        executeWithinSeconds: 120,
        justification: 'x',
        wish,
      })
      if (signed) await approve(action)
      const { decision } = wish
      // What reads alone, so that the approved one is not used up.
      const found = async () =>
        (await findOpenRequest(service, principalOf('checkpoint', me), wish))?.action
      clock.now = start + ms
      expect(await found()).toBe(action)
      clock.now++
      expect(await found()).toBeUndefined()
      const next = await cs('erase', decision, '--reason', reason)
      expect(next).toMatchObject({ code: 75 })
      expect([action, '']).not.toContain(askedFor(next.stdout))
    },
  )

  it.each(['reject', 'revoke'] as const)('opens another after a %s', async (way) => {
    const { cs, decide, service } = await controlled()
    const id = await decide(1)
    const first = askedFor((await cs('erase', id, '--reason', reason)).stdout)
    const by = way === 'reject' ? 'ann' : me
    await service.actOnAction(principalOf('checkpoint', by), first, { act: way, reason: 'No' })
    const again = await cs('erase', id, '--reason', reason)
    expect(again).toMatchObject({ code: 75 })
    expect([first, '']).not.toContain(askedFor(again.stdout))
  })

  it('opens another where the roster has changed since, so that nobody can sign the one before', async () => {
    const { at, cs, decide } = await controlled()
    const id = await decide(1)
    const first = askedFor((await cs('erase', id, '--reason', reason)).stdout)
    await changeRoster(at)
    expect([first, '']).not.toContain(askedFor((await cs('erase', id, '--reason', reason)).stdout))
  })

  it('finds what it meant for keys, and after the order is done asks anew', async () => {
    const { actions, approve, cs, service } = await controlled()
    await service.orderKeys('default', { order: 'rotate', purpose: 'fast' }, founder)
    const keys = await service.listKeys('default')
    const retired = keys.find(({ purpose, state }) => purpose === 'fast' && state === 'retired')
    const of = ['--tenant', 'default', '--justification', 'Old']
    for (const order of [
      ['destroy', retired?.keyId ?? ''],
      ['revoke', retired?.keyId ?? ''],
      ['rotate-master'],
    ]) {
      const ran = [await cs('keys', ...order, ...of), await cs('keys', ...order, ...of)]
      const [first = '', second] = ran.map(({ stdout }) => askedFor(stdout))
      expect([order, first, second]).toEqual([order, second, first])
      expect(first).not.toBe('')
    }
    expect(await actions()).toHaveLength(3)
    const [, , master = ''] = [...(await actions())].reverse()
    await approve(master)
    expect(await cs('keys', 'rotate-master', ...of)).toMatchObject({ code: 0 })
    const next = await cs('keys', 'rotate-master', ...of)
    expect(next).toMatchObject({ code: 75 })
    expect(next.stderr).not.toContain(isOpenAlready)
  })
})
