// How many connections a process can have without taking from the rest of itself: each is an open file, and a log that cannot open its database or its
// pin stops. Where the system does not say how many files may be open, the operator's number stands.
import { readFileSync } from 'node:fs'

/** Files for all but connections: database, pins, control socket, webhooks, child processes. */
const reservedFiles = 128
/** What even a process with very few files needs to be of use. */
const fewestConnections = 16

const openFiles = /^Max open files +(\d+) /m

/** The limits of this process, as Linux tells them. */
function readLimits(): string {
  try {
    return readFileSync('/proc/self/limits', 'utf8')
  } catch {
    return ''
  }
}

/**
 * As many connections as were asked for, or as many as there are files for.
 * @param said limits of the process as `/proc/self/limits` says them; soft, for the platform has raised them as far as it may
 */
export function affordableConnections(wanted: number, said = readLimits()): number {
  const files = openFiles.exec(said)?.[1]
  if (files === undefined) return wanted
  return Math.min(wanted, Math.max(Number(files) - reservedFiles, fewestConnections))
}
