// Evaluating and deciding against a model of what the pages say, written without the code: values compare by a text that they share, paths are walked by their
// segments, and nothing is compiled.
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Failure } from '../../src/base/failure.ts'
import { compileBundle } from '../../src/policy/compile.ts'
import { readContext } from '../../src/policy/context.ts'
import { decide } from '../../src/policy/decide.ts'
import type { DialectName } from '../../src/policy/dialect.ts'
import { evaluate } from '../../src/policy/evaluate.ts'
import { traceEvaluation } from '../../src/policy/trace.ts'

// FAULTS=all (npm run test:fault) asks more often.
const all = process.env['FAULTS'] === 'all'
const numRuns = all ? 20_000 : 800

type Members = Readonly<Record<string, unknown>>
type Kind =
  | 'eq'
  | 'ne'
  | 'gt'
  | 'gte'
  | 'lt'
  | 'lte'
  | 'in'
  | 'not_in'
  | 'contains'
  | 'missing'
  | 'exists'
  | 'regex'
  | 'starts_with'
  | 'ends_with'

/** A matcher as the model has it: a path in its segments. */
type Modelled =
  | { readonly kind: Kind; readonly path: readonly string[]; readonly value: unknown }
  | { readonly kind: 'all_of' | 'any_of'; readonly matchers: readonly Modelled[] }
  | { readonly kind: 'not'; readonly matcher: Modelled }
  | { readonly kind: 'always' }

const modelled = ['0.1', '0.2', 'native', 'brane'] as const satisfies readonly DialectName[]
type ModelledDialect = (typeof modelled)[number]

class Raised extends Error {}
const raise = (): never => {
  throw new Raised()
}

// ---- values

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The same for two values exactly where they are equal; with `loose`, true is 1. */
function keyOf(value: unknown, loose: boolean): string {
  if (typeof value === 'boolean') return loose ? keyOf(Number(value), loose) : `b${value}`
  // Minus zero is zero.
  if (typeof value === 'number') return `n${value + 0}`
  if (typeof value === 'string') return `s${JSON.stringify(value)}`
  if (Array.isArray(value)) return `[${value.map((item) => keyOf(item, loose)).join()}]`
  if (!isMembers(value)) return 'null'
  const members = Object.entries(value).map(
    ([name, member]) => `${JSON.stringify(name)}:${keyOf(member, loose)}`,
  )
  return `{${members.toSorted().join()}}`
}

const isEqual = (a: unknown, b: unknown, loose: boolean): boolean =>
  keyOf(a, loose) === keyOf(b, loose)

/** `eq` of a dialect: 0.1 has True == 1 everywhere, 0.2 within containers only, the others nowhere. */
const equals = (a: unknown, b: unknown, dialect: ModelledDialect): boolean =>
  isEqual(
    a,
    b,
    dialect === '0.1' || (dialect === '0.2' && typeof a !== 'boolean' && typeof b !== 'boolean'),
  )

/** Negative, zero or positive; undefined without an order. */
function order(a: unknown, b: unknown): number | undefined {
  if (typeof a === 'string' && typeof b === 'string') {
    const points = (text: string): readonly unknown[] =>
      Array.from(text, (char) => char.codePointAt(0))
    return order(points(a), points(b))
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    const at = a.findIndex((item, i) => i >= b.length || !isEqual(item, b[i], true))
    if (at < 0) return a.length - b.length
    return at >= b.length ? 1 : order(a[at], b[at])
  }
  const isNumber = (value: unknown): boolean => ['number', 'boolean'].includes(typeof value)
  return isNumber(a) && isNumber(b) ? Number(a) - Number(b) : undefined
}

const orders: Readonly<Record<string, (sign: number) => boolean>> = {
  gt: (sign) => sign > 0,
  gte: (sign) => sign >= 0,
  lt: (sign) => sign < 0,
  lte: (sign) => sign <= 0,
}

