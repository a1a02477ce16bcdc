// The dialects of a bundle as entries of one table: what differs between them stands here, and code below receives the entry, never the name.
// `0.1` and `0.2` are the policy-as-code-engine's; `native` is 0.2 with equality strict about booleans everywhere and without Python's membership. `brane` is
// native with Brane's decision types and its defaults. The others are rule forms of their own, which their files read.
import { booleanEqual, looseEqual, strictEqual, type Equality } from './python-values.ts'

/** The name of a dialect, as bundles are registered under it. */
export type DialectName =
  '0.1' | '0.2' | 'native' | 'brane' | 'provenance' | 'decionis' | 'decionis-block'

/** How large the parts of a bundle may be; lengths in UTF-16 code units. */
export interface BundleBounds {
  readonly id: number
  readonly field: number
  readonly policies: number
  readonly rules: number
  readonly tags: number
  readonly matchers: number
  /** Levels of matchers within a rule, and how many matchers it has in all. */
  readonly depth: number
  readonly nodes: number
  readonly pattern: number
}

/** One dialect. */
export interface Dialect {
  readonly name: DialectName
  /** Of `eq` and `ne`. */
  readonly equal: Equality
  /** Of `in`, `not_in` and `contains`. */
  readonly member: Equality
  /** Whether a bundle may have a window, a card's scope, and paths with `\.` and `\\`. */
  readonly extended: boolean
  /** Whether a policy may leave it open (`not_applicable`) when no rule matches. */
  readonly openDefault: boolean
  /** Whether rules may hold a request for somebody, carry obligations and other terms, and whether a bundle may have a scope and show values in traces. */
  readonly terms: boolean
  /** Whether effects are Brane's types, policies have a priority, and Brane's rules combine them. */
  readonly brane: boolean
  /** Whether integers beyond ±(2^53−1) are read exactly; else they are refused. */
  readonly exactIntegers: boolean
  /** Whether a matcher that Python cannot even parse or apply is refused at once or raises when it is reached. */
  readonly refusesEarly: boolean
  /** Longest text that a pattern is held against, in code points. */
  readonly subject: number
  /** Whether a longer one raises; else it does not match, and a rule that denies is escaped by writing more. */
  readonly raisesOnLong: boolean
  /** Whether a value of a kind that the matcher cannot judge raises; else it does not match, and a rule that denies is escaped by sending "3" for 3. */
  readonly raisesOnKind: boolean
  readonly bounds: BundleBounds
}

const open: BundleBounds = Object.freeze({
  id: Infinity,
  field: Infinity,
  policies: Infinity,
  rules: Infinity,
  tags: Infinity,
  matchers: Infinity,
  depth: 64,
  nodes: Infinity,
  pattern: 1024,
})

const closed: BundleBounds = Object.freeze({
  id: 128,
  field: 256,
  policies: 32,
  rules: 64,
  tags: 32,
  matchers: 32,
  depth: 16,
  nodes: 256,
  pattern: 256,
})

const second: Omit<Dialect, 'name'> = {
  equal: booleanEqual,
  member: looseEqual,
  extended: true,
  openDefault: false,
  terms: false,
  brane: false,
  exactIntegers: false,
  refusesEarly: true,
  subject: 4096,
  raisesOnLong: false,
  raisesOnKind: false,
  bounds: closed,
}

const native: Omit<Dialect, 'name'> = {
  ...second,
  equal: strictEqual,
  member: strictEqual,
  openDefault: true,
  terms: true,
  raisesOnLong: true,
  raisesOnKind: true,
  bounds: Object.freeze({ ...closed, policies: 256, rules: 1024 }),
}

/** Every dialect by name. */
export const dialects: Readonly<Record<DialectName, Dialect>> = Object.freeze({
  '0.1': Object.freeze({
    name: '0.1',
    equal: looseEqual,
    member: looseEqual,
    extended: false,
    openDefault: false,
    terms: false,
    brane: false,
    exactIntegers: true,
    refusesEarly: false,
    subject: Infinity,
    raisesOnLong: true,
    raisesOnKind: false,
    bounds: open,
  }),
  '0.2': Object.freeze({ ...second, name: '0.2' }),
  native: Object.freeze({ ...native, name: 'native' }),
  brane: Object.freeze({ ...native, name: 'brane', brane: true }),
  provenance: Object.freeze({ ...native, name: 'provenance' }),
  decionis: Object.freeze({ ...native, name: 'decionis' }),
  'decionis-block': Object.freeze({ ...native, name: 'decionis-block' }),
})
