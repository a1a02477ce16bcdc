// Provenance's tenant rules as a bundle: a list of rules over one action and its parameters, of which the first that fires decides, and none is ALLOW. Rules
// have the meaning that Provenance documents: `on_match` when all conditions pass, `on_violation` when one fails. Its server fires `on_match` even when a
// condition fails; `compat: provenance-bug` does the same. A comparison that Python cannot make raises here too, and so is an error, never an allowance.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { Effect, ForeignMatcher, Matcher, PolicyBundle, Rule } from './bundle.ts'
import { fit } from './bundle-schema.ts'
import type { EvaluationContext } from './context.ts'
import { includesText } from './find-text.ts'
import { compileGlob } from './glob.ts'
import { effectOf } from './lattice.ts'
import { missing, type Lookup } from './path.ts'
import { isOrdered, looseEqual, type Order, type Sizes } from './python-values.ts'
import { openScope, plainTerms } from './terms.ts'

const name = z.string().min(1).max(256)
const outcome = z.enum(['ALLOW', 'BLOCK', 'ESCALATE'])
const orders: Readonly<Record<string, Order>> = { '<': 'lt', '>': 'gt', '<=': 'lte', '>=': 'gte' }

const conditionSchema = z.strictObject({
  name: z.string().max(256).optional(),
  field: name,
  operator: z.enum(['==', '!=', '<', '>', '<=', '>=', 'in', 'not_in']),
  value: z.unknown(),
})

const ruleSchema = z
  .strictObject({
    action: name,
    reason: z.string().max(2048),
    conditions: z.array(conditionSchema).max(64).nullish(),
    on_match: outcome.optional(),
    on_violation: outcome.optional(),
  })
  .refine((rule) => rule.on_match !== undefined || rule.on_violation !== undefined, {
    message: 'on_match or on_violation expected',
  })

const policySchema = z.strictObject({
  id: name.optional(),
  name: name.optional(),
  tenant_id: z.string().nullish(),
  version: z.union([z.string().min(1).max(128), z.int()]).optional(),
  description: z.string().nullish(),
  created_at: z.string().nullish(),
  updated_at: z.string().nullish(),
  compat: z.literal('provenance-bug').optional(),
  rules: z.array(ruleSchema).min(1).max(1024),
})

type ProvenanceRule = z.infer<typeof ruleSchema>
type Condition = z.infer<typeof conditionSchema>

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** What an action was called with: the context's `parameters`, or the context where it has none. */
function parameterOf(field: string): Lookup {
  return ({ data }) => {
    const given = Object.hasOwn(data, 'parameters') ? data['parameters'] : undefined
    const parameters = isObject(given) ? given : data
    return Object.hasOwn(parameters, field) ? parameters[field] : missing
  }
}

const raise = (what: string, at: string): never => {
  throw new Failure('POLICY_RAISED', `${what} at ${at}`, { field: at })
}

type Shape = 'number' | 'text' | 'list' | 'none'

function shapeOf(value: unknown): Shape {
  if (typeof value === 'string') return 'text'
  if (Array.isArray(value)) return 'list'
  return typeof value === 'object' ? 'none' : 'number'
}

/** Python's order, which raises between what has none. */
function compareOrder(
  order: Order,
  actual: unknown,
  value: unknown,
  at: string,
  sizes: Sizes | undefined,
): boolean {
  const shape = shapeOf(actual)
  return shape === 'none' || shape !== shapeOf(value)
    ? raise('Values without an order', at)
    : isOrdered(order, actual, value, sizes)
}

/** Python's `in`. */
function isIn(actual: unknown, value: unknown, at: string, sizes: Sizes | undefined): boolean {
  if (Array.isArray(value)) return value.some((item) => looseEqual(actual, item, sizes))
  if (typeof value === 'string')
    return typeof actual === 'string'
      ? includesText(actual)(value)
      : raise('Only a string can be in a string', at)
  if (!isObject(value)) return raise('Nothing can be in this value', at)
  if (typeof actual === 'object' && actual !== null) return raise('Not a name', at)
  return typeof actual === 'string' && Object.hasOwn(value, actual)
}

