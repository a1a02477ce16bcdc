// The JSON of a bundle, as each dialect has it.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import { braneEffects } from './brane.ts'
import type { Dialect } from './dialect.ts'
import { parseInstant } from './instant.ts'
import { revealSchema, scopeSchema, termMembers } from './terms.ts'

/** Every comparison of a bundle. */
export const fieldKinds = [
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

/** A refusal that names the place. */
export const refuse = (what: string, field: string): Failure =>
  new Failure('POLICY_INVALID', `${what} at ${field}`, { field })

const text = z.string()
const name = text.min(1)
const list = z.array(z.unknown()).min(1)
const effect = z.enum(['allow', 'deny'])
const nativeEffect = z.enum(['allow', 'deny', 'escalate', 'review'])
const braneEffect = z.enum(braneEffects)
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

function schemasOf({ bounds, brane, extended, openDefault, terms }: Dialect) {
  const own = terms ? termMembers : noTerms
  const ruleEffect = brane ? braneEffect : terms ? nativeEffect : effect
  const defaults = openDefault
    ? z.enum([...(terms ? nativeEffect : effect).options, 'not_applicable'])
    : effect
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
    default_effect: brane
      ? z.literal('not_applicable').default('not_applicable')
      : defaults.default('deny'),
    priority: brane ? z.int().min(-1_000_000).max(1_000_000).optional() : absent,
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
    predicate: terms
      ? z.strictObject({ kind: z.literal('predicate'), predicate: name.max(128) })
      : z.never(),
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
      gates: terms ? z.unknown().optional() : absent,
    }),
  }
}

/** The schemas of one dialect. */
export type Schemas = ReturnType<typeof schemasOf>

const known = new Map<Dialect, Schemas>()

/** The schemas of a dialect. */
export function schemas(dialect: Dialect): Schemas {
  const found = known.get(dialect) ?? schemasOf(dialect)
  known.set(dialect, found)
  return found
}

const isAbsence = (message: string): boolean => message.endsWith('received undefined')

/** A value that fits a schema. @throws {@link Failure} POLICY_INVALID naming the place */
export function fit<T>(schema: z.ZodType<T>, value: unknown, at: string): T {
  const parsed = schema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const place = [at, ...(issue?.path.map(String) ?? [])].join('/')
  const what = issue?.message ?? 'Not a bundle'
  throw refuse(isAbsence(what) ? 'Missing' : what, place === '' ? '/' : place)
}
