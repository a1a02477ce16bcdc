// How answers compose: one order of effects, strongest first, and one table from the words of every engine that speaks here to an effect and a
// status. What is stronger wins, whoever says it and in whatever order. Published as COMPOSITION.md, which a test holds against this file.

/** Everything a policy, a gate or the engine can say, strongest first. */
export const effects = Object.freeze([
  'error',
  'deny',
  'escalate',
  'review',
  'sandbox',
  'route',
  'transform_input',
  'transform_output',
  'redact',
  'log_only',
  'allow',
  'not_applicable',
] as const)

/** One effect. */
export type ComposedEffect = (typeof effects)[number]

/** The five answers to an intent. */
export type DecisionStatus = 'ALLOW' | 'BLOCK' | 'ESCALATE' | 'REVIEW_REQUIRED' | 'ERROR'

const statusOfEffect: Readonly<Record<ComposedEffect, DecisionStatus>> = Object.freeze({
  error: 'ERROR',
  deny: 'BLOCK',
  escalate: 'ESCALATE',
  review: 'REVIEW_REQUIRED',
  sandbox: 'ALLOW',
  route: 'ALLOW',
  transform_input: 'ALLOW',
  transform_output: 'ALLOW',
  redact: 'ALLOW',
  log_only: 'ALLOW',
  allow: 'ALLOW',
  // Where nobody has an opinion nothing is allowed.
  not_applicable: 'BLOCK',
})

const ranks: ReadonlyMap<ComposedEffect, number> = new Map(
  effects.map((effect, at) => [
    effect,
    // Both change what comes out and neither hides the other.
    effect === 'redact' ? effects.indexOf('transform_output') : at,
  ]),
)

/** The place of an effect in the order: the smaller the stronger. */
export const rankOf = (effect: ComposedEffect): number => ranks.get(effect) ?? 0

/** The status that an effect gives. */
export const statusOf = (effect: ComposedEffect): DecisionStatus => statusOfEffect[effect]

/** The stronger of two effects. */
export const stronger = (a: ComposedEffect, b: ComposedEffect): ComposedEffect =>
  rankOf(b) < rankOf(a) ? b : a

/** The words of every engine and the effect each stands for; a word that is not here is an `error`. */
export const vocabularies = Object.freeze({
  'policy-as-code-engine': Object.freeze({
    allow: 'allow',
    deny: 'deny',
    not_applicable: 'not_applicable',
  }),
  native: Object.freeze({
    allow: 'allow',
    deny: 'deny',
    escalate: 'escalate',
    review: 'review',
    not_applicable: 'not_applicable',
  }),
  aegis: Object.freeze({
    PROCEED: 'allow',
    PAUSE: 'review',
    HALT: 'deny',
    ESCALATE: 'escalate',
  }),
  decionis: Object.freeze({
    APPROVE: 'allow',
    REJECT: 'deny',
    REVIEW: 'review',
    ESCALATE: 'escalate',
    ALLOW: 'allow',
    BLOCK: 'deny',
    DENY: 'deny',
    RESTRAIN: 'review',
    REQUIRE_REVIEW: 'review',
    REQUEST_INFO: 'review',
  }),
  provenance: Object.freeze({
    ALLOW: 'allow',
    BLOCK: 'deny',
    ESCALATE: 'escalate',
  }),
  brane: Object.freeze({
    allow: 'allow',
    deny: 'deny',
    approval_required: 'escalate',
    redact: 'redact',
    transform_input: 'transform_input',
    transform_output: 'transform_output',
    route: 'route',
    sandbox: 'sandbox',
    log_only: 'log_only',
  }),
} as const satisfies Readonly<Record<string, Readonly<Record<string, ComposedEffect>>>>)

/** An engine whose words are known. */
export type Vocabulary = keyof typeof vocabularies

/** The effect of a word of an engine; `error` for a word that it does not have. */
export function effectOf(vocabulary: Vocabulary, word: string): ComposedEffect {
  const words: Readonly<Record<string, ComposedEffect>> = vocabularies[vocabulary]
  return Object.hasOwn(words, word) ? (words[word] ?? 'error') : 'error'
}
