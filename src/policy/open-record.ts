// The record of a bundle read again, years later: the reverse of sealing. Strings that stand for numbers become them again.
import { Failure } from '../base/failure.ts'
import {
  compileInSteps,
  finish,
  weighValue,
  type CompileChoice,
  type CompiledBundle,
  type Compiling,
} from './compile.ts'
import { dialects, type DialectName } from './dialect.ts'
import { readForm } from './forms.ts'
import { isDialectName } from './source.ts'

type Members = Readonly<Record<string, unknown>>

const bad = (what: string): Failure => new Failure('POLICY_INVALID', `Not a record: ${what}`)

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const partOf = (text: string): string => text.replaceAll('~1', '/').replaceAll('~0', '~')

/** A number from the string that stands for it. */
function numberOf(text: unknown, how: unknown): number | bigint {
  if (typeof text !== 'string') throw bad('no string at the place of an exact number')
  if (how === 'integer' && /^-?\d{1,4300}$/.test(text)) return BigInt(text)
  if (how === 'float' && /^-?\d{1,400}$/.test(text)) return Number(text)
  throw bad('no exact number')
}

/** Puts the number in the place of the string that stands for it, in a bundle that is ours to change. */
function restore(root: unknown, names: readonly string[], how: unknown): void {
  let holder: unknown = root
  for (const name of names.slice(0, -1)) {
    if (!isMembers(holder) && !Array.isArray(holder)) throw bad('no such place')
    if (!Object.hasOwn(holder, name)) throw bad('no such place')
    holder = (holder as Members)[name]
  }
  const last = names.at(-1)
  if (last === undefined) throw bad('no such place')
  if (typeof holder !== 'object' || holder === null || !Object.hasOwn(holder, last))
    throw bad('no such place')
  const members = holder as Record<string, unknown>
  members[last] = numberOf(members[last], how)
}

/** The bundle of a record, with its numbers; and what it speaks. @throws {@link Failure} POLICY_INVALID */
function readRecord(record: unknown): { readonly value: unknown; readonly dialect: DialectName } {
  if (!isMembers(record) || !isDialectName(record['dialect'])) throw bad('dialect')
  const { bundle, dialect, exact = {} } = record
  if (!isMembers(exact)) throw bad('exact')
  const places = Object.entries(exact)
  if (places.length === 0) return { dialect, value: bundle }
  const value: unknown = structuredClone(bundle)
  for (const [pointer, how] of places) {
    const [root, ...names] = pointer.split('/').map(partOf)
    if (root !== '') throw bad('pointer')
    restore(value, names, how)
  }
  return { dialect, value }
}

/** As {@link compileRecord}, with stops. @throws {@link Failure} as there, INPUT_TOO_LARGE where it is new and too heavy */
export function* recordInSteps(
  record: unknown,
  choice: Pick<CompileChoice, 'isNew'> = {},
): Compiling<CompiledBundle> {
  const { dialect, value } = readRecord(record)
  return yield* compileInSteps(value, dialect, choice)
}

/**
 * What the bundle of a record says, with no pattern compiled: enough to choose it for a request.
 * @throws {@link Failure} POLICY_INVALID
 */
export function outlineRecord(record: unknown): Pick<CompiledBundle, 'bundle' | 'dialect'> {
  const { dialect, value } = readRecord(record)
  return { bundle: readForm(value, dialects[dialect]), dialect: dialects[dialect] }
}

/** What the patterns of a record weigh. @throws {@link Failure} POLICY_INVALID */
export function* weighRecord(record: unknown): Compiling<number> {
  const { dialect, value } = readRecord(record)
  return yield* weighValue(value, dialect)
}

/**
 * The bundle of a record, ready to be asked; its digest is the one of the record.
 * @throws {@link Failure} POLICY_INVALID
 */
export const compileRecord = (record: unknown): CompiledBundle => finish(recordInSteps(record))
