import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import type { ActionView, ActionWish } from '../../src/wire/actions.ts'
import type { RosterView } from '../../src/wire/roster.ts'
import type { Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'
import { firstRoster, leadKey, leadSign, type Lead } from '../support/forge-override.ts'
import { blockedRequest, proposalOf, signing } from '../support/leads.ts'
import { foundServed, startServed, type Served, type ServedPlace } from '../support/served.ts'

// One installation with a server that is killed now and then; the tests go on from each other.
let place: ServedPlace
let served: Served
let token = ''

const cs = (...args: string[]): Promise<Ran> =>
  runHere([...args, '--data', place.data, '--keys', place.keys], { cwd: place.home })
const done = async (...args: string[]): Promise<string> => {
  const { code, stderr, stdout } = await cs(...args)
  expect([args, code, code === 0 ? '' : stdout + stderr]).toEqual([args, 0, ''])
  return stdout
}

interface Told {
  readonly status: number
  readonly told: Record<string, unknown>
}
const ask = async (path: string, body?: unknown, bearer = token): Promise<Told> => {
  const response = await fetch(served.url + path, {
    ...(body === undefined ? {} : { body: JSON.stringify(body), method: 'POST' }),
    headers: { Authorization: `Bearer ${bearer}`, 'Content-Type': 'application/json' },
  })
  return { status: response.status, told: (await response.json()) as Record<string, unknown> }
}
const sign = (id: string, lead: Lead, text: string): Promise<Told> => {
  const act = signing(lead, lead === 'bob' ? 'security_lead' : 'risk_lead', text)
  return ask(`/v1/actions/${id}/sign`, act.act === 'sign' ? act.signing : {})
}
const open = async (wish: ActionWish): Promise<ActionView> => {
  const { status, told } = await ask('/v1/actions', { justification: 'Asked for', wish })
  expect([wish.action, status]).toEqual([wish.action, 201])
  return told as unknown as ActionView
}
const approve = async (wish: ActionWish): Promise<ActionView> => {
  const view = await open(wish)
  await sign(view.action, 'ann', view.challenge)
  expect((await sign(view.action, 'bob', view.challenge)).told).toMatchObject({
    status: 'approved',
  })
  return view
}
const decide = async (n: number): Promise<string> =>
  String((await ask('/v1/decisions', JSON.parse(blockedRequest(n)))).told['id'])
const restart = async (): Promise<void> => {
  await served.end('SIGKILL')
  served = await startServed(place)
}

const reason = 'Request 4711'

beforeAll(async () => {
  place = await foundServed()
  served = await startServed(place)
  const scopes = [
    ...['decisions:submit', 'decisions:read', 'decisions:erase', 'keys:manage', 'roster:manage'],
    ...['actions:request', 'actions:sign'],
  ]
  const made = await done('apikey', 'create', '--owner', 'carl', '--json', '--scope', ...scopes)
  token = (JSON.parse(made) as { token: string }).token
  const roster = (await ask('/v1/roster')).told as unknown as RosterView
  await ask('/v1/roster', proposalOf(roster, firstRoster, 'ann', 'bob'))
}, 60_000)
afterAll(async () => {
  await served.end('SIGTERM')
  place.remove()
})

it('a command asks two leads, says how they sign, and does it when it comes again', async () => {
  expect(JSON.parse(await done('control', 'show', '--json'))).toMatchObject({
    dualControl: 'all',
    roster: 1,
  })
  const id = await decide(1)
  const asked = await cs('erase', id, '--reason', reason)
  expect(asked.code).toBe(75)
  const [, action = ''] = /^action {2}(\S+) {2}pending\n$/.exec(asked.stdout) ?? []
  expect(asked.stderr).toContain(`Effect: {"action":"erase","decision":"${id}"`)
  expect(asked.stderr).toContain(`countersign action sign ${action} --role risk_lead`)
  const challenge = await done('action', 'challenge', action)
  await sign(action, 'ann', challenge)
  const early = await cs('erase', id, '--reason', reason, '--action', action)
  expect(early).toMatchObject({ code: 1 })
  expect(early.stderr).toContain('not both signatures')
  writeFileSync(join(place.home, 'bob.sig'), leadSign('bob', challenge))
  const bob = ['--role', 'security_lead', '--signature', 'bob.sig', '--public-key', leadKey('bob')]
  expect(await done('action', 'sign', action, ...bob)).toContain('approved')
  const other = await cs('erase', id, '--reason', 'Another', '--action', action)
  expect(other.stderr).toContain('signed for something else, by its reason')
  expect(await done('erase', id, '--reason', reason, '--action', action)).toContain('proved by')
  expect(await cs('erase', id, '--reason', reason, '--action', action)).toMatchObject({ code: 1 })
  expect(await done('action', 'list')).toContain('executed')
})

it('a command waits until both have signed', async () => {
  const waiting = cs('keys', 'rotate-master', '--wait', '--justification', 'Yearly')
  let found: ActionView | undefined
  while (found?.status !== 'pending') {
    const { told } = await ask('/v1/actions?limit=1')
    const [newest] = told['actions'] as readonly ActionView[]
    found = newest
  }
  const { action } = found
  const view = (await ask(`/v1/actions/${action}`)).told as unknown as ActionView
  const { challenge } = view
  expect((await ask(view.dossierUrl)).told).toMatchObject({ stream: `action-${action}` })
  await sign(action, 'ann', challenge)
  await sign(action, 'bob', challenge)
  const ran = await waiting
  expect(ran).toMatchObject({ code: 0 })
  expect(ran.stdout).toContain('activated')
  const rejected = cs('erase', await decide(2), '--reason', reason, '--wait')
  let id = action
  while (id === action)
    id =
      ((await ask('/v1/actions?limit=1')).told['actions'] as readonly ActionView[])[0]?.action ?? ''
  const stranger = await ask(`/v1/actions/${id}/revoke`, { reason })
  expect(stranger).toMatchObject({ status: 409, told: { code: 'ACTION_REFUSED' } })
  await done('action', 'revoke', id, '--reason', 'Changed my mind')
  expect(await rejected).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Action is revoked') as string,
  })
})

