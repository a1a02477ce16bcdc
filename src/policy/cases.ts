// Cases beside a bundle: contexts with the answer that its author expects, and which of its rules they have put to the test. A rule that no case ever
// matched is one that nobody has seen work.
import { z } from 'zod'
import { asFailure, Failure } from '../base/failure.ts'
import { parsePolicyText } from './bundle.ts'
import type { CompiledBundle, PolicyDecision } from './compile.ts'
import type { EvaluationContext } from './context.ts'
import { evaluate } from './evaluate.ts'
import { parseInstant } from './instant.ts'
import { readAsked } from './request.ts'

const answers = ['allow', 'deny', 'escalate', 'review', 'not_applicable', 'error'] as const

const expected = z.union([
  z.enum(answers).transform((decision) => ({ decision, policy: undefined, rule: undefined })),
  z.strictObject({
    decision: z.enum(answers),
    policy: z.string().optional(),
    /** Null where no rule may have matched. */
    rule: z.string().nullish(),
  }),
])

const casesSchema = z.strictObject({
  cases: z
    .array(
      z.strictObject({
        name: z.string().min(1).max(256),
        context: z.unknown().optional(),
        /** A request's intent, in place of the context that is made of it. */
        intent: z.unknown().optional(),
        /** The time of the evaluation, where the bundle has a window. */
        at: z.string().optional(),
        expect: expected,
      }),
    )
    .min(1)
    .max(10_000),
})

/** A context and the answer that is expected for it. */
export type PolicyCase = z.infer<typeof casesSchema>['cases'][number]

/** What became of a case. */
export interface CaseResult {
  readonly name: string
  readonly passed: boolean
  /** What was expected, and what came, in words. */
  readonly expected: string
  readonly found: string
}

/** A rule of a bundle by its place. */
export interface RulePlace {
  readonly policy: string
  readonly rule: string
}

/** What became of all cases. */
export interface CasesReport {
  readonly results: readonly CaseResult[]
  readonly failed: number
  readonly rules: number
  /** Rules that no case has matched, in the order of the bundle. */
  readonly unmatched: readonly RulePlace[]
}

/**
 * The cases of a text, read as the bundle's dialect reads.
 * @throws {@link Failure} INPUT_MALFORMED, INPUT_INVALID naming the place, INPUT_TOO_LARGE
 */
export function readCases(
  text: string,
  { dialect }: CompiledBundle,
  format?: 'json' | 'yaml',
): readonly PolicyCase[] {
  const parsed = casesSchema.safeParse(parsePolicyText(text, dialect, format))
  if (parsed.success) return parsed.data.cases
  const [issue] = parsed.error.issues
  const field = `/${issue?.path.map(String).join('/') ?? ''}`
  throw new Failure(
    'INPUT_INVALID',
    `Not cases, a member cases that lists {name, intent, expect}: ${issue?.message ?? ''} at ${field}`,
    { field },
  )
}

const describeAnswer = (
  decision: string,
  policy: string | null | undefined,
  rule: string | null | undefined,
): string =>
  [
    decision,
    ...(typeof policy === 'string' ? [`by policy ${policy}`] : []),
    ...(rule === undefined ? [] : [rule === null ? 'by no rule' : `by rule ${rule}`]),
  ].join(' ')

function timeOf({ at, name }: PolicyCase): number {
  if (at === undefined) return 0
  const time = parseInstant(at)
  if (time !== undefined) return time
  throw new Failure('INPUT_INVALID', `Time of a case must be a date and time with a zone: ${name}`)
}

function askedOf({ context, intent, name }: PolicyCase): EvaluationContext {
  if ((context === undefined) === (intent === undefined))
    throw new Failure('INPUT_INVALID', `A case has either a context or an intent: ${name}`)
  return readAsked(intent === undefined ? context : { intent })
}

function runCase(
  compiled: CompiledBundle,
  one: PolicyCase,
  matched: Set<PolicyDecision>,
): CaseResult {
  const { decision, policy, rule } = one.expect
  const wanted = describeAnswer(decision, policy, rule)
  try {
    const result = evaluate(compiled, askedOf(one), timeOf(one))
    for (const each of result.policy_decisions) matched.add(each)
    const { kind, matched_policy_id: by, matched_rule_id: byRule } = result.decision
    const passed =
      kind === decision &&
      (policy === undefined || policy === by) &&
      (rule === undefined || rule === byRule)
    return {
      name: one.name,
      passed,
      expected: wanted,
      found: describeAnswer(kind, by, by === null ? undefined : byRule),
    }
  } catch (error) {
    const { code, message } = asFailure(error)
    const passed = decision === 'error' && code === 'POLICY_RAISED'
    return { name: one.name, passed, expected: wanted, found: `error: ${message} (${code})` }
  }
}

/** Runs cases. A case that cannot be evaluated has failed, unless it expects an error of the policy. */
export function runCases(compiled: CompiledBundle, cases: readonly PolicyCase[]): CasesReport {
  const matched = new Set<PolicyDecision>()
  const results = cases.map((one) => runCase(compiled, one, matched))
  // Each rule has a decision of its own, the very object that evaluating gives; ids may stand twice.
  const places = compiled.policies.flatMap(({ id: policy, rules }) =>
    rules.map(({ decision, id: rule }) => ({ decision, place: { policy, rule } })),
  )
  return {
    results,
    failed: results.filter(({ passed }) => !passed).length,
    rules: places.length,
    unmatched: places.filter(({ decision }) => !matched.has(decision)).map(({ place }) => place),
  }
}
