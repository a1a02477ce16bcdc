// What a decision says, as canonical text of each member. A finished decision is put into this form where its request was checked, so that the thread
// that signs neither parses nor sorts it: an eighth of what a decision costs there.
import { canonicalize } from '../base/canonical-json.ts'
import { invariant } from '../base/failure.ts'
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
  /** The members' texts, a line each in the order of their names: one string crosses to another thread faster than twelve. */
  readonly lines: string
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
  lines: Object.values(membersOf(made)).join('\n'),
})

/** The members of a submission; canonical JSON has no line breaks. */
export function membersIn({ lines }: Pick<Submission, 'lines'>): Members {
  const texts = lines.split('\n')
  invariant(texts.length === 12, 'Submission has not twelve lines')
  const at = (line: number): string => texts[line] ?? ''
  return {
    confidence: at(0),
    gates: at(1),
    intent: at(2),
    links: at(3),
    maxUses: at(4),
    mode: at(5),
    obligations: at(6),
    overridable: at(7),
    policies: at(8),
    reasons: at(9),
    status: at(10),
    trace: at(11),
  }
}

const joined = (members: Members): string =>
  `{${Object.entries(members)
    .map(([name, text]) => `"${name}":${text}`)
    .join(',')}}`

/** The canonical text of all that was said, by which a request is known again: members stand in order. */
export const canonicalSaid = (said: Pick<Submission, 'lines'>): string => joined(membersIn(said))

/** As {@link canonicalSaid}, of a decision that was notarised. */
export const canonicalMatter = (matter: DecisionMatter): string => joined(membersOf(matter))
