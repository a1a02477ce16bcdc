// What the log says of what somebody is about to sign. A challenge names a decision by its id and a bundle by its digest, so whoever signs would sign
// blind: here stands what these are, on standard error, in words of ours around the words of strangers. It is told for the reader alone and never signed;
// where something cannot be read that is said, and signing goes on, for the challenge binds what is signed.
import { encodeHex, utf8 } from '../base/bytes.ts'
import { asFailure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import { readEffect, type ActionEffect } from '../dossier/action-effects.ts'
import { parseChallenge } from '../dossier/challenge.ts'
import { actionStreamOf } from '../dossier/kinds.ts'
import { parseLeaf } from '../dossier/leaf.ts'
import { matters, type DecisionMatter } from '../dossier/matters.ts'
import { firstIssue, parseStatement } from '../dossier/statement.ts'
import { parseDossier } from '../dossier/v1.ts'
import type { PersonKey, Roster } from '../dossier/roster.ts'
import type { Service } from '../decisions/service.ts'
import { actionViewSchema, type ActionView } from '../wire/actions.ts'
import type { EscalationView } from '../wire/escalations.ts'
import { overrideViewSchema, type OverrideView } from '../wire/overrides.ts'
import type { ProposalView } from '../wire/proposals.ts'
import { factsOfEffect } from './briefing-effects.ts'
import type { Context } from './command.ts'
import { firstFacts, formatFacts, membersOf, type Fact } from './facts.ts'
import { date } from './terminal.ts'

type Facts = readonly Fact[]

/** What is read of the log. */
type Source = Pick<
  Service,
  | 'exportDossier'
  | 'listKeys'
  | 'listPolicies'
  | 'listTenants'
  | 'readAction'
  | 'readControl'
  | 'readDecision'
  | 'readEscalation'
  | 'readOverride'
>

/** Facts, or the fact that they cannot be read. */
async function readable(what: string, read: () => Promise<Facts>): Promise<Facts> {
  try {
    return await read()
  } catch (error) {
    return [[what, `cannot be read: ${asFailure(error).message}`]]
  }
}

function factsOfIntent({
  action,
  actor,
  context,
  policyRefs = [],
  resource,
}: DecisionMatter['intent']) {
  const { id, type, ...more } = actor
  const { type: does, ...how } = action
  return [
    ['actor', type === undefined ? id : `${id} (${type})`],
    ...membersOf('actor', more),
    ['action', does],
    ...membersOf('action', how),
    ...membersOf('resource', resource),
    ...membersOf('context', context),
    ...firstFacts(policyRefs.map((ref) => ['policy named', ref])),
  ] satisfies Facts
}

function factsOfGrounds({ gates, policies, reasons }: DecisionMatter): Facts {
  const failed = gates.filter(({ passed }) => !passed)
  const decided = policies.filter(({ effect }) => effect !== 'not_applicable')
  return [
    ...firstFacts(
      reasons.map(({ code, text }) => ['because', text === undefined ? code : `${code}: ${text}`]),
    ),
    ...firstFacts(
      failed.map(({ name, reason }) => [
        'gate failed',
        reason === undefined ? name : `${name}: ${reason}`,
      ]),
    ),
    ...firstFacts(
      decided.map(({ effect = '-', id, version = '-' }) => [
        'policy',
        `${id} ${version}: ${effect}`,
      ]),
    ),
  ]
}

/** What a decision is about, how it came out and who asked. */
const factsOfDecision = (source: Source, tenant: string, id: string): Promise<Facts> =>
  readable('decision', async () => {
    const { by, decision, erased, inForce, time } = await source.readDecision(tenant, id)
    if (erased || decision === null) return [['decision', `${id}: erased, its content is gone`]]
    const parsed = matters.decision.safeParse(JSON.parse(decision))
    if (!parsed.success) return [['decision', `${id}: cannot be read: ${firstIssue(parsed.error)}`]]
    const { caller, intent, mode, status } = parsed.data
    return [
      ['decision', id],
      ...factsOfIntent(intent),
      ['status', mode === 'shadow' ? `${status} (shadow)` : status],
      ...(inForce === null || inForce === status
        ? []
        : [['in force', by === null ? inForce : `${inForce} by ${by}`] as const]),
      ...factsOfGrounds(parsed.data),
      ['asked by', `${caller.owner} (${caller.type} ${caller.id})`],
      ['asked at', date(time)],
    ]
  })

/** When a request was opened, by the clock of the log. */
const factsOfOpening = (
  source: Source,
  tenant: string,
  stream: string,
  request: string,
): Promise<Facts> =>
  readable('requested at', async () => {
    const dossier = parseDossier(await source.exportDossier(tenant, stream))
    const entries = typeof dossier === 'string' ? [] : dossier.entries
    for (const { leaf: bytes, payload } of entries) {
      const statement = payload === null ? '' : parseStatement(payload)
      const leaf = parseLeaf(bytes)
      if (typeof statement === 'string' || typeof leaf === 'string') continue
      const told = matters.override.safeParse(statement.predicate.matter)
      if (told.success && told.data.event === 'opened' && told.data.request === request)
        return [['requested at', date(leaf.time)]]
    }
    return []
  })

/** Who asks two leads for something, why and until when. */
async function factsOfRequest(
  source: Source,
  tenant: string,
  stream: string,
  view: Pick<OverrideView, 'challenge' | 'signatures' | 'status' | 'void'>,
): Promise<Facts> {
  const challenge = parseChallenge(view.challenge)
  if (typeof challenge === 'string') return [['request', `cannot be read: ${challenge}`]]
  const { approveBy, executeBy, justification, nonce, requesters } = challenge
  return [
    ['request', view.void ? `${view.status}, void: the roster has changed` : view.status],
    ...requesters.map((requester) => ['requested by', requester] as const),
    ...(await factsOfOpening(source, tenant, stream, nonce)),
    ['why', justification],
    ...view.signatures.map(({ person, role }) => ['signed by', `${person} (${role})`] as const),
    ['approve by', date(approveBy)],
    ['execute by', date(executeBy)],
  ]
}

const head = 'What the log says of what is signed:\n'

const tell = ({ err }: Context, parts: readonly Facts[]): void => {
  err.note(`${head}${formatFacts(parts.flat())}`)
}

/** The request to overrule a decision, after telling whoever signs it what it is about. */
export async function briefOnOverride(
  context: Context,
  source: Source,
  tenant: string,
  id: string,
): Promise<OverrideView> {
  const view = overrideViewSchema.parse(await source.readOverride(tenant, id))
  const { decision } = view
  tell(context, [
    await factsOfDecision(source, tenant, decision),
    await factsOfRequest(source, tenant, decision, view),
  ])
  return view
}

/** What an action does, in the words of the log. */
async function factsOfAction(source: Source, tenant: string, view: ActionView): Promise<Facts> {
  const effect: ActionEffect | string = readEffect(view.effect)
  if (typeof effect === 'string') return [['effect', `cannot be read: ${effect}`]]
  const { action, ...more } = effect
  const about =
    effect.action === 'erase'
      ? await factsOfDecision(source, tenant, effect.decision)
      : await readable('about it', () => factsOfEffect(source, tenant, effect))
  return [['effect', action], ...membersOf('effect', more), ...about]
}

/** An action, after telling whoever signs it what it does. */
export async function briefOnAction(
  context: Context,
  source: Source,
  tenant: string,
  id: string,
): Promise<ActionView> {
  const view = actionViewSchema.parse(await source.readAction(tenant, id))
  tell(context, [
    await factsOfAction(source, tenant, view),
    await factsOfRequest(source, tenant, actionStreamOf(view.action), view),
  ])
  return view
}

/** Tells whoever answers an escalation what is held. */
export async function briefOnEscalation(
  context: Context,
  source: Source,
  tenant: string,
  id: string,
): Promise<void> {
  const held = readable('escalation', async () => {
    const view: EscalationView = await source.readEscalation(tenant, id, 0)
    const { deadline, openedAt, overruled, status } = view
    return [
      ['escalation', overruled ? `${status}, overruled by two leads` : status],
      ['held since', date(openedAt)],
      ['answer by', date(deadline)],
    ]
  })
  tell(context, [await factsOfDecision(source, tenant, id), await held])
}

/** A key as it is compared by eye; of a long one its beginning, and the SHA-256 of its text. */
const keyText = ({ key, kind }: { readonly key: string; readonly kind: string }): string =>
  key.length <= 512
    ? `${kind} ${key}`
    : `${kind} ${key.slice(0, 64)}… (${key.length} characters, SHA-256 ${encodeHex(sha256(utf8(key)))})`

/** The last instant that has a date, in ms since 1970. */
const lastDated = 8_640_000_000_000_000
const boundText = (ms: number): string => (ms > lastDated ? `${ms} ms since 1970` : date(ms))

/** When the signatures of a key count, where the roster bounds that. */
export const boundsOf = ({ notAfter, notBefore }: PersonKey): string =>
  [
    ...(notBefore > 0 ? [`from ${boundText(notBefore)}`] : []),
    ...(notAfter === null ? [] : [`until ${boundText(notAfter)}`]),
  ].join(' ')

const factsOfKey = (key: PersonKey): Facts => {
  const bounds = boundsOf(key)
  return [
    ['key', key.revoked ? `revoked, ${keyText(key)}` : keyText(key)],
    ...(bounds === '' ? [] : [['counts', bounds] as const]),
  ]
}

/** Tells whoever signs a roster what is in it: the text that is signed has but the digest. All is told and whole, for nothing may hide behind the rest. */
export function briefOnRoster({ err }: Context, { people, recovery, version }: Roster): void {
  const facts: Facts = [
    ['version', String(version)],
    ...people.flatMap(({ id, keys, roles }) => [
      ['person', id] as const,
      ['roles', roles.join(', ') || 'none'] as const,
      ...keys.flatMap(factsOfKey),
    ]),
    ...(recovery === null
      ? []
      : [
          ['recovery', `any ${recovery.threshold} of these ${recovery.keys.length}`] as const,
          ...recovery.keys.map((key) => ['key', keyText(key)] as const),
        ]),
  ]
  err.note(`Who is in the roster that is signed:\n${formatFacts(facts, Infinity)}`)
}

/** Tells whoever votes what a proposal is about. */
export function briefOnProposal(context: Context, view: ProposalView): void {
  const { deadline, intent, note, openedAt, proposal, proposer, status, votes } = view
  tell(context, [
    [['proposal', proposal]],
    factsOfIntent(intent),
    [
      ['status', status],
      ['proposed by', proposer],
      ['proposed at', date(openedAt)],
      ...(note === null ? [] : [['why', note] as const]),
      ...firstFacts(votes.map(({ vote, voter }) => ['vote', `${vote} by ${voter}`])),
      ['vote by', date(deadline)],
    ],
  ])
}
