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
const list = z.array(z.unknown()).min(1).max(256)
const conditions = { all: list.optional(), any: list.optional() }

const blockSchema = z.strictObject({
  id: name.optional(),
  version: z.union([z.string().min(1).max(128), z.number()]).optional(),
  rules: z.array(z.unknown()).min(1).max(1024),
})

const blockRule = z.strictObject({
  name,
  priority: z.unknown().optional(),
  domain: z.string().max(256).optional(),
  action: z.string(),
  rationale: z.string().max(2048).nullish(),
  ...conditions,
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

/** The effect of an action's word, in any case. */
function readAction(word: string, at: string): Effect {
  const effect = effectOf('decionis', word.trim().toUpperCase())
  if (effect === 'allow' || effect === 'deny' || effect === 'escalate' || effect === 'review')
    return effect
  throw refuse(`Action is none: ${word.slice(0, 64)}`, at)
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
  if (all !== undefined && any !== undefined) throw refuse('Either all or any expected', at)
  const given = all ?? any
  const part = all === undefined ? 'any' : 'all'
  if (given === undefined) return undefined
  return {
    kind: all === undefined ? 'any_of' : 'all_of',
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
  const when = readConditions(found, at, 'block')
  if (when === undefined) throw refuse('Either all or any expected', at)
  const rule: Rule = {
    id: found.name,
    effect: readAction(found.action, `${at}/action`),
    when: { kind: 'all_of', matchers: [readDomain(found.domain), when] },
    at,
    description: found.rationale ?? null,
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
  return wholeBundle(found.id ?? 'decionis-policy', String(found.version ?? '1'), rules)
}

/**
 * The value of the first block of a Markdown text that is fenced as `decionis`, `decionis json` or `decionis yaml`.
 * @throws {@link Failure} POLICY_INVALID when there is none; INPUT_MALFORMED, INPUT_INVALID, INPUT_TOO_LARGE of the block
 */
export function parseDecionisMarkdown(markdown: string, dialect: Dialect): unknown {
  const lines = markdown.split(/\r?\n/)
  const open = lines.findIndex((line) =>
    /^\s{0,3}```decionis(?:[ \t]+(?:json|yaml))?[ \t]*$/i.test(line),
  )
  const close =
    open < 0 ? -1 : lines.findIndex((line, i) => i > open && /^\s{0,3}```[ \t]*$/.test(line))
  if (close < 0) throw new Failure('POLICY_INVALID', 'Text has no block that is fenced as decionis')
  const block = lines.slice(open + 1, close).join('\n')
  const stated = /json|yaml/i.exec(lines[open] ?? '')?.[0].toLowerCase()
  return (stated ?? sniffFormat(block)) === 'json'
    ? parsePolicyJson(block, dialect)
    : parsePolicyYaml(block, dialect)
}
