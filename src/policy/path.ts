// Dotted paths of a bundle. A path is cut once; each segment keeps the name it has in an object and the index that Python's `int` makes of it.
import type { EvaluationContext } from './context.ts'
import { parsePythonInt } from './python-text.ts'

/** What a path leads to when it leads nowhere; JSON null is something. */
export const missing: unique symbol = Symbol('missing')

/** Looks a path up in a context. */
export type Lookup = (context: EvaluationContext) => unknown

interface Segment {
  readonly name: string
  readonly index: number | undefined
}

/** The names of a path. Cuts at dots; `\.` and `\\` stand for the character itself, and so does a backslash at the end. */
export function cutEscaped(path: string): readonly string[] {
  const names: string[] = []
  let name = ''
  for (let i = 0; i < path.length; i++) {
    const char = path.charAt(i)
    if (char === '\\') name += i + 1 < path.length ? path.charAt(++i) : char
    else if (char === '.') {
      names.push(name)
      name = ''
    } else name += char
  }
  return [...names, name]
}

function step(from: unknown, { index, name }: Segment): unknown {
  if (typeof from !== 'object' || from === null) return missing
  if (!Array.isArray(from))
    return Object.hasOwn(from, name) ? (from as Readonly<Record<string, unknown>>)[name] : missing
  if (index === undefined) return missing
  const at = index < 0 ? from.length + index : index
  return at >= 0 && at < from.length ? (from[at] as unknown) : missing
}

/** The first step: subject, action and resource stand over what the data call so, even when they are empty. */
function rootOf(name: string): Lookup {
  const inData: Lookup = ({ data }) => (Object.hasOwn(data, name) ? data[name] : missing)
  if (name !== 'subject' && name !== 'action' && name !== 'resource') return inData
  return (context) => context[name] ?? inData(context)
}

/** The lookup of a path. */
export function compilePath(path: string, escaped: boolean): Lookup {
  const [first = '', ...others] = escaped ? cutEscaped(path) : path.split('.')
  const root = rootOf(first)
  if (others.length === 0) return root
  const rest: readonly Segment[] = others.map((name) => ({ name, index: parsePythonInt(name) }))
  return (context) => {
    let value = root(context)
    for (const segment of rest) {
      value = step(value, segment)
      if (value === missing) break
    }
    return value
  }
}
