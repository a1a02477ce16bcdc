// A bundle made ready: every matcher a closure, every possible decision written out, the canonical record sealed. Compile once, evaluate often.
import type { Effect, PolicyBundle, Rule } from './bundle.ts'
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { dialects, type Dialect, type DialectName } from './dialect.ts'
import { compileMatcher, weighMatcher, type CompiledMatcher } from './matcher.ts'
import { readForm } from './forms.ts'
import {
  citePredicates,
  noPredicates,
  type PredicateCitation,
  type Predicates,
} from './predicate.ts'
import { repr } from './python-text.ts'
import { sealRecord } from './record.ts'
import type { Terms } from './terms.ts'

/** What a policy or a bundle says. */
export interface PolicyDecision {
  readonly kind: Effect | 'not_applicable'
  readonly matched_policy_id: string | null
  readonly matched_rule_id: string | null
  readonly reason: string | null
}

/** A rule that is ready. */
export interface CompiledRule {
  readonly id: string
  readonly when: CompiledMatcher
  readonly decision: PolicyDecision
  readonly terms: Terms
}

/** A policy that is ready. */
export interface CompiledPolicy {
  readonly id: string
  readonly rules: readonly CompiledRule[]
  readonly byDefault: PolicyDecision
  /** Of its default. */
  readonly terms: Terms
}

/** A bundle that is ready; never changed. */
export interface CompiledBundle {
  readonly dialect: Dialect
  readonly bundle: PolicyBundle
  readonly policies: readonly CompiledPolicy[]
  /** The predicates in code that its rules ask, by name. */
  readonly predicates: readonly PredicateCitation[]
  /** Canonical bytes of dialect and bundle; read-only. */
  readonly record: Uint8Array
  /** Hex SHA-256 of the record. */
  readonly digest: string
}

const compileRule = (
  { description, effect, id, terms }: Rule,
  policy: string,
  when: CompiledMatcher,
): CompiledRule => ({
  id,
  when,
  decision: Object.freeze({
    kind: effect,
    matched_policy_id: policy,
    matched_rule_id: id,
    reason: description === null || description === '' ? `matched rule ${repr(id)}` : description,
  }),
  terms,
})

function* compilePolicy(
  { defaultEffect, defaultReason, id, rules, terms }: PolicyBundle['policies'][number],
  dialect: Dialect,
  predicates: Predicates,
): Generator<undefined, CompiledPolicy> {
  const ready: CompiledRule[] = []
  for (const rule of rules) {
    const when = yield* compileMatcher(rule.when, rule.at, dialect, predicates)
    ready.push(compileRule(rule, id, when))
  }
  return {
    id,
    rules: ready,
    byDefault: Object.freeze({
      kind: defaultEffect,
      matched_policy_id: id,
      matched_rule_id: null,
      reason: defaultReason ?? `no rule matched; policy default_effect=${repr(defaultEffect)}`,
    }),
    terms,
  }
}

/** Compiling that stops often, so that its thread can do other things in between; what it ends with is what it gives. */
export type Compiling<T> = Generator<undefined, T>

/** Compiles without a stop. */
export function finish<T>(compiling: Compiling<T>): T {
  for (;;) {
    const { done, value } = compiling.next()
    if (done === true) return value
  }
}

function* weighBundle(
  { policies }: PolicyBundle,
  dialect: Dialect,
  isNew: boolean,
): Compiling<number> {
  let whole = 0
  for (const { rules } of policies)
    for (const rule of rules)
      for (const { at, weight } of weighMatcher(rule.when, rule.at, dialect)) {
        if (isNew && weight > limits.patternWeight)
          throw new Failure(
            'INPUT_TOO_LARGE',
            `Pattern must not weigh more than ${limits.patternWeight} steps at ${at}: ${weight}`,
            { field: at },
          )
        whole += weight
        if (isNew && whole > limits.bundlePatternWeight)
          throw new Failure(
            'INPUT_TOO_LARGE',
            `Patterns of a bundle must not weigh more than ${limits.bundlePatternWeight} steps in all, exceeded at ${at}`,
            { field: at },
          )
        yield
      }
  return whole
}

/**
 * What the patterns of a bundle weigh, by its JSON value: about the steps of their programs.
 * @throws {@link Failure} POLICY_INVALID
 */
export function* weighValue(value: unknown, name: DialectName): Compiling<number> {
  return yield* weighBundle(readForm(value, dialects[name]), dialects[name], false)
}

/** How a bundle is compiled. */
export interface CompileChoice {
  /** What its rules may ask in code. */
  readonly predicates?: Predicates
  /** Whether it is new, so that it must not weigh more than a new one may. */
  readonly isNew?: boolean
}

/** As {@link compileBundle}, with stops. @throws {@link Failure} as there, INPUT_TOO_LARGE */
export function* compileInSteps(
  value: unknown,
  name: DialectName,
  { isNew = false, predicates = noPredicates }: CompileChoice = {},
): Compiling<CompiledBundle> {
  const dialect = dialects[name]
  // Sealing first refuses what is no plain data, before anything walks it.
  const { bytes, digest } = sealRecord(value, dialect)
  const bundle = readForm(value, dialect)
  if (isNew) yield* weighBundle(bundle, dialect, true)
  const policies: CompiledPolicy[] = []
  for (const policy of bundle.policies)
    policies.push(yield* compilePolicy(policy, dialect, predicates))
  return {
    dialect,
    bundle,
    policies,
    predicates: citePredicates(bundle, predicates),
    record: bytes,
    digest,
  }
}

/**
 * Compiles the JSON value of a bundle, or of what its rule form has in its place.
 * @param predicates what its rules may ask in code
 * @throws {@link Failure} POLICY_INVALID naming the place that is wrong
 */
export const compileBundle = (
  value: unknown,
  name: DialectName,
  predicates: Predicates = noPredicates,
): CompiledBundle => finish(compileInSteps(value, name, { predicates }))
