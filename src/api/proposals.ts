// Proposals: intents on which people of the roster vote. Who proposes, votes or withdraws is the owner of the API key; no body says it.
import { Failure } from '../base/failure.ts'
import { isUuid } from '../base/uuid.ts'
import { proposalStreamOf } from '../dossier/kinds.ts'
import { dossierMediaType } from '../dossier/v1.ts'
import type { Service } from '../decisions/service.ts'
import {
  proposalListQuerySchema,
  proposalOpeningSchema,
  proposalPageSchema,
  proposalReasonSchema,
  proposalViewSchema,
  proposalVoteSchema,
  type ProposalAct,
} from '../wire/proposals.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { jsonReply, route, type Description, type Route } from './route.ts'

const json = 'application/json'
const path = '/v1/proposals'
const told = {
  description: 'How it stands with the proposal',
  type: json,
  schema: proposalViewSchema,
}
const defaultPage = 50

function idOf(call: Call): string {
  const id = call.param('id')
  if (!isUuid(id)) throw new Failure('INPUT_NOT_FOUND', 'No such proposal')
  return id
}

// Who may propose could as well submit a finished ALLOW: the vote lets nobody do more.
const openRoute = (service: Service, admit: Admission, maxBytes: number): Route =>
  route(
    admit.scope('decisions:submit'),
    {
      method: 'POST',
      path,
      summary: 'Lets people of the roster vote on an intent before it becomes a decision',
      writes: true,
      body: {
        description: 'The intent, and by what rule is voted',
        type: json,
        schema: proposalOpeningSchema,
      },
      replies: { 201: told },
      failures: ['PROPOSAL_REFUSED', 'TENANT_CLOSED'],
    },
    async (call, principal) => {
      const opening = await call.json(proposalOpeningSchema, maxBytes)
      return jsonReply(201, await service.openProposal(principal, opening))
    },
  )

const readRoutes = (service: Service, admit: Admission): readonly Route[] => [
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path,
      summary: 'Lists proposals, the last opened first',
      query: proposalListQuerySchema,
      replies: { 200: { description: 'A page', type: json, schema: proposalPageSchema } },
    },
    async (call, { tenant }) => {
      const query = call.query(proposalListQuerySchema)
      return jsonReply(200, await service.listProposals(tenant, { limit: defaultPage, ...query }))
    },
  ),
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}`,
      summary: 'Tells of a proposal',
      replies: { 200: told },
    },
    async (call, { tenant }) => jsonReply(200, await service.readProposal(tenant, idOf(call))),
  ),
  route(
    admit.scope('decisions:read'),
    {
      method: 'GET',
      path: `${path}/{id}/dossier`,
      summary: 'Gives the dossier of a proposal: every vote with its proof',
      replies: { 200: { description: 'The dossier', type: dossierMediaType } },
    },
    async (call, { tenant }) => {
      const body = await service.exportDossier(tenant, proposalStreamOf(idOf(call)))
      return { body, status: 200, type: dossierMediaType }
    },
  ),
]

/** One thing that is done to a proposal. */
const actRoute = (
  service: Service,
  admit: Admission,
  scope: 'decisions:submit' | 'escalations:decide',
  act: ProposalAct['act'],
  description: Pick<Description, 'body' | 'summary'>,
  actOf: (call: Call) => Promise<ProposalAct>,
): Route =>
  route(
    admit.scope(scope),
    {
      method: 'POST',
      path: `${path}/{id}/${act}`,
      writes: true,
      replies: { 200: told },
      ...description,
      failures: ['PROPOSAL_REFUSED', 'TENANT_CLOSED'],
    },
    async (call, principal) => {
      const id = idOf(call)
      return jsonReply(200, await service.actOnProposal(principal, id, await actOf(call)))
    },
  )

/** The routes of proposals. */
export const proposalRoutes = (
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] => [
  openRoute(service, admit, maxBytes),
  ...readRoutes(service, admit),
  actRoute(
    service,
    admit,
    'escalations:decide',
    'vote',
    {
      body: { description: 'The vote', type: json, schema: proposalVoteSchema },
      summary: 'Votes, as the person of the roster who owns the API key, once and for good',
    },
    async (call) => ({ act: 'vote', ...(await call.json(proposalVoteSchema, maxBytes)) }),
  ),
  actRoute(
    service,
    admit,
    'decisions:submit',
    'withdraw',
    {
      body: { description: 'Why', type: json, schema: proposalReasonSchema },
      summary: 'Withdraws a proposal, as whoever proposed it, while the vote is open',
    },
    async (call) => ({ act: 'withdraw', ...(await call.json(proposalReasonSchema, maxBytes)) }),
  ),
  actRoute(
    service,
    admit,
    'decisions:submit',
    'close',
    { summary: 'Closes a proposal whose deadline has passed; what was closed stays as it is' },
    () => Promise.resolve({ act: 'close' }),
  ),
]
