import { beforeEach, describe, expect, it } from 'vitest'
import { createRoutes } from '../../../src/api/app.ts'
import { scopes, type Scope } from '../../../src/wire/decision.ts'
import { FakeService, fakeToken } from '../../support/fake-service.ts'
import { firstRoster } from '../../support/forge-override.ts'
import { bundleOf } from '../../support/forge-policy.ts'
import { createEdge, decision, expectProblem, type Asking } from './edge.ts'

const anyKey = 'any key'
const nobody = 'no key'
type Needs = Scope | typeof anyKey | typeof nobody

// Told here once more, not read from the routes: the matrix is what must hold.
const needs: Readonly<Record<string, Needs>> = {
  'POST /v1/decisions': 'decisions:submit',
  'GET /v1/decisions': 'decisions:read',
  'GET /v1/decisions/{id}': 'decisions:read',
  'POST /v1/decisions/{id}/claim': 'decisions:claim',
  'POST /v1/decisions/{id}/erase': 'decisions:erase',
  'GET /v1/decisions/{id}/dossier': 'decisions:read',
  'GET /v1/decisions/{id}/bundle': 'decisions:read',
  'POST /v1/verify': anyKey,
  'GET /v1/trust-root': anyKey,
  'GET /v1/api-keys': 'apikeys:manage',
  'POST /v1/api-keys': 'apikeys:manage',
  'DELETE /v1/api-keys/{id}': 'apikeys:manage',
  'GET /v1/keys': 'keys:manage',
  'POST /v1/keys': 'keys:manage',
  'POST /v1/overrides': 'overrides:request',
  'GET /v1/overrides': 'decisions:read',
  'GET /v1/overrides/{id}': 'decisions:read',
  'POST /v1/overrides/{id}/sign': 'overrides:sign',
  'POST /v1/overrides/{id}/reject': 'overrides:sign',
  'POST /v1/overrides/{id}/revoke': 'overrides:request',
  'POST /v1/overrides/{id}/execute': 'overrides:request',
  'GET /v1/escalations': 'decisions:read',
  'GET /v1/escalations/{id}': 'decisions:read',
  'GET /v1/escalations/{id}/challenge': 'decisions:read',
  'POST /v1/escalations/{id}/decide': 'escalations:decide',
  'POST /v1/gateway/execute': 'decisions:evaluate',
  'POST /api/v1/gateway/execute': 'decisions:evaluate',
  'GET /v1/roster': 'decisions:read',
  'POST /v1/roster': 'roster:manage',
  'POST /v1/actions': 'actions:request',
  'GET /v1/actions': 'decisions:read',
  'GET /v1/actions/{id}': 'decisions:read',
  'GET /v1/actions/{id}/challenge': 'decisions:read',
  'GET /v1/actions/{id}/dossier': 'decisions:read',
  'GET /v1/control': 'decisions:read',
  'POST /v1/actions/{id}/sign': 'actions:sign',
  'POST /v1/actions/{id}/reject': 'actions:sign',
  'POST /v1/actions/{id}/revoke': 'actions:request',
  'POST /v1/actions/{id}/execute': 'actions:request',
  'POST /v1/policies': 'policies:manage',
  'GET /v1/policies': 'decisions:read',
  'GET /v1/policies/{digest}': 'decisions:read',
  'POST /v1/policies/{digest}/activate': 'policies:manage',
  'POST /v1/policies/{digest}/retire': 'policies:manage',
  'GET /v1/webhooks': 'webhooks:manage',
  'POST /v1/proposals': 'decisions:submit',
  'GET /v1/proposals': 'decisions:read',
  'GET /v1/proposals/{id}': 'decisions:read',
  'GET /v1/proposals/{id}/dossier': 'decisions:read',
  'POST /v1/proposals/{id}/vote': 'escalations:decide',
  'POST /v1/proposals/{id}/withdraw': 'decisions:submit',
  'POST /v1/proposals/{id}/close': 'decisions:submit',
  'POST /v1/webhooks': 'webhooks:manage',
  'DELETE /v1/webhooks/{id}': 'webhooks:manage',
  'POST /v1/webhooks/{id}/test': 'webhooks:manage',
  'GET /log/{tenant}/checkpoint': 'log:read',
  'GET /log/{tenant}/tile/{path}': 'log:read',
  'GET /log/{tenant}/proof/inclusion': 'log:read',
  'GET /log/{tenant}/proof/consistency': 'log:read',
  'GET /log/{tenant}/proof/tlog': 'log:read',
  'GET /healthz': nobody,
  'GET /readyz': nobody,
  'GET /openapi.json': nobody,
}

