// What a PROVENANCE client is answered. Its request becomes an intent, the policies of the tenant decide, and where they want a reviewer the request is
// held until there is an answer. Nothing but an ALLOW lets the client act, so whatever cannot be told in time is a BLOCK that says so.
import { decodeBase64 } from '../base/base64.ts'
import { fromUtf8 } from '../base/bytes.ts'
import { canonicalize } from '../base/canonical-json.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import { isNamed } from '../policy/select.ts'
import type { Notarised } from '../wire/decision.ts'
import type { EscalationView } from '../wire/escalations.ts'
import type { GatewayAnswer, GatewayRequest } from '../wire/gateway.ts'
import { matterOf } from './checked.ts'
import { evaluateRequest, isMadeUnder, type MadeDecision } from './evaluate.ts'
import { decisionOf, readDecisionStream } from './follow-up.ts'
import { readBook } from './policy-book.ts'
import type { Room } from './room.ts'
import type { Principal } from './service.ts'

/** A decision that policies have made, or why they have made none. */
type GatewayDecision = { readonly decided: MadeDecision } | { readonly refused: string }

/** Decides what a client asks for, by the policies of its tenant and never by the client's own guess. */
export type GatewayDecider = (
  room: Room,
  principal: Principal,
  request: GatewayRequest,
) => Promise<GatewayDecision>

/** What a client wants to do, as an intent. */
export const intentOf = ({
  action,
  actor_human_id: human,
  agent_id: id,
  parameters,
  session_id: session,
  tenant_policy_id: policy,
}: GatewayRequest): DecisionMatter['intent'] => ({
  action: { type: action },
  actor: { id },
  context: {
    parameters: parameters ?? {},
    session_id: session,
    ...(human == null ? {} : { actor_human_id: human }),
  },
  ...(policy == null ? {} : { policyRefs: [policy] }),
})

/**
 * Decides by the policies of the tenant. Naming one adds it to those that decide anyhow; where none is active nothing is allowed. What the client cannot
 * carry out it is not asked to.
 */
export const decideByPolicies: GatewayDecider = async (room, principal, request) => {
  const { tenant_policy_id: policy } = request
  const { active } = await readBook(room)
  if (policy == null && active.length === 0) return { refused: 'tenant_policy_id is required' }
  if (policy != null && !active.some(({ compiled }) => isNamed(policy, compiled)))
    return { refused: 'tenant_policy_id not found' }
  const asked = { intent: intentOf(request), supports: ['log_only' as const] }
  const decided = await evaluateRequest(room, asked, principal.bound)
  return { decided }
}

/**
 * Whether a decision was asked for by the same caller, under the same bonds, for the same thing.
 * @throws {@link Failure} INPUT_NOT_FOUND, INPUT_ERASED
 */
export async function isSameAsk(
  room: Room,
  { bound, caller }: Principal,
  id: string,
  request: GatewayRequest,
): Promise<boolean> {
  const [first] = await readDecisionStream(room, id)
  const asked = first && decisionOf(first)
  return (
    asked?.caller.owner === caller.owner &&
    isMadeUnder(asked, bound) &&
    canonicalize(asked.intent) === canonicalize(intentOf(request))
  )
}

/** Whether a use of a decision was claimed by the same owner with the same note. @throws {@link Failure} INPUT_NOT_FOUND */
export async function isUsedBy(
  room: Room,
  { caller }: Principal,
  id: string,
  note: string,
): Promise<boolean> {
  return (await readDecisionStream(room, id)).some((entry) => {
    const use = entry.kind === 'execution' ? matterOf(entry, 'execution') : undefined
    return use?.note === note && use.caller.owner === caller.owner
  })
}

/** What of a request an idempotency key stands for: everything but the key and the client's guess. */
export const askedOf = (request: GatewayRequest): string =>
  canonicalize(
    Object.fromEntries(
      Object.entries(request).filter(([name]) => name !== 'decision' && name !== 'idempotency_key'),
    ),
  )

/** A BLOCK, or an ALLOW, without a decision behind it. */
const told = (
  decision: GatewayAnswer['decision'],
  reason: string,
  more: Partial<GatewayAnswer> = {},
): GatewayAnswer => ({
  actor_human_id: null,
  decision,
  escalation_id: null,
  event_id: null,
  reason,
  ...more,
})

/** What is told where no decision was made. */
export const answerRefused = (reason: string): GatewayAnswer => told('BLOCK', reason)

interface Said {
  readonly predicate: { readonly matter: Pick<DecisionMatter, 'reasons'> }
}

/** Why a decision is what it is, in one line. */
export function reasonOf({ envelope, status }: Notarised): string {
  const payload = decodeBase64(envelope?.payload ?? '')
  if (payload === undefined || payload.length === 0) return status
  const { predicate } = JSON.parse(fromUtf8(payload)) as Said
  return predicate.matter.reasons.map(({ code, text }) => text ?? code).join('; ') || status
}

/** What is told of a decision that was not held: only an ALLOW allows. */
export const answerDecided = (
  { id, status }: Pick<Notarised, 'id' | 'status'>,
  reason: string,
): GatewayAnswer => told(status === 'ALLOW' ? 'ALLOW' : 'BLOCK', reason, { event_id: id })

/** What is told of a decision that was held, as it stands now. */
export function answerHeld(
  { id, overruled, person, status }: EscalationView,
  pending = 'still undecided, ask again with the same idempotency_key',
): GatewayAnswer {
  const about = { actor_human_id: person, escalation_id: id, event_id: id }
  if (overruled) return told('ALLOW', 'Escalation OVERRULED by two leads', about)
  switch (status) {
    case 'approved':
      return told('ALLOW', `Escalation APPROVED by ${person ?? ''}`, about)
    case 'rejected':
      return told('BLOCK', 'Escalation REJECT — action blocked', about)
    case 'timed-out':
      return told('BLOCK', 'Escalation TIMEOUT — action blocked', about)
    case 'pending':
      return told('BLOCK', `Escalation PENDING — ${pending}`, about)
  }
}

/** What is told of a decision that is an ALLOW for one use, which was made. */
export const answerUsed = ({ id, person }: EscalationView): GatewayAnswer =>
  told('BLOCK', 'Approval is for one use and was used — ask anew, without escalation_id', {
    actor_human_id: person,
    escalation_id: id,
    event_id: id,
  })

/** Why no decision was made, on its way out of whoever was to notarise it. */
export class Refusal extends Error {
  override readonly name = 'Refusal'
}
