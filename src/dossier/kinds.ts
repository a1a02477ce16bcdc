// The evidence formats, version 1: statement, envelope, leaf, dossier, trust root. Pure and frozen: a second version is a new file beside the
// first. README.md in this folder is their definition byte for byte. This room decides nothing and verifies nothing; it builds and parses.

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

/** The streams that are not a decision's. */
export const systemStreams = Object.freeze([
  'keys',
  'policies',
  'roster',
  'trust',
  'admin',
] as const)

/** One of the streams that are not a decision's. */
export type SystemStream = (typeof systemStreams)[number]

const streamKinds: Readonly<Record<SystemStream, readonly Kind[]>> = Object.freeze({
  keys: ['key'],
  policies: ['policy'],
  roster: ['roster'],
  trust: ['trust'],
  admin: ['admin', 'anchor'],
})

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

/** The kinds that may stand in a stream; every stream that is not a system stream is a decision's. */
export const kindsOfStream = (stream: string): readonly Kind[] =>
  isSystemStream(stream) ? streamKinds[stream] : decisionKinds
