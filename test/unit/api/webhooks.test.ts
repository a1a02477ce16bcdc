import { describe, expect, it } from 'vitest'
import { Failure } from '../../../src/base/failure.ts'
import { webhookCreatedSchema, webhookListSchema } from '../../../src/wire/webhooks.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const id = '01890a5d-ac96-774b-bcce-b302099a8057'
const path = '/v1/webhooks'
const by = { type: 'apiKey', id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com' }
const url = 'https://hooks.example.com/'

describe('webhooks over HTTP', () => {
  it('are made in the name of the API key, and tell their secret once', async () => {
    const { ask, service } = createEdge()
    const body = { description: 'pager', kinds: ['override.*'], url }
    const response = await ask(path, { body })
    expect(response.status).toBe(201)
    expect(webhookCreatedSchema.parse(await response.json()).secret).toMatch(/^whsec_/)
    expect(service.asked.at(-1)?.args).toEqual(['acme', body, by])
    const listed = await ask(path)
    const text = await listed.text()
    expect(webhookListSchema.parse(JSON.parse(text)).webhooks).toHaveLength(1)
    expect(text).not.toContain('whsec_')
  })

  it('are removed and tried out by their ids', async () => {
    const { ask, service } = createEdge()
    expect((await ask(`${path}/${id}`, { method: 'DELETE' })).status).toBe(200)
    expect(service.asked.at(-1)).toMatchObject({ args: ['acme', id, by], method: 'removeWebhook' })
    expect((await ask(`${path}/${id}/test`, { method: 'POST' })).status).toBe(202)
    expect(service.asked.at(-1)).toMatchObject({ args: ['acme', id, by], method: 'testWebhook' })
    const gone = await ask(`${path}/x`, { method: 'DELETE' })
    await expectProblem(gone, 404, 'INPUT_NOT_FOUND')
  })

  it.each([
    [{}, '/url'],
    [{ url: '' }, '/url'],
    [{ url: `https://a.example/${'x'.repeat(2048)}` }, '/url'],
    [{ kinds: [], url }, '/kinds'],
    [{ kinds: ['override.*', 'nonsense.*'], url }, '/kinds/1'],
    [{ allowPrivate: true, url }, '/allowPrivate'],
    [{ secret: 'x'.repeat(129), url }, '/secret'],
  ])('refuse %j', async (body, field) => {
    const { ask, service } = createEdge()
    const response = await ask(path, { body })
    expect(await expectProblem(response, 422, 'INPUT_INVALID')).toMatchObject({ field })
    expect(service.asked.map(({ method }) => method)).toEqual(['authenticate'])
  })

  it('say that there are as many as may be', async () => {
    const { ask, service } = createEdge()
    service.addWebhook = () => Promise.reject(new Failure('INPUT_EXISTS', 'Too many: 16'))
    await expectProblem(await ask(path, { body: { url } }), 409, 'INPUT_EXISTS')
  })
})

describe('decisions over HTTP', () => {
  it('are listed by what they are now', async () => {
    const { ask, service } = createEdge()
    const query = 'inForce=ALLOW&by=override&override=executed&status=BLOCK'
    expect((await ask(`/v1/decisions?${query}`)).status).toBe(200)
    expect(service.asked.at(-1)?.args[1]).toMatchObject({
      by: 'override',
      inForce: 'ALLOW',
      override: 'executed',
      status: 'BLOCK',
    })
    for (const wrong of ['by=x', 'inForce=YES', 'override=done', 'escalation=closed'])
      await expectProblem(await ask(`/v1/decisions?${wrong}`), 422, 'INPUT_INVALID')
  })
})