const queries: Readonly<Record<string, string>> = {
  'GET /log/{tenant}/proof/inclusion': '?index=0',
  'GET /log/{tenant}/proof/consistency': '?first=0&second=1',
  'GET /log/{tenant}/proof/tlog': '?index=0',
  'GET /v1/escalations/{id}/challenge': '?answer=approve&reason=r',
}

const bodies: Readonly<Record<string, unknown>> = {
  'POST /v1/decisions': decision,
  'POST /v1/decisions/{id}/claim': {},
  'POST /v1/decisions/{id}/erase': { reason: 'r' },
  'POST /v1/verify': {},
  'POST /v1/api-keys': { owner: 'o', scopes: ['apikeys:manage'] },
  'POST /v1/keys': { order: 'rotate', purpose: 'log' },
  'POST /v1/overrides': {
    decision: '01890a5d-ac96-774b-bcce-b302099a8057',
    justification: 'Customer waits',
  },
  'POST /v1/overrides/{id}/sign': { key: 'k', role: 'risk_lead', signature: 's' },
  'POST /v1/overrides/{id}/reject': { reason: 'r' },
  'POST /v1/overrides/{id}/revoke': { reason: 'r' },
  'POST /v1/escalations/{id}/decide': { answer: 'approve', reason: 'r' },
  'POST /v1/gateway/execute': { action: 'a', agent_id: 'b', session_id: 'c' },
  'POST /api/v1/gateway/execute': { action: 'a', agent_id: 'b', session_id: 'c' },
  'POST /v1/actions': {
    justification: 'Asked for',
    wish: { action: 'tenant.close', reason: 'r' },
  },
  'POST /v1/actions/{id}/sign': { key: 'k', role: 'risk_lead', signature: 's' },
  'POST /v1/actions/{id}/reject': { reason: 'r' },
  'POST /v1/actions/{id}/revoke': { reason: 'r' },
  'POST /v1/proposals': { intent: { action: { type: 'pay' }, actor: { id: 'bot' } } },
  'POST /v1/proposals/{id}/vote': { vote: 'APPROVE' },
  'POST /v1/proposals/{id}/withdraw': { reason: 'r' },
  'POST /v1/policies': { bundle: bundleOf('1') },
  'POST /v1/policies/{digest}/activate': {},
  'POST /v1/policies/{digest}/retire': { reason: 'r' },
  'POST /v1/webhooks': { url: 'https://hooks.example.com/' },
  'POST /v1/roster': {
    endorsements: [{ key: 'k', kind: 'Ed25519', signature: 's' }],
    roster: firstRoster,
  },
}

