// The use cases where people are asked: before there is a decision (proposals), and about one that is held (escalations and the gateway).
import type { Access } from './access.ts'
import { challengeEscalation, decideEscalation } from './escalation-desk.ts'
import type { EscalationHall } from './escalation-hall.ts'
import { actOnProposal, listProposals, openProposal, readProposal } from './proposal-desk.ts'
import type { Service } from './service.ts'

type ProposalCalls = Pick<
  Service,
  'openProposal' | 'actOnProposal' | 'readProposal' | 'listProposals'
>
type EscalationCalls = Pick<
  Service,
  | 'readEscalation'
  | 'listEscalations'
  | 'challengeEscalation'
  | 'decideEscalation'
  | 'executeGateway'
  | 'endWaits'
>
type Ways = Pick<Access, 'sign' | 'use'>

/** What is done with intents that are voted on. */
export function proposalCalls(access: Ways, version: string): ProposalCalls {
  const producer = { name: 'countersign', version }
  return {
    openProposal: async (principal, opening) =>
      access.sign(principal.tenant, (room) => openProposal(room, principal, opening)),

    actOnProposal: async (principal, id, act) =>
      access.sign(principal.tenant, (room) => actOnProposal(room, principal, producer, id, act)),

    readProposal: async (tenant, id) => access.use(tenant, (room) => readProposal(room, id)),

    listProposals: async (tenant, request) =>
      access.use(tenant, (room) => listProposals(room, request)),
  }
}

/** What is done about decisions that are held. */
export const escalationCalls = (access: Ways, hall: EscalationHall): EscalationCalls => ({
  readEscalation: async (tenant, id, waitMs, left) => hall.read(tenant, id, waitMs, left),

  listEscalations: async (tenant, request) => hall.list(tenant, request),

  challengeEscalation: async (tenant, id, said) =>
    access.use(tenant, (room) => challengeEscalation(room, id, said)),

  decideEscalation: async (principal, id, deciding) => {
    const { tenant } = principal
    try {
      return await access.sign(tenant, (room) => decideEscalation(room, principal, id, deciding))
    } finally {
      // Also where it was refused, for its time may have run out.
      hall.ring(tenant, id)
    }
  },

  executeGateway: async (principal, request, left) => hall.execute(principal, request, left),

  endWaits: () => {
    hall.endWaits()
    return Promise.resolve()
  },
})
