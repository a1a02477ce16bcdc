// Proposals: opened, voted on, withdrawn, closed. Each has a stream of its own, so that its dossier holds the whole story and a restart loses nothing.
// Whatever happens is judged twice by the rules of verifiers: before it is signed, and by the log with the very leaf time that it gets. Closing and the
// decision that it comes to are one commit: of many who close one does, and there is never an outcome without its decision.
import { canonicalize } from '../base/canonical-json.ts'
import { utf8 } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { uuidv7 } from '../base/uuid.ts'
import { randomNonce } from '../crypto/hash.ts'
import { proposalOfStream, proposalStreamOf } from '../dossier/kinds.ts'
import type { Caller, DecisionMatter } from '../dossier/matters.ts'
import type { ProposalOutcome } from '../dossier/proposal-events.ts'
import { rosterDigest, type Person, type Roster } from '../dossier/roster.ts'
import type { ProposalMatter } from '../verify/judge-proposal.ts'
import {
  advanceProposal,
  decidedBy,
  outcomeAt,
  proposalEngine,
  type ProposalScene,
  type ProposalStory,
} from '../verify/proposal-story.ts'
import type {
  ProposalAct,
  ProposalListRequest,
  ProposalOpening,
  ProposalPage,
  ProposalView,
} from '../wire/proposals.ts'
import { expectOwnKey } from './api-keys.ts'
import { matterOf } from './checked.ts'
import { nextPlace } from './follow-up.ts'
import { namesakeOf } from './namesakes.ts'
import { readStandingProposal, type StandingProposal } from './proposal-reading.ts'
import { enterNow, expectNotClosed, type Draft, type PlacedDraft, type Room } from './room.ts'
import { readRosterStory } from './roster-story.ts'
import type { Principal } from './service.ts'

const secondMs = 1000
const usual = { threshold: { approvals: 2, of: 3 }, withinSeconds: 86_400 }

/** What a decision says beside the intent of its proposal needs room too. */
const roomForMore = 64 * 1024

const refused = (why: string): Failure => new Failure('PROPOSAL_REFUSED', why)

const logTime = ({ clock, log }: Room): number => Math.max(clock(), log.head.time)

const alone = <T>(room: Room, work: () => Promise<T>): Promise<T> =>
  room.gate.alone(
    () => room.log.idle(),
    () => {
      expectNotClosed(room)
      return work()
    },
  )

/** A step without what the desk says itself. */
type Told = ProposalMatter extends infer M
  ? M extends unknown
    ? Omit<M, 'by' | 'time'>
    : never
  : never

/** Where a step of a proposal goes, and what has happened before. */
interface StepPlace {
  readonly place: Pick<Draft, 'prev' | 'seq' | 'stream'>
  readonly before: ProposalStory | undefined
  readonly roster: Roster | undefined
}

/** Lets a step happen. @throws {@link Failure} PROPOSAL_REFUSED with the reason why it may not */
async function enterStep(
  room: Room,
  { before, place, roster }: StepPlace,
  told: Told,
  by: Caller,
  follow?: (placed: PlacedDraft) => Draft,
): Promise<void> {
  const time = logTime(room)
  const matter: ProposalMatter = { ...told, by, time }
  const sceneAt = (at: number): ProposalScene => ({
    owner: by.owner,
    roster: roster && { roster, sha256: rosterDigest(roster) },
    stream: place.stream,
    time: at,
  })
  const refuseAt = (at: number): Failure | undefined => {
    const next = advanceProposal(before, matter, sceneAt(at))
    return typeof next === 'string' ? refused(next) : undefined
  }
  const refusal = refuseAt(time)
  if (refusal !== undefined) throw refusal
  await enterNow(room, {
    kind: 'approval',
    matter,
    refuseAt,
    ...place,
    ...(follow === undefined ? {} : { follow }),
  })
}

const placeIn = ({ entries, roster, story }: StandingProposal): StepPlace => ({
  before: story,
  place: nextPlace(entries),
  roster,
})

/** What a vote has come to at a log time without anybody having closed it. */
function dueAt({ consensus, status }: ProposalStory, time: number): ProposalOutcome | null {
  const answer = status === 'open' ? outcomeAt(consensus, time) : undefined
  const state = answer?.ok === true ? answer.consensus.state : 'OPEN'
  return state === 'OPEN' ? null : state
}