// Patterns of Python with what JavaScript says for them.
const patterns: readonly (readonly [string, RegExp])[] = [
  ['^a', /^a/],
  ['b$', /b\n?$/],
  ['^a+$', /^a+\n?$/],
  ['(?i)A|Z', /a|z/i],
  ['[^a]', /[^a]/u],
  ['.b', /[^\n]b/],
  ['\\d{2}', /\p{Nd}{2}/u],
  ['^$', /^\n?$/],
]

// ---- paths

const indexes: Readonly<Record<string, number>> = {
  '0': 0,
  '1': 1,
  '-1': -1,
  '+1': 1,
  ' 0 ': 0,
  '\u0661': 1,
  '0_1': 1,
}
const nothing = Symbol('nothing')

function lookUp(context: Members, [first = '', ...rest]: readonly string[]): unknown {
  const data = context['data'] as Members
  const inData = Object.hasOwn(data, first) ? data[first] : nothing
  const isOurs = ['subject', 'action', 'resource'].includes(first)
  let value: unknown = isOurs ? (context[first] ?? inData) : inData
  for (const name of rest) {
    if (Array.isArray(value)) {
      const index = Object.hasOwn(indexes, name) ? indexes[name] : undefined
      const found: readonly unknown[] = index === undefined ? [] : value.slice(index).slice(0, 1)
      value =
        index !== undefined && index < 0 && -index > value.length
          ? nothing
          : found.length === 0
            ? nothing
            : found[0]
    } else value = isMembers(value) && Object.hasOwn(value, name) ? value[name] : nothing
  }
  return value
}

// ---- matchers

const kindOf = (value: unknown): string => (Array.isArray(value) ? 'list' : typeof value)

/** Whether a native comparison can judge the value. */
function judges(kind: Kind, actual: unknown, value: unknown): boolean {
  if (kind in orders) return kindOf(actual) === kindOf(value)
  if (['regex', 'starts_with', 'ends_with'].includes(kind)) return typeof actual === 'string'
  return (
    kind !== 'contains' ||
    typeof actual === 'string' ||
    (typeof actual === 'object' && actual !== null)
  )
}

function containsOf(actual: unknown, value: unknown, loose: boolean): boolean {
  if (typeof actual === 'string')
    return typeof value === 'string' ? actual.split(value).length > 1 || value === '' : raise()
  if (Array.isArray(actual)) return actual.some((item) => isEqual(item, value, loose))
  if (!isMembers(actual)) return false
  return typeof value === 'object' ? raise() : Object.keys(actual).some((name) => name === value)
}

function compare(kind: Kind, actual: unknown, value: unknown, dialect: ModelledDialect): boolean {
  const isNative = dialect === 'native' || dialect === 'brane'
  if (isNative && !judges(kind, actual, value)) return raise()
  const asked = orders[kind]
  if (asked !== undefined) {
    const sign = order(actual, value)
    return sign !== undefined && asked(sign)
  }
  if (kind === 'eq' || kind === 'ne') return equals(actual, value, dialect) === (kind === 'eq')
  if (kind === 'in' || kind === 'not_in') {
    const items = value as readonly unknown[]
    return items.some((item) => isEqual(actual, item, !isNative)) === (kind === 'in')
  }
  if (kind === 'contains') return containsOf(actual, value, !isNative)
  if (kind === 'exists' || kind === 'missing') return kind === 'exists'
  if (typeof actual !== 'string' || typeof value !== 'string') return false
  if (kind === 'regex') return patterns.some(([text, same]) => text === value && same.test(actual))
  const at = kind === 'starts_with' ? 0 : actual.length - value.length
  return at >= 0 && actual.slice(at, at + value.length) === value
}

