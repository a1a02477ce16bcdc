// The use cases of decisions and their evidence, each in the room of its tenant.
import type { Access } from './access.ts'
import { readCheckedStream } from './checked.ts'
import { exportSigstoreBundle } from './copies.ts'
import { erase } from './erasure.ts'
import type { EscalationHall } from './escalation-hall.ts'
import { claim } from './follow-up.ts'
import type { Notariser } from './notarise.ts'
import { expectNotClosed, type Room } from './room.ts'
import type { Principal, Service } from './service.ts'

type DecisionCalls = Pick<
  Service,
  | 'notarise'
  | 'submit'
  | 'submitEvaluated'
  | 'claim'
  | 'erase'
  | 'readDecision'
  | 'listDecisions'
  | 'exportDossier'
  | 'exportSigstoreBundle'
>

/** What is done with decisions. */
export function decisionCalls(
  access: Pick<Access, 'clock' | 'read' | 'reading' | 'sign' | 'use'>,
  notariser: Notariser,
  hall: Pick<EscalationHall, 'ring'>,
): DecisionCalls {
  const { clock, reading } = access
  const decide = <T>({ tenant }: Principal, work: (room: Room) => Promise<T>): Promise<T> =>
    access.sign(tenant, async (room) => {
      expectNotClosed(room)
      return work(room)
    })
  return {
    notarise: async (principal, text, idempotencyKey) =>
      decide(principal, (room) => notariser.notarise(room, principal, text, idempotencyKey)),

    submit: async (principal, submission) =>
      decide(principal, (room) => notariser.submit(room, principal, submission)),

    submitEvaluated: async (principal, submission) =>
      decide(principal, (room) => notariser.submitEvaluated(room, principal, submission)),

    claim: async (principal, id, request, left) =>
      decide(principal, (room) => claim(room, principal, id, request, left)),

    erase: async (principal, id, reason, action) => {
      const erased = await access.sign(principal.tenant, (room) =>
        erase(room, principal, id, reason, action),
      )
      hall.ring(principal.tenant, id)
      return erased
    },

    readDecision: async (tenant, id) =>
      access.use(tenant, async ({ log, store }) => {
        await readCheckedStream(store, tenant, id, log.head)
        return reading.readDecision(tenant, id, clock())
      }),

    listDecisions: async (tenant, request) =>
      access.read(tenant, (read) => read.listDecisions(tenant, request, clock())),

    exportDossier: async (tenant, stream, size) =>
      access.read(tenant, (read) => read.exportDossier(tenant, stream, size)),

    exportSigstoreBundle: async (tenant, id) =>
      access.sign(tenant, (room) => exportSigstoreBundle(room, id)),
  }
}
