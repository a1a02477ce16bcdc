// Actions that take two keys: asked for, signed, rejected, taken back. Each has a stream of its own, so that its dossier holds the whole story and a
// restart loses nothing. Whatever happens is judged twice by the rules of verifiers: before it is signed, and by the log with the very leaf time that it
// gets. What an action does is done by whoever does such things, who uses the approval up in the same commit: see control.ts.
import { encodeHex } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { randomBytes } from '../crypto/hash.ts'
import { actionIdOf, type ActionEffect } from '../dossier/action-effects.ts'
import { formatChallenge, type Challenge } from '../dossier/challenge.ts'
import { actionOfStream, actionStreamOf } from '../dossier/kinds.ts'
import type { Caller } from '../dossier/matters.ts'
import type { OverrideEvent } from '../dossier/override-events.ts'
import { rosterDigest, type Roster } from '../dossier/roster.ts'
import { advanceAction, type ActionScene } from '../verify/action-story.ts'
import { isOpen, type TwoKeyRequest } from '../verify/two-key-story.ts'
import type { ActionAct, ActionOpening, ActionPage, ActionView } from '../wire/actions.ts'
import type { OverrideListRequest } from '../wire/overrides.ts'
import type { Scope } from '../wire/decision.ts'
import { announce } from './announce.ts'
import { readStandingAction, type StandingAction } from './action-reading.ts'
import { nextPlace, readDecisionStream } from './follow-up.ts'
import { effectOfWish, orderOfEffect } from './guarded-orders.ts'
import { expectEndable } from './key-ending.ts'
import { enterNow, type Draft, type Room } from './room.ts'
import { placeOf, readRosterStory } from './roster-story.ts'
import type { Principal } from './service.ts'
import { eventOfAct, isOverdue, sameAsRequester } from './two-key-acts.ts'

const secondMs = 1000
const usualSeconds = { approve: 3600, execute: 7200 }

const refused = (why: string): Failure => new Failure('ACTION_REFUSED', why)

const noRoster = (): Failure =>
  refused('There is no roster, and nobody need sign: propose one first, or just do it')

const logTime = ({ clock, log }: Room): number => Math.max(clock(), log.head.time)

/** The scope by which an effect may be asked for and carried out, besides that of actions. */
const scopes: Readonly<Record<ActionEffect['action'], Scope | undefined>> = {
  'control.none': undefined,
  erase: 'decisions:erase',
  'keys.destroy': 'keys:manage',
  'keys.migrate': 'keys:manage',
  'keys.revoke': 'keys:manage',
  'keys.rotate-master': 'keys:manage',
  'policy.activate': 'policies:manage',
  'policy.retire': 'policies:manage',
  'tenant.close': undefined,
}

/** @throws {@link Failure} AUTH_SCOPE */
export function expectScope(principal: Principal, { action }: Pick<ActionEffect, 'action'>): void {
  const scope = scopes[action]
  if (scope !== undefined && !principal.scopes.includes(scope))
    throw new Failure('AUTH_SCOPE', `API key lacks the scope: ${scope}`)
}

/** Where an event of an action goes, and what has happened before. */
interface ActionPlace {
  readonly place: Pick<Draft, 'prev' | 'seq' | 'stream'>
  readonly before: TwoKeyRequest | undefined
  readonly roster: Roster | undefined
}

/** Lets an event happen. @throws {@link Failure} ACTION_REFUSED with the reason why it may not */
async function enterEvent(
  room: Room,
  { before, place, roster }: ActionPlace,
  event: OverrideEvent,
  by: Caller | null,
): Promise<void> {
  if (roster === undefined) throw noRoster()
  const sceneAt = (time: number): ActionScene => ({
    owner: by?.owner ?? null,
    place: placeOf(room),
    rivals: { executed: false, open: false },
    roster,
    rosterSha256: rosterDigest(roster),
    stream: place.stream,
    time,
  })
  const refuseAt = (time: number): Failure | undefined => {
    const next = advanceAction(before, event, sceneAt(time))
    return typeof next === 'string' ? refused(next) : undefined
  }
  const time = logTime(room)
  const refusal = refuseAt(time)
  if (refusal !== undefined) throw refusal
  const action = actionOfStream(place.stream)
  await enterNow(room, {
    effects: [announce(room, `action.${event.event}`, { action, request: event.request })],
    kind: event.event === 'signed' ? 'approval' : 'override',
    matter: { ...event, by, time },
    refuseAt,
    ...place,
  })
}

const placeIn = ({ entries, request, roster }: StandingAction): ActionPlace => ({
  before: request,
  place: nextPlace(entries),
  roster,
})

/** An action, after telling that its deadline has passed where it has. */
async function readCurrent(room: Room, id: string): Promise<StandingAction> {
  const standing = await readStandingAction(room, id)
  const { challenge } = standing.request
  if (!isOpen(standing.request) || !isOverdue(standing.request, logTime(room))) return standing
  await enterEvent(room, placeIn(standing), { event: 'expired', request: challenge.nonce }, null)
  return readStandingAction(room, id)
}

const alone = <T>(room: Room, work: () => Promise<T>): Promise<T> =>
  room.gate.alone(() => room.log.idle(), work)