function holds(matcher: Modelled, context: Members, dialect: ModelledDialect): boolean {
  const ask = (one: Modelled): boolean => holds(one, context, dialect)
  if ('matchers' in matcher)
    return matcher.kind === 'all_of' ? matcher.matchers.every(ask) : matcher.matchers.some(ask)
  if ('matcher' in matcher) return !ask(matcher.matcher)
  if (!('path' in matcher)) return true
  // 0.1 knows no escape: a dot always cuts.
  const names = dialect === '0.1' ? matcher.path.join('.').split('.') : matcher.path
  const actual = lookUp(context, names)
  if (actual === nothing) return matcher.kind === 'missing'
  return compare(matcher.kind, actual, matcher.value, dialect)
}

/** The matcher as a bundle writes it. */
function written(matcher: Modelled, dialect: ModelledDialect): object {
  if ('matchers' in matcher)
    return { kind: matcher.kind, matchers: matcher.matchers.map((one) => written(one, dialect)) }
  if ('matcher' in matcher) return { kind: 'not', matcher: written(matcher.matcher, dialect) }
  if (!('path' in matcher)) return { kind: 'always' }
  const { kind, path, value } = matcher
  const escaped = path.map((name) => (dialect === '0.1' ? name : name.replace(/[.\\]/g, '\\$&')))
  return {
    kind,
    field: escaped.join('.'),
    ...(kind === 'exists' || kind === 'missing' ? {} : { value }),
  }
}

// ---- what is asked

const plain = fc.constantFrom<unknown>(
  0,
  -0,
  1,
  2,
  -1,
  0.1,
  1e21,
  true,
  false,
  'a',
  'ab',
  'aab',
  'b\n',
  '',
  '1',
  'A',
  '12',
  '\u0661\u0662',
  '\u{1f600}',
  '\uffff',
  '__proto__',
  'constructor',
)
const value: fc.Arbitrary<unknown> = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    { arbitrary: plain, weight: 6 },
    { arbitrary: fc.array(tie('value'), { maxLength: 3 }), weight: 2 },
    {
      arbitrary: fc.dictionary(
        fc.constantFrom('a', 'b', 'd.e', 'constructor'),
        fc.oneof(tie('value'), fc.constant(null)),
        {
          maxKeys: 3,
          noNullPrototype: true,
        },
      ),
      weight: 2,
    },
  ),
})).value
const nullable = fc.oneof(
  { arbitrary: value, weight: 9 },
  { arbitrary: fc.constant(null), weight: 1 },
)

const roots = ['a', 'b', 'c', 'd', 'toString', 'action', 'subject', 'resource'] as const
const segments = [
  'a',
  'b',
  'd.e',
  '',
  '0',
  '1',
  '-1',
  '+1',
  ' 0 ',
  '\u0661',
  '0_1',
  'x\\',
  'length',
  'constructor',
] as const

const context = fc.record(
  {
    data: fc.dictionary(fc.constantFrom(...roots.filter((name) => name !== 'toString')), nullable, {
      minKeys: 3,
      maxKeys: 5,
      noNullPrototype: true,
    }),
    subject: fc.oneof(
      fc.constant(null),
      fc.dictionary(fc.constantFrom('a', 'b', 'd.e'), nullable, {
        maxKeys: 3,
        noNullPrototype: true,
      }),
    ),
    action: fc.oneof(fc.constant(null), fc.constantFrom('a', 'ab', '')),
    resource: fc.oneof(
      fc.constant(null),
      fc.dictionary(fc.constantFrom('a', 'b'), nullable, { maxKeys: 2, noNullPrototype: true }),
    ),
  },
  { requiredKeys: ['data'] },
)

const kinds = fc.constantFrom<Kind>(
  'eq',
  'ne',
  'gt',
  'gte',
  'lt',
  'lte',
  'contains',
  'contains',
  'contains',
  'missing',
  'exists',
  'starts_with',
  'ends_with',
)
const path = fc
  .tuple(fc.constantFrom(...roots), fc.array(fc.constantFrom(...segments), { maxLength: 2 }))
  .map(([root, rest]) => [root, ...rest])

