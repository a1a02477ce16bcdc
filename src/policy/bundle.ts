// A bundle: policies with ordered rules over dotted paths, as the policy-as-code-engine defines them. Here a JSON value becomes one, or is refused
// with the place that is wrong; what a bundle answers is said in compile.ts and evaluate.ts.
import { effectOfBrane, type braneEffects } from './brane.ts'
import { readBundleGates } from './bundle-gates.ts'
import { MatcherReader } from './bundle-matchers.ts'
import { fit, refuse, schemas, type fieldKinds } from './bundle-schema.ts'
import type { EvaluationContext } from './context.ts'
import type { Dialect } from './dialect.ts'
import type { CompiledGates } from './gate-config.ts'
import type { Lookup } from './path.ts'
import { parsePolicyJson, parsePolicyYaml, sniffFormat } from './policy-text.ts'
import {
  compileReveal,
  compileScope,
  openScope,
  plainTerms,
  readTerms,
  type Scope,
  type Terms,
} from './terms.ts'

/** A comparison of what a path leads to. */
export interface FieldMatcher {
  readonly kind: (typeof fieldKinds)[number]
  readonly field: string
  readonly value: unknown
}

/** A comparison of another rule form, which brings its own way to look up and to compare. */
export interface ForeignMatcher {
  readonly kind: string
  readonly field: string
  readonly value: unknown
  readonly lookup: Lookup
  /** @throws {@link Failure} POLICY_RAISED, given the place of the matcher */
  readonly compare: (actual: unknown, at: string, context: EvaluationContext) => boolean
  /** Where it has a pattern: what that weighs, and how it is compiled ahead of the first comparison. */
  readonly pattern?: { readonly weight: number; readonly compile: () => void }
}

/** A predicate over a context. */
export type Matcher =
  | FieldMatcher
  | ForeignMatcher
  | { readonly kind: 'predicate'; readonly predicate: string }
  | { readonly kind: 'opaque'; readonly why: string }
  | { readonly kind: 'all_of' | 'any_of'; readonly matchers: readonly Matcher[] }
  | { readonly kind: 'not'; readonly matcher: Matcher }
  | { readonly kind: 'always' }

/** What a rule does; `escalate` and `review` in the native dialect only. */
export type Effect = 'allow' | 'deny' | 'escalate' | 'review'

/** A rule of a policy. */
export interface Rule {
  readonly id: string
  readonly effect: Effect
  readonly when: Matcher
  /** JSON pointer to what `when` was read from. */
  readonly at: string
  readonly description: string | null
  readonly tags: readonly string[] | null
  readonly terms: Terms
}

/** Ordered rules of which the first that matches decides. */
export interface Policy {
  readonly id: string
  readonly description: string | null
  readonly defaultEffect: Effect | 'not_applicable'
  readonly rules: readonly Rule[]
  /** Of its default, and of its rules where they say nothing. */
  readonly terms: Terms
  readonly priority: number
  /** Why its default is given, in the words of its rule form; null is in Python's. */
  readonly defaultReason: string | null
}

/** Whom a Decision Card's bundle is for. */
interface CardScope {
  readonly vendorId: string
  readonly allowedActions: readonly string[]
}

/** A bundle of policies. */
export interface PolicyBundle {
  readonly id: string
  readonly version: string
  readonly policies: readonly Policy[]
  /** The window in ms since 1970, from inclusive, until exclusive; open where there is none. */
  readonly effectiveFrom: number
  readonly effectiveUntil: number
  readonly scope: CardScope | undefined
  /** For which requests it is. */
  readonly applies: Scope
  /** Whether the value at a path may be shown. */
  readonly reveals: (path: string) => boolean
  /** The quantitative gates that hold what its rules allow. */
  readonly gates?: CompiledGates
}

function readRule(value: unknown, at: string, dialect: Dialect, within: Terms): Rule {
  const found = fit(schemas(dialect).rule, value, at)
  const { description, id, tags, when } = found
  const terms = dialect.terms ? readTerms(found, within) : plainTerms
  return {
    id,
    effect: effectOfRule(found.effect, terms, at),
    when: new MatcherReader(dialect).read(when, `${at}/when`),
    at: `${at}/when`,
    description: description ?? null,
    tags: tags ?? null,
    terms,
  }
}

const nativeEffects: readonly string[] = ['allow', 'deny', 'escalate', 'review']
const isEffect = (word: string): word is Effect => nativeEffects.includes(word)

function effectOfRule(
  word: Effect | (typeof braneEffects)[number],
  { obligations }: Terms,
  at: string,
): Effect {
  if (isEffect(word)) return word
  const effect = effectOfBrane(word, obligations)
  if (effect === undefined) throw refuse(`Effect ${word} wants an obligation of that type`, at)
  return effect
}

function readPolicy(value: unknown, at: string, dialect: Dialect): Policy {
  const found = fit(schemas(dialect).policy, value, at)
  const { default_effect, description, id, rules } = found
  const terms = dialect.terms ? readTerms(found) : plainTerms
  return {
    id,
    description: description ?? null,
    defaultEffect: default_effect,
    rules: rules.map((rule, i) => readRule(rule, `${at}/rules/${i}`, dialect, terms)),
    terms,
    priority: found.priority ?? 0,
    defaultReason: null,
  }
}

/** Policies in the order in which they are asked: as they stand, but for Brane those of higher priority first. */
const inOrder = (policies: readonly Policy[]): readonly Policy[] =>
  policies.toSorted((a, b) => b.priority - a.priority)

/**
 * The bundle that a JSON value is; values in it are kept, not copied.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readBundle(value: unknown, dialect: Dialect): PolicyBundle {
  const found = fit(schemas(dialect).bundle, value, '')
  const from = found.effective_from ?? -Infinity
  const until = found.effective_until ?? Infinity
  if (until <= from) throw refuse('Bundle must end after it begins', '/effective_until')
  const scope = found.card_scope
  return {
    id: found.bundle_id,
    version: found.version,
    policies: inOrder(
      found.policies.map((policy, i) => readPolicy(policy, `/policies/${i}`, dialect)),
    ),
    effectiveFrom: from,
    effectiveUntil: until,
    scope:
      scope === undefined || scope === null
        ? undefined
        : { vendorId: scope.vendor_id, allowedActions: scope.allowed_actions },
    applies: found.scope === undefined ? openScope : compileScope(found.scope),
    reveals: compileReveal(found.reveal),
    ...(found.gates === undefined ? {} : { gates: readBundleGates(found.gates) }),
  }
}

/**
 * The value of a bundle's or a card's text; without a format it is sniffed.
 * @throws {@link Failure} INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE
 */
export const parsePolicyText = (
  source: string,
  dialect: Dialect,
  format: 'json' | 'yaml' = sniffFormat(source),
): unknown =>
  format === 'json' ? parsePolicyJson(source, dialect) : parsePolicyYaml(source, dialect)
