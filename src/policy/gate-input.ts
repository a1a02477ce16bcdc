// What a gate is asked about: plain JSON that nobody has checked. A number that is missing, no number, not finite or out of range is a problem, never
// a default, and a gate with a problem fails.

/** The inputs of the gates under AEGIS's names. Every member is checked where it is used, so that any JSON value may come in its place. */
export interface GateInput {
  readonly estimated_impact?: unknown
  readonly risk_baseline?: unknown
  readonly risk_proposed?: unknown
  readonly profit_baseline?: unknown
  readonly profit_proposed?: unknown
  readonly novelty_score?: unknown
  readonly complexity_score?: unknown
  readonly quality_score?: unknown
  readonly quality_subscores?: unknown
  /** A utility's `mean` and `std`, or the `components` it is made of, and whether it is a `migration`. */
  readonly utility?: unknown
  readonly requires_human_approval?: unknown
  readonly reversible?: unknown
}

/** Something wrong with an input. */
export interface InputProblem {
  readonly field: string
  readonly problem: 'missing' | 'malformed' | 'out_of_range'
}

/** A range of numbers, both ends included. */
export type Range = readonly [least: number, most: number]

/** From 0 to 1. */
export const unit: Range = [0, 1]
/** Amounts of any currency or measure. */
export const amount: Range = [-1e12, 1e12]

// Smaller than 2^53, so that every result has a canonical form.
const mostResult = 1e15

/** Whether a result may be used and recorded. */
export const isUsable = (value: number): boolean => Math.abs(value) <= mostResult

const memberOf = (input: unknown, field: string): unknown =>
  typeof input === 'object' && input !== null && Object.hasOwn(input, field)
    ? (input as Readonly<Record<string, unknown>>)[field]
    : undefined

function problemOf(value: unknown, [least, most]: Range): InputProblem['problem'] | undefined {
  if (value === undefined || value === null) return 'missing'
  if (typeof value !== 'number' || Number.isNaN(value)) return 'malformed'
  return value < least || value > most ? 'out_of_range' : undefined
}

/** Reads members of one object and collects what is wrong with them. */
export class InputReader {
  readonly #input: unknown
  readonly #at: string
  readonly #problems: InputProblem[]

  constructor(input: unknown, at = '', problems: InputProblem[] = []) {
    this.#input = input
    this.#at = at
    this.#problems = problems
  }

  get problems(): readonly InputProblem[] {
    return this.#problems
  }

  /** The reader of a member; what is wrong there is collected here. */
  within(field: string): InputReader {
    return new InputReader(this.#member(field), `${this.#at}${field}.`, this.#problems)
  }

  /** Whether any of these is given; null is not. */
  gives(...fields: readonly string[]): boolean {
    return fields.some((field) => this.#member(field) !== undefined)
  }

  number(field: string, range: Range): number | undefined {
    return this.#number(this.#member(field), field, range)
  }

  /** At most 64 numbers, at least one. */
  numbers(field: string, range: Range): readonly number[] | undefined {
    const value = this.#member(field)
    const list: readonly unknown[] = Array.isArray(value) ? value : []
    if (list.length === 0 || list.length > 64) {
      this.#note(
        field,
        value === undefined ? 'missing' : list.length > 64 ? 'out_of_range' : 'malformed',
      )
      return undefined
    }
    const found = Array.from(list, (item, i) => this.#number(item, `${field}.${i}`, range))
    return found.every((item) => item !== undefined) ? found : undefined
  }

  /** A truth; `absent` where it is not given, `unclear` where it is neither true nor false. */
  flag(field: string, absent: boolean, unclear: boolean): boolean {
    const value = this.#member(field)
    if (value === undefined) return absent
    if (typeof value === 'boolean') return value
    this.#note(field, 'malformed')
    return unclear
  }

  /** One of the words; `absent` where it is not given, `unclear` where it is none of them. */
  word<T extends string>(field: string, words: readonly T[], absent: T, unclear: T): T {
    const value = this.#member(field)
    if (value === undefined) return absent
    const found = words.find((word) => word === value)
    if (found === undefined) this.#note(field, 'malformed')
    return found ?? unclear
  }

  #member(field: string): unknown {
    return memberOf(this.#input, field) ?? undefined
  }

  #number(value: unknown, field: string, range: Range): number | undefined {
    const problem = problemOf(value, range)
    if (problem !== undefined) this.#note(field, problem)
    // Minus zero has no JSON form of its own.
    return problem === undefined ? Number(value) + 0 : undefined
  }

  #note(field: string, problem: InputProblem['problem']): void {
    this.#problems.push({ field: `${this.#at}${field}`, problem })
  }
}