const leaf: fc.Arbitrary<Modelled> = fc.oneof(
  { arbitrary: fc.record({ kind: kinds, path, value }), weight: 10 },
  {
    arbitrary: fc.record({
      kind: fc.constantFrom<Kind>('in', 'not_in'),
      path,
      value: fc.array(nullable, { maxLength: 3 }),
    }),
    weight: 2,
  },
  {
    arbitrary: fc.record({
      kind: fc.constant<Kind>('regex'),
      path,
      value: fc.constantFrom(...patterns).map(([pattern]) => pattern),
    }),
    weight: 2,
  },
  { arbitrary: fc.constant<Modelled>({ kind: 'always' }), weight: 1 },
)
const matcher = fc.letrec<{ matcher: Modelled }>((tie) => ({
  matcher: fc.oneof(
    { depthSize: 'small', maxDepth: 3 },
    leaf,
    fc.record({
      kind: fc.constantFrom('all_of', 'any_of'),
      matchers: fc.array(tie('matcher'), { minLength: 1, maxLength: 3 }),
    }),
    fc.record({ kind: fc.constant('not'), matcher: tie('matcher') }),
  ),
})).matcher

const obligations = [
  { type: 'sandbox', profile: 'p' },
  { type: 'redact', paths: ['x'], mode: 'remove' },
  { type: 'log_only' },
] as const
const terms = fc.record(
  {
    overridable: fc.boolean(),
    deadline: fc.constantFrom(60, 600),
    obligations: fc.subarray([...obligations], { minLength: 1 }),
  },
  { requiredKeys: [] },
)
const effects = ['allow', 'deny', 'escalate', 'review'] as const
const policy = fc.record({
  byDefault: fc.constantFrom(...effects, 'not_applicable', 'not_applicable', 'review', 'allow'),
  rules: fc.array(
    fc.record({
      effect: fc.constantFrom('allow', 'allow', 'review', 'escalate', ...effects),
      when: matcher,
      terms,
    }),
    { minLength: 1, maxLength: 3 },
  ),
  terms,
  priority: fc.constantFrom(-1, 0, 0, 1),
})
type ModelledPolicy = typeof policy extends fc.Arbitrary<infer T> ? T : never
const bundle = fc.record({
  dialect: fc.constantFrom(...modelled, 'native' as const),
  policies: fc.array(policy, { minLength: 1, maxLength: 3 }),
})
type ModelledBundle = typeof bundle extends fc.Arbitrary<infer T> ? T : never

// ---- what a bundle of each dialect can say

const isFirst = (dialect: ModelledDialect): boolean => dialect === '0.1' || dialect === '0.2'

/** The effect of a rule in the words of its dialect. */
function effectIn(
  dialect: ModelledDialect,
  effect: (typeof effects)[number],
): (typeof effects)[number] {
  if (isFirst(dialect)) return effect === 'allow' ? effect : 'deny'
  return dialect === 'brane' && effect === 'review' ? 'escalate' : effect
}

function defaultIn(dialect: ModelledDialect, { byDefault }: ModelledPolicy): string {
  if (dialect === 'brane') return 'not_applicable'
  return isFirst(dialect) && byDefault !== 'allow' ? 'deny' : byDefault
}

function writtenBundle({ dialect, policies }: ModelledBundle, id = 'b'): object {
  const brane = dialect === 'brane'
  return {
    bundle_id: id,
    policies: policies.map((one, i) => ({
      id: `p${i}`,
      default_effect: defaultIn(dialect, one),
      ...(brane ? { priority: one.priority } : {}),
      ...(isFirst(dialect) ? {} : one.terms),
      rules: one.rules.map(({ effect, terms: own, when }, j) => {
        const word = effectIn(dialect, effect)
        return {
          id: `r${j}`,
          effect: brane && word === 'escalate' ? 'approval_required' : word,
          when: written(when, dialect),
          ...(isFirst(dialect) ? {} : own),
        }
      }),
    })),
  }
}

