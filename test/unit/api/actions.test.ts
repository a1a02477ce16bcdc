import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { actionPageSchema, actionViewSchema, controlViewSchema } from '../../../src/wire/actions.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'
const path = '/v1/actions'
const by = { type: 'apiKey', id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com' }
const signing = { key: 'k', role: 'risk_lead', signature: 's' }
const opening = { justification: 'Asked for', wish: { action: 'keys.destroy', key: id } }

describe('actions over HTTP', () => {
  it('are asked for in the name of the API key', async () => {
    const { ask, service } = createEdge()
    const response = await ask(path, { body: opening })
    expect(response.status).toBe(201)
    expect(actionViewSchema.parse(await response.json()).effect).toEqual(opening.wish)
    const [principal, asked] = service.asked.at(-1)?.args ?? []
    expect(principal).toMatchObject({ caller: by, tenant: 'acme' })
    expect(asked).toEqual(opening)
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
    ['', { ...opening, justification: '' }, '/justification'],
    ['', { ...opening, wish: { action: 'keys.destroy', key: 'x' } }, '/wish/key'],
    ['', { ...opening, wish: { action: 'keys.destroy', key: id, version: 1 } }, '/wish/version'],
    ['', { ...opening, wish: { action: 'erase', decision: id, reason: '' } }, '/wish/reason'],
    ['', { ...opening, requester: 'eve' }, '/requester'],
    [`/${id}/sign`, { role: 'risk_lead', signature: 's' }, '/key'],
    [`/${id}/reject`, { person: 'ann', reason: 'No' }, '/person'],
  ])('refuse%s %j', async (act, body, field) => {
    const { ask, service } = createEdge()
    const response = await ask(path + act, { method: 'POST', body })
    expect(await expectProblem(response, 422, 'INPUT_INVALID')).toMatchObject({ field })
    expect(service.asked.map(({ method }) => method)).toEqual(['authenticate'])
  })

  it('are told of, one, many, as the text to sign and as a dossier', async () => {
    const { ask, service } = createEdge()
    expect(actionViewSchema.parse(await (await ask(`${path}/${id}`)).json()).action).toBe(id)
    expect(actionPageSchema.parse(await (await ask(`${path}?limit=7`)).json()).actions).toEqual([])
    expect(service.asked.at(-1)?.args).toEqual(['acme', { limit: 7 }])
    const challenge = await ask(`${path}/${id}/challenge`)
    expect(challenge.headers.get('content-type')).toBe('text/plain')
    await ask(`${path}/${id}/dossier`)
    expect(service.asked.at(-1)?.args[1]).toBe(`action-${id}`)
    controlViewSchema.parse(await (await ask('/v1/control')).json())
    await expectProblem(await ask(`${path}/x`), 404, 'INPUT_NOT_FOUND')
  })

  it('are demanded of whoever would do it alone, by a problem that says so', async () => {
    const { ask, service } = createEdge()
    service.orderKeys = () => Promise.reject(new Failure('ACTION_REQUIRED', 'Two leads must sign'))
    const response = await ask('/v1/keys', { body: { keyId: id, order: 'destroy' } })
    await expectProblem(response, 428, 'ACTION_REQUIRED')
  })
})
