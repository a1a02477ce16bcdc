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
} from '../wire/proposals.ts'
import type { Admission } from './admission.ts'
import type { Call } from './call.ts'
import { CaseRoutes } from './case-routes.ts'
import type { Route } from './route.ts'

function idOf(call: Call): string {
  const id = call.param('id')
  if (!isUuid(id)) throw new Failure('INPUT_NOT_FOUND', 'No such proposal')
  return id
}

const words = {
  path: '/v1/proposals',
  told: {
    description: 'How it stands with the proposal',
    type: 'application/json',
    schema: proposalViewSchema,
  },
  failures: ['PROPOSAL_REFUSED', 'TENANT_CLOSED'],
  idOf,
} as const

/** The routes of proposals. Who may propose could as well submit a finished ALLOW: the vote lets nobody do more. */
export function proposalRoutes(
  service: Service,
  admit: Admission,
  maxBytes: number,
): readonly Route[] {
  const routes = new CaseRoutes(words, admit, maxBytes)
  return [
    routes.open(
      'decisions:submit',
      'Lets people of the roster vote on an intent before it becomes a decision',
      { description: 'The intent, and by what rule is voted', schema: proposalOpeningSchema },
      [],
      (principal, opening) => service.openProposal(principal, opening),
    ),
    routes.list(
      'Lists proposals, the last opened first',
      proposalListQuerySchema,
      proposalPageSchema,
      (tenant, query) => service.listProposals(tenant, query),
    ),
    routes.read('Tells of a proposal', (tenant, id) => service.readProposal(tenant, id)),
    routes.file(
      'dossier',
      'Gives the dossier of a proposal: every vote with its proof',
      { description: 'The dossier', type: dossierMediaType },
      (tenant, id) => service.exportDossier(tenant, proposalStreamOf(id)),
    ),
    routes.act(
      'escalations:decide',
      'vote',
      'Votes, as the person of the roster who owns the API key, once and for good',
      { description: 'The vote', schema: proposalVoteSchema },
      (principal, id, vote) => service.actOnProposal(principal, id, { act: 'vote', ...vote }),
    ),
    routes.act(
      'decisions:submit',
      'withdraw',
      'Withdraws a proposal, as whoever proposed it, while the vote is open',
      { description: 'Why', schema: proposalReasonSchema },
      (principal, id, why) => service.actOnProposal(principal, id, { act: 'withdraw', ...why }),
    ),
    routes.plainAct(
      'decisions:submit',
      'close',
      'Closes a proposal whose deadline has passed; what was closed stays as it is',
      (principal, id) => service.actOnProposal(principal, id, { act: 'close' }),
    ),
  ]
}
