import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { Failure } from './base/failure.ts'

const socketName = 'countersign.sock'
// A socket's address has 108 bytes on Linux and 104 elsewhere, and what is longer is cut without a word.
const maxPathBytes = 100

/** Where a socket can be bound or found. */
export interface SocketPlace {
  readonly path: string
  /** Lets go of the directory; the path may mean nothing afterwards. */
  release(): void
}

/**
 * The control socket of a data directory by a path that is short enough.
 * @throws {@link Failure} CONFIG_INVALID when there is none, or the directory cannot be opened
 */
export function placeSocket(directory: string): SocketPlace {
  const path = join(directory, socketName)
  if (Buffer.byteLength(path) <= maxPathBytes) return { path, release: () => undefined }
  if (process.platform !== 'linux')
    throw new Failure('CONFIG_INVALID', `Path is too long for a socket: ${path}`)
  let fd: number
  try {
    fd = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY)
  } catch (cause) {
    throw new Failure('CONFIG_INVALID', `Directory cannot be opened: ${directory}`, { cause })
  }
  return {
    path: `/proc/self/fd/${fd}/${socketName}`,
    release: () => {
      closeSync(fd)
    },
  }
}
