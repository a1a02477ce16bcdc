// An intent as policies see it. What the requester says stands in its context; what the service itself asserts (`facts`) stands over it, and some names
// only the service may assert. The whole intent is under `intent`, so that a path can tell `intent.action.amount` from a member of the context.
import { Failure } from '../base/failure.ts'
import { limits } from '../base/limits.ts'
import { readContext, type EvaluationContext } from './context.ts'

type Members = Readonly<Record<string, unknown>>

/** What somebody wants to do; the intent of a decision. */
export interface PolicyRequest {
  readonly actor: Members & { readonly id: string }
  readonly action: Members & { readonly type: string }
  readonly resource?: Members | undefined
  readonly context?: Members | undefined
  readonly policyRefs?: readonly string[] | undefined
}

/** Bounds of a request that is decided on. */
const requestLimits = Object.freeze({
  depth: limits.jsonDepth,
  /** Values in all. */
  values: 65_536,
  /** Characters of strings and names in all, in UTF-16 code units. */
  characters: 1_048_576,
})

/** Names in a context that only the service may assert: whether a Decision Card's conditions hold is not the requester's to say. */
const ours = ['conditions_satisfied', 'intent'] as const

/** Counts what a request holds, so that nothing below meets one that is too large, too deep or no plain JSON. */
class Measure {
  #values = 0
  #characters = 0

  fits(value: unknown, depth: number): boolean {
    if (++this.#values > requestLimits.values) return false
    if (typeof value === 'string') return this.#counts(value)
    if (typeof value === 'number') return Number.isFinite(value)
    if (value === null || typeof value === 'boolean') return true
    if (typeof value !== 'object' || depth >= requestLimits.depth) return false
    if (Array.isArray(value)) return value.every((item: unknown) => this.fits(item, depth + 1))
    const prototype: unknown = Object.getPrototypeOf(value)
    if (prototype !== Object.prototype && prototype !== null) return false
    for (const name of Object.keys(value))
      if (!this.#counts(name) || !this.fits((value as Members)[name], depth + 1)) return false
    return true
  }

  #counts(text: string): boolean {
    this.#characters += text.length
    return this.#characters <= requestLimits.characters
  }
}

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Whether a value is a request that can be decided on. */
export function isReadable(value: unknown): value is PolicyRequest {
  if (!isMembers(value) || !new Measure().fits(value, 0)) return false
  const { action, actor, context, policyRefs, resource } = value
  return (
    isMembers(actor) &&
    typeof actor['id'] === 'string' &&
    isMembers(action) &&
    typeof action['type'] === 'string' &&
    (resource === undefined || isMembers(resource)) &&
    (context === undefined || isMembers(context)) &&
    (policyRefs === undefined ||
      (Array.isArray(policyRefs) && policyRefs.every((ref) => typeof ref === 'string')))
  )
}

/** Members of an object as they stand, without what a prototype would add. */
function merge(...parts: readonly Members[]): Members {
  const merged = Object.create(null) as Record<string, unknown>
  for (const part of parts) for (const name of Object.keys(part)) merged[name] = part[name]
  return merged
}

/** The context of a request: its own with the service's facts over it. */
export function contextOf(request: PolicyRequest, facts: Members): EvaluationContext {
  const data = merge(request.context ?? {}) as Record<string, unknown>
  for (const name of ours) Reflect.deleteProperty(data, name)
  return {
    data: merge(data, facts, { intent: request }),
    subject: request.actor,
    action: request.action.type,
    resource: request.resource ?? null,
    asserted: facts,
  }
}

/**
 * The context that a JSON value is, or that of a request, which has an `intent`; of what the service asserts there is nothing.
 * @throws {@link Failure} INPUT_INVALID
 */
export function readAsked(value: unknown): EvaluationContext {
  if (!isMembers(value) || !Object.hasOwn(value, 'intent')) return readContext(value)
  const { intent } = value
  if (isReadable(intent)) return contextOf(intent, {})
  const field = '/intent'
  throw new Failure('INPUT_INVALID', `Not an intent with actor.id and action.type at ${field}`, {
    field,
  })
}

/** Where a request is made: the service's word, else the requester's, else undefined. */
export function environmentOf(request: PolicyRequest, facts: Members): string | undefined {
  const said = [facts, request.context ?? {}]
    .map((part) => (Object.hasOwn(part, 'environment') ? part['environment'] : undefined))
    .find((value) => value !== undefined)
  return typeof said === 'string' ? said : undefined
}
