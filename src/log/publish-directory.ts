// Publishing into a directory. A file appears under its name when it is whole and durable: written beside it, synced, and linked, which fails where there
// is one already.
import { link, readFile, rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import { syncPath, writeNew } from '../store/durable-files.ts'
import { makeDirectory } from '../store/make-directory.ts'
import type { PublishTarget } from './publish.ts'

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code

/** A directory as a place to publish in; it is made when it is not there. */
export class PublishDirectory implements PublishTarget {
  readonly #root: string
  #count = 0

  constructor(root: string) {
    this.#root = root
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    try {
      return await readFile(join(this.#root, path))
    } catch (cause) {
      if (codeOf(cause) === 'ENOENT') return undefined
      throw this.#failed(path, cause)
    }
  }

  create(path: string, bytes: Uint8Array): Promise<void> {
    return this.#place(path, bytes, link)
  }

  async replace(path: string, bytes: Uint8Array, before: Uint8Array | undefined): Promise<void> {
    const there = await this.read(path)
    const expected =
      there === undefined ? before === undefined : before && equalBytes(there, before)
    if (expected !== true)
      throw new Failure(
        'LOG_CONFLICT',
        `Somebody else publishes there at the same time, run it again: ${this.#root}`,
      )
    await this.#place(path, bytes, rename)
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  async #place(
    path: string,
    bytes: Uint8Array,
    move: (from: string, to: string) => Promise<void>,
  ): Promise<void> {
    const name = join(this.#root, path)
    const beside = `${name}.${process.pid}-${this.#count++}.tmp`
    try {
      makeDirectory(dirname(name), 0o777)
      await writeNew(beside, bytes, 0o644)
      await move(beside, name)
      await syncPath(dirname(name))
    } catch (cause) {
      if (codeOf(cause) === 'EEXIST')
        throw new Failure('INPUT_EXISTS', `File exists: ${path}`, { cause })
      throw this.#failed(path, cause)
    } finally {
      await rm(beside, { force: true }).catch(() => undefined)
    }
  }

  #failed(path: string, cause: unknown): Failure {
    const code = codeOf(cause)
    const what = `Cannot publish ${path} (${code ?? 'unknown error'}): ${this.#root}`
    return new Failure(code === 'ENOSPC' ? 'STORE_FULL' : 'STORE_FAILED', what, { cause })
  }
}
