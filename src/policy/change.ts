// Changes of a value, as obligations state them. Nothing is changed in place: what is not touched is shared with the value that was given.
import { canonicalBytes } from '../base/canonical-json.ts'
import { encodeHex } from '../base/bytes.ts'
import { sha256 } from '../crypto/hash.ts'
import type { Change, Obligation } from './obligations.ts'
import { cutEscaped } from './path.ts'

type Members = Readonly<Record<string, unknown>>

/** What a value becomes at the end of a path; undefined is nothing. */
type Edit = (old: unknown) => unknown

/** That a change does not fit the value. */
const unfit: unique symbol = Symbol('unfit')

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function editList(
  list: readonly unknown[],
  name: string,
  rest: readonly string[],
  edit: Edit,
): unknown {
  const at = /^(?:0|[1-9]\d{0,8})$/.test(name) ? Number(name) : list.length
  if (at >= list.length) return edit(undefined) === undefined ? list : unfit
  const changed = editAt(list[at], rest, edit)
  if (changed === unfit) return unfit
  return changed === undefined ? list.toSpliced(at, 1) : list.with(at, changed)
}

function editMember(object: Members, name: string, rest: readonly string[], edit: Edit): unknown {
  const old = Object.hasOwn(object, name) ? object[name] : undefined
  const changed = editAt(old, rest, edit)
  if (changed === unfit) return unfit
  if (changed !== undefined) return changed === old ? object : { ...object, [name]: changed }
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name))
}

function editAt(value: unknown, names: readonly string[], edit: Edit): unknown {
  const [name, ...rest] = names
  if (name === undefined) return edit(value)
  if (Array.isArray(value)) return editList(value, name, rest, edit)
  if (isMembers(value)) return editMember(value, name, rest, edit)
  // Above what is removed nothing is made; where something else stands than an object, nothing can be set.
  if (edit(undefined) === undefined) return value
  return value === undefined ? editMember({}, name, rest, edit) : unfit
}

/** A value with changes made in their order, or undefined when one does not fit it. */
export function applyChanges(value: unknown, changes: readonly Change[]): unknown {
  let changed = value
  for (const change of changes) {
    const edit: Edit = change.op === 'set' ? () => change.value : () => undefined
    changed = editAt(changed, cutEscaped(change.path), edit)
    if (changed === unfit) return undefined
  }
  return changed
}

const redactions: Readonly<Record<'remove' | 'mask' | 'hash', Edit>> = {
  remove: () => undefined,
  mask: (old) => (old === undefined ? undefined : '[redacted]'),
  hash: (old) => (old === undefined ? undefined : encodeHex(sha256(canonicalBytes(old)))),
}

/**
 * An output as a `redact` obligation leaves it. What is not there stays so.
 * @throws {@link Failure} INPUT_INVALID when what is to be hashed is no plain JSON
 */
export const applyRedaction = (
  output: unknown,
  { mode, paths }: Extract<Obligation, { type: 'redact' }>,
): unknown =>
  paths.reduce((value, path) => editAt(value, cutEscaped(path), redactions[mode]), output)
