// Changes of a value, as obligations state them. Nothing is changed in place: what is not touched is shared with the value that was given.
import type { Change } from './obligations.ts'
import { cutEscaped } from './path.ts'

type Members = Readonly<Record<string, unknown>>

/** That a change does not fit the value. */
const unfit: unique symbol = Symbol('unfit')

const isMembers = (value: unknown): value is Members =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function editList(
  list: readonly unknown[],
  name: string,
  rest: readonly string[],
  value: unknown,
): unknown {
  const at = /^(?:0|[1-9]\d{0,8})$/.test(name) ? Number(name) : list.length
  if (at >= list.length) return value === undefined ? list : unfit
  const changed = editAt(list[at], rest, value)
  if (changed === unfit) return unfit
  return changed === undefined ? list.toSpliced(at, 1) : list.with(at, changed)
}

function editMember(
  object: Members,
  name: string,
  rest: readonly string[],
  value: unknown,
): unknown {
  const old = Object.hasOwn(object, name) ? object[name] : undefined
  const changed = editAt(old, rest, value)
  if (changed === unfit) return unfit
  if (changed !== undefined) return changed === old ? object : { ...object, [name]: changed }
  return Object.fromEntries(Object.entries(object).filter(([other]) => other !== name))
}

/** What stands at the end of a path becomes the value; undefined is nothing. */
function editAt(whole: unknown, names: readonly string[], value: unknown): unknown {
  const [name, ...rest] = names
  if (name === undefined) return value
  if (Array.isArray(whole)) return editList(whole, name, rest, value)
  if (isMembers(whole)) return editMember(whole, name, rest, value)
  // Above what is removed nothing is made; where something else stands than an object, nothing can be set.
  if (value === undefined) return whole
  return whole === undefined ? editMember({}, name, rest, value) : unfit
}

/** A value with changes made in their order, or undefined when one does not fit it. */
export function applyChanges(value: unknown, changes: readonly Change[]): unknown {
  let changed = value
  for (const change of changes) {
    const put = change.op === 'set' ? change.value : undefined
    changed = editAt(changed, cutEscaped(change.path), put)
    if (changed === unfit) return undefined
  }
  return changed
}
