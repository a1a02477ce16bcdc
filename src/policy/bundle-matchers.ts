// The matchers of a bundle's rules, read from JSON: without a kind, what a matcher holds says which it is.
import type { FieldMatcher, Matcher } from './bundle.ts'
import { fit, refuse, schemas, type Schemas } from './bundle-schema.ts'
import type { Dialect } from './dialect.ts'

/** Reads the matchers of one rule. */
export class MatcherReader {
  readonly #dialect: Dialect
  readonly #schemas: Schemas
  #nodes = 0

  constructor(dialect: Dialect) {
    this.#dialect = dialect
    this.#schemas = schemas(dialect)
  }

  read(value: unknown, at: string, depth = 1): Matcher {
    const { bounds } = this.#dialect
    if (depth > bounds.depth || ++this.#nodes > bounds.nodes)
      throw refuse('Matchers are too deep or too many', at)
    const whole = withKind(value)
    switch (whole['kind']) {
      case 'all_of':
      case 'any_of': {
        const { kind, matchers } = fit(this.#schemas.several, whole, at)
        return {
          kind,
          matchers: matchers.map((child, i) => this.read(child, `${at}/matchers/${i}`, depth + 1)),
        }
      }
      case 'not': {
        const { matcher } = fit(this.#schemas.not, whole, at)
        return { kind: 'not', matcher: this.read(matcher, `${at}/matcher`, depth + 1) }
      }
      case 'always':
        return fit(this.#schemas.always, whole, at)
      case 'predicate':
        return fit(this.#schemas.predicate, whole, at)
      default:
        return this.#field(whole, at)
    }
  }

  #field(value: unknown, at: string): FieldMatcher {
    const matcher = fit(this.#schemas.field, value, at)
    const { kind } = matcher
    if (kind === 'exists' || kind === 'missing') return { ...matcher, value: null }
    const wanted: unknown = matcher.value ?? null
    if (wanted === null) throw refuse(`Matcher ${kind} requires a value`, at)
    if ((kind === 'in' || kind === 'not_in') && !Array.isArray(wanted))
      throw refuse(`Matcher ${kind} requires a list`, at)
    return { ...matcher, value: wanted }
  }
}

/** Without a kind, what a matcher holds says which it is; nothing at all is `always`. */
function withKind(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return {}
  if (Object.hasOwn(value, 'kind')) return value as Readonly<Record<string, unknown>>
  if (Object.hasOwn(value, 'matchers')) return { kind: 'all_of', ...value }
  if (Object.hasOwn(value, 'matcher')) return { kind: 'not', ...value }
  return Object.keys(value).length === 0 ? { kind: 'always' } : { ...value }
}
