import { describe, expect, it } from 'vitest'
import { createRoutes } from '../../src/api/app.ts'
import { FakeService } from '../support/fake-service.ts'

const pinned = `
POST /v1/decisions
GET /v1/decisions
GET /v1/decisions/{id}
POST /v1/decisions/{id}/claim
POST /v1/decisions/{id}/erase
GET /v1/decisions/{id}/dossier
GET /v1/decisions/{id}/bundle
POST /v1/verify
GET /v1/trust-root
GET /v1/api-keys
POST /v1/api-keys
DELETE /v1/api-keys/{id}
GET /v1/keys
POST /v1/keys
POST /v1/overrides
GET /v1/overrides
GET /v1/overrides/{id}
POST /v1/overrides/{id}/sign
POST /v1/overrides/{id}/reject
POST /v1/overrides/{id}/revoke
POST /v1/overrides/{id}/execute
GET /v1/roster
POST /v1/roster
POST /v1/actions
GET /v1/actions
GET /v1/actions/{id}
GET /v1/actions/{id}/challenge
GET /v1/actions/{id}/dossier
GET /v1/control
POST /v1/actions/{id}/sign
POST /v1/actions/{id}/reject
POST /v1/actions/{id}/revoke
POST /v1/actions/{id}/execute
POST /v1/proposals
GET /v1/proposals
GET /v1/proposals/{id}
GET /v1/proposals/{id}/dossier
POST /v1/proposals/{id}/vote
POST /v1/proposals/{id}/withdraw
POST /v1/proposals/{id}/close
GET /v1/escalations
GET /v1/escalations/{id}
GET /v1/escalations/{id}/challenge
POST /v1/escalations/{id}/decide
POST /v1/gateway/execute
POST /api/v1/gateway/execute
POST /v1/policies
GET /v1/policies
GET /v1/policies/{digest}
POST /v1/policies/{digest}/activate
POST /v1/policies/{digest}/retire
GET /v1/webhooks
POST /v1/webhooks
DELETE /v1/webhooks/{id}
POST /v1/webhooks/{id}/test
GET /log/{tenant}/checkpoint
GET /log/{tenant}/tile/{path}
GET /log/{tenant}/proof/inclusion
GET /log/{tenant}/proof/consistency
GET /log/{tenant}/proof/tlog
GET /healthz
GET /readyz
GET /openapi.json
`

describe('the routes', () => {
  it('are never changed, only added', () => {
    const routes = createRoutes({
      clock: Date.now,
      logger: { error: () => undefined, info: () => undefined },
      requestTimeoutMs: 1000,
      service: new FakeService(),
      version: '1',
    })
    const found = routes.map(({ method, path }) => `${method} ${path}`)
    expect(found).toEqual(pinned.trim().split('\n'))
  })
})
