import { Usage } from './complain.ts'
import type { Position } from '../decisions/period-plan.ts'

const dayMs = 86_400_000
const rfc3339 =
  /^(\d{4}-\d{2}-\d{2})[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d{1,9})?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/

/** Midnight (UTC) of a day as YYYY-MM-DD, or undefined when the calendar has no such day. */
function midnight(day: string): number | undefined {
  const ms = Date.parse(`${day}T00:00:00Z`)
  // Date takes 31 February for a day in March.
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day) ? ms : undefined
}

/**
 * The place in a log that a text names: an index, a day (UTC) or an instant (RFC 3339).
 * @param end whether a day counts to its end, as it does where a period ends
 * @throws {@link Usage}
 */
export function parsePosition(text: string, end: boolean): Position {
  if (/^\d{1,15}$/.test(text)) return { size: Number(text) }
  const day = /^\d{4}-\d{2}-\d{2}$/.test(text) ? midnight(text) : undefined
  if (day !== undefined) return { time: end ? day + dayMs : day }
  const [, date] = rfc3339.exec(text) ?? []
  if (date === undefined || midnight(date) === undefined)
    throw new Usage(
      `Neither an index, nor a day as 2026-03-31, nor a time as 2026-03-31T12:00:00Z: ${text}`,
    )
  return { time: Date.parse(text.toUpperCase()) }
}
