// The objects below one prefix of an S3 bucket. Every write is conditional: it makes an object where there is none, or takes the place of the version
// that was read; nothing is ever overwritten unseen. Whoever serves S3 must honour If-None-Match and If-Match, and is tried before it is believed.
import { Failure, invariant } from '../base/failure.ts'
import { within } from '../kek/deadline.ts'
import { named, type AwsConnection } from '../kek/aws-client.ts'
import { connectS3, type S3Client, type S3Object } from './s3-client.ts'
import { s3Failure, statusOf } from './s3-failure.ts'

/** Where objects lie. */
export interface S3Location {
  readonly bucket: string
  /** Without slash at either end; empty for the whole bucket. */
  readonly prefix: string
}

/** How an object is to be served. */
export interface S3Serving {
  readonly type: string
  readonly cache: string
}

/** How S3 is reached, and how long a whole call may take, all attempts and the search for credentials included. */
export interface S3FolderOptions extends AwsConnection {
  readonly deadlineMs?: number | undefined
}

/** Whether a text names a place in S3. */
export const isS3Url = (text: string): boolean => /^s3:\/\//i.test(text)

/** The place that a URL such as `s3://bucket/prefix` names. @throws {@link Failure} CONFIG_INVALID */
export function parseS3Url(url: string): S3Location {
  const [, bucket, path = ''] =
    /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(\/.*)?$/i.exec(url) ?? []
  const prefix = path.replaceAll(/^\/+|\/+$/g, '')
  const clean = /^[\x21-\x7e]{0,512}$/.test(prefix) && !/[?#]|\/\/|(^|\/)\.{1,2}(\/|$)/.test(prefix)
  if (bucket === undefined || !clean)
    throw new Failure('CONFIG_INVALID', `Not a place in S3 such as s3://bucket/prefix: ${url}`)
  return { bucket, prefix }
}

/** Objects of S3 below a prefix. */
export class S3Folder {
  readonly #location: S3Location
  readonly #options: S3FolderOptions
  readonly #closing = new AbortController()
  #client: Promise<S3Client> | undefined

  /** @throws {@link Failure} CONFIG_INVALID when the URL names no place in S3 */
  constructor(url: string, options: S3FolderOptions = {}) {
    this.#location = parseS3Url(url)
    this.#options = options
  }

  /** What to call an object, or the folder itself. */
  name(path = ''): string {
    return `s3://${this.#location.bucket}/${this.#key(path)}`
  }

  /** An object, or undefined when there is none. @throws {@link Failure} STORE_FAILED, CONFIG_INVALID, as all calls here */
  async read(path: string): Promise<S3Object | undefined> {
    return this.#ask('GetObject', path, async (client, signal) => {
      try {
        return await client.get(this.#target(path), signal)
      } catch (error) {
        if (error instanceof Error && ['NoSuchKey', 'NotFound'].includes(error.name))
          return undefined
        throw error
      }
    })
  }

  /**
   * Makes an object and gives its tag; undefined when there is one already, which may be this one: an answer may be lost, and the call is made again.
   */
  create(path: string, bytes: Uint8Array, serving?: S3Serving): Promise<string | undefined> {
    return this.#put(path, bytes, { IfNoneMatch: '*' }, serving)
  }

  /** Puts an object in the place of the version with a tag and gives its own; undefined when another is there, which may be this one. */
  replace(
    path: string,
    bytes: Uint8Array,
    etag: string,
    serving?: S3Serving,
  ): Promise<string | undefined> {
    return this.#put(path, bytes, { IfMatch: etag }, serving)
  }

  /**
   * Sees that conditions are honoured, by an object that is there: what is not refused would be done to others too.
   * @throws {@link Failure} CONFIG_INVALID
   */
  async proveConditional(path: string, { bytes }: Pick<S3Object, 'bytes'>): Promise<void> {
    if ((await this.create(path, bytes)) !== undefined)
      throw new Failure(
        'CONFIG_INVALID',
        `This S3 overwrites where If-None-Match forbids it, use one that does not: ${this.name()}`,
      )
  }

  /** The paths of all objects. */
  async list(): Promise<readonly string[]> {
    const { bucket } = this.#location
    const start = this.#key('')
    const paths: string[] = []
    let token: string | undefined
    do {
      const before = token
      const page = await this.#ask('ListObjectsV2', '', async (client, signal) => {
        const input = { Bucket: bucket, ContinuationToken: before, Prefix: start }
        const {
          Contents = [],
          IsTruncated,
          NextContinuationToken,
        } = await client.list(input, signal)
        const next = IsTruncated === true ? NextContinuationToken : undefined
        // Half a list would pass for a whole one, and one that turns in a circle never ends.
        if (IsTruncated === true && (next === undefined || next === before))
          throw named('AnswerIncomplete')
        return { Contents, next }
      })
      for (const { Key } of page.Contents)
        if (Key?.startsWith(start) === true) paths.push(Key.slice(start.length))
      token = page.next
    } while (token !== undefined)
    return paths
  }

  /** Ends calls that are under way; whoever calls later fails. */
  async close(): Promise<void> {
    this.#closing.abort()
    const client = await this.#client?.catch(() => undefined)
    client?.close()
  }

  #key(path: string): string {
    const { prefix } = this.#location
    return prefix === '' ? path : `${prefix}/${path}`
  }

  #target(path: string): { Bucket: string; Key: string } {
    invariant(path !== '', 'Object without a path')
    return { Bucket: this.#location.bucket, Key: this.#key(path) }
  }

  #put(
    path: string,
    bytes: Uint8Array,
    condition: { readonly IfNoneMatch: string } | { readonly IfMatch: string },
    serving?: S3Serving,
  ): Promise<string | undefined> {
    const headers =
      serving === undefined ? {} : { CacheControl: serving.cache, ContentType: serving.type }
    return this.#ask('PutObject', path, async (client, signal) => {
      try {
        const input = { ...this.#target(path), ...condition, ...headers, Body: bytes }
        const { ETag } = await client.put(input, signal)
        if (ETag === undefined) throw named('AnswerIncomplete')
        return ETag
      } catch (error) {
        // 409: another write of it is under way. 404: what was to be replaced is gone.
        const gone = statusOf(error) === 404 && (error as Error).name === 'NoSuchKey'
        if (gone || [409, 412].includes(statusOf(error) ?? 0)) return undefined
        throw error
      }
    })
  }

  async #ask<T>(
    operation: string,
    path: string,
    call: (client: S3Client, signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    const { deadlineMs = 15_000 } = this.#options
    try {
      return await within(deadlineMs, this.#closing.signal, async (signal) =>
        call(await this.#connect(), signal),
      )
    } catch (error) {
      throw s3Failure(error, operation, this.name(path))
    }
  }

  /** One client; what kept it from being made may be mended before the next call. */
  #connect(): Promise<S3Client> {
    this.#client ??= connectS3(this.#options).catch((error: unknown) => {
      this.#client = undefined
      throw error
    })
    return this.#client
  }
}
