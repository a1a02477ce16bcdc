// What a Decionis rule sees of a request, and its conditions. A fact is found under its whole name first, else by its path; the members of the action that
// the protocol has beside its context stand over members of the context with the same name.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { ForeignMatcher, Matcher } from './bundle.ts'
import { fit, refuse } from './bundle-schema.ts'
import type { EvaluationContext } from './context.ts'
import { decionisOperators, textOf, type KnownLists } from './decionis-values.ts'
import { readEcmaPattern, type EcmaPattern } from './ecma-pattern.ts'
import { missing, type Lookup } from './path.ts'
import { PatternProblem } from './pattern-flags.ts'

/** In which form a condition is written: `op` and `value` or `values`, or `operator` and `value`. */
export type DecionisCondition = 'block' | 'bundle'

type Facts = Readonly<Record<string, unknown>>

/** Members of the protocol's request that are no context. */
const requestFields = [
  'org_id',
  'amount',
  'risk_score',
  'channel',
  'objective_profile',
  'mode',
  'decision_band',
  'transaction_type',
  'workflow_key',
  'vertical_pack',
  'decision_domain',
] as const

const defaultDomain = 'github_action'

const isObject = (value: unknown): value is Facts => typeof value === 'object' && value !== null

const own = (value: unknown, name: string): unknown =>
  isObject(value) && Object.hasOwn(value, name) ? value[name] : undefined

const known = new WeakMap<EvaluationContext, Facts>()

function makeFacts(context: EvaluationContext): Facts {
  const { action, asserted, data } = context
  const facts = Object.assign(Object.create(null) as Record<string, unknown>, data)
  const stated = own(own(data, 'intent'), 'action')
  for (const field of requestFields) {
    const value = own(stated, field)
    if (value !== undefined) facts[field] = value
  }
  // What the service says stands over whatever the requester says.
  Object.assign(facts, asserted)
  facts['decision_type'] = action ?? undefined
  facts['decision_domain'] ??= facts['workflow_key'] ?? defaultDomain
  for (const field of ['signals', 'override', 'evidence']) facts[field] = recordOf(facts[field])
  facts['attachments'] = attachmentsOf(facts)
  facts['attachment_count'] = (facts['attachments'] as readonly unknown[]).length
  facts['context'] = data
  facts['intake'] = data
  return facts
}

const recordOf = (value: unknown): Facts =>
  isObject(value) && !Array.isArray(value) ? value : Object.freeze({})

/** What is attached to the request, or to its evidence. */
function attachmentsOf(facts: Facts): readonly unknown[] {
  const found = [facts['attachments'], own(facts['evidence'], 'attachments')].find(Array.isArray)
  return (found as readonly unknown[] | undefined) ?? []
}

const lists = new WeakMap<EvaluationContext, KnownLists>()

function listsOf(context: EvaluationContext): KnownLists {
  const found = lists.get(context) ?? (new Map() as KnownLists)
  lists.set(context, found)
  return found
}

function factsOf(context: EvaluationContext): Facts {
  const found = known.get(context) ?? makeFacts(context)
  known.set(context, found)
  return found
}

function step(value: unknown, name: string): unknown {
  if (!Array.isArray(value)) return own(value, name)
  const index = Number.parseInt(name, 10)
  return Number.isNaN(index) ? undefined : (value[index] as unknown)
}

function factAt(field: string): Lookup {
  const names = field
    .replace(/\[(\d+)\]/g, '.$1')
    .split('.')
    .map((part) => part.trim())
    .filter((part) => part !== '')
  return (context) => {
    const facts = factsOf(context)
    const found = Object.hasOwn(facts, field)
      ? facts[field]
      : names.reduce<unknown>((value, name) => step(value, name), facts)
    return found === undefined ? missing : found
  }
}

const wanted = { value: z.unknown().optional(), values: z.unknown().optional() }
const field = z.string().trim().min(1).max(256)
const blockCondition = z.looseObject({ field, op: z.string(), ...wanted })
const bundleCondition = z.strictObject({ field, operator: z.string(), ...wanted })

