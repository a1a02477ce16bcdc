// Points in time as text.

const instantForm =
  /^(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)\s?([Zz]|[+-]\d\d(?::?\d\d)?)$/

/** The milliseconds since 1970 of an ISO 8601 date and time with its zone, or undefined when the text is none. Below a millisecond it is rounded up. */
export function parseInstant(text: string): number | undefined {
  const found = instantForm.exec(text)
  if (found === null) return undefined
  const [, date = '', time = '', zone = ''] = found
  const [clock = '', fraction = ''] = time.split('.')
  const offset = zone.toUpperCase() === 'Z' ? 'Z' : zone.replace(/^(.\d\d):?(\d\d)?$/, '$1:$2')
  const seconds = clock.length === 5 ? `${clock}:00` : clock
  const base = Date.parse(`${date}T${seconds}${offset.endsWith(':') ? `${offset}00` : offset}`)
  // Date.parse moves 30 February into March.
  const day = Date.parse(`${date}T00:00:00Z`)
  if (Number.isNaN(base) || Number.isNaN(day)) return undefined
  if (new Date(day).toISOString().slice(0, 10) !== date) return undefined
  const below = /[1-9]/.test(fraction.slice(3)) ? 1 : 0
  return base + Number(fraction.slice(0, 3).padEnd(3, '0')) + below
}
