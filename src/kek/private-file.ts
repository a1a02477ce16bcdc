// Files that hold keys, or stand for them: made once, whole, for their owner's eyes, and durable with their name.
import { closeSync, fchmodSync, fsyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { Failure } from '../base/failure.ts'

/** Makes the names in a directory durable, where it can be opened for that. */
export function syncDirectory(path: string): void {
  let fd: number
  try {
    fd = openSync(path, 'r')
  } catch (error) {
    // Who may make names in it need not be allowed to read it.
    if ((error as NodeJS.ErrnoException).code === 'EACCES') return
    throw error
  }
  try {
    fsyncSync(fd)
  } finally {
    closeSync(fd)
  }
}

/**
 * Makes a new file of mode 0600 with these bytes; durable when it returns.
 * @param what it is called in failures
 * @throws {@link Failure} INPUT_EXISTS when there is something at that path, which is left alone; STORE_FAILED, and then nothing is left of it
 */
export function createPrivateFile(path: string, bytes: Uint8Array, what: string): void {
  let fd: number
  try {
    fd = openSync(path, 'wx', 0o600)
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'EEXIST')
      throw new Failure('INPUT_EXISTS', `${what} exists already: ${path}`)
    throw new Failure('STORE_FAILED', `${what} cannot be made: ${path}`, { cause })
  }
  try {
    try {
      fchmodSync(fd, 0o600)
      for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at)
      fsyncSync(fd)
    } finally {
      closeSync(fd)
    }
    syncDirectory(dirname(path))
  } catch (cause) {
    // Half a key must not be taken for one at the next start.
    rmSync(path, { force: true })
    throw new Failure('STORE_FAILED', `${what} cannot be written: ${path}`, { cause })
  }
}