function viewOf(room: Room, standing: StandingAction): ActionView {
  const { effect, entries, id, request, roster } = standing
  const { challenge, signatures, status, text } = request
  const { approveBy, executeBy, nonce } = challenge
  const over = isOpen(request) && isOverdue(request, logTime(room))
  const isVoid = roster === undefined || rosterDigest(roster) !== challenge.roster.sha256
  return {
    action: id,
    approveBy,
    challenge: text,
    done: null,
    dossierUrl: `/v1/actions/${id}/dossier`,
    effect,
    executeBy,
    index: entries.at(-1)?.index ?? 0,
    request: nonce,
    signatures: [...signatures],
    status: over ? 'expired' : status,
    void: isOpen(request) && isVoid,
  }
}

/** The decision that an effect is about, and the leaf of its entry. */
async function decisionOf(
  room: Room,
  effect: ActionEffect,
): Promise<Pick<Challenge, 'decision' | 'decisionLeaf'>> {
  if (effect.action !== 'erase') return { decision: null, decisionLeaf: null }
  const [first] = await readDecisionStream(room, effect.decision)
  if (first === undefined) throw new Failure('BUG', 'Stream without a decision')
  return { decision: effect.decision, decisionLeaf: encodeHex(first.leafHash) }
}

async function challengeOf(
  room: Room,
  roster: Roster,
  effect: ActionEffect,
  { approveWithinSeconds, executeWithinSeconds, justification }: ActionOpening,
  by: Caller,
): Promise<Challenge> {
  const approve = approveWithinSeconds ?? usualSeconds.approve
  const execute = executeWithinSeconds ?? Math.max(usualSeconds.execute, approve)
  const time = logTime(room)
  return {
    ...placeOf(room),
    ...(await decisionOf(room, effect)),
    approveBy: time + approve * secondMs,
    effect,
    executeBy: time + execute * secondMs,
    failedGates: [],
    justification,
    nonce: encodeHex(randomBytes(32)),
    requesters: [by.owner],
    roles: ['risk_lead', 'security_lead'],
    roster: { sha256: rosterDigest(roster), version: roster.version },
  }
}

/**
 * Asks two leads to sign an action.
 * @throws {@link Failure} ACTION_REFUSED, AUTH_SCOPE, INPUT_KEY_STATE, INPUT_NOT_FOUND, INPUT_INVALID, INPUT_TOO_LARGE
 */
export const openAction = (
  room: Room,
  principal: Principal,
  opening: ActionOpening,
): Promise<ActionView> =>
  alone(room, async () => {
    const { caller } = principal
    expectScope(principal, opening.wish)
    const effect = effectOfWish(room, opening.wish)
    expectEndable(room, orderOfEffect(effect))
    const roster = (await readRosterStory(room)).versions.at(-1)?.roster
    if (roster === undefined) throw noRoster()
    const challenge = await challengeOf(room, roster, effect, opening, caller)
    const { nonce } = challenge
    const id = actionIdOf(nonce)
    const event = {
      challenge: formatChallenge(challenge),
      event: 'opened' as const,
      request: nonce,
    }
    const place = { prev: null, seq: 0, stream: actionStreamOf(id) }
    await enterEvent(room, { before: undefined, place, roster }, event, caller)
    return viewOf(room, await readStandingAction(room, id))
  })

/**
 * Signs, rejects or takes back an action. Who does it is who called; a signature speaks for itself.
 * @throws {@link Failure} ACTION_REFUSED, INPUT_NOT_FOUND
 */
export const stepAction = (
  room: Room,
  { caller }: Principal,
  id: string,
  act: Exclude<ActionAct, { act: 'execute' }>,
): Promise<ActionView> =>
  alone(room, async () => {
    const standing = await readCurrent(room, id)
    const { request, roster } = standing
    const event = eventOfAct(act, request.challenge.nonce, request, roster, caller)
    if (typeof event === 'string') throw refused(event)
    const same = sameAsRequester(event, request)
    if (same !== undefined) throw refused(same)
    await enterEvent(room, placeIn(standing), event, caller)
    return viewOf(room, await readStandingAction(room, id))
  })

/** How it stands with an action. @throws {@link Failure} INPUT_NOT_FOUND */
export const readAction = async (room: Room, id: string): Promise<ActionView> =>
  viewOf(room, await readStandingAction(room, id))

const lastFirst = Number.MAX_SAFE_INTEGER

function placeOfCursor(cursor: string | undefined): number {
  if (cursor === undefined) return lastFirst
  if (/^\d{1,15}$/.test(cursor)) return Number(cursor)
  throw new Failure('INPUT_INVALID', 'Cursor is not one of ours', { field: 'cursor' })
}

/** Actions, newest first. @throws {@link Failure} INPUT_INVALID for a cursor that is none */
export async function listActions(
  room: Room,
  { cursor, limit }: OverrideListRequest,
): Promise<ActionPage> {
  const { store, tenant } = room
  const rows = await store.listActions(tenant.name, placeOfCursor(cursor), limit)
  const actions = []
  for (const { stream } of rows) {
    const told = await readAction(room, actionOfStream(stream))
    const { action, approveBy, effect, executeBy, index, status } = told
    actions.push({ action, approveBy, effect, executeBy, index, status })
  }
  const last = rows.at(-1)
  return {
    actions,
    cursor: rows.length < limit || last === undefined ? null : String(last.index),
  }
}