describe('the scopes', () => {
  let edge: ReturnType<typeof createEdge>
  let id: string
  beforeEach(async () => {
    edge = createEdge()
    id = await edge.notarise()
  })

  const ask = (route: string, asking: Asking): Promise<Response> => {
    const [method = '', pattern = ''] = route.split(' ')
    const keyId = fakeToken('acme').slice(4, 20)
    const path = pattern
      .replace('{id}', pattern.includes('api-keys') ? keyId : id)
      .replace('{tenant}', 'acme')
      .replace('{digest}', 'ab'.repeat(32))
      .replace('{path}', '0/000.p/1')
    const body = bodies[route]
    return edge.ask(path + (queries[route] ?? ''), {
      method,
      ...asking,
      ...(body === undefined ? {} : { body }),
    })
  }

  it('are told of every route', () => {
    const logger = { error: () => undefined, info: () => undefined }
    const routes = createRoutes({
      clock: Date.now,
      logger,
      requestTimeoutMs: 1000,
      service: new FakeService(),
      version: '1',
    })
    const told = routes.map(({ method, path }) => `${method} ${path}`)
    expect(told.sort()).toEqual(Object.keys(needs).sort())
  })

  describe.each(Object.entries(needs))('%s', (route, need) => {
    it.each(scopes)('with only %s', async (scope) => {
      const token = fakeToken(`only-${scope}`)
      edge.service.admit(token, 'acme', [scope])
      const response = await ask(route, { token })
      if (need === nobody || need === anyKey || need === scope)
        expect(response.status).toBeLessThan(300)
      else await expectProblem(response, 403, 'AUTH_SCOPE')
    })

    it('with all scopes but its own', async () => {
      const token = fakeToken('all-but')
      edge.service.admit(
        token,
        'acme',
        scopes.filter((scope) => scope !== need),
      )
      const response = await ask(route, { token })
      if (need === nobody || need === anyKey) expect(response.status).toBe(200)
      else await expectProblem(response, 403, 'AUTH_SCOPE')
    })

    it('with no scope at all', async () => {
      const token = fakeToken('no-scope')
      edge.service.admit(token, 'acme', [])
      const response = await ask(route, { token })
      if (need === nobody || need === anyKey) expect(response.status).toBe(200)
      else await expectProblem(response, 403, 'AUTH_SCOPE')
    })

    it('without a key', async () => {
      const response = await ask(route, { token: null })
      if (need === nobody) expect(response.status).toBe(200)
      else await expectProblem(response, 401, 'AUTH_MISSING')
    })

    it('with a key that is not known', async () => {
      const response = await ask(route, { token: fakeToken('who') })
      if (need === nobody) expect(response.status).toBe(200)
      else await expectProblem(response, 401, 'AUTH_INVALID')
    })
  })
})

describe('an Authorization header', () => {
  const path = '/v1/trust-root'
  it.each([
    ['Bearer', 'AUTH_INVALID'],
    ['Bearer ', 'AUTH_INVALID'],
    ['Bearer two words', 'AUTH_INVALID'],
    [`Bearer ${'x'.repeat(600)}`, 'AUTH_INVALID'],
    ['Basic dXNlcjpwYXNz', 'AUTH_MISSING'],
    ['Bearercsk_x', 'AUTH_MISSING'],
    [fakeToken('acme'), 'AUTH_MISSING'],
  ])('is refused without asking anybody: %s', async (header, code) => {
    const { ask, service } = createEdge()
    const response = await ask(path, { token: null, headers: { Authorization: header } })
    const challenge = response.headers.get('www-authenticate')
    expect(challenge).toMatch(/^Bearer realm="countersign"/)
    expect(challenge?.includes('invalid_token')).toBe(code === 'AUTH_INVALID')
    await expectProblem(response, 401, code)
    expect(service.asked).toEqual([])
  })

  it('may write its scheme as it likes', async () => {
    const { ask } = createEdge()
    const headers = { Authorization: `bearer  ${fakeToken('acme')}` }
    expect((await ask(path, { token: null, headers })).status).toBe(200)
  })

  it('is told which scope is missing', async () => {
    const { ask, service } = createEdge()
    const token = fakeToken('reader')
    service.admit(token, 'acme', ['decisions:read'])
    const response = await ask('/v1/decisions', { body: decision, token })
    expect(response.headers.get('www-authenticate')).toContain('insufficient_scope')
    expect((await expectProblem(response, 403, 'AUTH_SCOPE')).detail).toBe(
      'API key needs the scope: decisions:submit',
    )
  })
})
