import { existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname } from 'node:path'

/**
 * Makes a directory with those above it, and gives the first that was made. Not by `recursive` of Node, which asks for ever where the system says that
 * there is no such place though its parent is there, as below /proc.
 * @throws what the system said of the first that it refused
 */
export function makeDirectory(path: string, mode = 0o700): string | undefined {
  try {
    mkdirSync(path, { mode })
    return path
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return undefined
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    if (!isMissing || existsSync(dirname(path))) throw error
    const first = makeDirectory(dirname(path), mode)
    const made = makeDirectory(path, mode)
    return first ?? made
  }
}
