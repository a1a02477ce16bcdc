// What a native rule says beyond its effect, and for which requests and with which values in sight its bundle is. A policy states terms for all its
// rules; a rule adds obligations to them and has the last word about the others.
import { z } from 'zod'
import { compileGlob } from './glob.ts'
import { obligationSchema, type Obligation } from './obligations.ts'

/** Longest that a hold waits, in seconds, whatever a rule says: 7 days. */
export const mostHold = 604_800
/** Longest deadline that a rule may say, in seconds: 30 days. */
const mostDeadline = 2_592_000

const code = z.string().regex(/^[A-Z][A-Z0-9_]{0,63}$/)
const patterns = z.array(z.string().min(1).max(256)).min(1).max(64)

/** Members of a native policy or rule, all of which may be absent. */
export const termMembers = {
  overridable: z.boolean().optional(),
  /** Seconds for which a hold waits for somebody. */
  deadline: z.int().min(1).max(mostDeadline).optional(),
  obligations: z.array(obligationSchema).min(1).max(16).optional(),
  reason_code: code.optional(),
}

/** Members of a native bundle, all of which may be absent. */
export const scopeSchema = z.strictObject({
  actions: patterns.optional(),
  resources: patterns.optional(),
  environments: patterns.optional(),
  /** Whether the bundle decides on every request in its scope or only where request or API key name it. */
  select: z.enum(['always', 'referenced']).default('always'),
})

/** Paths whose values a trace may show, as patterns with `*`. */
export const revealSchema = patterns

type TermMembers = { readonly [K in keyof typeof termMembers]?: unknown } & Partial<
  z.infer<z.ZodObject<typeof termMembers>>
>

/** What goes with a decision of a rule. */
export interface Terms {
  /** Whether two people may overrule it. */
  readonly overridable: boolean
  readonly deadlineSeconds: number | null
  readonly obligations: readonly Obligation[]
  /** The bundle's own reason code. */
  readonly code: string | null
}

/** The terms of a rule that says nothing. */
export const plainTerms: Terms = Object.freeze({
  overridable: true,
  deadlineSeconds: null,
  obligations: Object.freeze([]),
  code: null,
})

/** The terms of a rule within the terms of its policy. */
export function readTerms(members: TermMembers, within: Terms = plainTerms): Terms {
  const { deadline, obligations, overridable, reason_code } = members
  return {
    overridable: overridable ?? within.overridable,
    deadlineSeconds: deadline ?? within.deadlineSeconds,
    obligations:
      obligations === undefined ? within.obligations : [...within.obligations, ...obligations],
    code: reason_code ?? within.code,
  }
}

type Match = (text: string) => boolean

/** For which requests a bundle is; what is undefined is for all. */
export interface Scope {
  readonly action: Match | undefined
  readonly resource: Match | undefined
  readonly environment: Match | undefined
  readonly select: 'always' | 'referenced'
  /** As it was stated. */
  readonly stated: unknown
}

/** The scope that stands where none is stated. */
export const openScope: Scope = Object.freeze({
  action: undefined,
  resource: undefined,
  environment: undefined,
  select: 'always',
  stated: null,
})

function anyOf(globs: readonly string[] | undefined): Match | undefined {
  if (globs === undefined) return undefined
  const tests = globs.map(compileGlob)
  return (text) => tests.some((test) => test(text))
}

/** A scope made ready. */
export const compileScope = (stated: z.infer<typeof scopeSchema>): Scope => ({
  action: anyOf(stated.actions),
  resource: anyOf(stated.resources),
  environment: anyOf(stated.environments),
  select: stated.select,
  stated,
})

/** Whether a path may be shown, of a bundle's patterns. */
export const compileReveal = (globs: readonly string[] | undefined): Match =>
  anyOf(globs) ?? (() => false)
