import { closeSync, existsSync, fsyncSync, mkdirSync, openSync, rmdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/** Makes what was written to a file, or the names in a directory, durable. @throws what the system said */
export function syncPathNow(path: string): void {
  const descriptor = openSync(path, 'r')
  try {
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

/** Makes the name of a new directory durable, where its parent can be opened for that. */
function keep(path: string): void {
  try {
    // Known to the disk only when its parent is synced: else all that is synced in it may be gone after a power cut.
    syncPathNow(dirname(path))
  } catch (error) {
    // Who may make names in it need not be allowed to read it.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return
    // Whoever tries again would find it there and not sync it.
    rmdirSync(path)
    throw error
  }
}

/**
 * Makes a directory with those above it, each durable, and gives the first that was made. Not by `recursive` of Node, which asks for ever where the system
 * says that there is no such place though its parent is there, as below /proc.
 * @throws what the system said of the first that it refused
 */
export function makeDirectory(path: string, mode = 0o700): string | undefined {
  try {
    mkdirSync(path, { mode })
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return undefined
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing || existsSync(dirname(path))) throw error
    const first = makeDirectory(dirname(path), mode)
    const made = makeDirectory(path, mode)
    return first ?? made
  }
  keep(path)
  return path
}
