// The record of a bundle read again, years later: the reverse of sealing. Strings that stand for numbers become them again.
import { Failure } from '../base/failure.ts'
import { compileBundle, type CompiledBundle } from './compile.ts'
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

function restore(value: unknown, names: readonly string[], how: unknown): unknown {
  const [name, ...rest] = names
  if (name === undefined) return numberOf(value, how)
  if (Array.isArray(value)) {
    const at = Number(name)
    if (!Object.hasOwn(value, name)) throw bad('no such place')
    return value.with(at, restore(value[at], rest, how))
  }
  if (!isMembers(value) || !Object.hasOwn(value, name)) throw bad('no such place')
  return { ...value, [name]: restore(value[name], rest, how) }
}

/**
 * The bundle of a record, ready to be asked; its digest is the one of the record.
 * @throws {@link Failure} POLICY_INVALID
 */
export function compileRecord(record: unknown): CompiledBundle {
  if (!isMembers(record) || !isDialectName(record['dialect'])) throw bad('dialect')
  const exact = record['exact'] ?? {}
  if (!isMembers(exact)) throw bad('exact')
  let { bundle } = record
  for (const [pointer, how] of Object.entries(exact)) {
    const [root, ...names] = pointer.split('/').map(partOf)
    if (root !== '') throw bad('pointer')
    bundle = restore(bundle, names, how)
  }
  return compileBundle(bundle, record['dialect'])
}