/** Policies in the order in which they are asked, with their places. */
const asked = ({
  dialect,
  policies,
}: ModelledBundle): readonly (readonly [ModelledPolicy, number])[] => {
  const placed = policies.map((one, i) => [one, i] as const)
  return dialect === 'brane' ? placed.toSorted(([a], [b]) => b.priority - a.priority) : placed
}

type Said = { readonly effect: string; readonly policy: number; readonly rule: number | null }

/** What each policy that is asked says; `error` where a rule has no answer. */
function saidBy(whole: ModelledBundle, seen: Members): readonly Said[] {
  const { dialect } = whole
  const said: Said[] = []
  for (const [one, at] of asked(whole)) {
    let found: Said
    try {
      const rule = one.rules.findIndex(({ when }) => holds(when, seen, dialect))
      const effect = one.rules[rule]?.effect
      found =
        effect === undefined
          ? { effect: defaultIn(dialect, one), policy: at, rule: null }
          : { effect: effectIn(dialect, effect), policy: at, rule }
    } catch (error) {
      if (!(error instanceof Raised)) throw error
      found = { effect: 'error', policy: at, rule: null }
    }
    said.push(found)
    if (dialect === 'brane' && found.effect === 'deny') break
  }
  return said
}

const strength = [
  'error',
  'deny',
  'escalate',
  'review',
  'sandbox',
  'redact',
  'log_only',
  'allow',
  'not_applicable',
]
const strongest = (words: readonly string[]): string =>
  words.toSorted((a, b) => strength.indexOf(a) - strength.indexOf(b))[0] ?? 'not_applicable'

/** The one that decides, as `[effect, policy, rule]`. */
function answerOf(whole: ModelledBundle, said: readonly Said[]): unknown {
  const effect = strongest(said.map((one) => one.effect))
  if (effect === 'not_applicable')
    return whole.dialect === 'brane' ? ['allow', null, null] : ['not_applicable', null, null]
  const those = said.filter((one) => one.effect === effect)
  const one = whole.dialect === 'brane' && effect === 'allow' ? those.at(-1) : those[0]
  return [effect, `p${one?.policy ?? -1}`, one?.rule === null ? null : `r${one?.rule ?? -1}`]
}

describe('evaluating', () => {
  it('answers what the pages say, and tracing the same', () => {
    const met: Record<string, number> = {}
    fc.assert(
      fc.property(bundle, context, (whole, seen) => {
        const compiled = compileBundle(writtenBundle(whole), whole.dialect)
        const said = saidBy(whole, seen)
        const raises = said.some(({ effect }) => effect === 'error')
        for (const ask of [evaluate, traceEvaluation]) {
          let answer: unknown
          try {
            const { kind, matched_policy_id, matched_rule_id } = ask(
              compiled,
              readContext(seen),
              0,
            ).decision
            answer = [kind, matched_policy_id, matched_rule_id]
          } catch (error) {
            if (!(error instanceof Failure)) throw error
            answer = error.code
          }
          expect(answer).toEqual(raises ? 'POLICY_RAISED' : answerOf(whole, said))
        }
        const key = `${whole.dialect} ${strongest(said.map(({ effect }) => effect))}`
        met[key] = (met[key] ?? 0) + 1
      }),
      { numRuns },
    )
    for (const dialect of modelled)
      for (const effect of ['allow', 'deny'])
        expect(met[`${dialect} ${effect}`], `${dialect} ${effect}`).toBeGreaterThan(3)
    // The other two raise only where something of the wrong kind is to be contained.
    for (const dialect of ['native', 'brane'])
      expect(met[`${dialect} error`], `${dialect} error`).toBeGreaterThan(3)
  })
})

// ---- deciding

interface Opinion {
  readonly effect: string
  readonly overridable: boolean
  readonly deadline: number | undefined
  readonly obligations: readonly object[]
}

