import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { reevaluateDossier } from '../../src/verify/reevaluate.ts'
import type { Ran } from '../support/cli.ts'
import { runHere } from '../support/cli-here.ts'
import { firstRoster } from '../support/forge-override.ts'
import { bundleOf, digestOf } from '../support/forge-policy.ts'
import { proposalOf, signing } from '../support/leads.ts'
import type { RosterView } from '../../src/wire/roster.ts'
import { foundServed, startServed, type Served, type ServedPlace } from '../support/served.ts'

// A server of its own, asked over HTTP while the command line reaches it by its control socket; the tests go on from each other.
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

const fetchFrom = (path: string, body?: unknown): Promise<Response> =>
  fetch(served.url + path, {
    ...(body === undefined ? {} : { body: JSON.stringify(body), method: 'POST' }),
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
  })
const ask = async (path: string, body?: unknown) =>
  (await (await fetchFrom(path, body)).json()) as Record<string, unknown>
const intent = (amount: number) => ({
  intent: { action: { type: 'pay' }, actor: { id: 'agent' }, context: { amount } },
})

beforeAll(async () => {
  place = await foundServed()
  writeFileSync(
    join(place.home, 'one.json'),
    JSON.stringify({ dialect: 'native', ...bundleOf('1') }),
  )
  const scopes = ['decisions:evaluate', 'decisions:read', 'policies:manage', 'roster:manage']
  const more = ['actions:request', 'actions:sign']
  token = (await done('apikey', 'create', '--owner', 'carl', '--scope', ...scopes, ...more)).trim()
  served = await startServed(place)
}, 60_000)
afterAll(async () => {
  await served.end('SIGTERM')
  place.remove()
})

it('a policy that the command line activates decides from the next request on', async () => {
  expect(await ask('/v1/decisions', intent(1))).toMatchObject({ proceed: false, status: 'BLOCK' })
  await done('policy', 'push', 'one.json', '--activate')
  const answer = await ask('/v1/decisions', intent(1))
  expect(answer).toMatchObject({ proceed: true, status: 'ALLOW' })
  const dossier = await fetchFrom(String(answer['dossierUrl']))
  const file = new Uint8Array(await dossier.arrayBuffer())
  expect(reevaluateDossier(file)).toMatchObject({ outcome: 'same', recorded: 'ALLOW' })
})

it('a policy that HTTP registers decides once two leads have signed', async () => {
  const view = (await ask('/v1/roster')) as unknown as RosterView
  expect((await fetchFrom('/v1/roster', proposalOf(view, firstRoster, 'ann', 'bob'))).status).toBe(
    201,
  )
  const bundle = bundleOf('2', 1)
  const { sha256 } = await ask('/v1/policies', { bundle, dialect: 'native' })
  const path = `/v1/policies/${String(sha256)}`
  expect(await ask(`${path}/activate`, {})).toMatchObject({ code: 'ACTION_REQUIRED', status: 428 })
  writeFileSync(join(place.home, 'two.json'), JSON.stringify({ dialect: 'native', ...bundle }))
  const pushed = await cs('policy', 'push', 'two.json', '--activate')
  expect(pushed.code).toBe(75)
  expect(pushed.stdout).toMatch(/^payments +2 +registered /m)
  expect(pushed.stderr).toContain('countersign policy activate payments@2 --justification')
  const asked = await cs(
    'policy',
    'activate',
    'payments@2',
    '--justification',
    'Reviewed',
    '--json',
  )
  expect(asked.code).toBe(75)
  const { action, challenge } = JSON.parse(asked.stdout) as { action: string; challenge: string }
  expect(challenge).toContain(String(sha256))
  for (const [lead, role] of [
    ['ann', 'risk_lead'],
    ['bob', 'security_lead'],
  ] as const) {
    const act = signing(lead, role, challenge)
    const signed = await fetchFrom(
      `/v1/actions/${action}/sign`,
      act.act === 'sign' ? act.signing : {},
    )
    expect(signed.status).toBe(200)
  }
  expect(await ask(`${path}/activate`, { action })).toMatchObject({ state: 'active' })
  expect(await ask('/v1/decisions', intent(1))).toMatchObject({ status: 'BLOCK' })
  const list = (await ask('/v1/policies'))['policies'] as { sha256: string; state: string }[]
  expect(list.map(({ state }) => state)).toEqual(['replaced', 'active'])
  expect(list[0]?.sha256).toBe(digestOf('1'))
  expect(await ask(path)).toMatchObject({ record: { bundle, dialect: 'native' } })
})

it('after a restart the same policy decides', async () => {
  await served.end('SIGKILL')
  served = await startServed(place)
  expect(await ask('/v1/decisions', intent(1))).toMatchObject({ status: 'BLOCK' })
  expect(await ask('/v1/decisions', intent(0))).toMatchObject({ status: 'ALLOW' })
  expect(await done('log', 'fsck')).toMatch(/^clean /)
})
