// Publishing into S3. An object appears whole or not at all by itself. Tiles are made only where there is none, and the checkpoint takes the place of the
// one that was read, so that of two publishers the slower one cannot take the log back.
import { equalBytes } from '../base/bytes.ts'
import { Failure } from '../base/failure.ts'
import type { PublishTarget } from './publish.ts'
import { S3Folder, type S3FolderOptions, type S3Serving } from './s3-folder.ts'

const forever: S3Serving = {
  cache: 'public, max-age=31536000, immutable',
  type: 'application/octet-stream',
}
const newest: S3Serving = { cache: 'max-age=5', type: 'text/plain; charset=utf-8' }

/** A prefix of a bucket as a place to publish in. */
export class PublishS3 implements PublishTarget {
  readonly #folder: S3Folder
  #proved = false

  /** @throws {@link Failure} CONFIG_INVALID when the URL names no place in S3 */
  constructor(url: string, options: S3FolderOptions = {}) {
    this.#folder = new S3Folder(url, options)
  }

  async read(path: string): Promise<Uint8Array | undefined> {
    return (await this.#folder.read(path))?.bytes
  }

  async create(path: string, bytes: Uint8Array): Promise<void> {
    if (!this.#proved && (await this.#folder.read(path)) !== undefined) throw this.#exists(path)
    const etag = await this.#folder.create(path, bytes, forever)
    if (etag === undefined) throw this.#exists(path)
    if (this.#proved) return
    await this.#folder.proveConditional(path, { bytes })
    this.#proved = true
  }

  async replace(path: string, bytes: Uint8Array, before: Uint8Array | undefined): Promise<void> {
    const there = await this.#folder.read(path)
    const expected =
      there === undefined ? before === undefined : before && equalBytes(there.bytes, before)
    if (expected !== true) throw this.#outrun(path)
    const etag =
      there === undefined
        ? await this.#folder.create(path, bytes, newest)
        : await this.#folder.replace(path, bytes, there.etag, newest)
    if (etag !== undefined) return
    const now = await this.read(path)
    if (now === undefined || !equalBytes(now, bytes)) throw this.#outrun(path)
  }

  close(): Promise<void> {
    return this.#folder.close()
  }

  #exists(path: string): Failure {
    return new Failure('INPUT_EXISTS', `Object exists: ${this.#folder.name(path)}`)
  }

  #outrun(path: string): Failure {
    return new Failure(
      'LOG_CONFLICT',
      `Somebody else publishes there at the same time, run it again: ${this.#folder.name(path)}`,
    )
  }
}
