// API keys, managed with an API key. Nobody hands out what they do not have themselves.
import { Failure } from '../base/failure.ts'
import type { Bound, Principal, Service } from '../decisions/service.ts'
import {
  apiKeyCreatedSchema,
  apiKeyListSchema,
  apiKeyRequestSchema,
  apiKeySchema,
  type Scope,
} from '../wire/decision.ts'
import type { Admission } from './admission.ts'
import type { Authenticator } from './authentication.ts'
import { jsonReply, route, type Route } from './route.ts'
import { TenantLines } from './tenant-lines.ts'

const json = 'application/json'
const path = '/v1/api-keys'
// A token is no id, and what is no id is not repeated in an answer.
const idPattern = /^[A-Za-z0-9-]{1,64}$/

function requireOwn(principal: Principal, wanted: readonly Scope[]): void {
  const missing = wanted.findIndex((scope) => !principal.scopes.includes(scope))
  if (missing >= 0)
    throw new Failure('AUTH_SCOPE', `API key cannot grant a scope that it lacks itself`, {
      field: `/scopes/${missing}`,
    })
}

/** What a new key is bound to: nobody makes one that is bound to less than his own. */
function inherit(
  own: Bound | undefined,
  policies: readonly string[],
  environment: string | null,
): Bound | undefined {
  const where = own?.environment ?? environment
  if (environment !== null && environment !== where)
    throw new Failure('AUTH_SCOPE', 'API key cannot make one for another environment', {
      field: '/environment',
    })
  const all = [...new Set([...(own?.policies ?? []), ...policies])]
  return all.length === 0 && where === null ? undefined : { environment: where, policies: all }
}

/** Runs a change of API keys; whatever became of it, nobody is believed from memory after it. */
async function changing<T>(authenticator: Authenticator, change: Promise<T>): Promise<T> {
  try {
    return await change
  } finally {
    authenticator.forget()
  }
}

const listRoute = (service: Service, admit: Admission, lines: TenantLines): Route =>
  route(
    admit.scope('apikeys:manage'),
    {
      method: 'GET',
      path,
      summary: 'Lists the API keys of the tenant, without their tokens',
      replies: { 200: { description: 'All of them', type: json, schema: apiKeyListSchema } },
    },
    async (call, { tenant }) => {
      // What they are bound to is read from all that was ever done to the tenant.
      const apiKeys = await lines.run(call, tenant, () => service.listApiKeys(tenant))
      return jsonReply(200, { apiKeys })
    },
  )

const createRoute = (
  service: Service,
  admit: Admission,
  authenticator: Authenticator,
  maxBytes: number,
): Route =>
  route(
    admit.scope('apikeys:manage'),
    {
      method: 'POST',
      path,
      summary: 'Makes an API key; its token is told once',
      writes: true,
      body: {
        description: 'Whose it is and what it may do',
        type: json,
        schema: apiKeyRequestSchema,
      },
      replies: { 201: { description: 'It is made', type: json, schema: apiKeyCreatedSchema } },
    },
    async (call, principal) => {
      const { environment, owner, policies, scopes } = await call.json(
        apiKeyRequestSchema,
        maxBytes,
      )
      requireOwn(principal, scopes)
      const bound = inherit(principal.bound, policies ?? [], environment ?? null)
      const { caller, tenant } = principal
      const created = service.createApiKey(tenant, owner, scopes, caller, bound)
      return jsonReply(201, await changing(authenticator, created))
    },
  )

const revokeRoute = (service: Service, admit: Admission, authenticator: Authenticator): Route =>
  route(
    admit.scope('apikeys:manage'),
    {
      method: 'DELETE',
      path: `${path}/{id}`,
      summary: 'Revokes an API key, for ever',
      writes: true,
      replies: { 200: { description: 'It is revoked', type: json, schema: apiKeySchema } },
    },
    async (call, { caller, tenant }) => {
      const id = call.param('id')
      if (!idPattern.test(id)) throw new Failure('INPUT_NOT_FOUND', 'No such API key')
      const revoked = service.revokeApiKey(tenant, id, caller)
      return jsonReply(200, await changing(authenticator, revoked))
    },
  )

/** The routes of API keys. */
export const apiKeyRoutes = (
  service: Service,
  admit: Admission,
  authenticator: Authenticator,
  maxBytes: number,
): readonly Route[] => [
  listRoute(service, admit, new TenantLines()),
  createRoute(service, admit, authenticator, maxBytes),
  revokeRoute(service, admit, authenticator),
]
