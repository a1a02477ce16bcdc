// Overruling decisions, and the roster of those who may. Who asks, rejects or revokes is the owner of the API key; whoever signs is told by the signature,
// so that anybody with the scope may deliver it.
import type { Service } from '../decisions/service.ts'
import {
  overrideListQuerySchema,
  overrideOpeningSchema,
  overridePageSchema,
  overrideReasonSchema,
  overrideSigningSchema,
  overrideViewSchema,
  type OverrideAct,
} from '../wire/overrides.ts'
import { rosterAppliedSchema, rosterProposalSchema, rosterViewSchema } from '../wire/roster.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { jsonReply, route, type Description, type Route } from './route.ts'

const json = 'application/json'
const path = '/v1/overrides'
const told = {
  description: 'How it stands with the request',
  type: json,
  schema: overrideViewSchema,
}
const failures = ['OVERRIDE_REFUSED', 'OVERRIDE_LIMIT', 'INPUT_ERASED'] as const

const openRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('overrides:request'),
    {
      method: 'POST',
      path,
      summary: 'Asks two leads to overrule a decision; the answer holds what they sign',
      writes: true,
      body: { description: 'Which, and why', type: json, schema: overrideOpeningSchema },
      replies: { 201: told },
      failures: [...failures, 'INPUT_NOT_FOUND'],
    },
    async (call, principal) => {
      const opening = await call.json(overrideOpeningSchema, maxBytes)
      return jsonReply(201, await service.openOverride(principal, opening))
    },
  )

const defaultPage = 50

const listRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path,
      summary: 'Lists decisions that somebody asked to overrule, newest first',
      query: overrideListQuerySchema,
      replies: { 200: { description: 'A page', type: json, schema: overridePageSchema } },
    },
    async (call, { tenant }) => {
      const query = call.query(overrideListQuerySchema)
      return jsonReply(200, await service.listOverrides(tenant, { limit: defaultPage, ...query }))
    },
  )

const readRoute = (service: Service, admit: Admission): Route =>
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}`,
      summary: 'Tells of the newest request to overrule a decision, by the id of the decision',
      replies: { 200: told },
      failures: ['INPUT_ERASED'],
    },
    async (call, { tenant }) =>
      jsonReply(200, await service.readOverride(tenant, call.decisionId())),
  )

/** One thing that is done to a request. */
function actRoute(
  service: Service,
  admit: Admission,
  scope: 'overrides:request' | 'overrides:sign',
  act: OverrideAct['act'],
  description: Pick<Description, 'body' | 'summary'>,
  actOf: (call: Call) => Promise<OverrideAct>,
): Route {
  return route(
    admit.scope(scope),
    {
      method: 'POST',
      path: `${path}/{id}/${act}`,
      writes: true,
      replies: { 200: told },
      failures,
      ...description,
    },
    async (call, principal) => {
      const id = call.decisionId()
      return jsonReply(200, await service.actOnOverride(principal, id, await actOf(call)))
    },
  )
}

const why = { description: 'Why', type: json, schema: overrideReasonSchema }

function actRoutes(service: Service, admit: Admission, maxBytes: number): readonly Route[] {
  const reasoned = (act: 'reject' | 'revoke') => async (call: Call) => ({
    act,
    ...(await call.json(overrideReasonSchema, maxBytes)),
  })
  return [
    actRoute(
      service,
      admit,
      'overrides:sign',
      'sign',
      {
        body: { description: 'The signature', type: json, schema: overrideSigningSchema },
        summary: 'Delivers the signature of a lead',
      },
      async (call) => ({ act: 'sign', signing: await call.json(overrideSigningSchema, maxBytes) }),
    ),
    actRoute(
      service,
      admit,
      'overrides:sign',
      'reject',
      { body: why, summary: 'Rejects the request, as the lead who owns the API key' },
      reasoned('reject'),
    ),
    actRoute(
      service,
      admit,
      'overrides:request',
      'revoke',
      { body: why, summary: 'Takes the request back' },
      reasoned('revoke'),
    ),
    actRoute(
      service,
      admit,
      'overrides:request',
      'execute',
      { summary: 'Makes the decision an ALLOW for one use, once' },
      () => Promise.resolve({ act: 'execute' }),
    ),
  ]
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
export const overrideRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => [
  openRoute(service, admit, maxBytes),
  listRoute(service, admit),
  readRoute(service, admit),
  ...actRoutes(service, admit, maxBytes),
  ...rosterRoutes(service, admit, maxBytes),
]
