// A file that grows over more than one run of a program. How far it is known to be good is told by its length and digest; what lies behind is of a run
// that was cut off, and is thrown away.
import { createHash, type Hash } from 'node:crypto'
import { open, type FileHandle } from 'node:fs/promises'
import { Failure } from '../base/failure.ts'
import { Usage } from './complain.ts'

/** How far a file is known to be good. */
export interface Mark {
  readonly bytes: number
  /** Hex SHA-256 of so many bytes. */
  readonly sha256: string
}

/** What went wrong with a file, as who started the program must hear it. */
export function fileTrouble(cause: unknown, path: string): Error {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error'
  const message = `File cannot be written (${code}): ${path}`
  if (code === 'ENOSPC' || code === 'EDQUOT') return new Failure('STORE_FULL', message, { cause })
  return code === 'EIO' ? new Failure('STORE_FAILED', message, { cause }) : new Usage(message)
}

const pieceBytes = 1 << 20

/** The running hash of a file's first bytes; undefined where it has fewer. */
async function hashTo(handle: FileHandle, bytes: number): Promise<Hash | undefined> {
  const hash = createHash('sha256')
  const piece = Buffer.alloc(pieceBytes)
  for (let at = 0; at < bytes;) {
    const { bytesRead } = await handle.read(piece, 0, Math.min(piece.length, bytes - at), at)
    if (bytesRead === 0) return undefined
    hash.update(piece.subarray(0, bytesRead))
    at += bytesRead
  }
  return hash
}

/** An open file that is written at its end. */
export class GrowingFile {
  readonly path: string
  readonly #handle: FileHandle
  readonly #hash: Hash
  #bytes: number

  private constructor(path: string, handle: FileHandle, hash: Hash, bytes: number) {
    this.path = path
    this.#handle = handle
    this.#hash = hash
    this.#bytes = bytes
  }

  /** Begins a file anew, for its owner only. */
  static async create(path: string): Promise<GrowingFile> {
    try {
      return new GrowingFile(path, await open(path, 'w', 0o600), createHash('sha256'), 0)
    } catch (cause) {
      throw fileTrouble(cause, path)
    }
  }

  /** Goes on with a file behind a mark. @throws {@link Usage} when it is not as it was at the mark */
  static async resume(path: string, mark: Mark): Promise<GrowingFile> {
    const handle = await open(path, 'r+').catch((cause: unknown) => {
      throw fileTrouble(cause, path)
    })
    try {
      const hash = await hashTo(handle, mark.bytes)
      if (hash?.copy().digest('hex') !== mark.sha256)
        throw new Usage(`Unfinished file is not as it was left, remove it to begin anew: ${path}`)
      await handle.truncate(mark.bytes)
      return new GrowingFile(path, handle, hash, mark.bytes)
    } catch (error) {
      await handle.close()
      throw error
    }
  }

  /** The whole file so far. */
  get mark(): Mark {
    return { bytes: this.#bytes, sha256: this.#hash.copy().digest('hex') }
  }

  /** @throws {@link Failure} STORE_FULL; the mark is then where it was */
  async write(content: Uint8Array): Promise<void> {
    try {
      for (let at = 0; at < content.length;) {
        const { bytesWritten } = await this.#handle.write(
          content,
          at,
          content.length - at,
          this.#bytes + at,
        )
        at += bytesWritten
      }
    } catch (cause) {
      throw fileTrouble(cause, this.path)
    }
    this.#hash.update(content)
    this.#bytes += content.length
  }

  /** Makes durable what was written. */
  async sync(): Promise<void> {
    try {
      await this.#handle.datasync()
    } catch (cause) {
      throw fileTrouble(cause, this.path)
    }
  }

  close(): Promise<void> {
    return this.#handle.close()
  }
}
