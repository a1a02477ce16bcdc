import { describe, expect, it } from 'vitest'
import {
  apiKeyCreatedSchema,
  apiKeyListSchema,
  apiKeySchema,
  scopes,
} from '../../../src/wire/decision.ts'
import { fakeToken } from '../../support/fake-service.ts'
import { createEdge, expectProblem } from './edge.ts'

const path = '/v1/api-keys'

describe('API keys over HTTP', () => {
  it('are made with owner and scopes, in the name of the key that makes them', async () => {
    const { ask, service } = createEdge()
    const body = { owner: 'ci@example.com', scopes: ['decisions:submit', 'log:read'] }
    const response = await ask(path, { body })
    expect(response.status).toBe(201)
    expect(response.headers.get('cache-control')).toBe('no-store')
    const { apiKey, token } = apiKeyCreatedSchema.parse(await response.json())
    expect(apiKey.scopes).toEqual(['decisions:submit', 'log:read'])
    expect((await ask('/v1/trust-root', { token })).status).toBe(200)
    const by = { type: 'apiKey', id: fakeToken('acme').slice(4, 20), owner: 'owner@example.com' }
    const asked = service.asked.find(({ method }) => method === 'createApiKey')
    expect(asked?.args).toEqual(['acme', 'ci@example.com', body.scopes, by])
  })

  it('grant nothing that the granting key lacks itself', async () => {
    const { ask, service } = createEdge()
    const token = fakeToken('manager')
    service.admit(token, 'acme', ['apikeys:manage', 'decisions:read'])
    const body = { owner: 'o', scopes: ['decisions:read', 'decisions:erase'] }
    const problem = await expectProblem(await ask(path, { body, token }), 403, 'AUTH_SCOPE')
    expect(problem.field).toBe('/scopes/1')
    expect(service.asked.some(({ method }) => method === 'createApiKey')).toBe(false)
    const own = { owner: 'o', scopes: ['decisions:read', 'apikeys:manage'] }
    expect((await ask(path, { body: own, token })).status).toBe(201)
  })

  it('are bound to policies and an environment, and to no less than the key that makes them', async () => {
    const { ask, service } = createEdge()
    const boundTo = async (token: string, more: object): Promise<unknown> => {
      service.asked.length = 0
      const body = { owner: 'o', scopes: ['apikeys:manage'], ...more }
      const { status } = await ask(path, { body, token })
      return status === 201 ? service.asked.at(-1)?.args[4] : status
    }
    const free = fakeToken('acme')
    expect(await boundTo(free, {})).toBeUndefined()
    const wanted = { policies: ['strict', 'strict'], environment: 'production' }
    const bound = { policies: ['strict'], environment: 'production' }
    expect(await boundTo(free, wanted)).toEqual(bound)
    const token = fakeToken('bound')
    service.admit(token, 'acme', ['apikeys:manage'], bound)
    expect(await boundTo(token, {})).toEqual(bound)
    expect(await boundTo(token, { policies: ['more'] })).toEqual({
      ...bound,
      policies: ['strict', 'more'],
    })
    expect(await boundTo(token, { environment: 'development' })).toBe(403)
  })

  it.each([
    ['no owner', { scopes: ['log:read'] }, '/owner'],
    ['an empty owner', { owner: '', scopes: ['log:read'] }, '/owner'],
    ['no scope', { owner: 'o', scopes: [] }, '/scopes'],
    ['an unknown scope', { owner: 'o', scopes: ['log:write'] }, '/scopes/0'],
    ['an unknown field', { owner: 'o', scopes: ['log:read'], tenant: 'open' }, '/tenant'],
  ])('are not made with %s', async (_, body, field) => {
    const { ask } = createEdge()
    const problem = await expectProblem(await ask(path, { body }), 422, 'INPUT_INVALID')
    expect(problem.field).toBe(field)
  })

  it('are listed without their tokens', async () => {
    const { ask } = createEdge()
    const response = await ask(path)
    const text = await response.text()
    expect(apiKeyListSchema.parse(JSON.parse(text)).apiKeys[0]?.scopes).toEqual([...scopes])
    expect(text).not.toContain('csk_')
  })

  it('are revoked by their id, of the own tenant', async () => {
    const { ask, service } = createEdge()
    const id = fakeToken('open').slice(4, 20)
    const response = await ask(`${path}/${id}`, { method: 'DELETE' })
    expect(apiKeySchema.parse(await response.json()).revokedAt).toBe(2)
    expect(service.asked.at(-1)?.args.slice(0, 2)).toEqual(['acme', id])
  })

  it('are not revoked by a token, which is not repeated either', async () => {
    const { ask, service } = createEdge()
    const token = fakeToken('acme')
    const response = await ask(`${path}/${token}`, { method: 'DELETE' })
    const problem = await expectProblem(response, 404, 'INPUT_NOT_FOUND')
    expect(JSON.stringify(problem)).not.toContain(token)
    expect(service.asked.some(({ method }) => method === 'revokeApiKey')).toBe(false)
  })
})
