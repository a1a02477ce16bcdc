// Files that are written, copied and hashed as wholes: for what lies outside the database.
import { createHash } from 'node:crypto'
import { open } from 'node:fs/promises'
import { asFailure, Failure } from '../base/failure.ts'

type Progress = (done: number, total: number) => void

const chunkBytes = 1 << 20

function failed(what: string, path: string, cause: unknown): Failure {
  if (cause instanceof Failure) return cause
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : undefined
  if (code === undefined) return asFailure(cause)
  const message = `${what} (${code}): ${path}`
  return new Failure(code === 'ENOSPC' ? 'STORE_FULL' : 'STORE_FAILED', message, { cause })
}

/** Makes what was written to a file or a directory durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

/** Writes a new file; durable when it resolves, but for its name. @throws what the system said */
export async function writeNew(path: string, bytes: Uint8Array, mode: number): Promise<void> {
  const file = await open(path, 'wx', mode)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
}

/** Writes a new file of mode 0600; durable when it resolves, but for its name. @throws {@link Failure} STORE_FULL, STORE_FAILED */
export async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeNew(path, bytes, 0o600)
  } catch (cause) {
    throw failed('File cannot be written', path, cause)
  }
}

async function readThrough(
  path: string,
  signal: AbortSignal,
  progress: Progress,
  take: (chunk: Uint8Array) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const buffer = Buffer.alloc(chunkBytes)
    for (let done = 0; ;) {
      signal.throwIfAborted()
      const { bytesRead } = await file.read(buffer)
      if (bytesRead === 0) return
      await take(buffer.subarray(0, bytesRead))
      done += bytesRead
      progress(done, size)
    }
  } finally {
    await file.close()
  }
}

/** The hex SHA-256 of a file. @throws {@link Failure} STORE_FAILED; what `signal` was aborted with */
export async function hashFile(
  path: string,
  signal: AbortSignal,
  progress: Progress,
): Promise<string> {
  const hash = createHash('sha256')
  try {
    await readThrough(path, signal, progress, (chunk) => {
      hash.update(chunk)
      return Promise.resolve()
    })
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    throw failed('File cannot be read', path, cause)
  }
  return hash.digest('hex')
}

/**
 * Copies a file to a new one of mode 0600 and gives the hex SHA-256 of what was written; durable when it resolves, but for its name.
 * @throws {@link Failure} STORE_FULL, STORE_FAILED; what `signal` was aborted with
 */
export async function copyDurably(
  from: string,
  to: string,
  signal: AbortSignal,
  progress: Progress,
): Promise<string> {
  const hash = createHash('sha256')
  try {
    const file = await open(to, 'wx', 0o600)
    try {
      await readThrough(from, signal, progress, async (chunk) => {
        hash.update(chunk)
        await file.writeFile(chunk)
      })
      await file.sync()
    } finally {
      await file.close()
    }
  } catch (cause) {
    if (signal.aborted) throw signal.reason
    throw failed('File cannot be copied', to, cause)
  }
  return hash.digest('hex')
}