function viewOf(room: Room, { entries, id, opening, story }: StandingProposal): ProposalView {
  const { consensus, decision, status } = story
  const { createdAt, deadline, proposer, quorum, threshold, voters, votes } = consensus
  return {
    deadline,
    decision,
    dossierUrl: `/v1/proposals/${id}/dossier`,
    due: dueAt(story, logTime(room)),
    index: entries.at(-1)?.index ?? 0,
    intent: opening.intent,
    note: opening.note,
    openedAt: createdAt,
    proposal: id,
    proposer,
    quorum,
    status,
    threshold,
    voters,
    votes: votes.map(({ time, vote, voter }) => ({ time, vote, voter })),
  }
}

/** The decision that a proposal comes to, behind its closing. It is asked for by whoever proposed, whoever closes. */
const decisionDraft =
  (
    producer: DecisionMatter['producer'],
    { id: proposal, opening, stream }: StandingProposal,
    outcome: ProposalOutcome,
    id: string,
  ) =>
  ({ leaf, time }: PlacedDraft): Draft => {
    const { by: caller, intent } = opening
    const matter: DecisionMatter = {
      ...decidedBy(outcome),
      caller,
      confidence: null,
      gates: [],
      id,
      idempotencyKey: null,
      intent,
      links: { parents: [proposal] },
      mode: 'enforce',
      obligations: [],
      policies: [],
      producer,
      source: 'evaluated',
      time,
      trace: { engine: proposalEngine, outcome, proposal: { leaf, stream } },
    }
    const filter = { action: intent.action.type, actor: intent.actor.id, status: matter.status }
    return { filter, kind: 'decision', matter, prev: null, seq: 0, stream: id }
  }

/** Closes what is due; false where the vote goes on. */
async function closeDue(
  room: Room,
  producer: DecisionMatter['producer'],
  standing: StandingProposal,
  by: Caller,
): Promise<boolean> {
  const time = logTime(room)
  const outcome = dueAt(standing.story, time)
  if (outcome === null) return false
  const id = uuidv7(time, randomNonce(10))
  const told = { decision: id, event: 'closed' as const, outcome, proposal: standing.id }
  const follow = decisionDraft(producer, standing, outcome, id)
  await enterStep(room, placeIn(standing), told, by, follow)
  return true
}

/**
 * Lets people of the roster vote on an intent.
 * @throws {@link Failure} PROPOSAL_REFUSED, INPUT_TOO_LARGE, TENANT_CLOSED
 */
export const openProposal = (
  room: Room,
  { caller }: Principal,
  opening: ProposalOpening,
): Promise<ProposalView> =>
  alone(room, async () => {
    const { intent, note, proposerMayVote = false, threshold = usual.threshold } = opening
    const most = limits.payloadBytes - roomForMore
    if (utf8(canonicalize(intent)).length > most)
      throw new Failure('INPUT_TOO_LARGE', `Intent of a proposal has more than ${most} bytes`)
    const roster = (await readRosterStory(room)).versions.at(-1)?.roster
    if (roster === undefined)
      throw refused('There is no roster whose people could vote: propose one first')
    const people = roster.people.filter(hasRole).map(({ id }) => id)
    const askers = proposerMayVote ? [] : [caller.owner, intent.actor.id]
    const { voters = people.filter((id) => namesakeOf(id, askers) === undefined) } = opening
    const partial = voters.find((id) => namesakeOf(id, askers) !== undefined)
    if (partial !== undefined)
      throw refused(
        `Who proposes may not vote, nor the actor, in whatever spelling, unless that is allowed: ${partial}`,
      )
    const former = roster.people.find((one) => !hasRole(one) && voters.includes(one.id))
    if (former !== undefined) throw refused(`Voter holds no role in the roster: ${former.id}`)
    const time = logTime(room)
    const id = uuidv7(time, randomNonce(10))
    const place = { prev: null, seq: 0, stream: proposalStreamOf(id) }
    await enterStep(
      room,
      { before: undefined, place, roster },
      {
        deadline: time + (opening.withinSeconds ?? usual.withinSeconds) * secondMs,
        event: 'proposed',
        intent,
        note: note ?? null,
        proposal: id,
        proposerMayVote,
        quorum: opening.quorum ?? voters.length,
        roster: { sha256: rosterDigest(roster), version: roster.version },
        threshold,
        voters: [...voters],
      },
      caller,
    )
    return viewOf(room, await readStandingProposal(room, id))
  })

