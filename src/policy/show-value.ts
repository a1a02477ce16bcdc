// What a trace shows of a value: its JSON as far as there is room. No more of it is written than that, for a request may be large and many rules look at it.

const mostCharacters = 200

/** JSON of a value, true as far as there is room for it, and longer than that where it is not whole. */
function write(value: unknown, room: number): string {
  // An integer that JSON would round stands as a string.
  if (typeof value === 'bigint') return write(String(value), room)
  if (typeof value === 'string') return JSON.stringify(value.slice(0, Math.max(0, room + 1)))
  if (typeof value !== 'object' || value === null) return JSON.stringify(value ?? null)
  const isList = Array.isArray(value)
  let out = isList ? '[' : '{'
  for (const [name, member] of membersOf(value)) {
    if (out.length > room) break
    if (out.length > 1) out += ','
    if (!isList) out += `${write(name, room - out.length)}:`
    out += write(member, room - out.length)
  }
  return out + (isList ? ']' : '}')
}

function* membersOf(value: object): Generator<readonly [name: unknown, member: unknown]> {
  if (Array.isArray(value)) return yield* value.entries()
  for (const name of Object.keys(value)) {
    const member = (value as Readonly<Record<string, unknown>>)[name]
    if (member !== undefined) yield [name, member]
  }
}

/** JSON of a value, cut after 200 characters. */
export function showValue(value: unknown): string {
  const text = write(value, mostCharacters)
  return text.length <= mostCharacters ? text : `${text.slice(0, mostCharacters)}…`
}