function refusing<T>(at: string, work: () => T): T {
  try {
    return work()
  } catch (problem) {
    if (!(problem instanceof PatternProblem)) throw problem
    throw refuse(`Pattern is refused: ${problem.message}`, at)
  }
}

type MatchesPart = Pick<ForeignMatcher, 'compare' | 'pattern'>

function readMatches(value: unknown, at: string): MatchesPart {
  if (typeof value !== 'string' || value === '') return { compare: () => false }
  if (value.length > 256) throw refuse('Pattern is longer than 256', at)
  const read = refusing(at, () => readEcmaPattern(value))
  if (read === undefined) return { compare: () => false }
  let test: ReturnType<EcmaPattern['compile']> | undefined
  const compile = () => (test ??= refusing(at, read.compile))
  const compare = (actual: unknown): boolean => {
    const text = textOf(actual === missing ? undefined : actual)
    if (text === undefined) return false
    const answer = compile()(text)
    if (answer !== undefined) return answer
    throw new Failure('POLICY_RAISED', `Text is too long for the pattern at ${at}`, { field: at })
  }
  return { compare, pattern: { compile, weight: read.weight } }
}

type Condition = Pick<z.infer<typeof blockCondition>, 'field' | 'op' | 'value' | 'values'>

function fitCondition(value: unknown, at: string, shape: DecionisCondition): Condition {
  if (shape === 'block') return fit(blockCondition, value, at)
  const { operator: op, ...rest } = fit(bundleCondition, value, at)
  return { ...rest, op }
}

/** Operator and wanted value of a condition; `in` and `not_in` want a list, `exists` nothing, all others a value, which may be null. */
function readWanted(
  value: unknown,
  at: string,
  shape: DecionisCondition,
): { readonly field: string; readonly operator: string; readonly wanted: unknown } {
  const { op, ...found } = fitCondition(value, at, shape)
  const operator = op.trim().toLowerCase()
  if (operator !== 'matches' && !Object.hasOwn(decionisOperators, operator))
    throw refuse(`Operator is none: ${operator.slice(0, 32)}`, at)
  const { field } = found
  if (operator === 'exists') return { field, operator, wanted: null }
  if (operator === 'in' || operator === 'not_in') {
    const wanted: unknown = shape === 'bundle' ? (found.values ?? found.value) : found.values
    if (!Array.isArray(wanted) || wanted.length === 0)
      throw refuse(`Operator ${operator} requires a list`, at)
    return { field, operator, wanted }
  }
  if (!isObject(value) || !Object.hasOwn(value, 'value'))
    throw refuse(`Operator ${operator} requires a value`, at)
  return { field, operator, wanted: found.value }
}

/**
 * The matcher of a condition.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readDecionisCondition(
  value: unknown,
  at: string,
  shape: DecionisCondition,
): Matcher {
  const { field, operator, wanted } = readWanted(value, at, shape)
  const matcher = { kind: operator, field, value: wanted, lookup: factAt(field) }
  if (operator === 'matches') return { ...matcher, ...readMatches(wanted, at) }
  const compare = decionisOperators[operator]?.(wanted)
  return {
    ...matcher,
    compare: (actual, _, context) =>
      compare?.(actual === missing ? undefined : actual, listsOf(context)) ?? false,
  }
}

/** Whether a rule is for the decision's domain: `*` and `ANY` are for all, an empty one is for that of the workflow. */
export function readDomain(domain: string): Matcher {
  if (domain === '*' || domain.toUpperCase() === 'ANY') return { kind: 'always' }
  const workflow = factAt('workflow_key')
  return {
    kind: 'domain',
    field: 'decision_domain',
    value: domain,
    lookup: factAt('decision_domain'),
    compare: (actual, _, context) => {
      const key = workflow(context)
      return actual === (domain === '' ? (key === missing ? defaultDomain : key) : domain)
    },
  }
}
