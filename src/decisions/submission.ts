// What a decision says, as canonical text of each member. A finished decision is put into this form where its request was checked, so that the thread
// that signs neither parses nor sorts it: an eighth of what a decision costs there.
import { canonicalize } from '../base/canonical-json.ts'
import type { DecisionMatter } from '../dossier/matters.ts'
import type { MadeDecision } from './evaluate.ts'

/** What of a decision its maker has said; what he left out he is taken to have said by its default. */
type Said = Omit<
  DecisionMatter,
  'id' | 'time' | 'producer' | 'caller' | 'source' | 'idempotencyKey'
>

/** Canonical JSON text of every member that a decision's maker answers for. */
export type Members = Readonly<Record<keyof Said, string>>

/** A checked decision on its way into the log; plain data. */
export interface Submission {
  readonly status: DecisionMatter['status']
  readonly mode: DecisionMatter['mode']
  /** Id of the intent's actor. */
  readonly actor: string
  /** Type of the intent's action. */
  readonly action: string
  readonly idempotencyKey: string | null
  /** How long a reviewer may take. */
  readonly decideWithinSeconds: number | undefined
  readonly members: Members
}

/** A decision that was made by a copy of the policies, on its way into the log; plain data. */
export interface EvaluatedSubmission {
  /** Canonical text of the request, which is what an idempotency key stands for; empty without one. */
  readonly asked: string
  /** Of the copy. */
  readonly epoch: string
  readonly said: Submission
  /** When it was made, ms since 1970. */
  readonly time: number
}

/** @throws {@link Failure} INPUT_INVALID naming what has no canonical form */
const membersOf = (said: MadeDecision | DecisionMatter): Members => ({
  confidence: canonicalize(said.confidence ?? null),
  gates: canonicalize(said.gates ?? []),
  intent: canonicalize(said.intent),
  links: canonicalize(said.links ?? {}),
  maxUses: canonicalize(said.maxUses ?? null),
  mode: canonicalize(said.mode ?? 'enforce'),
  obligations: canonicalize(said.obligations ?? []),
  overridable: canonicalize(said.overridable ?? true),
  policies: canonicalize(said.policies ?? []),
  reasons: canonicalize(said.reasons ?? []),
  status: canonicalize(said.status),
  trace: canonicalize(said.trace ?? null),
})

/**
 * A decision as the service takes it.
 * @param idempotencyKey the key of the request, which the decision itself does not name
 * @throws {@link Failure} INPUT_INVALID naming what has no canonical form
 */
export const submissionOf = (
  made: MadeDecision,
  idempotencyKey: string | null = null,
): Submission => ({
  status: made.status,
  mode: made.mode ?? 'enforce',
  actor: made.intent.actor.id,
  action: made.intent.action.type,
  idempotencyKey,
  decideWithinSeconds: made.decideWithinSeconds,
  members: membersOf(made),
})

/** The canonical text of all that was said, by which a request is known again: members stand in order. */
export const canonicalSaid = (members: Members): string =>
  `{${Object.entries(members)
    .map(([name, text]) => `"${name}":${text}`)
    .join(',')}}`

/** As {@link canonicalSaid}, of a decision that was notarised. */
export const canonicalMatter = (matter: DecisionMatter): string => canonicalSaid(membersOf(matter))
