// Decionis's rules as bundles, in both of their forms: the protocol bundle, and the fenced block of a DECIONIS_POLICY.md. The first rule that matches
// decides, and none is REVIEW. A rule that is only a reference to one elsewhere cannot be evaluated: it makes every answer of its bundle an error.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { Effect, Matcher, Policy, PolicyBundle, Rule } from './bundle.ts'
import { fit, refuse } from './bundle-schema.ts'
import { readDecionisCondition, readDomain, type DecionisCondition } from './decionis-facts.ts'
import type { Dialect } from './dialect.ts'
import { parseInstant } from './instant.ts'
import { effectOf } from './lattice.ts'
import { parsePolicyJson, parsePolicyYaml, sniffFormat } from './policy-text.ts'
import { openScope, plainTerms } from './terms.ts'

const name = z.string().min(1).max(256)
const list = z.array(z.unknown()).max(256)
const conditions = { all: list.optional(), any: list.optional() }

// As Decionis's compiler has it, members that nobody knows are left alone here.
const blockSchema = z.looseObject({ rules: z.array(z.unknown()).min(1).max(1024) })

const blockRule = z.looseObject({
  name: z.string().trim().min(1).max(256),
  priority: z.unknown().optional(),
  domain: z.unknown().optional(),
  action: z.string(),
  rationale: z.unknown().optional(),
  all: z.unknown().optional(),
  any: z.unknown().optional(),
})

const bundleSchema = z.strictObject({
  protocol_version: z.enum(['1.0', '1.0.0']),
  bundle_id: name,
  org_id: z.string().max(256).optional(),
  version: z.string().min(1).max(128),
  effective_from: z.string().nullish(),
  effective_to: z.string().nullish(),
  lifecycle_state: z.string().max(64).optional(),
  rules: z.array(z.unknown()).min(1).max(1024),
  metadata: z.looseObject({}).optional(),
})

const bundleRule = z.strictObject({
  rule_id: name,
  name: z.string().max(256).optional(),
  enabled: z.boolean().default(true),
  when: z.strictObject(conditions).default({}),
  then: z.strictObject({
    action: z.string(),
    severity: z.string().max(64).optional(),
    authority: z.looseObject({}).optional(),
  }),
})

const reference = z.strictObject({ artifact_ref: name })

const blockActions = new Set(['ALLOW', 'BLOCK', 'RESTRAIN', 'ESCALATE'])

/** The effect of an action's word, in any case. */
function readAction(stated: string, at: string, words?: ReadonlySet<string>): Effect {
  const word = stated.trim().toUpperCase()
  const effect = words?.has(word) === false ? 'error' : effectOf('decionis', word)
  if (effect === 'allow' || effect === 'deny' || effect === 'escalate' || effect === 'review')
    return effect
  throw refuse(`Action is none: ${stated.slice(0, 64)}`, at)
}

interface Conditions {
  readonly all?: readonly unknown[] | undefined
  readonly any?: readonly unknown[] | undefined
}

function readConditions(
  { all, any }: Conditions,
  at: string,
  shape: DecionisCondition,
): Matcher | undefined {
  const isAll = all !== undefined && all.length > 0
  const given = isAll ? all : (any ?? [])
  if (isAll && any !== undefined && any.length > 0) throw refuse('Either all or any expected', at)
  if (given.length === 0) return undefined
  const part = isAll ? 'all' : 'any'
  return {
    kind: isAll ? 'all_of' : 'any_of',
    matchers: given.map((one, i) => readDecionisCondition(one, `${at}/${part}/${i}`, shape)),
  }
}

/** The place of a rule among others: a number rounded into 0 to 100,000, else where it stands. */
const priorityOf = (stated: unknown, index: number): number =>
  typeof stated === 'number' && Number.isFinite(stated)
    ? Math.min(100_000, Math.max(0, Math.round(stated)))
    : index

function readBlockRule(
  value: unknown,
  index: number,
): { readonly rule: Rule; readonly priority: number } {
  const at = `/rules/${index}`
  const found = fit(blockRule, value, at)
  const { all, any, domain, rationale } = found
  const parts = { all: Array.isArray(all) ? all : [], any: Array.isArray(any) ? any : [] }
  const when = readConditions(fit(z.object(conditions), parts, at), at, 'block')
  if (when === undefined) throw refuse('Either all or any expected', at)
  const rule: Rule = {
    id: found.name,
    effect: readAction(found.action, `${at}/action`, blockActions),
    when: {
      kind: 'all_of',
      matchers: [readDomain(typeof domain === 'string' ? domain.trim() : ''), when],
    },
    at,
    description: typeof rationale === 'string' ? rationale : null,
    tags: null,
    terms: plainTerms,
  }
  return { rule, priority: priorityOf(found.priority, index) }
}

