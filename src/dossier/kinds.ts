// The evidence formats, version 1: statement, envelope, leaf, dossier, trust root. Pure and frozen: a second version is a new file beside the
// first. README.md in this folder is their definition byte for byte. This room decides nothing and verifies nothing; it builds and parses.

import { isUuid } from '../base/uuid.ts'

/** The kinds of entry, closed in v1. */
export const kinds = Object.freeze([
  'decision',
  'execution',
  'escalation',
  'approval',
  'override',
  'policy',
  'roster',
  'key',
  'trust',
  'admin',
  'anchor',
  'erasure',
] as const)

/** One of the kinds of entry. */
export type Kind = (typeof kinds)[number]

/** How an entry is protected: by its own composite signature, or by the checkpoint's post-quantum signature above it. */
export type Profile = 'each' | 'checkpoint'

/** The kinds that the `checkpoint` profile may sign with the fast key; all others always carry the composite signature. */
export const fastKinds: readonly Kind[] = Object.freeze(['decision', 'execution'] as const)

/** The in-toto predicate type of a kind. */
export const predicateTypeOf = (kind: Kind): string => `urn:countersign:${kind}:v1`

/** The streams of a log that are neither a decision's nor an action's. */
export const systemStreams = Object.freeze([
  'keys',
  'policies',
  'roster',
  'trust',
  'admin',
  'control',
] as const)

/** One of the streams of a log that are neither a decision's nor an action's. */
type SystemStream = (typeof systemStreams)[number]

const streamKinds: Readonly<Record<SystemStream, readonly Kind[]>> = Object.freeze({
  keys: ['key'],
  policies: ['policy'],
  roster: ['roster'],
  trust: ['trust'],
  admin: ['admin', 'anchor'],
  control: ['admin'],
})

const actionPrefix = 'action-'
const actionKinds: readonly Kind[] = Object.freeze(['approval', 'override'] as const)

/** The stream of an action, by its id (a UUID). */
export const actionStreamOf = (id: string): string => `${actionPrefix}${id}`

/** Whether a stream is an action's. */
export const isActionStream = (stream: string): boolean =>
  stream.startsWith(actionPrefix) && isUuid(stream.slice(actionPrefix.length))

/** The id of the action of a stream. */
export const actionOfStream = (stream: string): string => stream.slice(actionPrefix.length)

const proposalPrefix = 'proposal-'
const proposalKinds: readonly Kind[] = Object.freeze(['approval'] as const)

/** The stream of a proposal, by its id (a UUID). */
export const proposalStreamOf = (id: string): string => `${proposalPrefix}${id}`

/** Whether a stream is a proposal's. */
export const isProposalStream = (stream: string): boolean =>
  stream.startsWith(proposalPrefix) && isUuid(stream.slice(proposalPrefix.length))

/** The id of the proposal of a stream. */
export const proposalOfStream = (stream: string): string => stream.slice(proposalPrefix.length)

const decisionKinds: readonly Kind[] = Object.freeze([
  'decision',
  'execution',
  'escalation',
  'approval',
  'override',
  'erasure',
])

// Not `in`: a stream may be called `constructor`.
const isSystemStream = (stream: string): stream is SystemStream =>
  Object.hasOwn(streamKinds, stream)

/** The kinds that may stand in a stream: none where its name is no stream's. */
export function kindsOfStream(stream: string): readonly Kind[] {
  if (isSystemStream(stream)) return streamKinds[stream]
  if (isActionStream(stream)) return actionKinds
  if (isProposalStream(stream)) return proposalKinds
  return isUuid(stream) ? decisionKinds : []
}
