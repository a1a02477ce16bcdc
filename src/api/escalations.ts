// Escalations: who waits for one, who answers one. Who answers is the owner of the API key, or whoever has signed; no body says it.
import type { Service } from '../decisions/service.ts'
import {
  escalationChallengeQuerySchema,
  escalationChallengeSchema,
  escalationDecidingSchema,
  escalationListQuerySchema,
  escalationPageSchema,
  escalationViewSchema,
  escalationWaitSchema,
  mostWaitSeconds,
} from '../wire/escalations.ts'
import type { Admission } from './admission.ts'
import { jsonReply, route, type Route } from './route.ts'
import { TenantLines } from './tenant-lines.ts'

const json = 'application/json'
const path = '/v1/escalations'
const defaultPage = 50
const secondMs = 1000
const told = {
  description: 'How it stands with the escalation',
  type: json,
  schema: escalationViewSchema,
}

const listRoute = (service: Service, admit: Admission, lines: TenantLines): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path,
      summary: 'Lists decisions that were held for a reviewer, newest first',
      query: escalationListQuerySchema,
      replies: { 200: { description: 'A page', type: json, schema: escalationPageSchema } },
    },
    async (call, { tenant }) => {
      const query = { limit: defaultPage, ...call.query(escalationListQuerySchema) }
      const page = lines.run(call, tenant, () => service.listEscalations(tenant, query))
      return jsonReply(200, await page)
    },
  )

const readRoute = (service: Service, admit: Admission, lines: TenantLines): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}`,
      summary:
        'Tells of the escalation of a decision, by the id of the decision; waits for its end as many seconds as asked',
      query: escalationWaitSchema,
      holdMs: mostWaitSeconds * secondMs,
      replies: { 200: told },
      failures: ['INPUT_ERASED'],
    },
    async (call, { tenant }) => {
      const { wait = 0 } = call.query(escalationWaitSchema)
      const id = call.decisionId()
      const now = await lines.run(call, tenant, () => service.readEscalation(tenant, id, 0))
      if (wait === 0 || now.status !== 'pending' || now.overruled) return jsonReply(200, now)
      // Nobody waits for others who wait.
      const told = call.whileThere((left) =>
        service.readEscalation(tenant, id, wait * secondMs, left),
      )
      return jsonReply(200, await told)
    },
  )

const challengeRoute = (service: Service, admit: Admission, lines: TenantLines): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}/challenge`,
      summary: 'Gives the text that a reviewer signs who answers by a key of the roster',
      query: escalationChallengeQuerySchema,
      replies: { 200: { description: 'The text', type: json, schema: escalationChallengeSchema } },
      failures: ['ESCALATION_REFUSED', 'INPUT_ERASED', 'INPUT_TOO_LARGE'],
    },
    async (call, { tenant }) => {
      const said = call.query(escalationChallengeQuerySchema)
      const id = call.decisionId()
      const text = lines.run(call, tenant, () => service.challengeEscalation(tenant, id, said))
      return jsonReply(200, await text)
    },
  )

const decideRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('escalations:decide'),
    {
      method: 'POST',
      path: `${path}/{id}/decide`,
      summary: 'Approves or rejects, as the owner of the API key or as who has signed',
      writes: true,
      body: { description: 'The answer, and why', type: json, schema: escalationDecidingSchema },
      replies: { 200: told },
      failures: ['ESCALATION_REFUSED', 'TENANT_CLOSED', 'INPUT_ERASED'],
    },
    async (call, principal) => {
      const id = call.decisionId()
      const deciding = await call.json(escalationDecidingSchema, maxBytes)
      return jsonReply(200, await service.decideEscalation(principal, id, deciding))
    },
  )

/** The routes of escalations. */
export const escalationRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => {
  const lines = new TenantLines()
  return [
    listRoute(service, admit, lines),
    readRoute(service, admit, lines),
    challengeRoute(service, admit, lines),
    decideRoute(service, admit, maxBytes),
  ]
}