function readBundleRule(value: unknown, index: number): Rule | undefined {
  const at = `/rules/${index}`
  const found = fit(bundleRule, value, at)
  const { authority, severity } = found.then
  const role = authority === undefined ? [] : [`authority:${JSON.stringify(authority)}`]
  const rule: Rule = {
    id: found.rule_id,
    effect: readAction(found.then.action, `${at}/then/action`),
    when: readConditions(found.when, `${at}/when`, 'bundle') ?? { kind: 'always' },
    at: `${at}/when`,
    description: found.name ?? null,
    tags: [...(severity === undefined ? [] : [`severity:${severity}`]), ...role],
    terms: plainTerms,
  }
  return found.enabled ? rule : undefined
}

const opaqueRule = (ref: string, index: number): Rule => ({
  id: ref,
  effect: 'deny',
  when: { kind: 'opaque', why: `Rule is a reference that cannot be evaluated here: ${ref}` },
  at: `/rules/${index}`,
  description: null,
  tags: null,
  terms: plainTerms,
})

const policyOf = (id: string, rules: readonly Rule[]): Policy => ({
  id,
  description: null,
  defaultEffect: 'review',
  rules,
  terms: plainTerms,
  priority: 0,
  defaultReason: 'no_matching_rule',
})

const wholeBundle = (
  id: string,
  version: string,
  rules: readonly Rule[],
  window: readonly [number, number] = [-Infinity, Infinity],
): PolicyBundle => ({
  id,
  version,
  policies: [policyOf(id, rules)],
  effectiveFrom: window[0],
  effectiveUntil: window[1],
  scope: undefined,
  applies: openScope,
  reveals: () => false,
})

function instantAt(text: string | null | undefined, otherwise: number, at: string): number {
  if (text === undefined || text === null) return otherwise
  const instant = parseInstant(text)
  if (instant === undefined) throw refuse('Date and time with a zone expected', at)
  return instant
}

/**
 * The bundle of a protocol bundle.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readDecionisBundle(value: unknown): PolicyBundle {
  const found = fit(bundleSchema, value, '')
  const references = found.rules.flatMap((rule, i) => {
    const parsed = reference.safeParse(rule)
    return parsed.success ? [opaqueRule(parsed.data.artifact_ref, i)] : []
  })
  const rules = found.rules.flatMap((rule, i) =>
    reference.safeParse(rule).success ? [] : (readBundleRule(rule, i) ?? []),
  )
  const from = instantAt(found.effective_from, -Infinity, '/effective_from')
  const until = instantAt(found.effective_to, Infinity, '/effective_to')
  if (until <= from) throw refuse('Bundle must end after it begins', '/effective_to')
  // Nobody knows what a reference stands for, so that it is asked before all others.
  return wholeBundle(found.bundle_id, found.version, [...references, ...rules], [from, until])
}

/**
 * The bundle of a DECIONIS_POLICY.md block: rules of higher priority first, and those of one priority as they stand.
 * @throws {@link Failure} POLICY_INVALID naming the place
 */
export function readDecionisRules(value: unknown): PolicyBundle {
  const found = fit(blockSchema, value, '')
  const rules = found.rules
    .map(readBlockRule)
    .toSorted((a, b) => b.priority - a.priority)
    .map(({ rule }) => rule)
  const { id, version } = found
  return wholeBundle(
    typeof id === 'string' && id !== '' && id.length <= 128 ? id : 'decionis-policy',
    typeof version === 'number' || (typeof version === 'string' && version !== '')
      ? String(version).slice(0, 128)
      : '1',
    rules,
  )
}

/**
 * The value of the first block of a Markdown text that is fenced as `decionis`, perhaps with `json`, `yaml` or `yml`; the block itself tells which it is.
 * @throws {@link Failure} POLICY_INVALID when there is none; INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE of the block
 */
export function parseDecionisMarkdown(markdown: string, dialect: Dialect): unknown {
  const open = /```decionis(?:\s+(?:json|ya?ml))?[ \t]*\r?\n/i.exec(markdown)
  const from = open === null ? 0 : open.index + open[0].length
  const until = markdown.indexOf('\n```', from)
  const block = until < 0 ? '' : markdown.slice(from, until).trim()
  if (open === null || block === '')
    throw new Failure('POLICY_INVALID', 'Text has no block that is fenced as decionis')
  return sniffFormat(block) === 'json'
    ? parsePolicyJson(block, dialect)
    : parsePolicyYaml(block, dialect)
}
