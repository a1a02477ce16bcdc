// A bundle made ready: every matcher a closure, every possible decision written out, the canonical record sealed. Compile once, evaluate often.
import type { Effect, PolicyBundle } from './bundle.ts'
import { dialects, type Dialect, type DialectName } from './dialect.ts'
import { compileMatcher, type CompiledMatcher } from './matcher.ts'
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

function compilePolicy(
  { defaultEffect, defaultReason, id, rules, terms }: PolicyBundle['policies'][number],
  dialect: Dialect,
  predicates: Predicates,
): CompiledPolicy {
  return {
    id,
    rules: rules.map((rule) => ({
      id: rule.id,
      when: compileMatcher(rule.when, rule.at, dialect, predicates),
      decision: Object.freeze({
        kind: rule.effect,
        matched_policy_id: id,
        matched_rule_id: rule.id,
        reason:
          rule.description === null || rule.description === ''
            ? `matched rule ${repr(rule.id)}`
            : rule.description,
      }),
      terms: rule.terms,
    })),
    byDefault: Object.freeze({
      kind: defaultEffect,
      matched_policy_id: id,
      matched_rule_id: null,
      reason: defaultReason ?? `no rule matched; policy default_effect=${repr(defaultEffect)}`,
    }),
    terms,
  }
}

/**
 * Compiles the JSON value of a bundle, or of what its rule form has in its place.
 * @param predicates what its rules may ask in code
 * @throws {@link Failure} POLICY_INVALID naming the place that is wrong
 */
export function compileBundle(
  value: unknown,
  name: DialectName,
  predicates: Predicates = noPredicates,
): CompiledBundle {
  const dialect = dialects[name]
  // Sealing first refuses what is no plain data, before anything walks it.
  const { bytes, digest } = sealRecord(value, dialect)
  const bundle = readForm(value, dialect)
  return {
    dialect,
    bundle,
    policies: bundle.policies.map((policy) => compilePolicy(policy, dialect, predicates)),
    predicates: citePredicates(bundle, predicates),
    record: bytes,
    digest,
  }
}
