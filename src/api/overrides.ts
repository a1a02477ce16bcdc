// Overruling decisions, and the roster of those who may. Who asks, rejects or revokes is the owner of the API key; whoever signs is told by the signature,
// so that anybody with the scope may deliver it.
import type { Service } from '../decisions/service.ts'
import {
  overrideListQuerySchema,
  overrideOpeningSchema,
  overridePageSchema,
  overrideViewSchema,
} from '../wire/overrides.ts'
import { rosterAppliedSchema, rosterProposalSchema, rosterViewSchema } from '../wire/roster.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { CaseRoutes } from './case-routes.ts'
import { jsonReply, route, type Route } from './route.ts'

const json = 'application/json'

const words = {
  path: '/v1/overrides',
  told: { description: 'How it stands with the request', type: json, schema: overrideViewSchema },
  failures: ['OVERRIDE_REFUSED', 'OVERRIDE_LIMIT', 'TENANT_CLOSED', 'INPUT_ERASED'],
  idOf: (call: Call) => call.decisionId(),
} as const

const scopes = { asking: 'overrides:request', signing: 'overrides:sign' } as const

const summaries = {
  sign: 'Delivers the signature of a lead',
  reject: 'Rejects the request, as the lead who owns the API key',
  revoke: 'Takes the request back',
  execute: 'Makes the decision an ALLOW for one use, once',
}

const rosterRoutes = (service: Service, admit: Admission, maxBytes: number): readonly Route[] => [
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: '/v1/roster',
      summary: 'Tells who may overrule, in which roles, by which keys',
      replies: { 200: { description: 'The roster', type: json, schema: rosterViewSchema } },
    },
    async (_, { tenant }) => jsonReply(200, await service.readRoster(tenant)),
  ),
  route(
    admit.scope('roster:manage'),
    {
      method: 'POST',
      path: '/v1/roster',
      summary: 'Lets a roster count that is signed as the one before demands',
      writes: true,
      body: { description: 'The roster, signed', type: json, schema: rosterProposalSchema },
      replies: { 201: { description: 'It counts', type: json, schema: rosterAppliedSchema } },
      failures: ['ROSTER_REFUSED'],
    },
    async (call, { caller, tenant }) => {
      const proposal = await call.json(rosterProposalSchema, maxBytes)
      return jsonReply(201, await service.applyRoster(tenant, proposal, caller))
    },
  ),
]

/** The routes of overrides and of the roster. */
export function overrideRoutes(
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] {
  const routes = new CaseRoutes(words, admit, maxBytes)
  return [
    routes.open(
      'overrides:request',
      'Asks two leads to overrule a decision; the answer holds what they sign',
      { description: 'Which, and why', schema: overrideOpeningSchema },
      ['INPUT_NOT_FOUND'],
      (principal, opening) => service.openOverride(principal, opening),
    ),
    routes.list(
      'Lists decisions that somebody asked to overrule, newest first',
      overrideListQuerySchema,
      overridePageSchema,
      (tenant, query) => service.listOverrides(tenant, query),
    ),
    routes.read(
      'Tells of the newest request to overrule a decision, by the id of the decision',
      (tenant, id) => service.readOverride(tenant, id),
      ['INPUT_ERASED'],
    ),
    ...routes.leadActs(scopes, summaries, (principal, id, act) =>
      service.actOnOverride(principal, id, act),
    ),
    ...rosterRoutes(service, admit, maxBytes),
  ]
}
