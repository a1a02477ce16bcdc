// What the parts of a check share: to whom findings go, and how they are worded.
import { setImmediate } from 'node:timers/promises'
import type { Finding } from '../log/fsck.ts'

/** What is counted on the way through the log. */
export interface Counted {
  decisions: number
  erased: number
}

/** Hears of a finding. */
export type Found = (finding: Finding) => void

/** Tells of a row that is not what the log says. */
export const row = (found: Found, index: number | null, what: string): void => {
  found({ index, part: 'row', what })
}

/** Gives way to what waits in this thread: reading the database never does, and a signal would come when all is done. */
export async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await setImmediate()
  signal?.throwIfAborted()
}
