// What a bundle is evaluated against.
import { z } from 'zod'
import { Failure } from '../base/failure.ts'
import type { Meter } from './engine.ts'

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
// Taken as it is, not copied: a copy by zod would lose a member named `__proto__`.
const record = z.custom<Readonly<Record<string, unknown>>>(isRecord, 'Object expected')

const contextSchema = z.strictObject({
  data: record.default({}),
  subject: record.nullish(),
  action: z.string().nullish(),
  resource: record.nullish(),
})

/** What a bundle is evaluated against; subject, action and resource stand over members of the data with these names. */
export type EvaluationContext = Readonly<z.infer<typeof contextSchema>> & {
  /** The members of the data that the service itself asserts. */
  readonly asserted?: Readonly<Record<string, unknown>>
  /** What comparing may still cost; without bound where there is none. */
  readonly meter?: Meter
}

/**
 * The context that a JSON value is. The value is kept, not copied.
 * @throws {@link Failure} INPUT_INVALID
 */
export function readContext(value: unknown): EvaluationContext {
  const parsed = contextSchema.safeParse(value)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  const field = `/${issue?.path.join('/') ?? ''}`
  throw new Failure('INPUT_INVALID', `Not a context: ${issue?.message ?? 'unknown'} at ${field}`, {
    field,
  })
}