/** Whether a person is still one of those who are asked: who leaves stays in the roster, and loses every role. */
const hasRole = ({ roles }: Person): boolean => roles.length > 0

/** Whose votes came from a command line, where the name is the operating system's. */
const localVoters = (entries: StandingProposal['entries']): readonly string[] =>
  entries.flatMap((entry) => {
    const matter = matterOf(entry, 'approval')
    return matter?.event === 'voted' && matter.by.type === 'local' ? [matter.by.owner] : []
  })

/**
 * Sees that who votes is still somebody, and not another name of somebody: voters are fixed when a proposal is opened, people of the roster come and go,
 * and whoever is at the host can have all its names.
 * @throws {@link Failure} PROPOSAL_REFUSED
 */
function expectOneself(
  { entries, roster, story }: StandingProposal,
  { owner, type }: Caller,
): void {
  // Of who is no voter the rules of evidence tell.
  if (!story.consensus.voters.includes(owner)) return
  if (roster?.people.some((one) => one.id === owner && hasRole(one)) !== true)
    throw refused(`Who calls holds no role in the roster that counts now: ${owner}`)
  const [other] = type === 'local' ? localVoters(entries).filter((name) => name !== owner) : []
  if (other !== undefined)
    throw refused(
      `One person votes at the command line, others by their API keys; it was ${other}, and not ${owner}`,
    )
}

/**
 * Votes on a proposal, withdraws or closes it. The vote that settles it closes it; closing what is closed changes nothing.
 * @throws {@link Failure} PROPOSAL_REFUSED, INPUT_NOT_FOUND, TENANT_CLOSED
 */
export const actOnProposal = (
  room: Room,
  { caller }: Principal,
  producer: DecisionMatter['producer'],
  proposal: string,
  act: ProposalAct,
): Promise<ProposalView> =>
  alone(room, async () => {
    const standing = await readStandingProposal(room, proposal)
    if (act.act === 'close') {
      const isOver = standing.story.decision !== null
      if (!isOver && !(await closeDue(room, producer, standing, caller)))
        throw refused(
          standing.story.status === 'open'
            ? 'The vote is still open'
            : `Proposal is over: ${standing.story.status}`,
        )
    } else {
      const told =
        act.act === 'vote'
          ? { event: 'voted' as const, note: act.note ?? null, proposal, vote: act.vote }
          : { event: 'withdrawn' as const, proposal, reason: act.reason }
      if (told.event === 'voted') {
        expectOneself(standing, caller)
        await expectOwnKey(room, caller)
      }
      await enterStep(room, placeIn(standing), told, caller)
      await closeDue(room, producer, await readStandingProposal(room, proposal), caller)
    }
    return viewOf(room, await readStandingProposal(room, proposal))
  })

/** How it stands with a proposal. @throws {@link Failure} INPUT_NOT_FOUND */
export const readProposal = async (room: Room, id: string): Promise<ProposalView> =>
  viewOf(room, await readStandingProposal(room, id))

/** Proposals, the last opened first. */
export async function listProposals(
  room: Room,
  { cursor, limit }: ProposalListRequest,
): Promise<ProposalPage> {
  const { store, tenant } = room
  const before = cursor === undefined ? undefined : proposalStreamOf(cursor)
  const streams = await store.listProposals(tenant.name, before, limit)
  const proposals = []
  for (const stream of streams) {
    const told = await readProposal(room, proposalOfStream(stream))
    const { deadline, decision, due, openedAt, proposal, proposer, status } = told
    proposals.push({ deadline, decision, due, openedAt, proposal, proposer, status })
  }
  const last = proposals.at(-1)
  return { cursor: streams.length < limit ? null : (last?.proposal ?? null), proposals }
}