/** The comparison of a condition; what is missing is Python's None. */
function compareCondition({ operator, value }: Condition): ForeignMatcher['compare'] {
  const order = orders[operator]
  return (found, at, { meter }) => {
    const sizes = meter?.sizes
    const actual = found === missing ? null : found
    if (order !== undefined) return compareOrder(order, actual, value, at, sizes)
    if (operator === '==') return looseEqual(actual, value, sizes)
    if (operator === '!=') return !looseEqual(actual, value, sizes)
    return isIn(actual, value, at, sizes) === (operator === 'in')
  }
}

const readCondition = (condition: Condition): Matcher => ({
  kind: condition.operator,
  field: condition.field,
  value: condition.value,
  lookup: parameterOf(condition.field),
  compare: compareCondition(condition),
})

const actionOf: Lookup = ({ action }: EvaluationContext) => action ?? missing

function readAction(pattern: string): Matcher {
  const matches = compileGlob(pattern)
  const compare = (actual: unknown): boolean => typeof actual === 'string' && matches(actual)
  return { kind: 'fnmatch', field: 'action', value: pattern, lookup: actionOf, compare }
}

const all = (...matchers: readonly Matcher[]): Matcher => ({ kind: 'all_of', matchers })

/** When a rule fires. */
function firing({ action, conditions, on_match }: ProvenanceRule, compat: boolean): Matcher {
  const matched = readAction(action)
  const given = conditions ?? []
  const passed = all(...given.map(readCondition))
  if (on_match === undefined) return all(matched, { kind: 'not', matcher: passed })
  if (!compat || given.length === 0) return all(matched, passed)
  // Conditions are asked, for they may raise, but whether they pass does not matter.
  return all(matched, { kind: 'any_of', matchers: [passed, { kind: 'always' }] })
}

const effectOfOutcome = (word: z.infer<typeof outcome>): Effect => {
  const effect = effectOf('provenance', word)
  return effect === 'allow' || effect === 'escalate' ? effect : 'deny'
}

function reasonOf({ action, conditions, on_match, reason }: ProvenanceRule): string {
  if (reason !== '') return reason
  const [first] = conditions ?? []
  return on_match === undefined && first !== undefined
    ? `Condition failed: ${first.field} ${first.operator}`
    : `Rule matched: ${action} | conditions satisfied`
}

const readRule = (rule: ProvenanceRule, i: number, compat: boolean): Rule => ({
  id: `rules/${i}`,
  // A rule with both outcomes is one of `on_match` only.
  effect: effectOfOutcome(rule.on_match ?? rule.on_violation ?? 'BLOCK'),
  when: firing(rule, compat),
  at: `/rules/${i}`,
  description: reasonOf(rule),
  tags: null,
  terms: plainTerms,
})

/**
 * The bundle of Provenance's tenant rules: of the list, or of the policy that holds it.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readProvenance(value: unknown): PolicyBundle {
  const whole = Array.isArray(value) ? { rules: value as readonly unknown[] } : value
  const found = fit(policySchema, whole, '')
  const id = found.id ?? found.name ?? 'provenance-rules'
  const compat = found.compat !== undefined
  return {
    id,
    version: String(found.version ?? '1'),
    policies: [
      {
        id,
        description: found.description ?? null,
        defaultEffect: 'allow',
        rules: found.rules.map((rule, i) => readRule(rule, i, compat)),
        terms: plainTerms,
        priority: 0,
        defaultReason: 'No rule matched; default ALLOW',
      },
    ],
    effectiveFrom: -Infinity,
    effectiveUntil: Infinity,
    scope: undefined,
    applies: openScope,
    reveals: () => false,
  }
}
