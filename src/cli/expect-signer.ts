// Whoever is about to sign hears first what would be refused anyhow, before a passphrase is typed, a token is touched or a signature is read: by the
// guards of the service, but for the signature, and in its words. This spares trouble and decides nothing: the service asks all of it again.
import { Failure } from '../base/failure.ts'
import { expectFree } from '../decisions/escalation-desk.ts'
import type { Service } from '../decisions/service.ts'
import { sameAsRequester } from '../decisions/two-key-acts.ts'
import type { EscalationAnswer } from '../dossier/escalation-challenge.ts'
import { leadRoles, parseChallenge } from '../dossier/challenge.ts'
import { matters } from '../dossier/matters.ts'
import type { PersonKey, Roster } from '../dossier/roster.ts'
import { advanceEscalation, escalationGuards } from '../verify/escalation-story.ts'
import {
  advanceRequest,
  twoKeyGuards,
  type LeadRole,
  type LeadSignature,
} from '../verify/two-key-story.ts'
import type { OverrideView } from '../wire/overrides.ts'
import { publicKeyOf, type ApproverFlags } from './approver.ts'
import type { Context, TenantFlags } from './command.ts'

type Flags = TenantFlags & ApproverFlags

/** What comes later, or was asked of the service, whose clock it is. */
const later = (): undefined => undefined

/** @throws {@link Failure} TENANT_CLOSED */
async function expectNotClosed(service: Pick<Service, 'readControl'>, tenant: string) {
  const { closedAt } = await service.readControl(tenant)
  if (closedAt !== null)
    throw new Failure('TENANT_CLOSED', `Tenant is closed, its log can only be read: ${tenant}`)
}

/** Refuses when each key that may be meant has a reason why it may not sign; the first is told. */
async function expectSome(
  context: Context,
  { people }: Roster,
  flags: Flags,
  refuse: (why: string) => Failure,
  judge: (person: string, key: PersonKey) => string | undefined,
): Promise<void> {
  const { person, publicKey, signature } = flags
  const pasted = signature !== undefined && publicKey === undefined
  const by = pasted ? undefined : await publicKeyOf(context, flags)
  const reasons = people
    .filter(({ id }) => person === undefined || id === person)
    .flatMap(({ id, keys }) => keys.map((key) => [id, key] as const))
    .filter(([, { key, kind }]) => by === undefined || (key === by.key && kind === by.kind))
    .map(([id, key]) => judge(id, key))
  if (reasons.includes(undefined)) return
  throw refuse(reasons[0] ?? 'Key is not in the roster, or not one of this person')
}

const asLead = ({ person, role }: OverrideView['signatures'][number]): readonly LeadSignature[] =>
  leadRoles.filter((name) => name === role).map((name) => ({ person, role: name }))

/**
 * Refuses a lead who could not sign a request that takes two keys.
 * @param now ms since 1970; by it keys are judged
 * @throws {@link Failure} `code`, TENANT_CLOSED, {@link Usage}
 */
export async function expectLead(
  context: Context,
  service: Pick<Service, 'readControl' | 'readRoster'>,
  view: Pick<OverrideView, 'challenge' | 'request' | 'signatures' | 'status'>,
  flags: Flags & { readonly role: LeadRole },
  code: 'ACTION_REFUSED' | 'OVERRIDE_REFUSED',
  now = Date.now(),
): Promise<void> {
  const refuse = (why: string): Failure => new Failure(code, why)
  const { challenge: text, request, signatures, status } = view
  if (code === 'OVERRIDE_REFUSED') await expectNotClosed(service, flags.tenant)
  if (status !== 'pending' && status !== 'partial')
    throw refuse(`Request is not open for signatures: ${status}`)
  const { current, ...place } = await service.readRoster(flags.tenant)
  const challenge = parseChallenge(text)
  if (current === null || typeof challenge === 'string') return
  const { roster, sha256: rosterSha256 } = current
  const before = { challenge, signatures: signatures.flatMap(asLead), status, text }
  const signed = {
    ...twoKeyGuards.signed,
    'before approve-by': later,
    'signature is good': later,
  }
  await expectSome(context, roster, flags, refuse, (person, { key, kind }) => {
    const event = {
      ...{ challenge: text, event: 'signed' as const, key, kind, person, request },
      ...{ role: flags.role, signature: '' },
    }
    const rivals = { executed: false, open: false }
    const scene = { owner: null, place, rivals, roster, rosterSha256, time: now }
    const next = advanceRequest(before, event, scene, { ...twoKeyGuards, signed })
    return typeof next === 'string' ? next : sameAsRequester(event, before)
  })
}

/** What a reviewer is about to sign. */
interface Answer {
  readonly answer: EscalationAnswer
  readonly reason: string
  readonly challenge: string
}

/**
 * Refuses a reviewer who could not answer an escalation by a signature.
 * @param now ms since 1970; by it keys are judged
 * @throws {@link Failure} ESCALATION_REFUSED, TENANT_CLOSED, INPUT_NOT_FOUND, {@link Usage}
 */
export async function expectReviewer(
  context: Context,
  service: Pick<Service, 'readControl' | 'readDecision' | 'readEscalation' | 'readRoster'>,
  id: string,
  { answer, challenge, reason }: Answer,
  flags: Flags,
  now = Date.now(),
): Promise<void> {
  const { tenant } = flags
  const refuse = (why: string): Failure => new Failure('ESCALATION_REFUSED', why)
  await expectNotClosed(service, tenant)
  const { deadline, intent, openedAt, overruled, status } = await service.readEscalation(
    tenant,
    id,
    0,
  )
  if (status !== 'pending') throw refuse(`Escalation is not open: ${status}`)
  const { current, ...place } = await service.readRoster(tenant)
  const { decision } = await service.readDecision(tenant, id)
  const matter = matters.decision.safeParse(JSON.parse(decision ?? 'null')).data
  if (current === null || matter === undefined) return
  const { roster, sha256 } = current
  const guards = {
    ...escalationGuards.approved,
    'before the deadline': later,
    'signature is good': later,
    'text is the one of this answer': later,
  }
  const scene = {
    ...{ byApiKey: false, overruled, owner: null, place, roster: { roster, sha256 } },
    ...{ decision: { intent, leaf: '', matter, time: openedAt }, step: 1, time: now },
  }
  const before = { answered: null, deadline, status }
  await expectSome(context, roster, flags, refuse, (person, { key, kind }) => {
    const event = {
      ...{ event: answer === 'approve' ? ('approved' as const) : ('rejected' as const) },
      ...{ person, reason, roster: { sha256, version: roster.version } },
      signature: { challenge, key, kind, signature: '' },
    }
    const all = { ...escalationGuards, approved: guards, rejected: guards }
    const next = advanceEscalation(before, event, scene, all)
    if (typeof next === 'string') return next
    expectFree(matter, event)
    return undefined
  })
}
