import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { overridePageSchema, overrideViewSchema } from '../../../src/wire/overrides.ts'
import { rosterAppliedSchema, rosterViewSchema } from '../../../src/wire/roster.ts'
import { firstRoster } from '../../support/forge-override.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'
const path = '/v1/overrides'
const by = { type: 'apiKey', id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com' }
const signing = { key: 'k', role: 'risk_lead', signature: 's' }

describe('overrides over HTTP', () => {
  it('are asked for in the name of the API key', async () => {
    const { ask, service } = createEdge()
    const body = { decision: id, justification: 'Customer waits' }
    const response = await ask(path, { body })
    expect(response.status).toBe(201)
    expect(overrideViewSchema.parse(await response.json()).decision).toBe(id)
    const [principal, opening] = service.asked.at(-1)?.args ?? []
    expect(principal).toMatchObject({ caller: by, tenant: 'acme' })
    expect(opening).toEqual(body)
  })

  it.each([
    ['sign', signing, { act: 'sign', signing }],
    ['reject', { reason: 'No' }, { act: 'reject', reason: 'No' }],
    ['revoke', { reason: 'No' }, { act: 'revoke', reason: 'No' }],
    ['execute', undefined, { act: 'execute' }],
  ])('take the act %s', async (act, body, asked) => {
    const { ask, service } = createEdge()
    const response = await ask(`${path}/${id}/${act}`, { method: 'POST', body })
    expect(response.status).toBe(200)
    const [principal, ...rest] = service.asked.at(-1)?.args ?? []
    expect(principal).toMatchObject({ caller: by, tenant: 'acme' })
    expect(rest).toEqual([id, asked])
  })

  it.each([
    ['', { decision: id, justification: '' }, '/justification'],
    ['', { decision: id, justification: 'x'.repeat(1025) }, '/justification'],
    ['', { decision: 'x', justification: 'x' }, '/decision'],
    ['', { decision: id, justification: 'x', requester: 'eve' }, '/requester'],
    ['', { approveWithinSeconds: 0, decision: id, justification: 'x' }, '/approveWithinSeconds'],
    [
      '',
      { approveWithinSeconds: 1_209_601, decision: id, justification: 'x' },
      '/approveWithinSeconds',
    ],
    [`/${id}/sign`, { role: 'risk_lead', signature: 's' }, '/key'],
    [`/${id}/sign`, { ...signing, role: 'reviewer' }, '/role'],
    [`/${id}/reject`, { person: 'ann', reason: 'No' }, '/person'],
    [`/${id}/reject`, { reason: '' }, '/reason'],
    [`/${id}/revoke`, { reason: 'x'.repeat(2049) }, '/reason'],
  ])('refuse%s %j', async (act, body, field) => {
    const { ask, service } = createEdge()
    const response = await ask(path + act, { method: 'POST', body })
    expect(await expectProblem(response, 422, 'INPUT_INVALID')).toMatchObject({ field })
    expect(service.asked.map(({ method }) => method)).toEqual(['authenticate'])
  })

  it('are listed by pages', async () => {
    const { ask, service } = createEdge()
    const response = await ask(`${path}?limit=7&cursor=12`)
    expect(overridePageSchema.parse(await response.json())).toEqual({
      cursor: null,
      overrides: [],
      today: { limit: 20, overruled: 0 },
    })
    expect(service.asked.at(-1)?.args).toEqual(['acme', { cursor: '12', limit: 7 }])
    for (const query of ['limit=0', 'limit=201', 'cursor=', 'more=1'])
      await expectProblem(await ask(`${path}?${query}`), 422, 'INPUT_INVALID')
  })

  it('say why something may not happen', async () => {
    const { ask, service } = createEdge()
    service.actOnOverride = () =>
      Promise.reject(new Failure('OVERRIDE_REFUSED', 'Approve-by has passed'))
    const problem = await expectProblem(
      await ask(`${path}/${id}/execute`, { method: 'POST' }),
      409,
      'OVERRIDE_REFUSED',
    )
    expect(problem.detail).toContain('Approve-by has passed')
  })

  it('are none of what has no decision’s id', async () => {
    const { ask } = createEdge()
    await expectProblem(await ask(`${path}/x`), 404, 'INPUT_NOT_FOUND')
  })
})

describe('the roster over HTTP', () => {
  it('is told, and changed in the name of the API key', async () => {
    const { ask, service } = createEdge()
    expect(rosterViewSchema.parse(await (await ask('/v1/roster')).json()).tenant).toBe('acme')
    const body = {
      endorsements: [{ key: 'k', kind: 'Ed25519', signature: 's' }],
      roster: firstRoster,
    }
    const response = await ask('/v1/roster', { body })
    expect(response.status).toBe(201)
    expect(rosterAppliedSchema.parse(await response.json()).version).toBe(1)
    expect(service.asked.at(-1)).toEqual({ args: ['acme', body, by], method: 'applyRoster' })
  })
})
