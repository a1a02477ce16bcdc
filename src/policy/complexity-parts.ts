// A complexity score from the parts of a change. Of AEGIS's ComplexityDecomposer only the name is public; this is ours, and GATES.md has the formula.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'

const schema = z
  .array(
    z.strictObject({
      name: z.string().min(1).max(256),
      /** Of the code as it stands, or of its operation. */
      kind: z.enum(['static', 'dynamic']),
      /** 0 is trivial, 1 as complex as can be. */
      complexity: z.number().min(0).max(1),
      weight: z.number().min(1e-6).max(1e6).default(1),
    }),
  )
  .min(1)
  .max(64)

type Part = z.output<typeof schema>[number]

/** What parts come to. */
export interface Complexity {
  /** The `complexity_score` of the gates: higher is simpler. */
  readonly score: number
  /** Weighted means of the parts of each kind, higher is more complex; null where there is none. */
  readonly static: number | null
  readonly dynamic: number | null
}

function meanOf(parts: readonly Part[]): number | null {
  if (parts.length === 0) return null
  const weight = parts.reduce((sum, part) => sum + part.weight, 0)
  const weighed = parts.reduce((sum, part) => sum + part.weight * part.complexity, 0)
  // At most 1 also as rounded: each addend, and so each partial sum, is no more than its counterpart.
  return weighed / weight
}

/**
 * The complexity of a list of parts.
 * @throws {@link Failure} POLICY_INVALID when it is none
 */
export function decomposeComplexity(parts: unknown): Complexity {
  const parsed = schema.safeParse(parts)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const field = `/${issue?.path.join('/') ?? ''}`
    throw new Failure('POLICY_INVALID', `${issue?.message ?? 'Not parts'} at ${field}`, { field })
  }
  const of = (kind: Part['kind']): number | null =>
    meanOf(parsed.data.filter((part) => part.kind === kind))
  return {
    score: 1 - (meanOf(parsed.data) ?? 1),
    static: of('static'),
    dynamic: of('dynamic'),
  }
}
