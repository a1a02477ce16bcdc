// Predicates in code, for embedders: a native rule asks one by name (`{"kind": "predicate", "predicate": "business_hours"}`). The bundle's digest does not
// cover the code, so a decision tells name, version and digest of every predicate that its policies ask, and cannot be made again without them.
import { encodeHex } from '../base/bytes.ts'
import { canonicalBytes } from '../base/canonical-json.ts'
import { Failure } from '../base/failure.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Matcher, PolicyBundle } from './bundle.ts'
import type { EvaluationContext } from './context.ts'

/** A predicate that rules may ask. */
export interface Predicate {
  readonly name: string
  readonly version: string
  /** Hex SHA-256 of the canonical {name, source, version}; what the code reaches outside itself is not in it. */
  readonly digest: string
  /** Gets a context of its own and answers at once, always the same for the same context. */
  readonly ask: (context: EvaluationContext) => unknown
}

/** Predicates by name. */
export type Predicates = ReadonlyMap<string, Predicate>

/** Where there are none. */
export const noPredicates: Predicates = new Map()

/** A predicate that a bundle asks; without version and digest it was not defined. */
export interface PredicateCitation {
  readonly name: string
  readonly version: string | null
  readonly sha256: string | null
}

/**
 * A predicate of a function. Whatever it answers but true and false, a promise too, is an error of the decision; so is what it throws.
 * @throws {@link Failure} POLICY_INVALID for a name or version that is none
 */
export function definePredicate(name: string, ask: Predicate['ask'], version = '1'): Predicate {
  for (const text of [name, version])
    if (!/^[\x21-\x7e]{1,128}$/.test(text))
      throw new Failure('POLICY_INVALID', `1 to 128 visible ASCII characters expected: ${text}`)
  const digest = encodeHex(
    sha256(canonicalBytes({ name, source: String(ask).toWellFormed(), version })),
  )
  return Object.freeze({ name, version, digest, ask })
}

/**
 * Predicates for compiling bundles.
 * @throws {@link Failure} POLICY_INVALID when two have one name
 */
export function gatherPredicates(predicates: readonly Predicate[]): Predicates {
  const gathered = new Map(predicates.map((one) => [one.name, one]))
  if (gathered.size !== predicates.length)
    throw new Failure('POLICY_INVALID', 'Two predicates have one name')
  return gathered
}

/** What a predicate answers, or undefined when that is no answer. */
export function askPredicate({ ask }: Predicate, context: EvaluationContext): boolean | undefined {
  try {
    // A copy, so that what the predicate does to it changes nothing for those that are asked later.
    const answer = ask(structuredClone(context))
    return typeof answer === 'boolean' ? answer : undefined
  } catch {
    return undefined
  }
}

function* namesIn(matcher: Matcher): Generator<string> {
  if ('predicate' in matcher) yield matcher.predicate
  else if ('matchers' in matcher) for (const one of matcher.matchers) yield* namesIn(one)
  else if ('matcher' in matcher) yield* namesIn(matcher.matcher)
}

/** The predicates that a bundle asks, each once, in the order of their names. */
export function citePredicates(
  { policies }: PolicyBundle,
  predicates: Predicates,
): readonly PredicateCitation[] {
  const names = policies.flatMap(({ rules }) => rules.flatMap(({ when }) => [...namesIn(when)]))
  return [...new Set(names)].sort().map((name) => {
    const found = predicates.get(name)
    return { name, version: found?.version ?? null, sha256: found?.digest ?? null }
  })
}
