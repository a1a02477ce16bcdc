// A bundle: policies with ordered rules over dotted paths, as the policy-as-code-engine defines them. Here a JSON value becomes one, or is refused
// with the place that is wrong; what a bundle answers is said in compile.ts and evaluate.ts.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { Dialect } from './dialect.ts'
import { parseInstant } from './instant.ts'
import { parsePolicyJson, parsePolicyYaml, sniffFormat } from './policy-text.ts'
import {
  compileReveal,
  compileScope,
  openScope,
  plainTerms,
  readTerms,
  revealSchema,
  scopeSchema,
  termMembers,
  type Scope,
  type Terms,
} from './terms.ts'

const fieldKinds = [
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'in',
  'not_in',
  'contains',
  'missing',
  'exists',
  'regex',
  'starts_with',
  'ends_with',
] as const

/** A comparison of what a path leads to. */
export interface FieldMatcher {
  readonly kind: (typeof fieldKinds)[number]
  readonly field: string
  readonly value: unknown
}

/** A predicate over a context. */
export type Matcher =
  | FieldMatcher
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
}

/** A refusal that names the place. */
export const refuse = (what: string, field: string): Failure =>
  new Failure('POLICY_INVALID', `${what} at ${field}`, { field })

const text = z.string()
const name = text.min(1)
const list = z.array(z.unknown()).min(1)
const effect = z.enum(['allow', 'deny'])
const nativeEffect = z.enum(['allow', 'deny', 'escalate', 'review'])
// What only later dialects have.
const absent = z.undefined().optional()
const window = z
  .string()
  .transform((value, context) => {
    const instant = parseInstant(value)
    if (instant !== undefined) return instant
    context.addIssue('Date and time with a zone expected')
    return z.NEVER
  })
  .nullish()

const noTerms = { overridable: absent, deadline: absent, obligations: absent, reason_code: absent }

function schemasOf({ bounds, extended, openDefault, terms }: Dialect) {
  const own = terms ? termMembers : noTerms
  const ruleEffect = terms ? nativeEffect : effect
  const id = name.max(bounds.id)
  const children = list.max(bounds.matchers)
  const cardScope = z.strictObject({
    vendor_id: name.max(512),
    allowed_actions: z.array(text).min(1).max(16),
    condition_ids: z.array(text).max(32).default([]),
  })
  const policy = {
    id,
    description: text.nullish(),
    default_effect: (openDefault
      ? z.enum([...ruleEffect.options, 'not_applicable'])
      : ruleEffect
    ).default('deny'),
    rules: list.max(bounds.rules),
    ...own,
  }
  const bundle = {
    bundle_id: id,
    version: text.default('0.1.0'),
    description: text.nullish(),
    source: text.nullish(),
    policies: list.max(bounds.policies),
  }
  return {
    field: z.strictObject({
      kind: z.enum(fieldKinds),
      field: name.max(bounds.field),
      value: z.unknown().optional(),
    }),
    several: z.strictObject({ kind: z.enum(['all_of', 'any_of']), matchers: children }),
    not: z.strictObject({ kind: z.literal('not'), matcher: z.unknown() }),
    always: z.strictObject({ kind: z.literal('always') }),
    rule: z.strictObject({
      id,
      effect: ruleEffect,
      when: z.unknown(),
      description: text.nullish(),
      tags: z.array(text).max(bounds.tags).nullish(),
      ...own,
    }),
    policy: z.strictObject({ ...policy, card_derived: extended ? z.boolean().optional() : absent }),
    bundle: z.strictObject({
      ...bundle,
      effective_from: extended ? window : absent,
      effective_until: extended ? window : absent,
      card_scope: extended ? cardScope.nullish() : absent,
      scope: terms ? scopeSchema.optional() : absent,
      reveal: terms ? revealSchema.optional() : absent,
    }),
  }
}

type Schemas = ReturnType<typeof schemasOf>

const known = new Map<Dialect, Schemas>()

function schemas(dialect: Dialect): Schemas {
  const found = known.get(dialect) ?? schemasOf(dialect)
  known.set(dialect, found)
  return found
}

function fit<T>(schema: z.ZodType<T>, value: unknown, at: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = [at, ...(issue?.path.map(String) ?? [])].join('/')
  throw refuse(issue?.message ?? 'Not a bundle', place === '' ? '/' : place)
}

/** Reads the matchers of one rule. */
class MatcherReader {
  readonly #dialect: Dialect
  readonly #schemas: Schemas
  #nodes = 0

  constructor(dialect: Dialect) {
    this.#dialect = dialect
    this.#schemas = schemas(dialect)
  }

  read(value: unknown, at: string, depth = 1): Matcher {
    const { bounds } = this.#dialect
    if (depth > bounds.depth || ++this.#nodes > bounds.nodes)
      throw refuse('Matchers are too deep or too many', at)
    const whole = withKind(value)
    switch (whole['kind']) {
      case 'all_of':
      case 'any_of': {
        const { kind, matchers } = fit(this.#schemas.several, whole, at)
        return {
          kind,
          matchers: matchers.map((child, i) => this.read(child, `${at}/matchers/${i}`, depth + 1)),
        }
      }
      case 'not': {
        const { matcher } = fit(this.#schemas.not, whole, at)
        return { kind: 'not', matcher: this.read(matcher, `${at}/matcher`, depth + 1) }
      }
      case 'always':
        return fit(this.#schemas.always, whole, at)
      default:
        return this.#field(whole, at)
    }
  }

  #field(value: unknown, at: string): FieldMatcher {
    const matcher = fit(this.#schemas.field, value, at)
    const { kind } = matcher
    if (kind === 'exists' || kind === 'missing') return { ...matcher, value: null }
    const wanted: unknown = matcher.value ?? null
    if (wanted === null) throw refuse(`Matcher ${kind} requires a value`, at)
    if ((kind === 'in' || kind === 'not_in') && !Array.isArray(wanted))
      throw refuse(`Matcher ${kind} requires a list`, at)
    return { ...matcher, value: wanted }
  }
}

/** Without a kind, what a matcher holds says which it is; nothing at all is `always`. */
function withKind(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  if (Object.hasOwn(value, 'kind')) return value as Readonly<Record<string, unknown>>
  if (Object.hasOwn(value, 'matchers')) return { kind: 'all_of', ...value }
  if (Object.hasOwn(value, 'matcher')) return { kind: 'not', ...value }
  return Object.keys(value).length === 0 ? { kind: 'always' } : { ...value }
}

function readRule(value: unknown, at: string, dialect: Dialect, within: Terms): Rule {
  const found = fit(schemas(dialect).rule, value, at)
  const { description, effect, id, tags, when } = found
  return {
    id,
    effect,
    when: new MatcherReader(dialect).read(when, `${at}/when`),
    description: description ?? null,
    tags: tags ?? null,
    terms: dialect.terms ? readTerms(found, within) : plainTerms,
  }
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
  }
}

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
    policies: found.policies.map((policy, i) => readPolicy(policy, `/policies/${i}`, dialect)),
    effectiveFrom: from,
    effectiveUntil: until,
    scope:
      scope === undefined || scope === null
        ? undefined
        : { vendorId: scope.vendor_id, allowedActions: scope.allowed_actions },
    applies: found.scope === undefined ? openScope : compileScope(found.scope),
    reveals: compileReveal(found.reveal),
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