it('a server that is killed between the signatures and the effect does each once, however many try', async () => {
  await ask('/v1/keys', { order: 'rotate', purpose: 'fast' })
  const keys = (await ask('/v1/keys')).told['keys'] as {
    purpose: string
    keyId: string
    state: string
  }[]
  const key =
    keys.find(({ purpose, state }) => purpose === 'fast' && state === 'retired')?.keyId ?? ''
  const wishes: readonly ActionWish[] = [
    { action: 'erase', decision: await decide(3), reason },
    { action: 'keys.revoke', key },
    { action: 'keys.destroy', key },
    { action: 'keys.rotate-master' },
    { action: 'tenant.close', reason },
  ]
  const views: ActionView[] = []
  for (const wish of wishes) views.push(await approve(wish))
  await restart()
  for (const { action, effect } of views) {
    const executed = await Promise.all(
      Array.from({ length: effect['action'] === 'erase' ? 50 : 4 }, () =>
        ask(`/v1/actions/${action}/execute`, {}),
      ),
    )
    const good = executed.filter(({ status }) => status === 200)
    expect([effect.action, good.length]).toEqual([effect.action, 1])
  }
  await restart()
  for (const { action, effect } of views) {
    const again = await ask(`/v1/actions/${action}/execute`, {})
    expect([effect.action, again.status >= 400]).toEqual([effect.action, true])
    await done('dossier', 'export', `action-${action}`, '-o', 'action.json')
    await done('trust-root', '-o', 'trust.json')
    const offline = ['verify', 'action.json', '--trust', 'trust.json']
    const verified = await runHere(offline, { cwd: place.home })
    expect(verified).toMatchObject({ code: 0 })
    expect(verified.stderr).toContain('ann as risk_lead and bob as security_lead')
  }
  const late = await ask('/v1/decisions', JSON.parse(blockedRequest(4)))
  expect(late).toMatchObject({ status: 409, told: { code: 'TENANT_CLOSED' } })
  expect(await done('log', 'fsck')).toContain('default')
  await done('audit', 'export', '-o', 'all.period.jsonl')
  const period = ['verify', 'all.period.jsonl', '--trust', 'trust.json']
  // What was erased is told as that; nothing is missing, and nothing is bad.
  const whole = await runHere(period, { cwd: place.home })
  expect(whole).toMatchObject({ code: 4, stdout: expect.stringMatching(/^erased/) as string })
}, 60_000)

it('nobody does alone what two must sign, by whichever edge', async () => {
  for (const args of [
    ['keys', 'migrate', '--to', 'environment'],
    ['keys', 'migrate', '--to', 'environment', '--wait'],
  ])
    expect((await cs(...args)).code).not.toBe(0)
  const refused = await ask('/v1/keys', { order: 'migrate', to: 'environment' })
  expect(refused).toMatchObject({ status: 428, told: { code: 'ACTION_REQUIRED' } })
  const ended = await cs('control', 'end', '--reason', reason, '--json')
  expect(ended.code).toBe(75)
  expect(JSON.parse(ended.stdout)).toMatchObject({ status: 'pending' })
})