function opinionsOf(whole: ModelledBundle, seen: Members): readonly Opinion[] {
  const { dialect, policies } = whole
  const opinions = saidBy(whole, seen).map(({ effect, policy: at, rule }): Opinion => {
    const outer = isFirst(dialect) ? {} : (policies[at]?.terms ?? {})
    const own = isFirst(dialect) || rule === null ? {} : (policies[at]?.rules[rule]?.terms ?? {})
    const silent = ['error', 'deny', 'not_applicable'].includes(effect)
    const demanded = silent ? [] : [...(outer.obligations ?? []), ...(own.obligations ?? [])]
    return {
      effect: strongest([effect, ...demanded.map(({ type }) => type)]),
      overridable: effect !== 'error' && (own.overridable ?? outer.overridable ?? true),
      deadline: own.deadline ?? outer.deadline,
      obligations: demanded,
    }
  })
  const silent = opinions.every(({ effect }) => effect === 'not_applicable')
  return dialect === 'brane' && silent
    ? [{ effect: 'allow', overridable: true, deadline: undefined, obligations: [] }]
    : opinions
}

const statuses: Readonly<Record<string, string>> = {
  error: 'ERROR',
  deny: 'BLOCK',
  escalate: 'ESCALATE',
  review: 'REVIEW_REQUIRED',
  not_applicable: 'BLOCK',
}

function modelDecision(bundles: readonly ModelledBundle[], seen: Members): object {
  const opinions = bundles.flatMap((one) => opinionsOf(one, seen))
  const effect = strongest(opinions.map((one) => one.effect))
  const status = statuses[effect] ?? 'ALLOW'
  const held = opinions.filter((one) => ['escalate', 'review'].includes(one.effect))
  const isHeld = held.length > 0 && status !== 'ERROR' && status !== 'BLOCK'
  const deadlines = held.flatMap(({ deadline }) => deadline ?? [])
  const obliged = isHeld || status === 'ALLOW' ? opinions.flatMap((one) => one.obligations) : []
  return {
    status,
    overridable:
      status !== 'ERROR' &&
      opinions.every(
        (one) => one.overridable || !['deny', 'escalate', 'review'].includes(one.effect),
      ),
    deadlineSeconds: isHeld && deadlines.length > 0 ? Math.min(...deadlines) : null,
    obligations: [...new Set(obliged.map((one) => JSON.stringify(one)))].toSorted(),
  }
}

describe('deciding', () => {
  it('composes the opinions of all bundles as the page says, in whatever order they come', () => {
    const met: Record<string, number> = {}
    fc.assert(
      fc.property(fc.array(bundle, { maxLength: 2 }), context, (bundles, seen) => {
        const active = bundles.map((one, i) => ({
          compiled: compileBundle(writtenBundle(one, `b${i}`), one.dialect),
          index: null,
        }))
        const request = {
          actor: { id: 'me', ...(seen.subject ?? {}) },
          action: { type: seen.action ?? '' },
          ...(seen.resource === undefined || seen.resource === null
            ? {}
            : { resource: seen.resource }),
          context: seen.data,
        }
        const asSeen = {
          data: seen.data,
          subject: request.actor,
          action: request.action.type,
          resource: seen.resource ?? null,
        }
        const wanted = modelDecision(bundles, asSeen)
        for (const some of [active, active.toReversed()]) {
          const {
            deadlineSeconds,
            obligations: found,
            overridable,
            status,
          } = decide({ request, time: 0, active: some })
          const told = found.map((one) => JSON.stringify(one)).toSorted()
          expect({ deadlineSeconds, obligations: told, overridable, status }).toEqual(wanted)
        }
        const { status } = wanted as { readonly status: string }
        met[status] = (met[status] ?? 0) + 1
      }),
      { numRuns },
    )
    for (const status of ['ALLOW', 'BLOCK', 'ESCALATE', 'REVIEW_REQUIRED', 'ERROR'])
      expect(met[status], status).toBeGreaterThan(3)
  })
})
